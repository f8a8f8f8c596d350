"""What the bank said, against what we expect: lines matched and to identify, and the payments that each could be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.network.model import Structure
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.payable.possible_double_payments import debited_again
from voucher.settlement.reconciliation.line_notes import last_notes
from voucher.settlement.reconciliation.rules import MAY_BE_PAID, Expected, decide, why_refund_waits
from voucher.settlement.reconciliation.to_identify import WAITS, to_identify
from voucher.settlement.words.states import AdviceState, MatchKind

CANDIDATES_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """A booked line; `left_cents` of it wait. `kind` and `advice_id` are what it was matched with; `why` says why it waits.

    A line that pays a whole file has no `advice_id` of its own: `part_count` says how many payments it makes.
    """

    id: UUID
    booked_on: date
    valued_on: date | None
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
    left_cents: int
    kind: MatchKind | None
    part_count: int
    on_statement: bool
    written_note: str = ""  # what a person wrote beside it last
    assignee_id: UUID | None = None

    @property
    def is_matched(self) -> bool:
        """Whether nothing of it waits."""
        return self.left_cents == 0

    @property
    def signed_cents(self) -> int:
        """The amount, negative when money went out."""
        return self.amount_cents if self.is_credit else -self.amount_cents

    @property
    def signed_left_cents(self) -> int:
        """What waits of it, negative when money went out."""
        return self.left_cents if self.is_credit else -self.left_cents


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """How many lines are matched and how many wait, with the cents that wait in each direction and the day of the oldest."""

    matched_count: int
    waiting_count: int
    waiting_credit_cents: int
    waiting_debit_cents: int
    oldest_on: date | None = None


_SIGNED = case((BankLine.is_credit, BankLine.amount_cents), else_=-BankLine.amount_cents)
LINE_SORTS: Mapping[str, Any] = {"booked_on": BankLine.booked_on, "amount": _SIGNED}


def lines(database: Database, asked: Asked, *, issuer_id: UUID | None = None) -> Page[LineRow]:
    """Return a page of booked lines. Sorts: booked_on, amount (as signed).

    Filters: `state` (`a-identifier`, `rapprochee`), `text` (reference, counterparty, remittance).
    """
    query = _lines(issuer_id)
    if state := asked.filters.get("state"):
        query = query.where(WAITS if state == "a-identifier" else ~WAITS)
    if words := asked.filters.get("text"):
        query = query.where(
            or_(
                BankLine.end_to_end_id == words.upper(),
                contains(BankLine.counterparty, words),
                contains(BankLine.remittance, words),
            )
        )
    with database.read() as session:
        page = page_of(session, query, LINE_SORTS, [BankLine.id], asked)
        return page.of(_noted(session, [_row(session, row) for row in page.rows]))


def line(database: Database, line_id: UUID, *, issuer_id: UUID | None = None) -> tuple[LineRow, list[Candidate]] | None:
    """Return a line with the payments it could be (none once it is matched), or None when it is not in the scope."""
    with database.read() as session:
        row = session.execute(_lines(issuer_id).where(BankLine.id == line_id)).one_or_none()
        if row is None:
            return None
        found = _row(session, row)
        return found, [] if found.is_matched else _candidates(session, found)


def waiting(database: Database, *, limit: int, issuer_id: UUID | None = None) -> list[tuple[LineRow, list[Candidate]]]:
    """Return the newest lines to identify, each with the payments it could be."""
    query = _lines(issuer_id).where(WAITS).order_by(BankLine.booked_on.desc(), BankLine.id)
    with database.read() as session:
        found = _noted(session, [_row(session, row) for row in session.execute(query.limit(limit)).all()])
        return [(one, _candidates(session, one)) for one in found]


def line_counts(database: Database, *, issuer_id: UUID | None = None) -> LineCounts:
    """Count what is matched and what waits, in the scope."""
    with database.read() as session:
        waits = to_identify(session, account_in_scope(issuer_id))
        matched_count = session.scalar(
            select(func.count())
            .select_from(BankLine)
            .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
            .where(~WAITS, account_in_scope(issuer_id))
        )
    return LineCounts(matched_count or 0, waits.count, waits.credit_cents, waits.debit_cents, waits.oldest_on)


def _noted(session: Session, rows: Sequence[LineRow]) -> list[LineRow]:
    """Give lines what people wrote beside them."""
    notes = last_notes().subquery()
    query = select(notes).where(notes.c.line_id.in_([row.id for row in rows]))
    said = {one.line_id: one for one in session.execute(query)}
    return [
        replace(row, written_note=said[row.id].note, assignee_id=said[row.id].assignee_id) if row.id in said else row
        for row in rows
    ]


def _lines(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            BankLine.id,
            BankLine.booked_on,
            BankLine.valued_on,
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
            BankLine.matched_cents,
            BankLine.statement_id,
            BankMatch.kind,
            _part_count().label("part_count"),
        )
        .join(PayingAccount, PayingAccount.id == BankLine.paying_account_id)
        .outerjoin(BankMatch, (BankMatch.id == _first_match()) & (BankMatch.part == 1))
        .outerjoin(PaymentAdvice, PaymentAdvice.id == BankMatch.advice_id)
        .outerjoin(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(account_in_scope(issuer_id))
    )


def _first_match() -> Any:
    """The match of a line to show in a list: the oldest that stands."""
    match = aliased(BankMatch)
    return (
        select(match.id)
        .where(match.line_id == BankLine.id, match.part == 1, match.undone_at.is_(None))
        .order_by(match.made_at, match.id)
        .limit(1)
        .correlate(BankLine)
        .scalar_subquery()
    )


def _part_count() -> Any:
    match = aliased(BankMatch)
    live = (match.line_id == BankLine.id) & match.undone_at.is_(None)
    return select(func.count()).select_from(match).where(live).correlate(BankLine).scalar_subquery()


def _row(session: Session, row: Row[*tuple[Any, ...]]) -> LineRow:
    why = ""
    if row.matched_cents < row.amount_cents:
        expected = None
        if row.end_to_end_id is not None:
            found = session.execute(
                _advices(row.paying_account_id).where(PaymentAdvice.reference == row.end_to_end_id)
            ).one_or_none()
            if found is not None:
                is_again = row.is_credit and bool(debited_again(session, [found.id]))
                expected = Expected(found.amount_cents, found.state, is_again)
        why = _why_refund_waits(session, row) if expected is None else ""
        why = why or decide(row.amount_cents, row.is_credit, row.end_to_end_id is not None, expected).why
    return LineRow(
        id=row.id,
        booked_on=row.booked_on,
        valued_on=row.valued_on,
        account_name=row.name,
        account_id=row.paying_account_id,
        amount_cents=row.amount_cents,
        is_credit=row.is_credit,
        end_to_end_id=row.end_to_end_id,
        counterparty=row.counterparty,
        counterparty_iban=row.counterparty_iban,
        remittance=row.remittance,
        return_reason=row.return_reason,
        note=row.note,
        advice_id=None if row.part_count > 1 else row.advice_id,
        advice_reference=None if row.part_count > 1 else row.reference,
        structure_name=None if row.part_count > 1 else row.structure_name,
        why=why,
        left_cents=row.amount_cents - row.matched_cents,
        kind=row.kind,
        part_count=row.part_count,
        on_statement=row.statement_id is not None,
    )


def _why_refund_waits(session: Session, row: Row[*tuple[Any, ...]]) -> str:
    """Say why a line waits that bears the reference of money sent back from its account; nothing for another."""
    if row.end_to_end_id is None:
        return ""
    refund = session.execute(
        select(LineRefund.amount_cents, LineRefund.state).where(
            LineRefund.reference == row.end_to_end_id, LineRefund.paying_account_id == row.paying_account_id
        )
    ).one_or_none()
    return (
        ""
        if refund is None
        else why_refund_waits(row.amount_cents, refund.amount_cents, refund.state, is_credit=row.is_credit)
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
            advice_id=row.id,
            reference=row.reference,
            structure_name=row.name,
            batch_number=row.number,
            state=row.state,
            amount_cents=row.amount_cents,
            reasons=_reasons(one, row),
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
