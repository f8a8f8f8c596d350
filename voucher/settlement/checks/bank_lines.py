"""What must be true of bank lines: each used for what it is worth, each in the books, and nothing paid without one."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, exists, func, literal, not_, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.funding.model import AdvanceRefund, AdvanceReturn, FundsReceipt
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros, sum_cents
from voucher.ledger.chart import Code, EventType
from voucher.ledger.fiscal_years import takes_effect_of
from voucher.ledger.model import Account, Entry
from voucher.ledger.read import balances_query
from voucher.settlement.checks.ledger_gaps import LINE_COLUMNS, line_name
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankFile, BankLine, PaymentAdvice
from voucher.settlement.model.recoveries import Recovery
from voucher.settlement.model.states import PaymentEvent
from voucher.settlement.reconciliation.line_entries import DIRECT, IDENTIFIED, WAITING
from voucher.settlement.words.labels import ADVICE_STATES
from voucher.settlement.words.states import AdviceState, MatchKind

ROWS_MAX = 100
_OURS = (MatchKind.PAYMENT, MatchKind.RETURN, MatchKind.CHARGE)


@cache
def _query_a_line_is_booked_once() -> Select[*tuple[Any, ...]]:
    direct, unknown, match = aliased(Entry), aliased(Entry), aliased(BankMatch)
    one_way = case((BankLine.is_credit, EventType.TRANSFER_RETURNED.value), else_=EventType.TRANSFER_BOOKED.value)
    charged = case((BankLine.is_credit, EventType.BANK_CHARGE_REFUNDED.value), else_=EventType.BANK_CHARGED.value)
    waiting = case(
        (BankLine.is_credit, EventType.UNKNOWN_CREDIT_BOOKED.value), else_=EventType.UNKNOWN_DEBIT_BOOKED.value
    )
    return (
        select(
            *LINE_COLUMNS,
            BankLine.amount_cents,
            direct.event_type,
            direct.total_cents.label("cents"),
            unknown.event_type.label("waiting"),
            unknown.total_cents.label("waiting_cents"),
        )
        .outerjoin(direct, (direct.event_id == BankLine.id) & direct.event_type.in_(DIRECT))
        .outerjoin(unknown, (unknown.event_id == BankLine.id) & unknown.event_type.in_(WAITING))
        .outerjoin(match, (match.line_id == BankLine.id) & match.is_automatic & (match.part == 1))
        .where(
            or_(
                and_(direct.id.is_(None), unknown.id.is_(None)),
                direct.total_cents != BankLine.amount_cents,
                unknown.total_cents != BankLine.amount_cents,
                unknown.event_type != waiting,
                direct.event_type != case((match.kind == MatchKind.CHARGE, charged), else_=one_way),
                not_(takes_effect_of(direct, BankLine.booked_on)),
                direct.id.is_(None) & not_(takes_effect_of(unknown, BankLine.booked_on)),
                # Matched as it came in, it waits only once that match is undone; and it has that match.
                direct.id.is_not(None) & match.id.is_(None),
                direct.id.is_(None) & match.id.is_not(None),
                direct.id.is_not(None) & (unknown.id.is_not(None) != match.undone_at.is_not(None)),
            )
        )
        .limit(ROWS_MAX)
    )


def check_a_line_is_booked_once(session: Session) -> list[Violation]:
    """Chaque ligne de banque a une écriture, de son montant, de son sens et de son jour ; défaite, elle en a une d’attente."""
    rows = session.execute(_query_a_line_is_booked_once())
    return [
        Violation(
            "a_line_is_booked_once",
            line_name(row),
            f"{format_euros(row.amount_cents)}, {_written(row.event_type, row.cents)} ; en attente : {_written(row.waiting, row.waiting_cents)}",
        )
        for row in rows
    ]


def _written(event_type: str | None, cents: int | None) -> str:
    return "aucune écriture" if event_type is None else f"{event_type} de {format_euros(sum_cents(cents))}"


def check_a_line_is_what_it_was_matched_with(session: Session) -> list[Violation]:
    """Une ligne est rapprochée pour la somme de ses rapprochements debout ; un règlement n’en a qu’un de chaque sens, de son montant."""
    sums = (
        select(BankMatch.line_id, func.sum(BankMatch.amount_cents).label("cents"))
        .where(BankMatch.undone_at.is_(None))
        .group_by(BankMatch.line_id)
        .subquery()
    )
    wrong = session.execute(
        select(*LINE_COLUMNS, BankLine.matched_cents, sums.c.cents)
        .outerjoin(sums, sums.c.line_id == BankLine.id)
        .where(func.coalesce(sums.c.cents, 0) != BankLine.matched_cents)
        .limit(ROWS_MAX)
    )
    others = session.execute(
        select(*LINE_COLUMNS, BankMatch.amount_cents, PaymentAdvice.amount_cents.label("owed"))
        .join(BankMatch, BankMatch.line_id == BankLine.id)
        .join(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .where(
            BankMatch.undone_at.is_(None),
            or_(
                BankMatch.amount_cents != PaymentAdvice.amount_cents,
                BankLine.is_credit != (BankMatch.kind == MatchKind.RETURN),
            ),
        )
        .limit(ROWS_MAX)
    )
    return [
        *(
            Violation(
                "a_line_is_what_it_was_matched_with",
                line_name(row),
                f"{format_euros(row.matched_cents)} rapprochés, {format_euros(sum_cents(row.cents))} de rapprochements",
            )
            for row in wrong
        ),
        *(
            Violation(
                "a_line_is_what_it_was_matched_with",
                line_name(row),
                f"{format_euros(row.amount_cents)}, règlement de {format_euros(row.owed)}",
            )
            for row in others
        ),
    ]


@cache
def _queries_of_matches_not_in_the_books() -> tuple[Select[UUID], ...]:
    sums = (
        select(
            BankMatch.id,
            func.min(BankMatch.kind).label("kind"),
            func.sum(BankMatch.amount_cents).label("cents"),
            func.count(BankMatch.undone_at).label("undone"),
        )
        .group_by(BankMatch.id)
        .subquery()
    )
    entry, reversal = aliased(Entry), aliased(Entry)
    made = select(sums.c.id).where(
        sums.c.kind.in_(_OURS),
        or_(
            ~exists().where(
                entry.event_id == sums.c.id,
                entry.event_type.in_((*DIRECT, *IDENTIFIED)),
                entry.total_cents == sums.c.cents,
            ),
            (sums.c.undone > 0)
            != exists()
            .where(
                reversal.event_id == sums.c.id,
                reversal.event_type == EventType.MATCH_UNDONE,
                reversal.reverses_id.is_not(None),
            )
            .correlate(sums),
        ),
    )
    elsewhere = select(sums.c.id).where(
        or_(
            (sums.c.kind == MatchKind.FUNDS)
            & ~exists().where(
                FundsReceipt.id == sums.c.id,
                FundsReceipt.amount_cents == sums.c.cents,
                FundsReceipt.undone_at.is_(None) == (sums.c.undone == 0),
            ),
            (sums.c.kind == MatchKind.ADVANCE_REFUND)
            & ~exists().where(
                AdvanceRefund.id == sums.c.id,
                AdvanceRefund.amount_cents == sums.c.cents,
                AdvanceRefund.undone_at.is_(None) == (sums.c.undone == 0),
            ),
            (sums.c.kind == MatchKind.ADVANCE_RETURN)
            & ~exists().where(
                AdvanceReturn.id == sums.c.id,
                AdvanceReturn.amount_cents == sums.c.cents,
                AdvanceReturn.undone_at.is_(None) == (sums.c.undone == 0),
            ),
        )
    )
    repaid = (
        select(BankMatch.id)
        .where(BankMatch.kind == MatchKind.OVERPAYMENT, BankMatch.undone_at.is_(None))
        .where(
            ~exists().where(
                Recovery.bank_line_id == BankMatch.line_id,
                Recovery.overpayment_id == BankMatch.target_id,
                Recovery.amount_cents == BankMatch.amount_cents,
                Recovery.cancelled_at.is_(None),
            )
        )
    )
    signed = case((BankLine.is_credit, BankMatch.amount_cents), else_=-BankMatch.amount_cents)
    offset = (
        select(BankMatch.id)
        .join(BankLine, BankLine.id == BankMatch.line_id)
        .where(BankMatch.kind == MatchKind.OFFSET)
        .group_by(BankMatch.id)
        .having(
            or_(
                func.sum(signed) != 0,
                func.count() != 2,
                func.count(func.distinct(BankLine.paying_account_id)) != 1,
                func.count(BankMatch.undone_at).not_in((0, 2)),
            )
        )
    )
    return tuple(query.limit(ROWS_MAX) for query in (made, elsewhere, repaid, offset))


def check_a_match_is_in_the_books(session: Session) -> list[Violation]:
    """Un rapprochement a son écriture, de son montant ; défait, sa contre-passation ; deux lignes qui s’annulent n’en ont pas besoin."""
    return [
        Violation("a_match_is_in_the_books", f"rapprochement {found}", "son écriture manque ou dit autre chose")
        for query in _queries_of_matches_not_in_the_books()
        for found in session.scalars(query)
    ]


@cache
def _query_an_advice_says_what_the_bank_said() -> Select[*tuple[Any, ...]]:
    debit, credit, line = aliased(BankMatch), aliased(BankMatch), aliased(BankLine)
    withdrawal, reversal = aliased(Entry), aliased(Entry)
    is_withdrawn = exists().where(
        PaymentEvent.advice_id == PaymentAdvice.id,
        withdrawal.id == PaymentEvent.entry_id,
        withdrawal.event_type == EventType.REJECTION_WITHDRAWN,
        ~exists().where(reversal.reverses_id == withdrawal.id),
    )
    is_rejected = (
        exists().where(Entry.event_id == PaymentAdvice.id, Entry.event_type == EventType.TRANSFER_REJECTED)
        & ~is_withdrawn
    )
    return (
        select(PaymentAdvice.reference, PaymentAdvice.state)
        .outerjoin(debit, _stands(debit, MatchKind.PAYMENT))
        .outerjoin(line, line.id == debit.line_id)
        .outerjoin(credit, _stands(credit, MatchKind.RETURN))
        .where(
            or_(
                (PaymentAdvice.state == AdviceState.PAID)
                & or_(
                    debit.id.is_(None), credit.id.is_not(None), PaymentAdvice.paid_on.is_distinct_from(line.booked_on)
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


def check_an_advice_says_what_the_bank_said(session: Session) -> list[Violation]:
    """« Payé » veut dire une ligne au débit, « retourné » une ligne au crédit, « rejeté » une écriture de rejet."""
    rows = session.execute(_query_an_advice_says_what_the_bank_said())
    return [
        Violation(
            "an_advice_says_what_the_bank_said",
            f"règlement {row.reference}",
            f"« {ADVICE_STATES[row.state]} », contraire à ce que dit la banque",
        )
        for row in rows
    ]


def _stands(match: type[BankMatch], kind: MatchKind) -> Any:
    return (match.advice_id == PaymentAdvice.id) & (match.kind == kind) & match.undone_at.is_(None)


@cache
def _queries_of_the_banks_accounts() -> tuple[tuple[Code, int, Select[*tuple[Any, ...]]], ...]:
    """Return each account, the sign of its movements beside the bank's, and the statement of its gaps."""
    signed = case((BankLine.is_credit, -BankLine.amount_cents), else_=BankLine.amount_cents)
    lines = select(BankLine.paying_account_id.label("account_id"), signed.label("cents"))
    balances = balances_query().subquery()
    queries = []
    # 5120 moves as the bank does, 4711 the other way round.
    for code, sources, sign in ((Code.BANK, [lines], 1), (Code.UNIDENTIFIED, [lines, *_identified()], -1)):
        ledger = (
            select(
                Account.bank_account_id, (balances.c.balance_cents * sign).label("cents"), literal(1).label("is_ledger")
            )
            .join(balances, balances.c.id == Account.id)
            .where(Account.code == code)
        )
        both = union_all(*(source.add_columns(literal(0).label("is_ledger")) for source in sources), ledger).subquery()
        gap = func.sum(both.c.cents)
        kept = func.sum(case((both.c.is_ledger == 1, both.c.cents), else_=0)).label("kept")
        told = func.sum(case((both.c.is_ledger == 0, both.c.cents), else_=0)).label("told")
        query = select(both.c.account_id, kept, told).group_by(both.c.account_id).having(gap != 0)
        queries.append((code, sign, query))
    return tuple(queries)


def check_the_bank_account_is_the_banks(session: Session) -> list[Violation]:
    """Pour chaque compte payeur : 5120 = toutes les lignes de la banque ; 4711 = celles qui restent à identifier."""
    return [
        Violation(
            "the_bank_account_is_the_banks",
            f"compte {code}, compte payeur {row.account_id}",
            f"{format_euros(int(row.kept) * sign)} au registre, {format_euros(-int(row.told) * sign)} selon les relevés",
        )
        for code, sign, query in _queries_of_the_banks_accounts()
        for row in session.execute(query)
    ]


def check_no_line_is_of_a_day_to_come(session: Session) -> list[Violation]:
    """Aucune ligne de banque n’est d’un jour qui n’était pas venu quand son fichier a été importé."""
    rows = session.execute(
        select(BankFile.name, BankFile.imported_at, func.max(BankLine.booked_on).label("last_on"))
        .join(BankLine, BankLine.bank_file == BankFile.sha256)
        .group_by(BankFile.sha256, BankFile.name, BankFile.imported_at)
    )
    return [
        Violation(
            "no_line_is_of_a_day_to_come",
            f"fichier {row.name}",
            f"une ligne du {french_date(row.last_on)}, importée le {french_date(paris_day(row.imported_at))}",
        )
        for row in rows
        if row.last_on > paris_day(row.imported_at)
    ]


def _identified() -> list[Select[*tuple[Any, ...]]]:
    """Return what of the lines is known, by who knows it: debits below zero, credits above."""
    signed = case((BankLine.is_credit, BankMatch.amount_cents), else_=-BankMatch.amount_cents)
    return [
        select(BankLine.paying_account_id, signed)
        .join(BankMatch, BankMatch.line_id == BankLine.id)
        .where(BankMatch.kind.in_(_OURS), BankMatch.undone_at.is_(None)),
        select(BankLine.paying_account_id, Recovery.amount_cents)
        .join(Recovery, Recovery.bank_line_id == BankLine.id)
        .where(Recovery.cancelled_at.is_(None)),
        select(FundsReceipt.paying_account_id, FundsReceipt.amount_cents).where(FundsReceipt.undone_at.is_(None)),
        select(AdvanceRefund.paying_account_id, -AdvanceRefund.amount_cents).where(AdvanceRefund.undone_at.is_(None)),
        select(AdvanceReturn.paying_account_id, -AdvanceReturn.amount_cents).where(AdvanceReturn.undone_at.is_(None)),
    ]


CHECKS: tuple[Check, ...] = (
    check_a_line_is_booked_once,
    check_a_line_is_what_it_was_matched_with,
    check_a_match_is_in_the_books,
    check_an_advice_says_what_the_bank_said,
    check_the_bank_account_is_the_banks,
    check_no_line_is_of_a_day_to_come,
)
