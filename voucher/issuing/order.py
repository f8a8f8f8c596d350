"""Order vouchers: reserve their serials, their positions and the credit that pays them, in one transaction.

Nothing is signed here: `make_batch` makes what an order promised, as often as it needs to be run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from voucher.funding.issuing_stop import STOP_PERCENT, stop_reason
from voucher.issuing.code import SERIAL_MAX
from voucher.issuing.model import BatchShare, IssueBatch, IssuerKey, KeyState, SerialCounter
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay
from voucher.kernel.money import NO_BREAK_SPACE, format_euros
from voucher.kernel.refusals import Refused
from voucher.kernel.share_rounding import shares_of, shares_of_order
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.end_share import apply_endings
from voucher.programme.model import Agreement, AgreementShare, Credit, Funder
from voucher.programme.shares import covered_count

VOUCHERS_PER_ORDER_MAX = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What an order reserved. `is_new` is False when the same order had been taken before."""

    batch_id: UUID
    first_serial: int
    voucher_count: int
    first_booklet_number: int
    booklet_count: int
    value_cents: int
    is_new: bool


def order_vouchers(
    database: Database,
    batch_id: UUID,
    agreement_id: UUID,
    booklet_count: int,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
    stop_percent: int = STOP_PERCENT,
) -> Ordered:
    """Take an order of whole booklets and return what it reserved; the same `batch_id` again returns the same.

    `issuer_id` is the scope of who asks: another issuer's agreement does not exist for them. Raises Refused: unknown
    agreement, no booklet or too many, last day of use passed, no signing key, not enough credit, not enough funds behind what
    would be in circulation (funding.issuing_stop), another order of that id.
    """
    with database.write() as session:
        # Orders of one agreement follow each other from here on: each sees the credit that the one before left.
        agreement = session.get(Agreement, agreement_id, with_for_update={"key_share": True})
        if agreement is None or issuer_id not in (None, agreement.issuer_id):
            raise Refused("agreement_unknown", "Cette convention n’existe pas. Choisissez-la dans la liste.")
        command = {"id": batch_id, "agreement_id": agreement_id, "booklet_count": booklet_count}
        if is_replay(session, IssueBatch, command):
            return _ordered_before(session.get_one(IssueBatch, batch_id))
        voucher_count = booklet_count * agreement.booklet_size
        _check_order(agreement, booklet_count, voucher_count, now)
        key_id = _active_key(session, agreement.issuer_id)
        apply_endings(session, agreement, now)
        amounts_cents = _take_credit(session, agreement, voucher_count)
        value_cents = voucher_count * agreement.face_value_cents
        if reason := stop_reason(session, agreement_id, value_cents, on=paris_day(now), stop_percent=stop_percent):
            raise Refused("backing_short", reason, "booklet_count")
        session.execute(
            update(Agreement)
            .where(Agreement.id == agreement_id)
            .values(issued_count=Agreement.issued_count + voucher_count)
        )
        first_serial, first_booklet_number = _take_numbers(session, voucher_count, booklet_count)
        session.execute(
            insert(IssueBatch).values(
                id=batch_id,
                agreement_id=agreement_id,
                key_id=key_id,
                first_serial=first_serial,
                voucher_count=voucher_count,
                first_booklet_number=first_booklet_number,
                booklet_count=booklet_count,
                booklet_size=agreement.booklet_size,
                made_booklet_count=0,
                face_value_cents=agreement.face_value_cents,
                use_by=agreement.use_by,
                grace_until=agreement.grace_until,
                present_by=agreement.present_by,
                is_handover_required=agreement.is_handover_required,
                share_set=agreement.share_set,
                ordered_at=now,
                ordered_by=by,
            )
        )
        session.execute(
            insert(BatchShare),
            [
                {"batch_id": batch_id, "rank": rank, "funder_id": funder_id, "amount_cents": cents}
                for rank, (funder_id, cents) in enumerate(amounts_cents.items(), 1)
            ],
        )
        narration = f"Commande de {voucher_count} chèques, convention {agreement.number}"
        event = Event(EventType.VOUCHERS_ISSUED, batch_id, now, narration, by)
        post_event(session, event, {Dimension.AGREEMENT: agreement_id}, amounts_cents)
    return Ordered(
        batch_id=batch_id,
        first_serial=first_serial,
        voucher_count=voucher_count,
        first_booklet_number=first_booklet_number,
        booklet_count=booklet_count,
        value_cents=value_cents,
        is_new=True,
    )


def _ordered_before(earlier: IssueBatch) -> Ordered:
    return Ordered(
        batch_id=earlier.id,
        first_serial=earlier.first_serial,
        voucher_count=earlier.voucher_count,
        first_booklet_number=earlier.first_booklet_number,
        booklet_count=earlier.booklet_count,
        value_cents=earlier.voucher_count * earlier.face_value_cents,
        is_new=False,
    )


def _check_order(agreement: Agreement, booklet_count: int, voucher_count: int, now: datetime) -> None:
    if booklet_count < 1:
        raise Refused("nothing_ordered", "Commandez au moins un carnet.", "booklet_count")
    if voucher_count > VOUCHERS_PER_ORDER_MAX:
        most = VOUCHERS_PER_ORDER_MAX // agreement.booklet_size
        raise Refused("order_too_big", f"Une commande compte {most} carnets au plus. Passez-en deux.", "booklet_count")
    if paris_day(now) > agreement.use_by:
        raise Refused(
            "agreement_ended",
            f"Les chèques de cette convention étaient à utiliser avant le {french_date(agreement.use_by)}. "
            "Commandez sur une convention en cours.",
        )


def _active_key(session: Session, issuer_id: UUID) -> int:
    key_id = session.scalar(
        select(IssuerKey.id).where(IssuerKey.issuer_id == issuer_id, IssuerKey.state == KeyState.ACTIVE)
    )
    if key_id is None:
        raise Refused("no_key", "Cette collectivité n’a pas de clé de signature. Créez-en une, puis commandez.")
    return key_id


def _take_credit(session: Session, agreement: Agreement, count: int) -> Mapping[UUID, int]:
    """Take what each funder pays of an order from its credit; return it, by rank. Raises Refused when the whole does not suffice."""
    credits_ = _locked_credits(session, agreement.id)
    available_cents = [credit.available_cents for credit in credits_]
    share_basis_points = [credit.share_basis_points for credit in credits_]
    face_value_cents = agreement.face_value_cents
    if agreement.share_set:
        # Since a share ended, credits no longer stand in the proportion of the shares: each order is split by its positions.
        first = agreement.issued_count - agreement.set_issued_count
        if count > covered_count(face_value_cents, share_basis_points, first, available_cents):
            parts = shares_of(face_value_cents, share_basis_points, first, count)
            raise _credit_lacks(
                [
                    (credit.name, cents - credit.available_cents)
                    for credit, cents in zip(credits_, parts, strict=True)
                    if cents > credit.available_cents
                ]
            )
        amounts_cents = shares_of(face_value_cents, share_basis_points, first, count)
    else:
        ready_count = sum(available_cents) // face_value_cents
        if count > ready_count:
            raise _credit_short(agreement, credits_, count - ready_count)
        amounts_cents = shares_of_order(
            face_value_cents, share_basis_points, agreement.committed_cents, available_cents, count
        )
    for credit, cents in zip(credits_, amounts_cents, strict=True):
        session.execute(
            update(Credit)
            .where(Credit.agreement_id == agreement.id, Credit.funder_id == credit.funder_id)
            .values(available_cents=Credit.available_cents - cents)
        )
    return dict(zip((credit.funder_id for credit in credits_), amounts_cents, strict=True))


def _locked_credits(session: Session, agreement_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the agreement's credits by rank of their funders, kept as they are until the end of the transaction."""
    # Rows are locked in the order of the funders' ids, as `return_credit` locks them: no deadlock.
    locked = session.execute(
        select(
            Credit.funder_id,
            Credit.available_cents,
            AgreementShare.rank,
            AgreementShare.share_basis_points,
            Funder.name,
        )
        .join(
            AgreementShare,
            (AgreementShare.agreement_id == Credit.agreement_id) & (AgreementShare.funder_id == Credit.funder_id),
        )
        .join(Funder, Funder.id == Credit.funder_id)
        .where(Credit.agreement_id == agreement_id)
        .order_by(Credit.funder_id)
        .with_for_update(of=Credit, key_share=True)
    ).all()
    return sorted(locked, key=lambda credit: credit.rank)


def _credit_short(agreement: Agreement, credits_: Sequence[Row[*tuple[Any, ...]]], lacking_count: int) -> Refused:
    face_value_cents = agreement.face_value_cents
    parts = shares_of(
        face_value_cents,
        [credit.share_basis_points for credit in credits_],
        agreement.committed_cents // face_value_cents,
        lacking_count,
    )
    return _credit_lacks([(credit.name, cents) for credit, cents in zip(credits_, parts, strict=True)])


def _credit_lacks(lacking: Sequence[tuple[str, int]]) -> Refused:
    missing = " et ".join(f"{format_euros(cents)}{NO_BREAK_SPACE}({name})" for name, cents in lacking)
    return Refused(
        "credit_short",
        f"Le crédit ne suffit pas. Il manque {missing}. Commandez moins de carnets ou engagez un crédit.",
        "booklet_count",
    )


def _take_numbers(session: Session, voucher_count: int, booklet_count: int) -> tuple[int, int]:
    """Take the next serials and booklet numbers of the programme: one statement, last, so that nobody waits for long."""
    first = session.execute(
        update(SerialCounter)
        .where(SerialCounter.id == 1, SerialCounter.next_serial + voucher_count - 1 <= SERIAL_MAX)
        .values(
            next_serial=SerialCounter.next_serial + voucher_count,
            next_booklet_number=SerialCounter.next_booklet_number + booklet_count,
        )
        .returning(SerialCounter.next_serial, SerialCounter.next_booklet_number)
    ).one_or_none()
    if first is None:
        raise Refused("serials_spent", "Il n’y a plus de numéro de chèque libre. Prévenez l’équipe technique.")
    return first.next_serial - voucher_count, first.next_booklet_number - booklet_count
