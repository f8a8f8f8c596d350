"""Write what a batch pays each structure, line by line, and the movements of its entry."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.identifiers import new_id
from voucher.kernel.rows import insert_many
from voucher.ledger.chart import Case, Dimension, EventType, Movement, movements_of
from voucher.settlement.formats_out.references import end_to_end_id
from voucher.settlement.model.batches import AdviceLine
from voucher.settlement.model.states import Cause, write_first
from voucher.settlement.payable.owed import Owed
from voucher.settlement.recoveries.net_overpayments import net_advice
from voucher.settlement.words.states import AdviceState, LineNature
from voucher.settlement.words.transitions import PaymentWhy

_Source = tuple[LineNature, UUID, int, int]


def write_advices(
    session: Session, batch_id: UUID, period_id: UUID | None, owed: Sequence[Owed], *, by: UUID, now: datetime
) -> None:
    """Write an advice for each structure that is paid, settled by what it owes back, or held with something of this period.

    Raises Refused when an overpayment changed since it was read.
    """
    advices, lines = [], []
    netting: list[tuple[UUID, Owed]] = []
    for one in owed:
        # What waits still waits: it is taken up when it can be paid, not moved from one held advice to the next.
        if one.why_held and not one.period_cents:
            continue
        advice_id = new_id()
        sources = _sources(one, period_id)
        advices.append(
            {
                "id": advice_id,
                "batch_id": batch_id,
                "structure_id": one.structure_id,
                "reference": end_to_end_id(batch_id, one.structure_id),
                "amount_cents": sum(source[2] for source in sources) - one.netted_cents,
                "voucher_count": sum(source[3] for source in sources),
                "holder_name": one.holder_name,
                "iban": one.iban,
                "bic": one.bic,
                "state": _state(one),
                "state_reason": one.why_held,
                "is_payable": one.is_payable,
                "due_on": one.due_on,
                "paid_on": paris_day(now) if one.is_settled else None,
            }
        )
        lines += [_line(advice_id, one.structure_id, *source) for source in sources]
        if one.netted:
            netting.append((advice_id, one))
    write_first(session, advices, Cause(why=PaymentWhy.FROZEN, by=by, at=now))
    for advice_id, one in netting:
        recoveries = net_advice(session, advice_id, one.netted, by=by, now=now)
        lines += [
            _line(advice_id, one.structure_id, LineNature.NETTED, recovery_id, -cents, 0)
            for recovery_id, (_, cents) in zip(recoveries, one.netted, strict=True)
        ]
    insert_many(session.connection(), AdviceLine, lines)


def batch_movements(agreement_id: UUID, owed: Sequence[Owed]) -> list[Movement]:
    """Return what the entry of a batch moves: what is ordered, and what is netted, structure by structure."""
    movements = []
    for one in owed:
        of = {Dimension.AGREEMENT: agreement_id, Dimension.STRUCTURE: one.structure_id}
        if one.is_payable:
            movements += movements_of(EventType.BATCH_FROZEN, of, {one.structure_id: one.amount_cents})
        movements += movements_of(EventType.BATCH_FROZEN, of, {one.structure_id: one.netted_cents}, Case.NETTED)
    return movements


def _sources(one: Owed, period_id: UUID | None) -> list[_Source]:
    sources: list[_Source] = []
    if period_id is not None and one.period_cents:
        sources.append((LineNature.PERIOD, period_id, one.period_cents, one.period_voucher_count))
    if not one.why_held:
        sources += [
            (LineNature.CARRIED_OVER, before.advice_id, before.amount_cents, before.voucher_count)
            for before in one.carried
        ]
        sources += [
            (LineNature.RELEASED, freed.dispute_id, freed.amount_cents, freed.voucher_count) for freed in one.released
        ]
    return sources


def _state(one: Owed) -> AdviceState:
    if one.why_held:
        return AdviceState.HELD
    return AdviceState.DUE if one.is_payable else AdviceState.SETTLED


def _line(
    advice_id: UUID, structure_id: UUID, nature: LineNature, source_id: UUID, amount_cents: int, voucher_count: int
) -> dict[str, object]:
    return {
        "advice_id": advice_id,
        "nature": nature,
        "source_id": source_id,
        "structure_id": structure_id,
        "amount_cents": amount_cents,
        "voucher_count": voucher_count,
    }
