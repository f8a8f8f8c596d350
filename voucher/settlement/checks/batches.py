"""What must be true of settlement (invariants.md §5 to §10).

Sums on both sides of a promise are put in one list with opposite signs: what does not come to zero is a violation.
"""

from functools import cache
from typing import Any

from sqlalchemy import Row, Select, case, exists, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import french_date
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Entry
from voucher.programme.change_payment_terms import PAYMENT_DAYS_MAX
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.checks import accountant as checks_accountant
from voucher.settlement.checks import bank_entry_days as checks_bank_entries
from voucher.settlement.checks import bank_lines as checks_bank
from voucher.settlement.checks import confirmed_accounts as checks_ribs
from voucher.settlement.checks import duplicates as checks_duplicates
from voucher.settlement.checks import files as checks_files
from voucher.settlement.checks import line_parts as checks_parts
from voucher.settlement.checks import payment_states as checks_states
from voucher.settlement.checks import people as checks_people
from voucher.settlement.checks import proposals as checks_proposals
from voucher.settlement.checks import recoveries as checks_overpayments
from voucher.settlement.checks import statements as checks_statements
from voucher.settlement.checks.ledger_gaps import query_gaps, said
from voucher.settlement.model.batches import AdviceLine, PaymentAdvice
from voucher.settlement.model.batches import SettlementBatch as Batch
from voucher.settlement.model.recoveries import Recovery
from voucher.settlement.payable.next_period import IN_A_BATCH
from voucher.settlement.recoveries.net_overpayments import in_period_line, released_unpaid
from voucher.settlement.words.labels import BATCH_STATES
from voucher.settlement.words.states import AdviceState, BatchState, LineNature

ROWS_MAX = 100


def check_a_period_is_in_one_batch(session: Session) -> list[Violation]:
    """Une période close est dans un lot au plus ; une période ouverte n’est dans aucun."""
    rows = session.execute(
        select(Period.id, Period.closed_at, func.count(Batch.id).label("found"))
        .outerjoin(Batch, Batch.period_id == Period.id)
        .group_by(Period.id, Period.closed_at)
    )
    return [
        Violation(
            "a_period_is_in_one_batch",
            f"période {row.id}",
            f"{row.found} lots, pour une période {'ouverte' if row.closed_at is None else 'close'}",
        )
        for row in rows
        if row.found > (row.closed_at is not None)
    ]


@cache
def _query_a_batch_totals_its_advices() -> Select[*tuple[Any, ...]]:
    advices = (
        select(
            PaymentAdvice.batch_id,
            func.count().label("found"),
            func.sum(PaymentAdvice.amount_cents).label("total"),
        )
        .where(PaymentAdvice.is_payable)
        .group_by(PaymentAdvice.batch_id)
        .subquery()
    )
    frozen, exported = aliased(Entry), aliased(Entry)
    set_aside = (
        select(func.coalesce(func.sum(Entry.total_cents), 0))
        .join(PaymentAdvice, PaymentAdvice.id == Entry.event_id)
        .where(Entry.event_type == EventType.ADVICE_SET_ASIDE, PaymentAdvice.batch_id == Batch.id)
        .scalar_subquery()
    )
    # What was netted stands in the entries of the batch too, and no transfer pays it.
    netted = (
        select(func.coalesce(func.sum(Recovery.amount_cents), 0))
        .join(PaymentAdvice, PaymentAdvice.id == Recovery.advice_id)
        .where(PaymentAdvice.batch_id == Batch.id, Recovery.cancelled_at.is_(None))
        .scalar_subquery()
    )
    return (
        select(
            Batch.number,
            Batch.advice_count,
            Batch.total_cents,
            Batch.exported_at,
            func.coalesce(advices.c.found, 0).label("found"),
            func.coalesce(advices.c.total, 0).label("total"),
            # A batch that pays nobody has no entry.
            (func.coalesce(frozen.total_cents, 0) - set_aside - netted).label("ordered"),
            exported.total_cents.label("sent"),
        )
        .outerjoin(advices, advices.c.batch_id == Batch.id)
        .outerjoin(frozen, (frozen.event_type == EventType.BATCH_FROZEN) & (frozen.event_id == Batch.id))
        .outerjoin(exported, (exported.event_type == EventType.BATCH_EXPORTED) & (exported.event_id == Batch.id))
    )


def check_a_batch_totals_its_advices(session: Session) -> list[Violation]:
    """Un lot compte et totalise les bordereaux qu’il paie, et le registre dit le même total."""
    rows = session.execute(_query_a_batch_totals_its_advices())
    violations = []
    for row in rows:
        sides = {row.total_cents, int(row.total), _whole(row.ordered)}
        sides.add(_whole(row.sent) if row.exported_at is not None else row.total_cents)
        if len(sides) > 1 or row.found != row.advice_count or (row.exported_at is None) != (row.sent is None):
            detail = (
                f"{row.advice_count} règlements pour {format_euros(row.total_cents)} annoncés ; {row.found} bordereaux pour "
                f"{format_euros(int(row.total))} ; au registre {_euros(row.ordered)} arrêtés, {_euros(row.sent)} transmis"
            )
            violations.append(Violation("a_batch_totals_its_advices", f"lot {row.number}", detail))
    return violations


@cache
def _query_a_batch_says_who_did_what() -> Select[*tuple[Any, ...]]:
    awaited = exists().where(
        PaymentAdvice.batch_id == Batch.id, PaymentAdvice.state.in_((AdviceState.DUE, AdviceState.IN_FILE))
    )
    return select(*Batch.__table__.columns, awaited.label("is_awaited"))


def check_a_batch_says_who_did_what(session: Session) -> list[Violation]:
    """Chaque étape d’un lot dit qui et quand, dans l’ordre ; qui a arrêté n’a pas validé ; clos, il n’attend plus rien."""
    rows = session.execute(_query_a_batch_says_who_did_what())
    return [
        Violation(
            "a_batch_says_who_did_what",
            f"lot {row.number}",
            f"« {BATCH_STATES[row.state]} », contraire à ses signatures et à ses règlements",
        )
        for row in rows
        if not _is_signed(row)
    ]


def _is_signed(row: Row[*tuple[Any, ...]]) -> bool:
    approved = row.approved_at is not None and row.approved_by is not None
    exported = row.exported_at is not None and row.exported_by is not None
    steps = [at for at in (row.frozen_at, row.approved_at, row.exported_at, row.closed_at) if at is not None]
    expected = {
        BatchState.FROZEN: not approved and not exported,
        BatchState.APPROVED: approved and not exported,
        BatchState.EXPORTED: approved and exported,
        # Closed by its last payment, or emptied before it left.
        BatchState.CLOSED: row.closed_at is not None
        and not row.is_awaited
        and ((approved and exported) or row.advice_count == 0),
    }
    return expected[row.state] and row.approved_by != row.frozen_by and steps == sorted(steps)


@cache
def _query_an_advice_is_its_lines() -> Select[*tuple[Any, ...]]:
    sums = (
        select(
            AdviceLine.advice_id,
            func.sum(AdviceLine.amount_cents).label("cents"),
            func.sum(AdviceLine.voucher_count).label("vouchers"),
        )
        .group_by(AdviceLine.advice_id)
        .subquery()
    )
    return (
        select(PaymentAdvice.reference, PaymentAdvice.amount_cents, sums.c.cents)
        .outerjoin(sums, sums.c.advice_id == PaymentAdvice.id)
        .where(
            or_(
                func.coalesce(sums.c.cents, 0) != PaymentAdvice.amount_cents,
                func.coalesce(sums.c.vouchers, 0) != PaymentAdvice.voucher_count,
            )
        )
    )


def check_an_advice_is_its_lines(session: Session) -> list[Violation]:
    """Chaque bordereau vaut la somme de ses lignes, en euros et en chèques."""
    rows = session.execute(_query_an_advice_is_its_lines())
    return [
        Violation(
            "an_advice_is_its_lines",
            f"règlement {row.reference}",
            f"{format_euros(row.amount_cents)} annoncés, {_euros(row.cents)} en lignes",
        )
        for row in rows
    ]


@cache
def _query_a_period_is_paid_in_full() -> Select[*tuple[Any, ...]]:
    lines = select(
        AdviceLine.source_id.label("period_id"),
        AdviceLine.structure_id,
        AdviceLine.amount_cents.label("cents"),
        AdviceLine.voucher_count.label("vouchers"),
    ).where(AdviceLine.nature == LineNature.PERIOD)
    redeemed = (
        select(
            Redemption.period_id,
            Redemption.structure_id,
            (-func.sum(Redemption.amount_cents)).label("cents"),
            (-func.sum(Redemption.voucher_count)).label("vouchers"),
        )
        .join(Period, Period.id == Redemption.period_id)
        .where(in_period_line(), IN_A_BATCH)
        .group_by(Redemption.period_id, Redemption.structure_id)
    )
    both = union_all(lines, redeemed).subquery()
    return (
        select(
            both.c.period_id,
            both.c.structure_id,
            func.sum(case((both.c.cents > 0, both.c.cents), else_=0)).label("told"),
            func.sum(case((both.c.cents < 0, -both.c.cents), else_=0)).label("redeemed"),
        )
        .group_by(both.c.period_id, both.c.structure_id)
        .having(or_(func.sum(both.c.cents) != 0, func.sum(both.c.vouchers) != 0))
        .limit(ROWS_MAX)
    )


def check_a_period_is_paid_in_full(session: Session) -> list[Violation]:
    """Pour chaque structure, la ligne d’une période réglée vaut les encaissements confirmés quand elle fut réglée, en euros et en chèques."""
    rows = session.execute(_query_a_period_is_paid_in_full())
    return [
        Violation(
            "a_period_is_paid_in_full",
            f"structure {row.structure_id}, période {row.period_id}",
            f"{format_euros(int(row.told))} en bordereaux, {format_euros(int(row.redeemed))} encaissés",
        )
        for row in rows
    ]


def check_a_payment_is_due_after_its_period(session: Session) -> list[Violation]:
    """Ce qu’un bordereau paie de sa période est à payer après elle, dans le plus long délai permis ; ce qu’il reprend garde son jour."""
    rows = session.execute(
        select(PaymentAdvice.reference, PaymentAdvice.due_on, Period.opened_at, Period.ends_at, Period.closed_at)
        .join(AdviceLine, (AdviceLine.advice_id == PaymentAdvice.id) & (AdviceLine.nature == LineNature.PERIOD))
        .join(Period, Period.id == AdviceLine.source_id)
    )
    wrong = [
        (row.reference, row.due_on, ended_on)
        for row in rows
        if not 1 <= (row.due_on - (ended_on := last_day(*row[2:]))).days <= PAYMENT_DAYS_MAX
    ]
    return [
        Violation(
            "a_payment_is_due_after_its_period",
            f"règlement {reference}",
            f"à payer le {french_date(due_on)}, pour une période finie le {french_date(ended_on)}",
        )
        for reference, due_on, ended_on in wrong[:ROWS_MAX]
    ]


def check_what_failed_is_taken_up_once(session: Session) -> list[Violation]:
    """Ce qui n’a pu être payé est repris une fois, pour le même montant et la même structure."""
    source = aliased(PaymentAdvice)
    carried = AdviceLine.nature == LineNature.CARRIED_OVER
    wrong = session.scalars(
        select(AdviceLine.source_id)
        .outerjoin(source, source.id == AdviceLine.source_id)
        .where(
            carried,
            or_(
                source.id.is_(None),
                source.state != AdviceState.TAKEN_UP,
                source.amount_cents != AdviceLine.amount_cents,
                source.voucher_count != AdviceLine.voucher_count,
                source.structure_id != AdviceLine.structure_id,
            ),
        )
    )
    lost = session.scalars(
        select(PaymentAdvice.id).where(
            PaymentAdvice.state == AdviceState.TAKEN_UP,
            ~exists().where(carried, AdviceLine.source_id == PaymentAdvice.id),
        )
    )
    return [
        *(
            Violation("what_failed_is_taken_up_once", f"bordereau {one}", "repris autrement qu’il n’était")
            for one in wrong
        ),
        *(Violation("what_failed_is_taken_up_once", f"bordereau {one}", "repris par aucun lot") for one in lost),
    ]


@cache
def _queries_of_what_settlement_owes() -> dict[str, Select[*tuple[Any, ...]]]:
    advices = select(Batch.agreement_id, PaymentAdvice.structure_id, PaymentAdvice.amount_cents.label("cents")).join(
        Batch, Batch.id == PaymentAdvice.batch_id
    )
    waiting = (AdviceState.HELD, AdviceState.REJECTED, AdviceState.RETURNED)
    waiting_periods = (
        select(Redemption.agreement_id, Redemption.structure_id, Redemption.amount_cents.label("cents"))
        .join(Period, Period.id == Redemption.period_id)
        .where(Redemption.state == RedemptionState.CONFIRMED, ~IN_A_BATCH)
    )
    owed: dict[str, list[Select[*tuple[Any, ...]]]] = {
        Code.OWED: [waiting_periods, advices.where(PaymentAdvice.state.in_(waiting)), released_unpaid()],
        Code.ORDERED: [advices.where(PaymentAdvice.state == AdviceState.DUE)],
    }
    dimensions = ("agreement_id", "structure_id")
    return {code: query_gaps(code, sources, dimensions) for code, sources in owed.items()}


def check_the_ledger_owes_what_settlement_owes(session: Session) -> list[Violation]:
    """Pour chaque structure : 4670 = encaissements à régler et règlements en attente ; 4675 = règlements arrêtés."""
    return [
        Violation(
            "the_ledger_owes_what_settlement_owes",
            f"compte {code}, convention {row.agreement_id}, structure {row.structure_id}",
            said(row, "selon les bordereaux"),
        )
        for code, query in _queries_of_what_settlement_owes().items()
        for row in session.execute(query)
    ]


@cache
def _query_the_ledger_waits_for_what_left() -> Select[*tuple[Any, ...]]:
    left = (
        select(Batch.agreement_id, PaymentAdvice.amount_cents.label("cents"))
        .join(Batch, Batch.id == PaymentAdvice.batch_id)
        .where(PaymentAdvice.state == AdviceState.IN_FILE)
    )
    return query_gaps(Code.IN_TRANSIT, [left], ("agreement_id",))


def check_the_ledger_waits_for_what_left(session: Session) -> list[Violation]:
    """Pour chaque convention : 5115 = virements transmis, ni rejetés ni débités par la banque."""
    return [
        Violation(
            "the_ledger_waits_for_what_left",
            f"convention {row.agreement_id}",
            said(row, "selon les virements transmis"),
        )
        for row in session.execute(_query_the_ledger_waits_for_what_left())
    ]


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _euros(value: Any) -> str:
    return "rien" if value is None else format_euros(int(value))


CHECKS: tuple[Check, ...] = (
    check_a_period_is_in_one_batch,
    check_a_batch_totals_its_advices,
    check_a_batch_says_who_did_what,
    check_an_advice_is_its_lines,
    check_a_period_is_paid_in_full,
    check_a_payment_is_due_after_its_period,
    check_what_failed_is_taken_up_once,
    check_the_ledger_owes_what_settlement_owes,
    check_the_ledger_waits_for_what_left,
    *checks_states.CHECKS,
    *checks_files.CHECKS,
    *checks_bank.CHECKS,
    *checks_parts.CHECKS,
    *checks_proposals.CHECKS,
    *checks_bank_entries.CHECKS,
    *checks_duplicates.CHECKS,
    *checks_accountant.CHECKS,
    *checks_overpayments.CHECKS,
    *checks_statements.CHECKS,
    *checks_people.CHECKS,
    *checks_ribs.CHECKS,
)
