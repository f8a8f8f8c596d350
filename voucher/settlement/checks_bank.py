"""What must be true of bank lines: each used once, each in the books, and nothing paid without one."""

from sqlalchemy import Case, case, exists, func, not_, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.chart import EventType
from voucher.ledger.fiscal_years import takes_effect_of
from voucher.ledger.model import Account, Entry
from voucher.ledger.read import balances_query
from voucher.settlement.model import AdviceState, BankLine, PaymentAdvice

ROWS_MAX = 100
_BOOKED = (
    EventType.TRANSFER_BOOKED,
    EventType.TRANSFER_RETURNED,
    EventType.UNKNOWN_DEBIT_BOOKED,
    EventType.UNKNOWN_CREDIT_BOOKED,
)
_IDENTIFIED = (EventType.DEBIT_IDENTIFIED, EventType.CREDIT_IDENTIFIED)


def check_a_line_is_booked_once(session: Session) -> list[Violation]:
    """Chaque ligne de banque a une écriture, de son montant et de son jour ; une ligne rapprochée après coup en a deux."""
    booked, identified = aliased(Entry), aliased(Entry)
    rows = session.execute(
        select(
            BankLine.key, BankLine.amount_cents, BankLine.advice_id, booked.event_type, identified.id.label("second")
        )
        .outerjoin(booked, (booked.event_id == BankLine.id) & booked.event_type.in_(_BOOKED))
        .outerjoin(identified, (identified.event_id == BankLine.id) & identified.event_type.in_(_IDENTIFIED))
        .where(
            or_(
                booked.id.is_(None),
                booked.total_cents != BankLine.amount_cents,
                not_(takes_effect_of(booked, BankLine.booked_on)),
                identified.total_cents != BankLine.amount_cents,
                booked.event_type != _expected_event(identified),
            )
        )
        .limit(ROWS_MAX)
    )
    return [
        Violation(
            "a_line_is_booked_once", f"ligne {row.key}", f"{format_euros(row.amount_cents)}, écriture {row.event_type}"
        )
        for row in rows
    ]


def _expected_event(identified: type[Entry]) -> Case[str]:
    """Say which entry a line must have: its side, whether it was matched, at once or later."""
    is_known = BankLine.advice_id.is_not(None) & identified.id.is_(None)
    return case(
        (is_known & BankLine.is_credit, EventType.TRANSFER_RETURNED.value),
        (is_known, EventType.TRANSFER_BOOKED.value),
        (BankLine.is_credit, EventType.UNKNOWN_CREDIT_BOOKED.value),
        else_=EventType.UNKNOWN_DEBIT_BOOKED.value,
    )


def check_a_line_is_its_advice(session: Session) -> list[Violation]:
    """Une ligne rapprochée vaut son bordereau, et ne sert qu'une fois."""
    rows = session.execute(
        select(BankLine.key, BankLine.amount_cents, PaymentAdvice.amount_cents.label("owed"))
        .join(PaymentAdvice, PaymentAdvice.id == BankLine.advice_id)
        .where(BankLine.amount_cents != PaymentAdvice.amount_cents)
    )
    twice = session.execute(
        select(BankLine.advice_id, func.count().label("found"))
        .where(BankLine.advice_id.is_not(None))
        .group_by(BankLine.advice_id, BankLine.is_credit)
        .having(func.count() > 1)
    )
    return [
        *(
            Violation(
                "a_line_is_its_advice",
                f"ligne {row.key}",
                f"{format_euros(row.amount_cents)}, bordereau de {format_euros(row.owed)}",
            )
            for row in rows
        ),
        *(
            Violation("a_line_is_its_advice", f"bordereau {row.advice_id}", f"{row.found} lignes du même sens")
            for row in twice
        ),
    ]


def check_an_advice_says_what_the_bank_said(session: Session) -> list[Violation]:
    """« Payé » veut dire une ligne au débit, « retourné » une ligne au crédit, « rejeté » une écriture de rejet."""
    debit, credit = aliased(BankLine), aliased(BankLine)
    of_advice = exists().where(Entry.event_id == PaymentAdvice.id)
    is_rejected = of_advice.where(Entry.event_type == EventType.TRANSFER_REJECTED) & ~of_advice.where(
        Entry.event_type == EventType.REJECTION_WITHDRAWN
    )
    rows = session.execute(
        select(PaymentAdvice.reference, PaymentAdvice.state)
        .outerjoin(debit, (debit.advice_id == PaymentAdvice.id) & debit.is_credit.is_(False))
        .outerjoin(credit, (credit.advice_id == PaymentAdvice.id) & credit.is_credit)
        .where(
            or_(
                (PaymentAdvice.state == AdviceState.PAID)
                & or_(
                    debit.id.is_(None), credit.id.is_not(None), PaymentAdvice.paid_on.is_distinct_from(debit.booked_on)
                ),
                (PaymentAdvice.state == AdviceState.RETURNED) & or_(credit.id.is_(None), debit.id.is_(None)),
                (PaymentAdvice.state == AdviceState.REJECTED) & ~is_rejected,
                PaymentAdvice.state.in_((AdviceState.HELD, AdviceState.DUE, AdviceState.IN_FILE, AdviceState.REJECTED))
                & or_(debit.id.is_not(None), credit.id.is_not(None)),
                PaymentAdvice.state.in_((AdviceState.HELD, AdviceState.DUE, AdviceState.IN_FILE, AdviceState.PAID))
                & is_rejected,
            )
        )
        .limit(ROWS_MAX)
    )
    return [
        Violation(
            "an_advice_says_what_the_bank_said",
            f"règlement {row.reference}",
            f"état {row.state}, contraire à la banque",
        )
        for row in rows
    ]


def check_the_bank_account_is_the_banks(session: Session) -> list[Violation]:
    """Pour chaque compte payeur : 5120 = toutes les lignes de la banque ; 4711 = celles qui restent à identifier."""
    signed = case((BankLine.is_credit, -BankLine.amount_cents), else_=BankLine.amount_cents)
    lines = select(BankLine.paying_account_id.label("account_id"), signed.label("cents"))
    unknown = lines.where(BankLine.advice_id.is_(None))
    balances = balances_query().subquery()
    violations = []
    # 5120 moves as the bank does, 4711 the other way round.
    for code, source, sign in (("5120", lines, 1), ("4711", unknown, -1)):
        ledger = (
            select(Account.bank_account_id, (balances.c.balance_cents * sign).label("cents"))
            .join(balances, balances.c.id == Account.id)
            .where(Account.code == code)
        )
        both = union_all(source, ledger).subquery()
        gap = func.sum(both.c.cents)
        rows = session.execute(select(both.c.account_id, gap.label("gap")).group_by(both.c.account_id).having(gap != 0))
        violations += [
            Violation(
                "the_bank_account_is_the_banks",
                f"compte {code} de {row.account_id}",
                f"écart de {format_euros(int(row.gap))} avec les relevés",
            )
            for row in rows
        ]
    return violations


CHECKS: tuple[Check, ...] = (
    check_a_line_is_booked_once,
    check_a_line_is_its_advice,
    check_an_advice_says_what_the_bank_said,
    check_the_bank_account_is_the_banks,
)
