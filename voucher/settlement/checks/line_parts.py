"""What must be true of the parts of a bank line: with what is left of it they make the line, and for each call what it received.

What is left is read in the ledger, entry by entry: what of a line waits in 4711, and not what its row says of itself.
"""

from functools import cache
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select, union_all
from sqlalchemy.orm import Session

from voucher.funding.model import FundsCall
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros, sum_cents
from voucher.ledger.chart import Code
from voucher.ledger.model import Account, Entry, Movement
from voucher.settlement.checks.ledger_gaps import LINE_COLUMNS, ROWS_MAX, line_name
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.recoveries import Recovery
from voucher.settlement.words.states import MatchKind

_MOVE_NOTHING = (MatchKind.OFFSET, MatchKind.REFUND, MatchKind.REFUND_DEBIT)
_OF_CREDITS = (MatchKind.RETURN, MatchKind.FUNDS, MatchKind.OVERPAYMENT, MatchKind.REFUND)
_OF_DEBITS = (MatchKind.PAYMENT, MatchKind.ADVANCE_REFUND, MatchKind.ADVANCE_RETURN, MatchKind.REFUND_DEBIT)


@cache
def _query_parts_and_rest_unlike_the_line() -> Select[*tuple[Any, ...]]:
    # Two lines that undo each other use their cents and move nothing; so do a credit that is sent back and its debit.
    posted = case((BankMatch.kind.in_(_MOVE_NOTHING), 0), else_=BankMatch.amount_cents)
    parts = (
        select(BankMatch.line_id, func.sum(posted).label("cents"))
        .where(BankMatch.undone_at.is_(None))
        .group_by(BankMatch.line_id)
        .subquery()
    )
    rest = _left_in_the_books().subquery()
    part_cents, rest_cents = func.coalesce(parts.c.cents, 0), func.coalesce(rest.c.cents, 0)
    return (
        select(*LINE_COLUMNS, BankLine.amount_cents, part_cents.label("parts"), rest_cents.label("rest"))
        .outerjoin(parts, parts.c.line_id == BankLine.id)
        .outerjoin(rest, rest.c.line_id == BankLine.id)
        .where(part_cents + rest_cents != BankLine.amount_cents)
        .limit(ROWS_MAX)
    )


@cache
def _query_parts_the_other_way() -> Select[*tuple[Any, ...]]:
    return (
        select(*LINE_COLUMNS, BankMatch.amount_cents, BankLine.amount_cents.label("line_cents"))
        .join(BankMatch, BankMatch.line_id == BankLine.id)
        .where(
            or_(
                and_(BankLine.is_credit, BankMatch.kind.in_(_OF_DEBITS)),
                and_(BankLine.is_credit.is_(False), BankMatch.kind.in_(_OF_CREDITS)),
            )
        )
        .limit(ROWS_MAX)
    )


def check_parts_and_rest_make_the_line(session: Session) -> list[Violation]:
    """Les parts d’une ligne de banque et ce qui en reste au compte 4711 font son montant ; chaque part va dans le sens de la ligne."""
    found = [
        Violation(
            "parts_and_rest_make_the_line",
            line_name(row),
            f"{format_euros(int(row.parts))} de parts et {format_euros(int(row.rest))} à identifier, pour {format_euros(row.amount_cents)}",
        )
        for row in session.execute(_query_parts_and_rest_unlike_the_line())
    ]
    return found + [
        Violation(
            "parts_and_rest_make_the_line",
            line_name(row),
            f"une part de {format_euros(row.amount_cents)} dans l’autre sens que cette ligne de {format_euros(row.line_cents)}",
        )
        for row in session.execute(_query_parts_the_other_way())
    ]


def _left_in_the_books() -> Select[*tuple[Any, ...]]:
    """Return the statement (line_id, cents) of what entries say that each line left in 4711."""
    of_line = select(BankLine.id.label("event_id"), BankLine.id.label("line_id"))
    of_match = select(BankMatch.id, BankMatch.line_id).where(BankMatch.part == 1, BankMatch.is_automatic.is_(False))
    of_recovery = select(Recovery.id, Recovery.bank_line_id).where(Recovery.bank_line_id.is_not(None))
    facts = union_all(of_line, of_match, of_recovery).subquery()
    sides = union_all(
        select(
            Movement.entry_id, Movement.debit_account_id.label("account_id"), (-Movement.amount_cents).label("cents")
        ),
        select(Movement.entry_id, Movement.credit_account_id, Movement.amount_cents),
    ).subquery()
    signed = case((BankLine.is_credit, sides.c.cents), else_=-sides.c.cents)
    return (
        select(facts.c.line_id, func.sum(signed).label("cents"))
        .join(BankLine, BankLine.id == facts.c.line_id)
        .join(Entry, Entry.event_id == facts.c.event_id)
        .join(sides, sides.c.entry_id == Entry.id)
        .join(Account, Account.id == sides.c.account_id)
        .where(Account.code == Code.UNIDENTIFIED)
        .group_by(facts.c.line_id)
    )


@cache
def _query_parts_make_what_a_call_received() -> Select[*tuple[Any, ...]]:
    parts = (
        select(BankMatch.target_id, func.sum(BankMatch.amount_cents).label("cents"))
        .where(BankMatch.kind == MatchKind.FUNDS, BankMatch.undone_at.is_(None))
        .group_by(BankMatch.target_id)
        .subquery()
    )
    cents = func.coalesce(parts.c.cents, 0)
    return (
        select(FundsCall.reference, FundsCall.called_cents, FundsCall.received_cents, cents.label("parts"))
        .outerjoin(parts, parts.c.target_id == FundsCall.id)
        .where(or_(cents != FundsCall.received_cents, cents > FundsCall.called_cents))
        .limit(ROWS_MAX)
    )


def check_parts_make_what_a_call_received(session: Session) -> list[Violation]:
    """Les parts de lignes rapprochées d’un appel de fonds font ce qu’il a reçu, jamais plus que ce qu’il demande."""
    rows = session.execute(_query_parts_make_what_a_call_received())
    return [
        Violation(
            "parts_make_what_a_call_received",
            f"appel {row.reference}",
            f"{format_euros(sum_cents(row.parts))} de parts, {format_euros(row.received_cents)} reçus sur "
            f"{format_euros(row.called_cents)}",
        )
        for row in rows
    ]


CHECKS: tuple[Check, ...] = (check_parts_and_rest_make_the_line, check_parts_make_what_a_call_received)
