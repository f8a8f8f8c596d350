"""What must be true of payments' states: each is where its history leads, by changes that the table knows, for reasons that exist."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.checks import Check, Violation
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankFile, PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.words.labels import ADVICE_STATES
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import PAYMENT_WHYS, TRANSITIONS, PaymentWhy

ROWS_MAX = 100
_W = PaymentWhy
_BY_LINE = (_W.DEBITED, _W.CAME_BACK, _W.PAYMENT_UNDONE, _W.RETURN_UNDONE)
_BY_BATCH = (_W.FROZEN, _W.SET_ASIDE, _W.EXPORTED, _W.TAKEN_UP)
_BY_ENTRY = {
    _W.REJECTED: (EventType.TRANSFER_REJECTED, EventType.MATCH_UNDONE),
    _W.NEVER_CAME: (EventType.TRANSFER_REJECTED, EventType.MATCH_UNDONE),
    _W.REJECTED_AGAIN: (EventType.MATCH_UNDONE,),
    _W.DEBITED_AFTER_ALL: (EventType.REJECTION_WITHDRAWN,),
    _W.ANSWER_WITHDRAWN: (EventType.REJECTION_WITHDRAWN,),
}


@cache
def _query_a_payment_is_where_its_history_leads() -> Select[*tuple[Any, ...]]:
    last, counts = aliased(PaymentEvent), _counts()
    return (
        select(PaymentAdvice.reference, PaymentAdvice.state, last.to_state)
        .outerjoin(last, and_(last.advice_id == PaymentAdvice.id, last.rank == PaymentAdvice.event_count))
        .outerjoin(counts, counts.c.advice_id == PaymentAdvice.id)
        .where(
            or_(
                last.to_state.is_distinct_from(PaymentAdvice.state),
                func.coalesce(counts.c.found, 0) != PaymentAdvice.event_count,
            )
        )
        .limit(ROWS_MAX)
    )


def check_a_payment_is_where_its_history_leads(session: Session) -> list[Violation]:
    """L’état d’un règlement est celui de son dernier événement ; ses événements se comptent de un en un, sans trou."""
    rows = session.execute(_query_a_payment_is_where_its_history_leads())
    return [
        Violation(
            "a_payment_is_where_its_history_leads",
            f"règlement {row.reference}",
            f"{_said(row.state)} ; son histoire dit : {_said(row.to_state)}",
        )
        for row in rows
    ]


def _counts() -> Any:
    return (
        select(PaymentEvent.advice_id, func.count().label("found")).group_by(PaymentEvent.advice_id).subquery("counts")
    )


def check_a_history_is_a_chain_of_known_changes(session: Session) -> list[Violation]:
    """Chaque événement d’un règlement part de l’état où le précédent l’a laissé, par un changement que la table connaît."""
    before = aliased(PaymentEvent)
    broken = session.execute(
        select(PaymentAdvice.reference, PaymentEvent.from_state, PaymentEvent.to_state, PaymentEvent.why)
        .join(PaymentAdvice, PaymentAdvice.id == PaymentEvent.advice_id)
        .outerjoin(before, and_(before.advice_id == PaymentEvent.advice_id, before.rank == PaymentEvent.rank - 1))
        .where(PaymentEvent.from_state.is_distinct_from(before.to_state))
        .limit(ROWS_MAX)
    ).all()
    kinds = session.execute(
        select(
            func.min(PaymentAdvice.reference).label("reference"),
            PaymentEvent.from_state,
            PaymentEvent.to_state,
            PaymentEvent.why,
        )
        .join(PaymentAdvice, PaymentAdvice.id == PaymentEvent.advice_id)
        .group_by(PaymentEvent.from_state, PaymentEvent.to_state, PaymentEvent.why)
    )
    unknown = [row for row in kinds if (row.from_state, row.to_state, row.why) not in TRANSITIONS]
    return [
        Violation(
            "a_history_is_a_chain_of_known_changes",
            f"règlement {row.reference}",
            f"de {_said(row.from_state)} à {_said(row.to_state)}, « {PAYMENT_WHYS[row.why]} » : {why}",
        )
        for rows, why in ((broken, "l’état d’avant est un autre"), (unknown, "ce changement n’existe pas"))
        for row in rows
    ]


@cache
def _query_an_event_names_what_made_it() -> Select[*tuple[Any, ...]]:
    return (
        select(PaymentAdvice.reference, PaymentEvent.to_state, PaymentEvent.why)
        .join(PaymentAdvice, PaymentAdvice.id == PaymentEvent.advice_id)
        .where(or_(*_unnamed()))
        .limit(ROWS_MAX)
    )


def check_an_event_names_what_made_it(session: Session) -> list[Violation]:
    """Chaque événement d’un règlement nomme ce qui l’a fait : une ligne rapprochée de lui, un lot, ou l’écriture de son rejet."""
    rows = session.execute(_query_an_event_names_what_made_it())
    return [
        Violation(
            "an_event_names_what_made_it",
            f"règlement {row.reference}",
            f"{_said(row.to_state)}, « {PAYMENT_WHYS[row.why]} » : ce qui l’a fait manque, ou parle d’autre chose",
        )
        for row in rows
    ]


def _unnamed() -> list[ColumnElement[bool]]:
    """Return what is wrong with what an event names."""
    is_matched = exists().where(
        BankMatch.line_id == PaymentEvent.line_id, BankMatch.advice_id == PaymentEvent.advice_id
    )
    found = [
        and_(or_(PaymentEvent.line_id.is_not(None), PaymentEvent.why.in_(_BY_LINE)), ~is_matched),
        and_(PaymentEvent.why.in_(_BY_BATCH), PaymentEvent.batch_id.is_(None)),
        _is_gone(PaymentEvent.batch_id, SettlementBatch.id),
        _is_gone(PaymentEvent.bank_file, BankFile.sha256),
        _is_gone(PaymentEvent.entry_id, Entry.id),
    ]
    for why, types in _BY_ENTRY.items():
        is_told = exists().where(Entry.id == PaymentEvent.entry_id, Entry.event_type.in_(types))
        found.append(and_(PaymentEvent.why == why, ~is_told))
    return found


def _is_gone(named: Any, key: Any) -> ColumnElement[bool]:
    return and_(named.is_not(None), ~exists().where(key == named))


def _said(state: AdviceState | None) -> str:
    return "rien" if state is None else f"« {ADVICE_STATES[state]} »"


CHECKS: tuple[Check, ...] = (
    check_a_payment_is_where_its_history_leads,
    check_a_history_is_a_chain_of_known_changes,
    check_an_event_names_what_made_it,
)
