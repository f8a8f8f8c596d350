"""What must be true of disputes and overpayments: the ledger, the redemptions and the advices say what they say."""

import hashlib

from sqlalchemy import and_, case, func, literal, not_, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.redemption.checks import STATES
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.checks.ledger_gaps import ROWS_MAX, gaps, said
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


def check_the_ledger_knows_what_is_disputed_and_overpaid(session: Session) -> list[Violation]:
    """Pour chaque structure : 4678 = encaissements contestés suspendus ; 4671 = trop-perçus moins ce qui est revenu."""
    suspended = select(Dispute.agreement_id, Dispute.structure_id, Dispute.amount_cents.label("cents")).where(
        Dispute.is_suspending, Dispute.outcome.is_(None)
    )
    left = select(
        Overpayment.agreement_id,
        Overpayment.structure_id,
        (Overpayment.recovered_cents - Overpayment.amount_cents).label("cents"),
    )
    return [
        Violation(
            "the_ledger_knows_what_is_disputed_and_overpaid",
            f"compte {code}, convention {row.agreement_id}, structure {row.structure_id}",
            said(row, "selon les contestations et les trop-perçus"),
        )
        for code, source in ((Code.SUSPENDED, suspended), (Code.OVERPAID, left))
        for row in gaps(session, code, [source], ("agreement_id", "structure_id"))
    ]


def check_recoveries_make_what_is_recovered(session: Session) -> list[Violation]:
    """Ce qui est revenu d’un trop-perçu est la somme de ses retours qui comptent, jamais plus que lui."""
    sums = (
        select(Recovery.overpayment_id, func.sum(Recovery.amount_cents).label("cents"))
        .where(Recovery.cancelled_at.is_(None))
        .group_by(Recovery.overpayment_id)
        .subquery()
    )
    came_back = func.coalesce(sums.c.cents, 0)
    rows = session.execute(
        select(Overpayment.id, Overpayment.amount_cents, Overpayment.recovered_cents, came_back.label("found"))
        .outerjoin(sums, sums.c.overpayment_id == Overpayment.id)
        .where(or_(Overpayment.recovered_cents != came_back, came_back > Overpayment.amount_cents))
        .limit(ROWS_MAX)
    )
    return [
        Violation(
            "recoveries_make_what_is_recovered",
            f"trop-perçu {row.id}",
            f"{format_euros(row.recovered_cents)} sur {format_euros(row.amount_cents)}, retours : {format_euros(int(row.found))}",
        )
        for row in rows
    ]


def check_redemptions_are_what_disputes_say(session: Session) -> list[Violation]:
    """« Contesté » veut dire une contestation ouverte qui suspend, « repris » une contestation fondée ; et réciproquement."""
    opened, upheld = aliased(Dispute), aliased(Dispute)
    rows = session.execute(
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
    found = [
        Violation(
            "redemptions_are_what_disputes_say",
            f"encaissement {row.id}",
            f"« {STATES[row.state]} », contraire à ses contestations",
        )
        for row in rows
    ]
    is_clawed_back = and_(Dispute.outcome == DisputeOutcome.UPHELD, Dispute.is_suspending.is_(False))
    told_wrong = session.scalars(
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
    return found + [
        Violation("redemptions_are_what_disputes_say", f"contestation {one}", "contraire à son encaissement")
        for one in told_wrong
    ]


def check_disputes_and_recoveries_have_their_entries(session: Session) -> list[Violation]:
    """Chaque étape d’une contestation et chaque retour d’un trop-perçu a une écriture de son montant ; et réciproquement."""
    disputes = select(Dispute.id, Dispute.amount_cents.label("cents")).where(Dispute.is_suspending)
    recoveries = select(Recovery.id, Recovery.amount_cents.label("cents"))
    # An entry in both books moves the amount twice.
    upheld = select(Dispute.id, (2 * Dispute.amount_cents).label("cents"))
    facts = {
        EventType.REDEMPTION_DISPUTED: disputes,
        EventType.DISPUTE_DISMISSED: disputes.where(Dispute.outcome == DisputeOutcome.DISMISSED),
        EventType.DISPUTE_UPHELD: upheld.where(Dispute.outcome == DisputeOutcome.UPHELD, Dispute.is_suspending),
        EventType.REDEMPTION_CLAWED_BACK: select(Overpayment.id, (2 * Overpayment.amount_cents).label("cents")),
        EventType.OVERPAYMENT_REPAID: recoveries.where(Recovery.kind == RecoveryKind.REPAID),
        EventType.OVERPAYMENT_WRITTEN_OFF: recoveries.where(Recovery.kind == RecoveryKind.WRITTEN_OFF),
    }
    violations = []
    for event_type, fact in facts.items():
        entries = select(Entry.event_id.label("id"), (-Entry.total_cents).label("cents")).where(
            Entry.event_type == event_type
        )
        both = union_all(fact, entries).subquery()
        # A fact and its entry make two rows that cancel each other.
        rows = session.execute(
            select(
                both.c.id,
                func.sum(case((both.c.cents > 0, both.c.cents), else_=0)).label("told"),
                func.sum(case((both.c.cents < 0, -both.c.cents), else_=0)).label("kept"),
            )
            .group_by(both.c.id)
            .having(or_(func.count() != 2, func.sum(both.c.cents) != 0))
            .limit(ROWS_MAX)
        )
        violations += [
            Violation(
                "disputes_and_recoveries_have_their_entries",
                f"{_NOUNS[event_type]} {row.id}",
                f"{event_type} : {format_euros(int(row.told))} au dossier, {format_euros(int(row.kept))} au registre",
            )
            for row in rows
        ]
    return violations


def check_a_reversal_gives_each_funder_its_part_back(session: Session) -> list[Violation]:
    """Un encaissement repris rend à chaque financeur exactement ce que son écriture lui avait demandé."""
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
    rows = session.execute(
        select(
            sides.c.redemption_id,
            func.sum(case((sides.c.cents > 0, sides.c.cents), else_=0)).label("asked"),
            func.sum(case((sides.c.cents < 0, -sides.c.cents), else_=0)).label("given_back"),
        )
        .group_by(sides.c.redemption_id, sides.c.account_id)
        .having(func.sum(sides.c.cents) != 0)
        .limit(ROWS_MAX)
    )
    return [
        Violation(
            "a_reversal_gives_each_funder_its_part_back",
            f"encaissement {row.redemption_id}",
            f"{format_euros(int(row.asked))} demandés à un financeur, {format_euros(int(row.given_back))} rendus",
        )
        for row in rows
    ]


def check_what_is_netted_is_in_its_advice(session: Session) -> list[Violation]:
    """Ce qui est retenu sur un règlement est une de ses lignes ; ce qui ne l’est plus y est rendu."""
    netted = select(Recovery.id, Recovery.advice_id, (-Recovery.amount_cents).label("cents")).where(
        Recovery.kind == RecoveryKind.NETTED
    )
    restored = select(Recovery.id, Recovery.advice_id, Recovery.amount_cents.label("cents")).where(
        Recovery.kind == RecoveryKind.NETTED, Recovery.cancelled_at.is_not(None)
    )
    violations = []
    for nature, facts in ((LineNature.NETTED, netted), (LineNature.RESTORED, restored)):
        lines = select(AdviceLine.source_id, AdviceLine.advice_id, -AdviceLine.amount_cents).where(
            AdviceLine.nature == nature
        )
        both = union_all(facts.add_columns(literal(0).label("is_line")), lines.add_columns(literal(1))).subquery()
        rows = session.execute(
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
        violations += [
            Violation(
                "what_is_netted_is_in_its_advice",
                f"retour {row.id}",
                f"règlement {row.advice_id} : {_LINES[nature]} {format_euros(int(row.line))} en ligne, "
                f"{format_euros(int(row.fact))} au trop-perçu",
            )
            for row in rows
        ]
    return violations


def check_what_was_freed_is_paid_once(session: Session) -> list[Violation]:
    """Ce qu’une contestation levée a libéré après son lot est payé une fois, pour son montant et sa structure."""
    rows = session.execute(
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
