"""What the bank said, against what we expect: lines matched and to identify, what each could be, the balance day by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.network.model import Structure
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.matching import MAY_BE_PAID, Expected, decide
from voucher.settlement.model import AdviceState, BankLine, BankStatement, PaymentAdvice, SettlementBatch
from voucher.settlement.model_bank import BankMatch
from voucher.settlement.scope import account_in_scope

CANDIDATES_MAX = 10
_WAITS = BankLine.matched_cents < BankLine.amount_cents


@dataclass(frozen=True, slots=True)
class LineRow:
    """A booked line; `advice_id` is what it was matched with. `why` says why it waits, empty once matched."""

    id: UUID
    booked_on: date
    account_name: str
    account_id: UUID
    amount_cents: int
    is_credit: bool
    end_to_end_id: str | None
    counterparty: str
    counterparty_iban: str | None
    remittance: str
    return_reason: str | None
    note: str
    advice_id: UUID | None
    advice_reference: str | None
    structure_name: str | None
    why: str

    @property
    def signed_cents(self) -> int:
        """The amount, negative when money went out."""
        return self.amount_cents if self.is_credit else -self.amount_cents


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payment that a line could be, with the reasons why, the best first. The amount is the line's."""

    advice_id: UUID
    reference: str
    structure_name: str
    batch_number: str
    state: AdviceState
    amount_cents: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines are matched and how many wait, with the cents that wait in each direction."""

    matched_count: int
    waiting_count: int
    waiting_credit_cents: int
    waiting_debit_cents: int


@dataclass(frozen=True, slots=True)
class BankDay:
    """The bank's closing balance of a day against the ledger's, in cents.

    `ledger_cents` starts from the opening of the account's first statement. `is_following` says that the statement opens where
    the one before closed: if not, one is missing.
    """

    account_name: str
    closed_on: date
    closing_cents: int
    ledger_cents: int
    is_following: bool

    @property
    def is_equal(self) -> bool:
        """Whether bank and ledger agree at the end of that day."""
        return self.closing_cents == self.ledger_cents


def lines(
    database: Database,
    *,
    sort: str,
    descending: bool,
    limit: int,
    offset: int,
    filters: Mapping[str, str],
    issuer_id: UUID | None = None,
) -> tuple[list[LineRow], int]:
    """Return a page of booked lines and how many there are.

    Filters: `etat` (`a-identifier`, `rapprochee`), `texte` (reference, counterparty, remittance). Sorts: booked_on, amount.
    """
    query = _lines(issuer_id)
    if state := filters.get("etat"):
        query = query.where(_WAITS if state == "a-identifier" else ~_WAITS)
    if words := filters.get("texte"):
        query = query.where(
            or_(
                BankLine.end_to_end_id == words.upper(),
                BankLine.counterparty.icontains(words, autoescape=True),
                BankLine.remittance.icontains(words, autoescape=True),
            )
        )
    column: Any = {"booked_on": BankLine.booked_on, "amount": BankLine.amount_cents}[sort]
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = session.execute(
            query.order_by(column.desc() if descending else column, BankLine.id).limit(limit).offset(offset)
        ).all()
        return [_row(session, row) for row in rows], total


def line(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> tuple[LineRow, list[Candidate]] | None:
    """Return a line with the payments it could be (none once it is matched), or None when it is not in the scope."""
    with database.read() as session:
        row = session.execute(_lines(issuer_id).where(BankLine.id == line_id)).one_or_none()
        if row is None:
            return None
        found = _row(session, row)
        return found, [] if found.advice_id else _candidates(session, found)


def waiting(database: Database, *, limit: int, issuer_id: UUID | None = None) -> list[tuple[LineRow, list[Candidate]]]:
    """Return the newest lines to identify, each with the payments it could be."""
    query = _lines(issuer_id).where(_WAITS).order_by(BankLine.booked_on.desc(), BankLine.id)
    with database.read() as session:
        found = [_row(session, row) for row in session.execute(query.limit(limit)).all()]
        return [(one, _candidates(session, one)) for one in found]


def line_counts(database: Database, *, issuer_id: UUID | None = None) -> LineCounts:
    """Count what is matched and what waits, in the scope."""
    waits = _WAITS

    def cents(*conditions: Any) -> Any:
        return func.coalesce(func.sum(case((and_(waits, *conditions), BankLine.amount_cents), else_=0)), 0)

    query = (
        select(
            func.coalesce(func.sum(case((_WAITS, 0), else_=1)), 0),
            func.coalesce(func.sum(case((_WAITS, 1), else_=0)), 0),
            cents(BankLine.is_credit),
            cents(BankLine.is_credit.is_(False)),
        )
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        .where(account_in_scope(issuer_id))
    )
    with database.read() as session:
        row = session.execute(query).one()
    return LineCounts(row[0], row[1], int(row[2]), int(row[3]))


def days(database: Database, *, issuer_id: UUID | None = None) -> list[BankDay]:
    """Return the closing balances of each account by day, the newest first, each beside what the ledger says of that day."""
    query = (
        select(
            BankStatement.paying_account_id,
            PayingAccount.name,
            BankStatement.closed_on,
            BankStatement.opening_cents,
            BankStatement.closing_cents,
        )
        .join(PayingAccount, PayingAccount.id == BankStatement.paying_account_id)
        .where(account_in_scope(issuer_id))
        .order_by(BankStatement.paying_account_id, BankStatement.closed_on, BankStatement.reference)
    )
    signed = case((BankLine.is_credit, BankLine.amount_cents), else_=-BankLine.amount_cents)
    moves = (
        select(BankLine.paying_account_id, BankLine.booked_on, func.sum(signed))
        .group_by(BankLine.paying_account_id, BankLine.booked_on)
        .order_by(BankLine.paying_account_id, BankLine.booked_on)
    )
    with database.read() as session:
        statements = session.execute(query).all()
        by_day: dict[UUID, list[tuple[date, int]]] = {}
        for account_id, booked_on, cents in session.execute(moves):
            by_day.setdefault(account_id, []).append((booked_on, int(cents)))
    found: list[BankDay] = []
    before: dict[UUID, tuple[int, int, int]] = {}  # of each account: its first opening, its last closing, lines counted
    for one in statements:
        first, last, counted = before.get(one.paying_account_id, (one.opening_cents, one.opening_cents, 0))
        day_moves = by_day.get(one.paying_account_id, [])
        moved = sum(cents for booked_on, cents in day_moves[:counted])
        while counted < len(day_moves) and day_moves[counted][0] <= one.closed_on:
            moved += day_moves[counted][1]
            counted += 1
        found.append(
            BankDay(one.name, one.closed_on, one.closing_cents, first + moved, is_following=last == one.opening_cents)
        )
        before[one.paying_account_id] = (first, one.closing_cents, counted)
    return sorted(found, key=lambda day: (day.closed_on, day.account_name), reverse=True)


def _lines(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            BankLine.id,
            BankLine.booked_on,
            PayingAccount.name,
            BankLine.paying_account_id,
            BankLine.amount_cents,
            BankLine.is_credit,
            BankLine.end_to_end_id,
            BankLine.counterparty,
            BankLine.counterparty_iban,
            BankLine.remittance,
            BankLine.return_reason,
            BankLine.note,
            BankMatch.advice_id,
            PaymentAdvice.reference,
            Structure.name.label("structure_name"),
        )
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        .outerjoin(
            BankMatch, (BankMatch.line_id == BankLine.id) & (BankMatch.part == 1) & BankMatch.undone_at.is_(None)
        )
        .outerjoin(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .outerjoin(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(account_in_scope(issuer_id))
    )


def _row(session: Session, row: Row[*tuple[Any, ...]]) -> LineRow:
    why = ""
    if row.advice_id is None:
        expected = None
        if row.end_to_end_id is not None:
            found = session.execute(
                _advices(row.paying_account_id).where(PaymentAdvice.reference == row.end_to_end_id)
            ).one_or_none()
            expected = None if found is None else Expected(found.amount_cents, AdviceState(found.state))
        why = decide(row.amount_cents, row.is_credit, row.end_to_end_id is not None, expected).why
    return LineRow(
        row.id,
        row.booked_on,
        row.name,
        row.paying_account_id,
        row.amount_cents,
        row.is_credit,
        row.end_to_end_id,
        row.counterparty,
        row.counterparty_iban,
        row.remittance,
        row.return_reason,
        row.note,
        row.advice_id,
        row.reference,
        row.structure_name,
        why,
    )


def _advices(account_id: UUID) -> Select[*tuple[Any, ...]]:
    """Return the statement of the advices that an account pays."""
    return (
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            Structure.name,
            SettlementBatch.number,
            PaymentAdvice.state,
            PaymentAdvice.amount_cents,
            PaymentAdvice.iban,
            PaymentAdvice.holder_name,
            Structure.pivot,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(Agreement.paying_account_id == account_id)
    )


def _candidates(session: Session, one: LineRow) -> list[Candidate]:
    """Return the payments of the same account and amount that expect such a line."""
    expected = (AdviceState.PAID,) if one.is_credit else MAY_BE_PAID
    rows = session.execute(
        _advices(one.account_id)
        .where(PaymentAdvice.state.in_(expected), PaymentAdvice.amount_cents == one.amount_cents)
        .order_by(SettlementBatch.frozen_at.desc())
        .limit(200)
    )
    found = [
        Candidate(
            row.id, row.reference, row.name, row.number, AdviceState(row.state), row.amount_cents, _reasons(one, row)
        )
        for row in rows
    ]
    return sorted(found, key=lambda candidate: -len(candidate.reasons))[:CANDIDATES_MAX]


def _reasons(one: LineRow, row: Row[*tuple[Any, ...]]) -> tuple[str, ...]:
    text = f"{one.remittance} {one.counterparty}".casefold()
    signs = (
        (True, "même montant"),
        (one.counterparty_iban is not None and one.counterparty_iban == row.iban, "même IBAN"),
        (row.reference.casefold() in text, "référence du règlement dans le libellé"),
        (row.number.casefold() in text, "numéro du lot dans le libellé"),
        (row.pivot.casefold() in text, "SIRET dans le libellé"),
        ((row.holder_name or row.name).casefold() in text or row.name.casefold() in text, "même nom"),
    )
    return tuple(sentence for is_seen, sentence in signs if is_seen)
