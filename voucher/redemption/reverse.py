"""What a dispute does to a redemption: contested it is not paid, confirmed again it is, reversed its vouchers go back.

Settlement decides and calls these inside its own transaction, under the lock of the agreement's periods (`lock_periods_shared`):
a period is not summed meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.issuing.shares import return_credit
from voucher.kernel.database import changed
from voucher.ledger.chart import Case, Code, Dimension, EventType, Movement, movements_of
from voucher.ledger.model import Account, Entry
from voucher.ledger.model import Movement as MovementRow
from voucher.redemption.model import RedeemedVoucher, Redemption, RedemptionState

STATE_BEFORE = {
    EventType.VOUCHERS_REDEEMED: VoucherState.HANDED_OVER,
    EventType.VOUCHERS_REDEEMED_FROM_STOCK: VoucherState.ISSUED,
}
"""Where vouchers stood before each kind of use."""

ENDED_STATES = (VoucherState.STOPPED, VoucherState.VOID, VoucherState.LAPSED)
"""States that reversed vouchers take when their booklet ended meanwhile: their credit is given back at once."""

_CASES = {VoucherState.HANDED_OVER: None, VoucherState.ISSUED: Case.BACK_IN_STOCK}


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a reversed redemption gave back: the state its vouchers took, and each funder's part in cents."""

    became: VoucherState
    agreement_id: UUID
    structure_id: UUID
    parts_cents: Mapping[UUID, int]

    def movements(self, event_type: EventType) -> list[Movement]:
        """Return the movements of its entry: the stage its vouchers leave, and what the funders owe no more."""
        dimensions = {Dimension.AGREEMENT: self.agreement_id, Dimension.STRUCTURE: self.structure_id}
        return movements_of(event_type, dimensions, self.parts_cents, _CASES.get(self.became, Case.CREDIT_FREED))


def suspend(session: Session, redemption_id: UUID) -> bool:
    """Mark a confirmed redemption as disputed: it leaves its period's sum. Return False when it was not confirmed."""
    return _change(session, redemption_id, RedemptionState.CONFIRMED, RedemptionState.DISPUTED)


def confirm_again(session: Session, redemption_id: UUID) -> bool:
    """Confirm a disputed redemption again. Return False when it was not disputed."""
    return _change(session, redemption_id, RedemptionState.DISPUTED, RedemptionState.CONFIRMED)


def reverse_redemption(session: Session, redemption_id: UUID, expected: RedemptionState) -> Reversal | None:
    """Reverse a redemption that stands in the `expected` state, and give its vouchers back; None when it does not.

    They can be used again, unless their booklet was stopped, destroyed or lapsed since: then they end as it did, and their
    credit goes back to the agreement. The caller posts `Reversal.movements`. Funders' parts are those of its own entry.
    """
    if not _change(session, redemption_id, expected, RedemptionState.REVERSED):
        return None
    found = session.execute(
        select(
            Redemption.agreement_id,
            Redemption.structure_id,
            Booklet.state.label("booklet_state"),
            IssueBatch.lapsed_at,
        )
        .join(Booklet, Booklet.number == Redemption.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(Redemption.id == redemption_id)
        .with_for_update(read=True, of=[Booklet, IssueBatch])
    ).one()
    entry = session.execute(
        select(Entry.id, Entry.event_type).where(Entry.event_id == redemption_id, Entry.event_type.in_(STATE_BEFORE))
    ).one()
    ended = {BookletState.STOPPED: VoucherState.STOPPED, BookletState.VOID: VoucherState.VOID}
    became = ended.get(found.booklet_state) or (
        VoucherState.LAPSED if found.lapsed_at is not None else STATE_BEFORE[EventType(entry.event_type)]
    )
    restore_vouchers(session, redemption_id, became)
    parts_cents = _parts(session, entry.id)
    if became not in _CASES:
        return_credit(session, found.agreement_id, parts_cents)
    return Reversal(became, found.agreement_id, found.structure_id, parts_cents)


def restore_vouchers(session: Session, redemption_id: UUID, became: VoucherState) -> None:
    """Put the vouchers of a redemption into a state, and let their lines count no more."""
    lines = select(RedeemedVoucher.serial).where(RedeemedVoucher.redemption_id == redemption_id)
    session.execute(
        update(Voucher)
        .where(Voucher.serial.in_(lines), Voucher.state == VoucherState.REDEEMED)
        .values(state=became)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(RedeemedVoucher)
        .where(RedeemedVoucher.redemption_id == redemption_id)
        .values(is_live=False)
        .execution_options(synchronize_session=False)
    )


def _parts(session: Session, entry_id: UUID) -> dict[UUID, int]:
    """Return what each funder was made to owe by a redemption's entry, in cents: read, never computed again."""
    debit = aliased(Account)
    rows = session.execute(
        select(debit.funder_id, MovementRow.amount_cents)
        .join(debit, debit.id == MovementRow.debit_account_id)
        .where(MovementRow.entry_id == entry_id, debit.code == Code.TO_CALL)
        .order_by(MovementRow.rank)
    )
    return {row.funder_id: row.amount_cents for row in rows}


def _change(session: Session, redemption_id: UUID, before: RedemptionState, after: RedemptionState) -> bool:
    statement = (
        update(Redemption)
        .where(Redemption.id == redemption_id, Redemption.state == before)
        .values(state=after)
        .execution_options(synchronize_session=False)
    )
    return changed(session, statement) == 1
