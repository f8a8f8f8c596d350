"""What must be true of the books: years closed in order, balances carried over to the cent, letters even, documents whole."""

import hashlib
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.accounting import checks_close, checks_reconciliation
from voucher.accounting.letters import undone_letters
from voucher.accounting.model import (
    AnnualAccount,
    GapKind,
    LetteredMovement,
    LetteredPeriod,
    MatchingLetter,
    StockCount,
    StockCountGap,
)
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.model import Account, Entry, FiscalYear, Movement, OpeningBalance
from voucher.redemption.model import Redemption, RedemptionState

ROWS_MAX = 100
_BOOKS = {"budget": "comptabilité budgétaire", "general": "comptabilité générale"}


def check_years_are_closed_in_order(session: Session) -> list[Violation]:
    """Les exercices sont clos dans l’ordre, par deux personnes, chacun jusqu’au dernier jour de décembre."""
    rows = session.execute(select(FiscalYear.__table__).order_by(FiscalYear.year)).all()
    closed = [row for row in rows if row.closed_at is not None]
    violations = [
        Violation(
            "years_are_closed_in_order", f"exercice {row.year}", "jour suivant ou signatures contraires à sa clôture"
        )
        for row in rows
        if row.following_on != date(row.year + 1, 1, 1) or row.closed_by == row.proposed_by
    ]
    for before, after in pairwise(closed):
        if after.year != before.year + 1 or after.closed_at < before.closed_at:
            violations.append(
                Violation("years_are_closed_in_order", f"exercice {after.year}", f"clos après {before.year} seulement")
            )
    return violations


def check_opening_balances_are_sums(session: Session) -> list[Violation]:
    """Ce que chaque compte reporte à l’ouverture est la somme de ses mouvements des exercices clos, au centime."""
    years = session.scalars(
        select(FiscalYear.year).where(FiscalYear.closed_at.is_not(None)).order_by(FiscalYear.year)
    ).all()
    violations = []
    for year in years:
        start, end = date(year, 1, 1), date(year, 12, 31)
        in_year = and_(Entry.effective_on >= start, Entry.effective_on <= end)
        moved = select(Movement).join(Entry, Entry.id == Movement.entry_id).where(in_year)
        both = union_all(
            select(
                OpeningBalance.account_id.label("id"),
                OpeningBalance.balance_cents.label("cents"),
                literal(0).label("is_next"),
            ).where(OpeningBalance.year == year),
            moved.with_only_columns(Movement.debit_account_id, Movement.amount_cents, literal(0)),
            moved.with_only_columns(Movement.credit_account_id, -Movement.amount_cents, literal(0)),
            select(OpeningBalance.account_id, -OpeningBalance.balance_cents, literal(1)).where(
                OpeningBalance.year == year + 1
            ),
        ).subquery()
        gap = func.sum(both.c.cents)
        rows = session.execute(
            select(
                Account.key,
                func.sum(case((both.c.is_next == 0, both.c.cents), else_=0)).label("moved"),
                func.sum(case((both.c.is_next == 1, -both.c.cents), else_=0)).label("carried"),
            )
            .join(Account, Account.id == both.c.id)
            .group_by(Account.key)
            .having(gap != 0)
            .limit(ROWS_MAX)
        )
        violations += [
            Violation(
                "opening_balances_are_sums",
                f"compte {row.key}, ouverture de {year + 1}",
                f"{format_euros(int(row.carried))} reportés, {format_euros(int(row.moved))} de mouvements",
            )
            for row in rows
        ]
    return violations


@cache
def _query_opening_balances_balance() -> Select[*tuple[Any, ...]]:
    total = func.sum(OpeningBalance.balance_cents)
    return (
        select(
            OpeningBalance.year,
            Account.book,
            func.sum(case((OpeningBalance.balance_cents > 0, OpeningBalance.balance_cents), else_=0)).label("debits"),
            func.sum(case((OpeningBalance.balance_cents < 0, -OpeningBalance.balance_cents), else_=0)).label("credits"),
        )
        .join(Account, Account.id == OpeningBalance.account_id)
        .group_by(OpeningBalance.year, Account.book)
        .having(total != 0)
    )


def check_opening_balances_balance(session: Session) -> list[Violation]:
    """Dans chaque livre, les soldes d’ouverture d’un exercice se compensent."""
    rows = session.execute(_query_opening_balances_balance())
    return [
        Violation(
            "opening_balances_balance",
            f"ouverture de {row.year}, {_BOOKS[row.book]}",
            f"débits {format_euros(int(row.debits))}, crédits {format_euros(int(row.credits))}",
        )
        for row in rows
    ]


@cache
def _query_nothing_enters_a_closed_year() -> Select[*tuple[Any, ...]]:
    return (
        select(Entry.id, FiscalYear.year)
        .join(FiscalYear, and_(Entry.effective_on < FiscalYear.following_on, Entry.posted_at > FiscalYear.closed_at))
        .where(FiscalYear.closed_at.is_not(None))
        .limit(ROWS_MAX)
    )


def check_nothing_enters_a_closed_year(session: Session) -> list[Violation]:
    """Aucune écriture ne prend effet dans un exercice après sa clôture : ce qui arrive tard va au premier jour ouvert."""
    rows = session.execute(_query_nothing_enters_a_closed_year())
    return [
        Violation("nothing_enters_a_closed_year", f"écriture {row.id}", f"écrite après la clôture de {row.year}")
        for row in rows
    ]


@cache
def _query_letters_balance() -> Select[*tuple[Any, ...]]:
    is_debit = LetteredMovement.side == "debit"
    account_id = case((is_debit, Movement.debit_account_id), else_=Movement.credit_account_id)
    zero = literal(0, Movement.amount_cents.type)
    of_movement = and_(Movement.entry_id == LetteredMovement.entry_id, Movement.rank == LetteredMovement.rank)
    movements = (
        select(
            LetteredMovement.letter_id, account_id.label("account_id"),
            case((is_debit, Movement.amount_cents), else_=zero).label("debit"),
            case((is_debit, zero), else_=Movement.amount_cents).label("credit"),
        ).join(Movement, of_movement)
    )  # fmt: skip
    periods = (
        select(LetteredPeriod.letter_id, LetteredPeriod.account_id, zero, func.sum(Redemption.amount_cents))
        .join(Account, Account.id == LetteredPeriod.account_id)
        .join(
            Redemption,
            and_(Redemption.period_id == LetteredPeriod.period_id, Redemption.structure_id == Account.structure_id),
        )
        .where(Redemption.state != RedemptionState.UNDONE)
        .group_by(LetteredPeriod.letter_id, LetteredPeriod.account_id)
    )
    both = union_all(movements, periods).subquery()
    elsewhere = func.sum(case((both.c.account_id != MatchingLetter.account_id, 1), else_=0))
    debit, credit = func.coalesce(func.sum(both.c.debit), 0), func.coalesce(func.sum(both.c.credit), 0)
    return (
        select(
            MatchingLetter.code,
            MatchingLetter.number,
            MatchingLetter.amount_cents,
            debit.label("debit"),
            credit.label("credit"),
        )
        .outerjoin(both, both.c.letter_id == MatchingLetter.id)
        .where(MatchingLetter.id.not_in(undone_letters()))
        .group_by(MatchingLetter.id, MatchingLetter.code, MatchingLetter.number, MatchingLetter.amount_cents)
        .having(or_(debit != credit, debit != MatchingLetter.amount_cents, elsewhere > 0))
        .limit(ROWS_MAX)
    )


def check_letters_balance(session: Session) -> list[Violation]:
    """Sous une lettre, sur un seul compte, les débits égalent les crédits, et la somme que la lettre dit."""
    rows = session.execute(_query_letters_balance())
    return [
        Violation(
            "letters_balance",
            f"lettre {row.number} du compte {row.code}",
            f"débits {format_euros(int(row.debit))}, crédits {format_euros(int(row.credit))}, "
            f"sur ce compte, pour {format_euros(row.amount_cents)} lettrés",
        )
        for row in rows
    ]


def check_a_movement_has_one_letter(session: Session) -> list[Violation]:
    """Un côté d’un mouvement est sous une lettre au plus ; les encaissements d’une période aussi."""
    first, second = aliased(LetteredMovement), aliased(LetteredMovement)
    live = undone_letters()
    rows = session.execute(
        select(first.entry_id)
        .join(
            second,
            and_(
                second.entry_id == first.entry_id, second.rank == first.rank, second.side == first.side,
                second.letter_id > first.letter_id,
            ),
        )
        .where(first.letter_id.not_in(live), second.letter_id.not_in(live))
        .limit(ROWS_MAX)
    )  # fmt: skip
    periods = session.execute(
        select(LetteredPeriod.period_id, LetteredPeriod.account_id)
        .where(LetteredPeriod.letter_id.not_in(live))
        .group_by(LetteredPeriod.period_id, LetteredPeriod.account_id)
        .having(func.count() > 1)
        .limit(ROWS_MAX)
    )
    return [
        *(Violation("a_movement_has_one_letter", f"écriture {row.entry_id}", "sous deux lettres") for row in rows),
        *(Violation("a_movement_has_one_letter", f"période {row.period_id}", "sous deux lettres") for row in periods),
    ]


def check_kept_accounts_are_whole(session: Session) -> list[Violation]:
    """Chaque compte annuel produit est gardé tel qu’il fut donné."""
    rows = session.execute(select(AnnualAccount.name, AnnualAccount.sha256, AnnualAccount.content))
    return [
        Violation("kept_accounts_are_whole", f"fichier {row.name}", "ses octets ont changé")
        for row in rows
        if hashlib.sha256(row.content).hexdigest() != row.sha256
    ]


@cache
def _query_counts_add_up() -> Select[*tuple[Any, ...]]:
    missing = func.sum(case((StockCountGap.kind == GapKind.MISSING, 1), else_=0))
    extra = func.sum(case((StockCountGap.kind == GapKind.EXTRA, 1), else_=0))
    found = StockCount.expected_count - func.coalesce(missing, 0) + func.coalesce(extra, 0)
    is_alone = StockCount.signed_by == StockCount.recorded_by
    return (
        select(
            StockCount.counted_on,
            StockCount.counted_count,
            found.label("found"),
            is_alone.label("is_alone"),
            StockCount.id,
        )
        .outerjoin(StockCountGap, StockCountGap.count_id == StockCount.id)
        .group_by(StockCount.id)
        .having(or_(StockCount.counted_count != found, is_alone))
        .order_by(StockCount.counted_on, StockCount.id)
        .limit(ROWS_MAX)
    )


def check_counts_add_up(session: Session) -> list[Violation]:
    """Un récolement compte ce qui était attendu, moins ce qui manque, plus ce qui est en trop ; une autre personne le signe."""
    rows = session.execute(
        _query_counts_add_up()
    )  # fmt: skip
    return [
        Violation(
            "counts_add_up",
            f"récolement {row.id}",
            "signé par la personne qui l’a compté"
            if row.is_alone
            else f"{row.counted_count} carnets dits, {row.found} par différence",
        )
        for row in rows
    ]


CHECKS: tuple[Check, ...] = (
    *checks_close.CHECKS,
    *checks_reconciliation.CHECKS,
    check_years_are_closed_in_order,
    check_opening_balances_are_sums,
    check_opening_balances_balance,
    check_nothing_enters_a_closed_year,
    check_letters_balance,
    check_a_movement_has_one_letter,
    check_kept_accounts_are_whole,
    check_counts_add_up,
)
