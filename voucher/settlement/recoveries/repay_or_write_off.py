"""How an overpayment comes back otherwise than netted: repaid by a bank credit, or given up by two people once it was claimed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import not_before
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, entry_of, post_event, reverse_on_its_day
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.recoveries import Overpayment, Recovery
from voucher.settlement.recoveries.net_overpayments import find_overpayment, insert_recovery, recover, unrecover
from voucher.settlement.words.states import RecoveryKind

REASON_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An overpayment that a bank credit could repay: a suggestion for who matches lines. `open_cents` is what is left."""

    overpayment_id: UUID
    agreement_id: UUID
    agreement_number: str
    structure_id: UUID
    structure_name: str
    open_cents: int
    decided_at: datetime
    is_claimed: bool


def open_claims(
    session: Session,
    *,
    paying_account_id: UUID | None = None,
    amount_cents: int | None = None,
    not_repaid_by: UUID | None = None,
) -> list[Claim]:
    """Return the overpayments a credit may repay, the likeliest first: claimed ones, then the oldest.

    `paying_account_id` limits to the agreements that this account pays, `amount_cents` to those with as much left or more,
    `not_repaid_by` to those of which this line repays no part: a line repays each once at a time.
    """
    left = Overpayment.amount_cents - Overpayment.recovered_cents
    query = (
        select(
            Overpayment.id.label("overpayment_id"),
            Overpayment.agreement_id,
            Agreement.number.label("agreement_number"),
            Overpayment.structure_id,
            Structure.name.label("structure_name"),
            left.label("open_cents"),
            Overpayment.decided_at,
            Overpayment.claimed_at.is_not(None).label("is_claimed"),
        )
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .join(Structure, Structure.id == Overpayment.structure_id)
        .where(left > 0)
        .order_by(Overpayment.claimed_at.is_(None), Overpayment.decided_at, Overpayment.id)
    )
    if paying_account_id is not None:
        query = query.where(Agreement.paying_account_id == paying_account_id)
    if amount_cents is not None:
        query = query.where(left >= amount_cents)
    if not_repaid_by is not None:
        is_repaid = exists().where(
            Recovery.overpayment_id == Overpayment.id,
            Recovery.bank_line_id == not_repaid_by,
            Recovery.cancelled_at.is_(None),
        )
        query = query.where(~is_repaid)
    return [Claim(**row._asdict() | {"is_claimed": bool(row.is_claimed)}) for row in session.execute(query)]


def repay_from_line(
    session: Session, line_id: UUID, overpayment_id: UUID, *, by: UUID, now: datetime, amount_cents: int | None = None
) -> UUID:
    """Let a bank credit that waits in 4711 repay an overpayment (4711 to 4671), whole or in part; return the recovery's id.

    `amount_cents` is the part of the line that repays this one, by default all of it. The caller holds the turn of bank files,
    has checked that the line is in its scope, and keeps that it is used. Raises Refused: a debit, an account that does
    not pay this agreement, more than is left of the overpayment or of the line, a line that repays a part of it already.
    """
    line = session.execute(select(*BankLine.__table__.columns).where(BankLine.id == line_id)).one()
    found = session.execute(
        select(*Overpayment.__table__.columns, Agreement.paying_account_id)
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .where(Overpayment.id == overpayment_id)
    ).one_or_none()
    if found is None or not line.is_credit or found.paying_account_id != line.paying_account_id:
        raise Refused("unknown_overpayment", "Ce trop-perçu n’attend pas cette ligne. Choisissez dans la liste.")
    cents = line.amount_cents if amount_cents is None else amount_cents
    live = select(Recovery).where(Recovery.bank_line_id == line_id, Recovery.cancelled_at.is_(None))
    standing = session.scalars(live).all()
    used_cents = sum(one.amount_cents for one in standing)
    if any(one.overpayment_id == overpayment_id for one in standing) or not 0 < cents <= line.amount_cents - used_cents:
        raise Refused("line_used", "Cette ligne rembourse déjà un trop-perçu. Défaites ce rapprochement d’abord.")
    if not recover(session, overpayment_id, cents):
        left = found.amount_cents - found.recovered_cents
        raise Refused(
            "amounts_differ",
            f"La ligne est de {format_euros(cents)} ; il reste {format_euros(left)} à rembourser. "
            "Choisissez un autre trop-perçu, ou appelez la structure.",
        )
    recovery_id = insert_recovery(session, overpayment_id, RecoveryKind.REPAID, cents, by, now, bank_line_id=line_id)
    dimensions = {
        Dimension.AGREEMENT: found.agreement_id,
        Dimension.STRUCTURE: found.structure_id,
        Dimension.BANK_ACCOUNT: line.paying_account_id,
    }
    event = Event(
        EventType.OVERPAYMENT_REPAID, recovery_id, now, "Remboursement reçu d’une structure", by, line.booked_on
    )
    post_event(session, event, dimensions, {found.structure_id: cents})
    return recovery_id


def undo_repayment(session: Session, line_id: UUID, overpayment_id: UUID, *, by: UUID, now: datetime) -> bool:
    """Undo what a line repaid of an overpayment: its money waits in 4711 again. Return False when it repays nothing any more."""
    row = session.execute(
        update(Recovery)
        .where(
            Recovery.bank_line_id == line_id,
            Recovery.overpayment_id == overpayment_id,
            Recovery.cancelled_at.is_(None),
        )
        .values(cancelled_at=now, cancelled_by=by)
        .returning(Recovery.id, Recovery.overpayment_id, Recovery.amount_cents)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return False
    unrecover(session, row.overpayment_id, row.amount_cents)
    entry_id = entry_of(session, EventType.OVERPAYMENT_REPAID, row.id)
    reverse_on_its_day(session, Event(EventType.MATCH_UNDONE, row.id, now, "Remboursement défait", by), entry_id)
    return True


def ask_write_off(
    database: Database, overpayment_id: UUID, reason: str, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Ask to give up what is left of a claimed overpayment; the same again changes nothing. Raises Refused."""
    why = required_text(reason, "reason", REASON_LENGTH_MAX)
    with database.write() as session:
        found = find_overpayment(session, overpayment_id, issuer_id)
        if found.claimed_at is None:
            raise Refused("not_claimed", "Demandez d’abord l’émission d’un titre de recette. Revenez ensuite.")
        if found.recovered_cents == found.amount_cents:
            raise Refused("nothing_left", "Ce trop-perçu est soldé. Il n’y a rien à abandonner.")
        ask = (
            update(Overpayment)
            .where(Overpayment.id == overpayment_id, Overpayment.write_off_asked_at.is_(None))
            .values(write_off_reason=why, write_off_asked_at=not_before(now, found.claimed_at), write_off_asked_by=by)
            .execution_options(synchronize_session=False)
        )
        if changed(session, ask) == 0:
            standing = find_overpayment(session, overpayment_id, issuer_id)
            if (standing.write_off_asked_by, standing.write_off_reason) != (by, why):
                raise Refused("already_asked", "L’abandon est déjà demandé. Une autre personne doit décider.")


def write_off(
    database: Database,
    overpayment_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    seen_cents: int | None = None,
) -> None:
    """Give up what is left, as another person asked; again, it changes nothing. `seen_cents` is what the person saw. Raises Refused."""
    with database.write() as session:
        found = find_overpayment(session, overpayment_id, issuer_id)
        if found.write_off_asked_by is None:
            raise Refused("not_asked", "Personne n’a demandé d’abandonner ce trop-perçu. Faites-en d’abord la demande.")
        if found.write_off_asked_by == by:
            raise Refused("four_eyes", "Vous avez demandé cet abandon. Une autre personne doit l’accepter.")
        left = found.amount_cents - found.recovered_cents
        if found.written_off_by == by and left == 0:
            return
        if left == 0 or found.written_off_at is not None or seen_cents not in (None, left):
            raise Refused("overpayment_changed", "Ce trop-perçu vient de changer. Relisez-le, puis recommencez.")
        give_up = (
            update(Overpayment)
            .where(
                Overpayment.id == overpayment_id,
                Overpayment.recovered_cents == found.recovered_cents,
                Overpayment.written_off_at.is_(None),
            )
            .values(
                recovered_cents=Overpayment.amount_cents,
                written_off_at=not_before(now, found.write_off_asked_at),
                written_off_by=by,
            )
            .execution_options(synchronize_session=False)
        )
        if changed(session, give_up) == 0:
            raise Refused("overpayment_changed", "Ce trop-perçu vient de changer. Relisez-le, puis recommencez.")
        recovery_id = insert_recovery(session, overpayment_id, RecoveryKind.WRITTEN_OFF, left, by, now)
        dimensions = {Dimension.AGREEMENT: found.agreement_id, Dimension.STRUCTURE: found.structure_id}
        event = Event(EventType.OVERPAYMENT_WRITTEN_OFF, recovery_id, now, "Trop-perçu abandonné", by)
        post_event(session, event, dimensions, {found.structure_id: left})
