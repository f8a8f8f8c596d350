"""What must be true of disputes and overpayments: the ledger, the redemptions and the advices say what they say."""

import hashlib
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, func, literal, not_, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.redemption.checks import STATES
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.checks.ledger_gaps import ROWS_MAX, query_gaps, said
from voucher.settlement.model.batches import AdviceLine
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery, RevenueOrder
from voucher.settlement.words.states import DisputeOutcome, LineNature, RecoveryKind

_NOUNS = {
    EventType.REDEMPTION_DISPUTED: "contestation",
    EventType.DISPUTE_DISMISSED: "contestation",
    EventType.DISPUTE_UPHELD: "contestation",
    EventType.REDEMPTION_CLAWED_BACK: "trop-perçu",
    EventType.OVERPAYMENT_REPAID: "retour",
    EventType.OVERPAYMENT_WRITTEN_OFF: "retour",
}
_LINES = {LineNature.NETTED: "retenue de", LineNature.RESTORED: "retenue rendue de"}
_OWN = (EventType.VOUCHERS_REDEEMED, EventType.VOUCHERS_REDEEMED_FROM_STOCK)


@cache
def _queries_of_what_is_disputed_and_overpaid() -> dict[str, Select[*tuple[Any, ...]]]:
    suspended = select(Dispute.agreement_id, Dispute.structure_id, Dispute.amount_cents.label("cents")).where(
        Dispute.is_suspending, Dispute.outcome.is_(None)
    )
    left = select(
        Overpayment.agreement_id,
        Overpayment.structure_id,
        (Overpayment.recovered_cents - Overpayment.amount_cents).label("cents"),
    )
    sources, dimensions = {Code.SUSPENDED: suspended, Code.OVERPAID: left}, ("agreement_id", "structure_id")
    return {code: query_gaps(code, [source], dimensions) for code, source in sources.items()}


def check_the_ledger_knows_what_is_disputed_and_overpaid(session: Session) -> list[Violation]:
    """Pour chaque structure : 4678 = encaissements contestés suspendus ; 4671 = trop-perçus moins ce qui est revenu."""
    return [
        Violation(
            "the_ledger_knows_what_is_disputed_and_overpaid",
            f"compte {code}, convention {row.agreement_id}, structure {row.structure_id}",
            said(row, "selon les contestations et les trop-perçus"),
        )
        for code, query in _queries_of_what_is_disputed_and_overpaid().items()
        for row in session.execute(query)
    ]


@cache
def _query_recoveries_make_what_is_recovered() -> Select[*tuple[Any, ...]]:
    sums = (
        select(Recovery.overpayment_id, func.sum(Recovery.amount_cents).label("cents"))
        .where(Recovery.cancelled_at.is_(None))
        .group_by(Recovery.overpayment_id)
        .subquery()
    )
    came_back = func.coalesce(sums.c.cents, 0)
    return (
        select(Overpayment.id, Overpayment.amount_cents, Overpayment.recovered_cents, came_back.label("found"))
        .outerjoin(sums, sums.c.overpayment_id == Overpayment.id)
        .where(or_(Overpayment.recovered_cents != came_back, came_back > Overpayment.amount_cents))
        .limit(ROWS_MAX)
    )


def check_recoveries_make_what_is_recovered(session: Session) -> list[Violation]:
    """Ce qui est revenu d’un trop-perçu est la somme de ses retours qui comptent, jamais plus que lui."""
    rows = session.execute(_query_recoveries_make_what_is_recovered())
    return [
        Violation(
            "recoveries_make_what_is_recovered",
            f"trop-perçu {row.id}",
            f"{format_euros(row.recovered_cents)} sur {format_euros(row.amount_cents)}, retours : {format_euros(int(row.found))}",
        )
        for row in rows
    ]


@cache
def _query_redemptions_contrary_to_disputes() -> Select[*tuple[Any, ...]]:
    opened, upheld = aliased(Dispute), aliased(Dispute)
    return (
        select(Redemption.id, Redemption.state)
        .outerjoin(
            opened, (opened.redemption_id == Redemption.id) & opened.outcome.is_(None) & opened.is_suspending.is_(True)
        )
        .outerjoin(upheld, (upheld.redemption_id == Redemption.id) & (upheld.outcome == DisputeOutcome.UPHELD))
        .where(
            or_(
                (Redemption.state == RedemptionState.DISPUTED) != opened.id.is_not(None),
                (Redemption.state == RedemptionState.REVERSED) != upheld.id.is_not(None),
            )
        )
        .limit(ROWS_MAX)
    )


@cache
def _query_disputes_contrary_to_redemptions() -> Select[UUID]:
    is_clawed_back = and_(Dispute.outcome == DisputeOutcome.UPHELD, Dispute.is_suspending.is_(False))
    return (
        select(Dispute.id)
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .outerjoin(Overpayment, Overpayment.dispute_id == Dispute.id)
        .where(
            or_(
                Dispute.amount_cents != Redemption.amount_cents,
                Dispute.voucher_count != Redemption.voucher_count,
                Dispute.agreement_id != Redemption.agreement_id,
                Dispute.structure_id != Redemption.structure_id,
                and_(is_clawed_back, Overpayment.id.is_(None)),
                and_(Overpayment.id.is_not(None), func.coalesce(not_(is_clawed_back), True)),
                Overpayment.amount_cents != Dispute.amount_cents,
                Overpayment.agreement_id != Dispute.agreement_id,
                Overpayment.structure_id != Dispute.structure_id,
                Overpayment.redemption_id != Dispute.redemption_id,
            )
        )
        .limit(ROWS_MAX)
    )


def check_redemptions_are_what_disputes_say(session: Session) -> list[Violation]:
    """« Contesté » veut dire une contestation ouverte qui suspend, « repris » une contestation fondée ; et réciproquement."""
    found = [
        Violation(
            "redemptions_are_what_disputes_say",
            f"encaissement {row.id}",
            f"« {STATES[row.state]} », contraire à ses contestations",
        )
        for row in session.execute(_query_redemptions_contrary_to_disputes())
    ]
    return found + [
        Violation("redemptions_are_what_disputes_say", f"contestation {one}", "contraire à son encaissement")
        for one in session.scalars(_query_disputes_contrary_to_redemptions())
    ]


@cache
def _queries_of_facts_and_entries() -> dict[EventType, Select[*tuple[Any, ...]]]:
    disputes = select(Dispute.id, Dispute.amount_cents.label("cents")).where(Dispute.is_suspending)
    recoveries = select(Recovery.id, Recovery.amount_cents.label("cents"))
    # An entry in both books moves the amount twice.
    upheld = select(Dispute.id, (2 * Dispute.amount_cents).label("cents"))
    facts: dict[EventType, Select[*tuple[Any, ...]]] = {
        EventType.REDEMPTION_DISPUTED: disputes,
        EventType.DISPUTE_DISMISSED: disputes.where(Dispute.outcome == DisputeOutcome.DISMISSED),
        EventType.DISPUTE_UPHELD: upheld.where(Dispute.outcome == DisputeOutcome.UPHELD, Dispute.is_suspending),
        EventType.REDEMPTION_CLAWED_BACK: select(Overpayment.id, (2 * Overpayment.amount_cents).label("cents")),
        EventType.OVERPAYMENT_REPAID: recoveries.where(Recovery.kind == RecoveryKind.REPAID),
        EventType.OVERPAYMENT_WRITTEN_OFF: recoveries.where(Recovery.kind == RecoveryKind.WRITTEN_OFF),
    }
    return {event_type: _unlike_its_entries(fact, event_type) for event_type, fact in facts.items()}


def _unlike_its_entries(fact: Select[*tuple[Any, ...]], event_type: EventType) -> Select[*tuple[Any, ...]]:
    """A fact and its entry make two rows that cancel each other: return what does not."""
    entries = select(Entry.event_id.label("id"), (-Entry.total_cents).label("cents")).where(
        Entry.event_type == event_type
    )
    both = union_all(fact, entries).subquery()
    return (
        select(
            both.c.id,
            func.sum(case((both.c.cents > 0, both.c.cents), else_=0)).label("told"),
            func.sum(case((both.c.cents < 0, -both.c.cents), else_=0)).label("kept"),
        )
        .group_by(both.c.id)
        .having(or_(func.count() != 2, func.sum(both.c.cents) != 0))
        .limit(ROWS_MAX)
    )


def check_disputes_and_recoveries_have_their_entries(session: Session) -> list[Violation]:
    """Chaque étape d’une contestation et chaque retour d’un trop-perçu a une écriture de son montant ; et réciproquement."""
    return [
        Violation(
            "disputes_and_recoveries_have_their_entries",
            f"{_NOUNS[event_type]} {row.id}",
            f"{event_type} : {format_euros(int(row.told))} au dossier, {format_euros(int(row.kept))} au registre",
        )
        for event_type, query in _queries_of_facts_and_entries().items()
        for row in session.execute(query)
    ]


@cache
def _query_a_reversal_gives_each_funder_its_part_back() -> Select[*tuple[Any, ...]]:
    debit, credit = aliased(Account), aliased(Account)
    upheld = select(Dispute.redemption_id, Dispute.id.label("dispute_id"), Overpayment.id.label("overpayment_id"))
    reversed_ones = (
        upheld.outerjoin(Overpayment, Overpayment.dispute_id == Dispute.id)
        .where(Dispute.outcome == DisputeOutcome.UPHELD)
        .subquery()
    )
    is_told = or_(
        and_(Entry.event_id == reversed_ones.c.redemption_id, Entry.event_type.in_(_OWN)),
        and_(Entry.event_id == reversed_ones.c.dispute_id, Entry.event_type == EventType.DISPUTE_UPHELD),
        and_(Entry.event_id == reversed_ones.c.overpayment_id, Entry.event_type == EventType.REDEMPTION_CLAWED_BACK),
    )
    cents = case((debit.code == Code.TO_CALL, Movement.amount_cents), else_=-Movement.amount_cents)
    account_id = case((debit.code == Code.TO_CALL, debit.id), else_=credit.id)
    sides = (
        select(reversed_ones.c.redemption_id, account_id.label("account_id"), cents.label("cents"))
        .select_from(reversed_ones)
        .join(Entry, is_told)
        .join(Movement, Movement.entry_id == Entry.id)
        .join(debit, debit.id == Movement.debit_account_id)
        .join(credit, credit.id == Movement.credit_account_id)
        .where(or_(debit.code == Code.TO_CALL, credit.code == Code.TO_CALL))
        .subquery()
    )
    return (
        select(
            sides.c.redemption_id,
            func.sum(case((sides.c.cents > 0, sides.c.cents), else_=0)).label("asked"),
            func.sum(case((sides.c.cents < 0, -sides.c.cents), else_=0)).label("given_back"),
        )
        .group_by(sides.c.redemption_id, sides.c.account_id)
        .having(func.sum(sides.c.cents) != 0)
        .limit(ROWS_MAX)
    )


def check_a_reversal_gives_each_funder_its_part_back(session: Session) -> list[Violation]:
    """Un encaissement repris rend à chaque financeur exactement ce que son écriture lui avait demandé."""
    rows = session.execute(_query_a_reversal_gives_each_funder_its_part_back())
    return [
        Violation(
            "a_reversal_gives_each_funder_its_part_back",
            f"encaissement {row.redemption_id}",
            f"{format_euros(int(row.asked))} demandés à un financeur, {format_euros(int(row.given_back))} rendus",
        )
        for row in rows
    ]


@cache
def _queries_of_what_is_netted() -> dict[LineNature, Select[*tuple[Any, ...]]]:
    netted = select(Recovery.id, Recovery.advice_id, (-Recovery.amount_cents).label("cents")).where(
        Recovery.kind == RecoveryKind.NETTED
    )
    restored = select(Recovery.id, Recovery.advice_id, Recovery.amount_cents.label("cents")).where(
        Recovery.kind == RecoveryKind.NETTED, Recovery.cancelled_at.is_not(None)
    )
    facts = {LineNature.NETTED: netted, LineNature.RESTORED: restored}
    return {nature: _unlike_its_line(fact, nature) for nature, fact in facts.items()}


def _unlike_its_line(fact: Select[*tuple[Any, ...]], nature: LineNature) -> Select[*tuple[Any, ...]]:
    lines = select(AdviceLine.source_id, AdviceLine.advice_id, -AdviceLine.amount_cents).where(
        AdviceLine.nature == nature
    )
    both = union_all(fact.add_columns(literal(0).label("is_line")), lines.add_columns(literal(1))).subquery()
    return (
        select(
            both.c.id,
            both.c.advice_id,
            func.sum(case((both.c.is_line == 0, both.c.cents), else_=0)).label("fact"),
            func.sum(case((both.c.is_line == 1, -both.c.cents), else_=0)).label("line"),
        )
        .group_by(both.c.id, both.c.advice_id)
        .having(or_(func.count() != 2, func.sum(both.c.cents) != 0))
        .limit(ROWS_MAX)
    )


def check_what_is_netted_is_in_its_advice(session: Session) -> list[Violation]:
    """Ce qui est retenu sur un règlement est une de ses lignes ; ce qui ne l’est plus y est rendu."""
    return [
        Violation(
            "what_is_netted_is_in_its_advice",
            f"retour {row.id}",
            f"règlement {row.advice_id} : {_LINES[nature]} {format_euros(int(row.line))} en ligne, "
            f"{format_euros(int(row.fact))} au trop-perçu",
        )
        for nature, query in _queries_of_what_is_netted().items()
        for row in session.execute(query)
    ]


@cache
def _query_what_was_freed_is_paid_once() -> Select[*tuple[Any, ...]]:
    return (
        select(AdviceLine.source_id, AdviceLine.amount_cents, Dispute.amount_cents.label("freed"))
        .outerjoin(Dispute, Dispute.id == AdviceLine.source_id)
        .where(
            AdviceLine.nature == LineNature.RELEASED,
            or_(
                Dispute.id.is_(None),
                Dispute.is_released.is_(False),
                Dispute.amount_cents != AdviceLine.amount_cents,
                Dispute.voucher_count != AdviceLine.voucher_count,
                Dispute.structure_id != AdviceLine.structure_id,
            ),
        )
        .limit(ROWS_MAX)
    )


def check_what_was_freed_is_paid_once(session: Session) -> list[Violation]:
    """Ce qu’une contestation levée a libéré après son lot est payé une fois, pour son montant et sa structure."""
    rows = session.execute(_query_what_was_freed_is_paid_once())
    return [
        Violation(
            "what_was_freed_is_paid_once",
            f"contestation {row.source_id}",
            f"{format_euros(row.amount_cents)} payés, {format_euros(row.freed or 0)} libérés, ou d’un autre nombre de chèques",
        )
        for row in rows
    ]


def check_revenue_orders_are_whole(session: Session) -> list[Violation]:
    """Chaque demande de titre a ses octets, un numéro sans trou par collectivité et par an, et son trop-perçu est réclamé."""
    violations = []
    last: dict[tuple[object, int], int] = {}
    orders = select(*RevenueOrder.__table__.columns, Overpayment.claimed_at.label("marked_at"))
    for row in session.execute(
        orders.outerjoin(Overpayment, Overpayment.id == RevenueOrder.overpayment_id).order_by(
            RevenueOrder.issuer_id, RevenueOrder.year, RevenueOrder.rank
        )
    ):
        series = (row.issuer_id, row.year)
        is_whole = hashlib.sha256(row.pdf).hexdigest() == row.pdf_sha256
        is_whole = is_whole and hashlib.sha256(row.csv).hexdigest() == row.csv_sha256
        if not is_whole or row.rank != last.get(series, 0) + 1 or row.marked_at is None:
            violations.append(
                Violation(
                    "revenue_orders_are_whole", f"demande {row.year}-{row.rank}", "octets, numéro ou état contraires"
                )
            )
        last[series] = row.rank
    unordered = session.scalars(
        select(Overpayment.id)
        .outerjoin(RevenueOrder, RevenueOrder.overpayment_id == Overpayment.id)
        .where(Overpayment.claimed_at.is_not(None), RevenueOrder.id.is_(None))
        .limit(ROWS_MAX)
    )
    return violations + [
        Violation("revenue_orders_are_whole", f"trop-perçu {one}", "réclamé sans demande de titre") for one in unordered
    ]


CHECKS: tuple[Check, ...] = (
    check_the_ledger_knows_what_is_disputed_and_overpaid,
    check_recoveries_make_what_is_recovered,
    check_redemptions_are_what_disputes_say,
    check_disputes_and_recoveries_have_their_entries,
    check_a_reversal_gives_each_funder_its_part_back,
    check_what_is_netted_is_in_its_advice,
    check_what_was_freed_is_paid_once,
    check_revenue_orders_are_whole,
)
