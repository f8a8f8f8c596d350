"""What must be true of the ledger by itself (invariants.md §1 to §3 and §6)."""

from functools import cache
from typing import Any

from sqlalchemy import Select, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import french_instant
from voucher.kernel.checks import Check, Violation
from voucher.kernel.identifiers import derived_number
from voucher.kernel.money import format_euros
from voucher.ledger.chart import CHART, RULES, Code, Dimension, EventType, Side
from voucher.ledger.model import Account, Entry, FiscalYear, Movement, RuleStart
from voucher.ledger.read import balances_query
from voucher.ledger.rule_starts import BANK_DAY, CLOSE_CHECKS, RULE_WORDS

REVERSALS = [event_type for event_type, rule in RULES.items() if not rule.moves]


@cache
def _query_entries_are_whole() -> Select[*tuple[Any, ...]]:
    sums = (
        select(Movement.entry_id, func.count().label("found"), func.sum(Movement.amount_cents).label("total"))
        .group_by(Movement.entry_id)
        .subquery()
    )
    return (
        select(Entry.id, Entry.movement_count, Entry.total_cents, sums.c.found, sums.c.total)
        .outerjoin(sums, sums.c.entry_id == Entry.id)
        .where(
            (func.coalesce(sums.c.found, 0) != Entry.movement_count)
            | (func.coalesce(sums.c.total, 0) != Entry.total_cents)
        )
    )


def check_entries_are_whole(session: Session) -> list[Violation]:
    """Chaque écriture compte et totalise ses mouvements."""
    rows = session.execute(_query_entries_are_whole())
    return [
        Violation(
            "entries_are_whole",
            f"écriture {row.id}",
            f"{row.movement_count} mouvements et {format_euros(row.total_cents)} annoncés, "
            f"{row.found or 0} et {format_euros(int(row.total or 0))} trouvés",
        )
        for row in rows
    ]


def check_movements_have_their_entry(session: Session) -> list[Violation]:
    """Aucun mouvement n’est sans écriture."""
    rows = session.scalars(
        select(Movement.entry_id).outerjoin(Entry, Entry.id == Movement.entry_id).where(Entry.id.is_(None)).distinct()
    )
    return [Violation("movements_have_their_entry", f"mouvements de {row}", "leur écriture manque") for row in rows]


@cache
def _query_movements_follow_the_chart() -> Select[*tuple[Any, ...]]:
    debit, credit = aliased(Account), aliased(Account)
    # Counted by account first: the journal is long, the accounts are few.
    kinds = (
        select(
            Entry.event_type,
            Entry.journal,
            Movement.book,
            Movement.debit_account_id,
            Movement.credit_account_id,
            func.count().label("found"),
        )
        .join(Movement, Movement.entry_id == Entry.id)
        .group_by(Entry.event_type, Entry.journal, Movement.book, Movement.debit_account_id, Movement.credit_account_id)
        .subquery()
    )
    return (
        select(
            kinds.c.event_type,
            kinds.c.journal,
            kinds.c.book,
            debit.code.label("debit"),
            credit.code.label("credit"),
            debit.book.label("debit_book"),
            credit.book.label("credit_book"),
            func.sum(kinds.c.found).label("found"),
        )
        .join(debit, debit.id == kinds.c.debit_account_id)
        .join(credit, credit.id == kinds.c.credit_account_id)
        .group_by(kinds.c.event_type, kinds.c.journal, kinds.c.book, debit.code, credit.code, debit.book, credit.book)
    )


def check_movements_follow_the_chart(session: Session) -> list[Violation]:
    """Chaque mouvement suit la table « événement → mouvements », dans un seul livre."""
    seen = session.execute(_query_movements_follow_the_chart())
    reversible = {(c, d) for rule in RULES.values() for d, c in rule.moves}
    violations = []
    for row in seen:
        rule = RULES[EventType(row.event_type)] if row.event_type in set(EventType) else None
        allowed = {*rule.all_moves} if rule else set()
        if row.event_type in REVERSALS:
            allowed = reversible
        is_right = (row.debit, row.credit) in allowed and row.book == row.debit_book == row.credit_book
        if not is_right or row.journal != RULES[EventType(row.event_type)].journal:
            violations.append(
                Violation(
                    "movements_follow_the_chart",
                    f"événement {row.event_type}",
                    f"{row.found} mouvements débitent {row.debit} et créditent {row.credit} au journal {row.journal}",
                )
            )
    return violations


@cache
def _query_reversals_are_contrary() -> Select[*tuple[Any, ...]]:
    reversal, first, reversed_entry = aliased(Movement), aliased(Movement), aliased(Entry)
    return (
        select(Entry.id, func.count(reversal.rank).label("found"), func.count(first.rank).label("matched"))
        .join(reversal, reversal.entry_id == Entry.id)
        .outerjoin(
            first,
            (first.entry_id == Entry.reverses_id)
            & (first.rank == reversal.rank)
            & (first.debit_account_id == reversal.credit_account_id)
            & (first.credit_account_id == reversal.debit_account_id)
            & (first.amount_cents == reversal.amount_cents),
        )
        .outerjoin(reversed_entry, reversed_entry.id == Entry.reverses_id)
        .where(or_(Entry.reverses_id.is_not(None), Entry.event_type.in_(REVERSALS)))
        .group_by(Entry.id, Entry.event_id, reversed_entry.event_id, reversed_entry.movement_count)
        .having(
            or_(
                func.count(reversal.rank) != func.count(first.rank),
                func.count(reversal.rank).is_distinct_from(reversed_entry.movement_count),
                Entry.event_id.is_distinct_from(reversed_entry.event_id),
            )
        )
    )


def check_reversals_are_contrary(session: Session) -> list[Violation]:
    """Chaque contre-passation reprend, à l’envers, tous les mouvements de l’écriture du même fait."""
    rows = session.execute(_query_reversals_are_contrary())
    return [
        Violation(
            "reversals_are_contrary", f"écriture {row.id}", f"{row.matched} mouvements annulés, sur {row.found} écrits"
        )
        for row in rows
    ]


def check_accounts_are_well_made(session: Session) -> list[Violation]:
    """Chaque compte est du plan, tenu par les bonnes dimensions, avec l’identifiant que sa clé donne."""
    violations = []
    for account in session.execute(select(Account.__table__)):
        line = CHART.get(account.code)
        filled = {d for d in Dimension if getattr(account, f"{d}_id") is not None}
        expected_key = (
            " ".join([account.code, *(f"{d}={getattr(account, f'{d}_id')}" for d in line.dimensions)]) if line else ""
        )
        if line is None or filled != set(line.dimensions) or line.book != account.book or expected_key != account.key:
            violations.append(
                Violation("accounts_are_well_made", f"compte {account.key}", "ne suit pas le plan comptable")
            )
        elif derived_number(account.key) != account.id:
            violations.append(
                Violation("accounts_are_well_made", f"compte {account.key}", "porte un autre identifiant")
            )
    return violations


def check_no_balance_is_on_the_wrong_side(session: Session) -> list[Violation]:
    """Aucun solde n’est du mauvais côté (hors banque, attente, frais rendus et financeurs)."""
    free = {Code.BANK, Code.UNIDENTIFIED, Code.TO_CALL, Code.CHARGES}
    balances = balances_query().subquery()
    rows = session.execute(
        select(Account.key, Account.code, balances.c.balance_cents).join(balances, balances.c.id == Account.id)
    )
    violations = []
    for row in rows:
        balance = int(row.balance_cents)
        wrong = balance < 0 if CHART[row.code].normal_side == Side.DEBIT else balance > 0
        if wrong and row.code not in free:
            violations.append(
                Violation(
                    "no_balance_is_on_the_wrong_side",
                    f"compte {row.key}",
                    f"solde {format_euros(balance)} (débit moins crédit), attendu 0,00\u00a0€ au {'plus' if balance > 0 else 'moins'}",
                )
            )
    return violations


@cache
def _query_budget_is_the_envelope() -> Select[*tuple[Any, ...]]:
    balances = balances_query().subquery()
    total = func.sum(balances.c.balance_cents)
    return (
        select(
            Account.funder_id,
            func.sum(case((balances.c.balance_cents < 0, -balances.c.balance_cents), else_=0)).label("opened"),
            func.sum(case((balances.c.balance_cents > 0, balances.c.balance_cents), else_=0)).label("shared"),
        )
        .join(balances, balances.c.id == Account.id)
        .where(Account.book == "budget")
        .group_by(Account.funder_id)
        .having(total != 0)
    )


def check_budget_is_the_envelope(session: Session) -> list[Violation]:
    """Pour chaque financeur : enveloppe = disponible + engagé + émis + remis + utilisé."""
    rows = session.execute(_query_budget_is_the_envelope())
    return [
        Violation(
            "budget_is_the_envelope",
            f"financeur {row.funder_id}",
            f"{format_euros(int(row.opened))} d’enveloppe, {format_euros(int(row.shared))} aux étapes",
        )
        for row in rows
    ]


@cache
def _query_rules_start_where_the_books_were() -> Select[*tuple[Any, ...]]:
    is_of_a_fact = or_(
        (RuleStart.rule == BANK_DAY) & exists().where(Entry.posted_at == RuleStart.written_until),
        (RuleStart.rule == CLOSE_CHECKS) & exists().where(FiscalYear.closed_at == RuleStart.written_until),
    )
    return select(RuleStart.rule, RuleStart.written_until).where(~is_of_a_fact)


def check_rules_start_where_the_books_were(session: Session) -> list[Violation]:
    """Une règle des livres épargne ce qui était écrit avant elle, jusqu’à une écriture ou une clôture qui existe."""
    rows = session.execute(_query_rules_start_where_the_books_were())
    return [
        Violation(
            "rules_start_where_the_books_were",
            f"règle « {RULE_WORDS.get(row.rule, row.rule)} »",
            f"épargne ce qui fut écrit jusqu’au {french_instant(row.written_until)}, où rien ne fut écrit",
        )
        for row in rows
    ]


CHECKS: tuple[Check, ...] = (
    check_rules_start_where_the_books_were,
    check_entries_are_whole,
    check_movements_have_their_entry,
    check_movements_follow_the_chart,
    check_reversals_are_contrary,
    check_accounts_are_well_made,
    check_no_balance_is_on_the_wrong_side,
    check_budget_is_the_envelope,
)
