"""What pages ask of funding: what can be called, the calls, and a funder's statement on an agreement. Amounts in cents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import Session

from voucher.funding.model import CallKind, CallState, FundingClose, FundsCall, FundsReceipt
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.ledger.chart import Code
from voucher.ledger.model import Account
from voucher.programme.model import Agreement, Funder, Issuer
from voucher.programme.stages import balances_of

OVERDUE = "overdue"
STATES: Mapping[str, str] = {
    CallState.CALLED: "Appelé",
    CallState.PARTLY_PAID: "Payé en partie",
    CallState.PAID: "Payé",
    CallState.CANCELLED: "Annulé",
    OVERDUE: "En retard",
}
"""The word of each state of a call; « overdue » is a call whose day is past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCall:
    """What a funder can be called for now: its uses not called yet, and the advance that would pay first."""

    agreement_id: UUID
    agreement_number: str
    agreement_name: str
    issuer_name: str
    funder_id: UUID
    funder_name: str
    used_cents: int
    advance_cents: int
    is_closed: bool

    @property
    def to_pay_cents(self) -> int:
        """What the funder would have to transfer."""
        return max(self.used_cents - self.advance_cents, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLine:
    """A call in a list."""

    id: UUID
    reference: str
    agreement_id: UUID
    agreement_number: str
    funder_id: UUID
    funder_name: str
    kind: str
    used_cents: int
    advance_used_cents: int
    called_cents: int
    received_cents: int
    state: str  # « overdue » where its day is past
    called_on: date
    due_on: date

    @property
    def is_advance(self) -> bool:
        """Whether it asks for an advance, and not for what was used."""
        return self.kind == CallKind.ADVANCE

    @property
    def is_overdue(self) -> bool:
        """Whether its day is past."""
        return self.state == OVERDUE

    @property
    def left_cents(self) -> int:
        """What is still to be received."""
        return 0 if self.state == CallState.CANCELLED else self.called_cents - self.received_cents


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """What a bank line paid of a call; `undone_at` where the match was taken back."""

    id: UUID
    reference: str
    amount_cents: int
    booked_on: date
    received_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """A call whole."""

    line: CallLine
    agreement_name: str
    used_until: date | None
    called_at: datetime
    called_by: UUID
    cancelled_at: datetime | None
    receipts: tuple[ReceiptLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLine:
    """A final balance; `number` is 1, or more for one that completes it."""

    id: UUID
    number: int
    used_cents: int
    received_cents: int
    due_cents: int
    refund_cents: int
    refunded_cents: int
    closed_on: date


def to_call(database: Database, *, issuer_id: UUID | None = None) -> list[ToCall]:
    """Return what each funder of each agreement can be called for, where there is something, by agreement and rank of name."""
    with database.read() as session:
        codes = Account.code.in_((Code.TO_CALL, Code.ADVANCES))
        amounts: dict[tuple[UUID, UUID], dict[str, int]] = {}
        for balance in balances_of(session, codes):
            if balance.agreement_id is not None and balance.funder_id is not None and balance.cents:
                amounts.setdefault((balance.agreement_id, balance.funder_id), {})[balance.code] = balance.cents
        agreements = {row.id: row for row in session.execute(_agreements(issuer_id))}
        funders = _funder_names(session, {funder_id for _, funder_id in amounts})
        closed = {
            (row[0], row[1]) for row in session.execute(select(FundingClose.agreement_id, FundingClose.funder_id))
        }
    found = [
        ToCall(
            agreement_id=agreement_id,
            agreement_number=agreements[agreement_id].number,
            agreement_name=agreements[agreement_id].name,
            issuer_name=agreements[agreement_id].issuer_name,
            funder_id=funder_id,
            funder_name=funders[funder_id],
            used_cents=cents.get(Code.TO_CALL, 0),
            advance_cents=-cents.get(Code.ADVANCES, 0),
            is_closed=(agreement_id, funder_id) in closed,
        )
        for (agreement_id, funder_id), cents in amounts.items()
        if agreement_id in agreements and cents.get(Code.TO_CALL, 0)
    ]
    return sorted(found, key=lambda one: (one.agreement_number, one.funder_name))


def calls(
    database: Database,
    asked: Asked,
    *,
    today: date,
    issuer_id: UUID | None = None,
    agreement_id: UUID | None = None,
    funder_id: UUID | None = None,
) -> Page[CallLine]:
    """Return a page of calls. Sorts: called_on, due_on, reference, amount.

    Filters: `state` (a state, `overdue`, or `due` for all that is awaited), `call` (reference, agreement or funder).
    """
    query = _calls(issuer_id)
    if agreement_id is not None:
        query = query.where(FundsCall.agreement_id == agreement_id)
    if funder_id is not None:
        query = query.where(FundsCall.funder_id == funder_id)
    if text := asked.filters.get("call"):
        columns = (FundsCall.reference, Agreement.name, Funder.name)
        query = query.where(or_(*(contains(column, text) for column in columns)))
    if state := asked.filters.get("state"):
        query = query.where(_in_state(state, today))
    sorts = {
        "called_on": FundsCall.called_at,
        "due_on": FundsCall.due_on,
        "reference": FundsCall.reference,
        "amount": FundsCall.called_cents,
    }
    with database.read() as session:
        page = page_of(session, query, sorts, [FundsCall.id], asked)
    return page.of(_call_line(row, today) for row in page.rows)


@dataclass(frozen=True, slots=True)
class OverdueCalls:
    """Calls whose day is past and that are not paid whole: how many, what is still to be received, since when."""

    count: int
    cents: int
    oldest_on: date


def overdue_calls(session: Session, *, today: date, issuer_id: UUID | None = None) -> OverdueCalls | None:
    """Return the overdue calls of the scope together, or None where there is none."""
    rows = session.execute(_calls(issuer_id).where(_in_state(OVERDUE, today))).all()
    lines = [_call_line(row, today) for row in rows]
    if not lines:
        return None
    return OverdueCalls(len(lines), sum(line.left_cents for line in lines), min(line.due_on for line in lines))


def call(database: Database, call_id: UUID, *, today: date, issuer_id: UUID | None = None) -> CallPage | None:
    """Return a call with what was received for it, or None; with an `issuer_id`, only one of that issuer."""
    with database.read() as session:
        row = session.execute(_calls(issuer_id).where(FundsCall.id == call_id)).one_or_none()
        if row is None:
            return None
        whole = session.get_one(FundsCall, call_id)
        name = session.execute(select(Agreement.name).where(Agreement.id == whole.agreement_id)).scalar_one()
        receipts = _receipts(session, FundsReceipt.call_id == call_id)
        return CallPage(
            line=_call_line(row, today),
            agreement_name=name,
            used_until=whole.used_until,
            called_at=whole.called_at,
            called_by=whole.called_by,
            cancelled_at=whole.cancelled_at,
            receipts=tuple(receipts),
        )


def receipts_of(session: Session, agreement_id: UUID, funder_id: UUID) -> list[ReceiptLine]:
    """Return what a funder gave for an agreement, by day."""
    return _receipts(session, and_(FundsCall.agreement_id == agreement_id, FundsCall.funder_id == funder_id))


def closes_of(session: Session, agreement_id: UUID, funder_id: UUID) -> list[CloseLine]:
    """Return a funder's final balances on an agreement, the first one first."""
    rows = session.execute(
        select(
            FundingClose.id,
            FundingClose.number,
            FundingClose.used_cents,
            FundingClose.received_cents,
            FundingClose.due_cents,
            FundingClose.refund_cents,
            FundingClose.refunded_cents,
            FundingClose.closed_on,
        )
        .where(FundingClose.agreement_id == agreement_id, FundingClose.funder_id == funder_id)
        .order_by(FundingClose.number)
    )
    return [CloseLine(**row._asdict()) for row in rows]


def call_lines(session: Session, agreement_id: UUID, funder_id: UUID, today: date) -> list[CallLine]:
    """Return every call on a funder for an agreement, by number."""
    mine = (FundsCall.agreement_id == agreement_id) & (FundsCall.funder_id == funder_id)
    rows = session.execute(_calls(None).where(mine).order_by(FundsCall.number))
    return [_call_line(row, today) for row in rows]


def _receipts(session: Session, which: ColumnElement[bool]) -> list[ReceiptLine]:
    rows = session.execute(
        select(
            FundsReceipt.id,
            FundsCall.reference,
            FundsReceipt.amount_cents,
            FundsReceipt.booked_on,
            FundsReceipt.received_at,
            FundsReceipt.undone_at,
        )
        .join(FundsCall, FundsCall.id == FundsReceipt.call_id)
        .where(which)
        .order_by(FundsReceipt.booked_on, FundsReceipt.id)
    )
    return [ReceiptLine(*row) for row in rows]


def _in_state(state: str, today: date) -> ColumnElement[bool]:
    awaited = FundsCall.state.in_((CallState.CALLED, CallState.PARTLY_PAID))
    match state:
        case "due":
            return awaited
        case "overdue":
            return awaited & (FundsCall.due_on < today)
        case _:
            return FundsCall.state == state


def _call_line(row: Any, today: date) -> CallLine:
    is_awaited = row.state in (CallState.CALLED, CallState.PARTLY_PAID)
    state = OVERDUE if is_awaited and row.due_on < today else row.state
    return CallLine(**row._asdict() | {"state": state})


def _calls(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            FundsCall.id,
            FundsCall.reference,
            FundsCall.agreement_id,
            Agreement.number.label("agreement_number"),
            FundsCall.funder_id,
            Funder.name.label("funder_name"),
            FundsCall.kind,
            FundsCall.used_cents,
            FundsCall.advance_used_cents,
            FundsCall.called_cents,
            FundsCall.received_cents,
            FundsCall.state,
            FundsCall.called_on,
            FundsCall.due_on,
        )
        .join(Agreement, Agreement.id == FundsCall.agreement_id)
        .join(Funder, Funder.id == FundsCall.funder_id)
        .where(true() if issuer_id is None else Agreement.issuer_id == issuer_id)
    )


def _agreements(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    query = select(Agreement.id, Agreement.number, Agreement.name, Issuer.name.label("issuer_name")).join(
        Issuer, Issuer.id == Agreement.issuer_id
    )
    return query if issuer_id is None else query.where(Agreement.issuer_id == issuer_id)


def _funder_names(session: Session, funder_ids: Iterable[UUID]) -> Mapping[UUID, str]:
    rows = session.execute(select(Funder.id, Funder.name).where(Funder.id.in_(list(funder_ids))))
    return {row.id: row.name for row in rows}
