"""The list behind a funder's figure: each entry of its account of uses, by day and structure, in cents."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.funding.accounts import account
from voucher.funding.call import uncalled_uses
from voucher.funding.model import FundsCall, FundsCallUse
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.ledger.chart import RULES, Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.programme.model import Agreement

StructureNames = Callable[[Session, Collection[UUID]], Mapping[UUID, tuple[str, str]]]
"""Return the SIRET (or RNA) and the name of structures: who owns them says it, funding only carries it."""


def no_names(session: Session, structure_ids: Collection[UUID]) -> Mapping[UUID, tuple[str, str]]:  # noqa: ARG001
    """Name no structure: a list then shows their ids."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class UseLine:
    """An entry behind a figure; what was undone or clawed back counts below zero."""

    entry_id: UUID
    used_on: date
    posted_at: datetime
    event_name: str
    structure_id: UUID | None
    pivot: str
    structure_name: str
    cents: int


def uses_of_call(
    database: Database,
    call_id: UUID,
    asked: Asked,
    names: StructureNames = no_names,
    *,
    issuer_id: UUID | None = None,
) -> Page[UseLine]:
    """Return a page of the entries that a call took, by instant."""
    with database.read() as session:
        call = session.execute(
            select(FundsCall.agreement_id, FundsCall.funder_id, Agreement.issuer_id)
            .join(Agreement, Agreement.id == FundsCall.agreement_id)
            .where(FundsCall.id == call_id)
        ).one_or_none()
        if call is None or issuer_id not in (None, call.issuer_id):
            return Page.whole(())
        query = lines_of(taken_by(call_id), account(Code.TO_CALL, call.agreement_id, call.funder_id).id)
        page = page_of(session, query, {"day": Entry.posted_at}, [Entry.id], asked)
        return page.of(named_lines(session, page.rows, names))


def uses_to_call(
    database: Database,
    agreement_id: UUID,
    funder_id: UUID,
    asked: Asked,
    names: StructureNames = no_names,
) -> Page[UseLine]:
    """Return a page of the entries that no call has taken yet, by instant."""
    with database.read() as session:
        uses = uncalled_uses(agreement_id, funder_id)
        query = lines_of(uses, account(Code.TO_CALL, agreement_id, funder_id).id)
        page = page_of(session, query, {"day": Entry.posted_at}, [Entry.id], asked)
        return page.of(named_lines(session, page.rows, names))


def taken_by(call_id: UUID) -> Select[*tuple[Any, ...]]:
    """Return the statement (entry_id, cents) of what a call took."""
    taken: Select[*tuple[Any, ...]] = select(FundsCallUse.entry_id, FundsCallUse.cents)
    return taken.where(FundsCallUse.call_id == call_id)


def lines_of(uses: Select[*tuple[Any, ...]], account_id: int) -> Select[*tuple[Any, ...]]:
    """Return the statement of `UseLine` rows of some uses (entry_id, cents) of one account."""
    use, move, other = uses.subquery(), aliased(Movement), aliased(Account)
    first = (
        select(func.min(Movement.rank))
        .where(Movement.entry_id == use.c.entry_id, _touches(Movement, account_id))
        .scalar_subquery()
    )
    other_id = case((move.debit_account_id == account_id, move.credit_account_id), else_=move.debit_account_id)
    return (
        select(Entry.id, Entry.effective_on, Entry.posted_at, Entry.event_type, other.structure_id, use.c.cents)
        .select_from(use)
        .join(Entry, Entry.id == use.c.entry_id)
        .join(move, (move.entry_id == Entry.id) & (move.rank == first))
        .join(other, other.id == other_id)
    )


def named_lines(session: Session, rows: Any, names: StructureNames) -> list[UseLine]:
    """Return the lines of some rows, their structures named."""
    known: dict[UUID, tuple[str, str]] = {}
    ids = sorted({row.structure_id for row in rows if row.structure_id is not None})
    for some in chunks(ids):
        known |= names(session, some)
    return list(_named(rows, known))


def _named(rows: Any, known: Mapping[UUID, tuple[str, str]]) -> Iterator[UseLine]:
    for row in rows:
        pivot, name = known.get(row.structure_id, ("", str(row.structure_id or "")))
        event_name = RULES[EventType(row.event_type)].name
        yield UseLine(
            entry_id=row.id,
            used_on=row.effective_on,
            posted_at=row.posted_at,
            event_name=event_name,
            structure_id=row.structure_id,
            pivot=pivot,
            structure_name=name,
            cents=int(row.cents),
        )


def _touches(move: type[Movement], account_id: int) -> ColumnElement[bool]:
    return or_(move.debit_account_id == account_id, move.credit_account_id == account_id)
