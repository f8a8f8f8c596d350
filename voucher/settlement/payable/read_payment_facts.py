"""What is known of payments now, as `words.payment_sentences` takes it: read once, for every page, paper, e-mail and file."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.programme.model import Agreement, Issuer, SettlementChannel
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.formats_out.target_days import next_target_day
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice, SettlementBatch
from voucher.settlement.payable.changed_since_freeze import Change, changes
from voucher.settlement.payable.due_day import minimum_now
from voucher.settlement.payable.next_period import next_period
from voucher.settlement.payable.owed import CARRIED_STATES, owed_by
from voucher.settlement.payable.payment_history import HistoryEvent, histories, taken_up_from
from voucher.settlement.payable.possible_double_payments import maybe_paid
from voucher.settlement.payable.undecided_duplicates import is_open
from voucher.settlement.payable.why_not_paid import Payee, payees
from voucher.settlement.words.causes import Cause, duplicate_announced, maybe_paid_already
from voucher.settlement.words.payment_facts import Past, PaymentFacts
from voucher.settlement.words.payment_sentences import Said, said
from voucher.settlement.words.states import AdviceState, BatchState, LineNature, LineOrigin
from voucher.settlement.words.transitions import PaymentWhy

BANK_DAYS = timedelta(days=2)
"""Between the execution of a transfer and its line on the structure's account, at most; then the bank's next day."""

_Rows = Sequence[Row[*tuple[Any, ...]]]


def said_of(database: Database, advice_ids: Collection[UUID], now: datetime) -> dict[UUID, Said]:
    """Return where these payments stand, in French."""
    with database.read() as session:
        return {key: said(one) for key, one in payment_facts(session, advice_ids, now).items()}


def payment_facts(session: Session, advice_ids: Collection[UUID], now: datetime) -> dict[UUID, PaymentFacts]:
    """Return what is known of these payments; a few questions for a thousand of them."""
    rows = [
        row
        for ids in chunks(sorted(set(advice_ids)))
        for row in session.execute(_query().where(PaymentAdvice.id.in_(ids)))
    ]
    waiting = [row for row in rows if row.state in CARRIED_STATES]
    leaving = [row for row in rows if row.state == AdviceState.DUE]
    known = payees(session, [row.structure_id for row in (*waiting, *leaving)])
    causes = _causes(session, waiting, known, now)
    changed = changes(session, leaving, known)
    past = histories(session, [row.id for row in rows])
    today = paris_day(now)
    return {row.id: _facts(row, today, past.get(row.id, ()), causes.get(row.id), changed.get(row.id)) for row in rows}


def _query() -> Any:
    taker, taker_batch = aliased(PaymentAdvice), aliased(SettlementBatch)
    taken_up_in = (
        select(taker_batch.number)
        .join(taker, taker.batch_id == taker_batch.id)
        .join(AdviceLine, AdviceLine.advice_id == taker.id)
        .where(AdviceLine.source_id == PaymentAdvice.id, AdviceLine.nature == LineNature.CARRIED_OVER)
        .scalar_subquery()
    )
    is_set_aside = exists().where(Entry.event_type == EventType.ADVICE_SET_ASIDE, Entry.event_id == PaymentAdvice.id)
    return (
        select(
            PaymentAdvice.id,
            PaymentAdvice.structure_id,
            PaymentAdvice.holder_name,
            PaymentAdvice.iban,
            PaymentAdvice.bic,
            PaymentAdvice.state,
            PaymentAdvice.state_reason,
            PaymentAdvice.is_payable,
            PaymentAdvice.due_on,
            PaymentAdvice.paid_on,
            SettlementBatch.agreement_id,
            SettlementBatch.state.label("batch_state"),
            SettlementBatch.channel,
            SettlementBatch.approved_by,
            SettlementBatch.exported_at,
            SettlementBatch.execution_on,
            Agreement.minimum_payment_cents,
            Agreement.present_by,
            Issuer.name.label("issuer_name"),
            is_set_aside.label("is_set_aside"),
            is_open().label("is_doubled"),
            taken_up_in.label("taken_up_in"),
            taken_up_from(PaymentAdvice).label("taken_up_from"),
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
    )


def _facts(
    row: Row[*tuple[Any, ...]],
    today: date,
    history: Sequence[HistoryEvent],
    cause: Cause | None,
    changed: Change | None,
) -> PaymentFacts:
    state = row.state
    is_by_bank = row.channel == SettlementChannel.MANDATED_OPERATOR
    if state is AdviceState.IN_FILE and row.is_doubled:
        cause = duplicate_announced(is_by_bank=is_by_bank)
    if changed is not None:
        cause = changed.cause
    has_failed = state in (AdviceState.REJECTED, AdviceState.RETURNED) or (
        state is AdviceState.TAKEN_UP and row.is_payable
    )
    return PaymentFacts(
        today=today,
        state=state,
        is_approved=row.batch_state != BatchState.FROZEN,
        is_by_bank=is_by_bank,
        issuer_name=row.issuer_name,
        due_on=row.due_on,
        sent_on=paris_day(row.exported_at) if row.exported_at is not None and row.is_payable else None,
        execution_on=row.execution_on,
        expected_on=None if row.execution_on is None else next_target_day(row.execution_on + BANK_DAYS),
        past=_past(row, history),
        paid_on=row.paid_on,
        confirmed_by=_confirmed_by(history),
        reason=explain(row.state_reason) if has_failed and row.state_reason else None,
        cause=cause,
        set_aside_because=row.state_reason if state is AdviceState.HELD and row.is_set_aside else "",
        changed="" if changed is None or changed.cause is not None else changed.sentence,
        taken_up_in=row.taken_up_in or "",
    )


def _causes(session: Session, rows: _Rows, known: dict[UUID, Payee], now: datetime) -> dict[UUID, Cause]:
    """Return what keeps payments that wait from being made now, those that nothing keeps left out."""
    doubtful = maybe_paid(session, [row.id for row in rows])
    held_by = {(row.agreement_id, row.structure_id) for row in rows if row.id in doubtful}
    small: dict[UUID, dict[UUID, Cause]] = {}
    found = {}
    for row in rows:
        cause = known[row.structure_id].cause(row.agreement_id)
        if cause is None and (row.agreement_id, row.structure_id) in held_by:
            cause = maybe_paid_already()
        if cause is None and minimum_now(row.minimum_payment_cents, row.present_by, paris_day(now)):
            if row.agreement_id not in small:
                small[row.agreement_id] = _causes_of_next(session, row.agreement_id, now)
            cause = small[row.agreement_id].get(row.structure_id)
        if cause is not None:
            found[row.id] = cause
    return found


def _causes_of_next(session: Session, agreement_id: UUID, now: datetime) -> dict[UUID, Cause]:
    """Return what the next batch of an agreement would hold: only it knows which amounts are too small."""
    period = next_period(session, agreement_id)
    owed = owed_by(session, agreement_id, period.id if period else None, now=now)
    return {one.structure_id: one.cause for one in owed if one.cause is not None}


def _past(row: Row[*tuple[Any, ...]], history: Sequence[HistoryEvent]) -> tuple[Past, ...]:
    """Return the changes of a payment. A history that opened later proves no more than its first event, and the day of a payment."""
    found: list[Past] = []
    for event in history:
        if event.why is PaymentWhy.RESUMED:
            state = AdviceState(row.taken_up_from) if event.after is AdviceState.TAKEN_UP else event.after
            if state is AdviceState.RETURNED and row.paid_on is not None:
                found.append(Past(AdviceState.PAID, event.why, row.paid_on))
            if event.after is AdviceState.TAKEN_UP:
                found.append(Past(state, event.why, None))
        found.append(Past(event.after, event.why, event.effective_on))
    return tuple(found)


def _confirmed_by(history: Sequence[HistoryEvent]) -> LineOrigin | None:
    """Return whose line proves the last payment."""
    return next((one.line_origin for one in reversed(history) if one.after is AdviceState.PAID and one.line_id), None)
