"""What a structure owes back, and how it comes back: netted from its next advices, repaid by a bank line, given up by two people.

`recovered_cents` guards each overpayment: every recovery goes through one conditional UPDATE, so that whoever races, no more
comes back than was overpaid. Once a revenue order was asked for, nothing is netted any more: the public accountant collects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.kernel.typed import required_text
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, entry_of, post_event, reverse
from voucher.network.model import Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.model import AdviceLine, BankLine, LineNature, PaymentAdvice
from voucher.settlement.model_overpayments import Dispute, Overpayment, Recovery, RecoveryKind
from voucher.settlement.scope import in_scope

REASON_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Released:
    """An amount that a dismissed dispute freed after its period was settled: it waits for a batch, as a line of its own."""

    dispute_id: UUID
    structure_id: UUID
    amount_cents: int
    voucher_count: int


@dataclass(frozen=True, slots=True)
class OpenOverpayment:
    """What is left of an overpayment that may still be netted."""

    overpayment_id: UUID
    structure_id: UUID
    open_cents: int


@dataclass(frozen=True, slots=True)
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


def released_amounts(session: Session, agreement_id: UUID) -> list[Released]:
    """Return what dismissed disputes freed and no batch paid yet, the oldest first."""
    rows = session.execute(
        select(Dispute.id, Dispute.structure_id, Dispute.amount_cents, Dispute.voucher_count)
        .where(Dispute.agreement_id == agreement_id, Dispute.is_released, ~is_lined())
        .order_by(Dispute.decided_at, Dispute.id)
    )
    return [Released(*row) for row in rows]


def released_unpaid() -> Select[*tuple[Any, ...]]:
    """Return the statement (agreement_id, structure_id, cents) of what dismissed disputes freed and no batch paid yet."""
    return select(Dispute.agreement_id, Dispute.structure_id, Dispute.amount_cents.label("cents")).where(
        Dispute.is_released, ~is_lined()
    )


def in_period_line() -> ColumnElement[bool]:
    """Return the condition that a redemption is in the line of its period, once that is settled.

    It was confirmed at that moment: it still is, or was clawed back since. What a dispute freed later has a line of its own.
    """
    of_redemption = exists().where(Dispute.redemption_id == Redemption.id)
    clawed_back = exists().where(Overpayment.redemption_id == Redemption.id)
    return and_(
        or_(
            Redemption.state == RedemptionState.CONFIRMED,
            and_(Redemption.state == RedemptionState.REVERSED, clawed_back),
        ),
        ~of_redemption.where(Dispute.is_released),
    )


def is_lined() -> ColumnElement[bool]:
    """Return the condition that an advice carries what a dispute released."""
    return exists().where(AdviceLine.nature == LineNature.RELEASED, AdviceLine.source_id == Dispute.id)


def open_overpayments(session: Session, agreement_id: UUID) -> list[OpenOverpayment]:
    """Return what may be netted for an agreement, the oldest first: neither recovered nor claimed."""
    rows = session.execute(
        select(Overpayment.id, Overpayment.structure_id, Overpayment.amount_cents - Overpayment.recovered_cents)
        .where(
            Overpayment.agreement_id == agreement_id,
            Overpayment.claimed_at.is_(None),
            Overpayment.recovered_cents < Overpayment.amount_cents,
        )
        .order_by(Overpayment.decided_at, Overpayment.id)
    )
    return [OpenOverpayment(*row) for row in rows]


def net_of(gross_cents: int, overpaid: Iterable[OpenOverpayment]) -> tuple[tuple[UUID, int], ...]:
    """Say how much of each overpayment an amount pays, in their order, never more than the amount: pure."""
    left, parts = gross_cents, []
    for one in overpaid:
        if (part := min(left, one.open_cents)) > 0:
            parts.append((one.overpayment_id, part))
            left -= part
    return tuple(parts)


def net_advice(
    session: Session, advice_id: UUID, parts: Sequence[tuple[UUID, int]], *, by: UUID, now: datetime
) -> list[UUID]:
    """Record what an advice nets, and return the recoveries' ids in the same order. Raises Refused when one changed meanwhile."""
    ids = []
    for overpayment_id, cents in parts:
        if not _recover(session, overpayment_id, cents, Overpayment.claimed_at.is_(None)):
            raise Refused("overpayment_changed", "Un trop-perçu vient de changer. Rien n’a été arrêté. Recommencez.")
        ids.append(_insert_recovery(session, overpayment_id, RecoveryKind.NETTED, cents, by, now, advice_id=advice_id))
    return ids


def restore_netted(session: Session, advice_id: UUID, structure_id: UUID, *, by: UUID, now: datetime) -> int:
    """Undo what an advice netted, now that it does not leave: lines that give back, overpayments open again; return the cents."""
    rows = session.execute(
        update(Recovery)
        .where(Recovery.advice_id == advice_id, Recovery.cancelled_at.is_(None))
        .values(cancelled_at=now, cancelled_by=by)
        .returning(Recovery.id, Recovery.overpayment_id, Recovery.amount_cents)
        .execution_options(synchronize_session=False)
    ).all()
    for row in rows:
        _unrecover(session, row.overpayment_id, row.amount_cents)
        session.execute(
            insert(AdviceLine).values(
                advice_id=advice_id,
                nature=LineNature.RESTORED,
                source_id=row.id,
                structure_id=structure_id,
                amount_cents=row.amount_cents,
                voucher_count=0,
            )
        )
    return sum(row.amount_cents for row in rows)


def open_claims(
    session: Session, *, paying_account_id: UUID | None = None, amount_cents: int | None = None
) -> list[Claim]:
    """Return the overpayments a credit may repay, the likeliest first: claimed ones, then the oldest.

    `paying_account_id` limits to the agreements that this account pays, `amount_cents` to those with as much left or more.
    """
    left = Overpayment.amount_cents - Overpayment.recovered_cents
    query = (
        select(
            Overpayment.id,
            Overpayment.agreement_id,
            Agreement.number,
            Overpayment.structure_id,
            Structure.name,
            left.label("open_cents"),
            Overpayment.decided_at,
            Overpayment.claimed_at.is_not(None),
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
    return [Claim(*row[:7], bool(row[7])) for row in session.execute(query)]


def repay_from_line(session: Session, line_id: UUID, overpayment_id: UUID, *, by: UUID, now: datetime) -> UUID:
    """Let a bank credit that waits in 4711 repay an overpayment, whole or in part; return the recovery's id.

    The caller holds the turn of bank files, has checked that the line is in its scope, and keeps that it is used. Raises
    Refused: a debit, an account that does not pay this agreement, more than is left, a line that repays already.
    """
    line = session.execute(select(*BankLine.__table__.columns).where(BankLine.id == line_id)).one()
    found = session.execute(
        select(*Overpayment.__table__.columns, Agreement.paying_account_id)
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .where(Overpayment.id == overpayment_id)
    ).one_or_none()
    if found is None or not line.is_credit or found.paying_account_id != line.paying_account_id:
        raise Refused("unknown_overpayment", "Ce trop-perçu n’attend pas cette ligne. Choisissez dans la liste.")
    standing = session.execute(
        select(Recovery.id, Recovery.overpayment_id).where(
            Recovery.bank_line_id == line_id, Recovery.cancelled_at.is_(None)
        )
    ).one_or_none()
    if standing is not None:
        if standing.overpayment_id == overpayment_id:
            return UUID(str(standing.id))
        raise Refused("line_used", "Cette ligne rembourse déjà un autre trop-perçu.")
    if not _recover(session, overpayment_id, line.amount_cents):
        left = found.amount_cents - found.recovered_cents
        raise Refused(
            "amounts_differ",
            f"La ligne est de {format_euros(line.amount_cents)} ; il reste {format_euros(left)} à rembourser. "
            "Choisissez un autre trop-perçu, ou appelez la structure.",
        )
    recovery_id = _insert_recovery(
        session, overpayment_id, RecoveryKind.REPAID, line.amount_cents, by, now, bank_line_id=line_id
    )
    dimensions = {
        Dimension.AGREEMENT: found.agreement_id,
        Dimension.STRUCTURE: found.structure_id,
        Dimension.BANK_ACCOUNT: line.paying_account_id,
    }
    event = Event(EventType.OVERPAYMENT_REPAID, recovery_id, now, "Remboursement reçu d’une structure", by)
    post_event(session, event, dimensions, {found.structure_id: line.amount_cents})
    return recovery_id


def undo_repayment(session: Session, line_id: UUID, *, by: UUID, now: datetime) -> bool:
    """Undo what a line repaid: its money waits in 4711 again. Return False when it repays nothing (any more)."""
    row = session.execute(
        update(Recovery)
        .where(Recovery.bank_line_id == line_id, Recovery.cancelled_at.is_(None))
        .values(cancelled_at=now, cancelled_by=by)
        .returning(Recovery.id, Recovery.overpayment_id, Recovery.amount_cents)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        return False
    _unrecover(session, row.overpayment_id, row.amount_cents)
    entry_id = entry_of(session, EventType.OVERPAYMENT_REPAID, row.id)
    reverse(session, Event(EventType.MATCH_UNDONE, row.id, now, "Remboursement défait", by), entry_id)
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
            .values(write_off_reason=why, write_off_asked_at=max(now, found.claimed_at), write_off_asked_by=by)
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
                written_off_at=max(now, found.write_off_asked_at),
                written_off_by=by,
            )
            .execution_options(synchronize_session=False)
        )
        if changed(session, give_up) == 0:
            raise Refused("overpayment_changed", "Ce trop-perçu vient de changer. Relisez-le, puis recommencez.")
        recovery_id = _insert_recovery(session, overpayment_id, RecoveryKind.WRITTEN_OFF, left, by, now)
        dimensions = {Dimension.AGREEMENT: found.agreement_id, Dimension.STRUCTURE: found.structure_id}
        event = Event(EventType.OVERPAYMENT_WRITTEN_OFF, recovery_id, now, "Trop-perçu abandonné", by)
        post_event(session, event, dimensions, {found.structure_id: left})


def find_overpayment(session: Session, overpayment_id: UUID, issuer_id: UUID | None) -> Row[*tuple[Any, ...]]:
    """Return an overpayment of the scope with its issuer. Raises Refused."""
    found = session.execute(
        select(*Overpayment.__table__.columns, Agreement.issuer_id)
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .where(Overpayment.id == overpayment_id, in_scope(Agreement.issuer_id, issuer_id))
    ).one_or_none()
    if found is None:
        raise Refused("unknown_overpayment", "Ce trop-perçu n’existe pas. Choisissez-le dans la liste.")
    return found


def netted_cents(session: Session, batch_id: UUID) -> int:
    """Return what the advices of a batch net and did not give back, in cents."""
    found = session.scalar(
        select(func.coalesce(func.sum(Recovery.amount_cents), 0))
        .join(PaymentAdvice, PaymentAdvice.id == Recovery.advice_id)
        .where(PaymentAdvice.batch_id == batch_id, Recovery.cancelled_at.is_(None))
    )
    return int(found or 0)


def _recover(session: Session, overpayment_id: UUID, cents: int, *conditions: Any) -> bool:
    statement = (
        update(Overpayment)
        .where(
            Overpayment.id == overpayment_id,
            Overpayment.recovered_cents + cents <= Overpayment.amount_cents,
            *conditions,
        )
        .values(recovered_cents=Overpayment.recovered_cents + cents)
        .execution_options(synchronize_session=False)
    )
    return changed(session, statement) == 1


def _unrecover(session: Session, overpayment_id: UUID, cents: int) -> None:
    session.execute(
        update(Overpayment)
        .where(Overpayment.id == overpayment_id)
        .values(recovered_cents=Overpayment.recovered_cents - cents)
        .execution_options(synchronize_session=False)
    )


def _insert_recovery(
    session: Session,
    overpayment_id: UUID,
    kind: RecoveryKind,
    cents: int,
    by: UUID,
    now: datetime,
    *,
    advice_id: UUID | None = None,
    bank_line_id: UUID | None = None,
) -> UUID:
    recovery_id = new_id()
    session.execute(
        insert(Recovery).values(
            id=recovery_id,
            overpayment_id=overpayment_id,
            kind=kind,
            amount_cents=cents,
            advice_id=advice_id,
            bank_line_id=bank_line_id,
            recovered_at=now,
            recovered_by=by,
        )
    )
    return recovery_id
