"""Write an entry and its movements, inside the transaction of the state change it tells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Executable, TextClause, bindparam, select, text
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.database import sent_together
from voucher.kernel.identifiers import new_id
from voucher.kernel.rows import insert_many, insert_rows, row_values
from voucher.ledger import model
from voucher.ledger.chart import CHART, RULES, AccountKey, Dimension, EventType, Movement, movements_of
from voucher.ledger.fiscal_years import BOOKS_OPEN_ON, late_narration

# Accounts seen committed, by engine: they never change nor go, so that a redemption need not ask for them again.
_known: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: its type, the id of the fact it tells (posted once), when, by whom, in words.

    It takes effect on `effective_on`, the day of `at` in Paris by default; where that day's year is closed, on the first day
    of the first open one, and the words say the real day.
    """

    event_type: EventType
    event_id: UUID
    at: datetime
    narration: str
    by: UUID | None = None
    effective_on: date | None = None


def open_accounts(session: Session, keys: Iterable[AccountKey]) -> None:
    """Make sure that these accounts exist; those that stand already are left as they are."""
    _open(session, {key.id: key for key in keys})


def _open(session: Session, wanted: Mapping[int, AccountKey]) -> None:
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    known = _known.setdefault(engine, set())
    unknown = [number for number in wanted if number not in known]
    if not unknown:
        return
    standing: set[int] = set()
    for part in chunks(unknown):
        standing.update(session.scalars(select(model.Account.id).where(model.Account.id.in_(part))))
    # Those this transaction opened itself may still be rolled back: they are remembered by a later one.
    opened: set[int] = session.info.setdefault("accounts_opened", set())
    known |= standing - opened
    rows = [_account_row(number, wanted[number]) for number in sorted(unknown) if number not in standing]
    if rows:
        insert_many(session.connection(), model.Account, rows, or_leave=True)
        opened.update(row["id"] for row in rows)


def _account_row(number: int, key: AccountKey) -> dict[str, Any]:
    return {
        "id": number,
        "key": key.key,
        "code": key.code,
        "book": CHART[key.code].book,
        "funder_id": key.funder_id,
        "agreement_id": key.agreement_id,
        "structure_id": key.structure_id,
        "bank_account_id": key.bank_account_id,
    }


@dataclass(frozen=True, slots=True)
class _Line:
    """A movement as the table holds it; `funder_id` says whose part its amount is, None for the whole."""

    book: str
    debit_account_id: int
    credit_account_id: int
    amount_cents: int
    funder_id: UUID | None = None


def post(session: Session, event: Event, movements: Sequence[Movement]) -> UUID:
    """Write one entry with its movements, those that the chart gives for its event; return its id.

    Raises IntegrityError when the event was posted before, ValueError for a movement that its line of the table does not hold.
    """
    allowed = RULES[event.event_type].all_moves
    if any((movement.debit.code, movement.credit.code) not in allowed for movement in movements):
        raise ValueError(f"a movement that {event.event_type} does not make")
    open_accounts(session, (key for movement in movements for key in (movement.debit, movement.credit)))
    return _write(session, event, [_line(movement) for movement in movements])


def post_event(
    session: Session,
    event: Event,
    dimensions: Mapping[Dimension, UUID],
    amounts_cents: Mapping[UUID, int],
    fact: tuple[Executable, Mapping[str, Any]] | None = None,
) -> UUID:
    """Post an event as the chart's table says; `amounts_cents` gives each funder's part, in cents.

    `fact` is a statement with its parameters that tells the fact itself: it travels in the same message as the entry.
    """
    payers = tuple(funder_id for funder_id, amount_cents in amounts_cents.items() if amount_cents)
    pattern, accounts = _pattern(event.event_type, tuple(dimensions.items()), payers)
    _open(session, accounts)
    total_cents = sum(amounts_cents.values())
    lines = [
        _Line(
            line.book,
            line.debit_account_id,
            line.credit_account_id,
            total_cents if line.funder_id is None else amounts_cents[line.funder_id],
        )
        for line in pattern
    ]
    return _write(session, event, lines, fact=fact)


def reverse(session: Session, event: Event, entry_id: UUID) -> UUID:
    """Post the contrary of an entry, movement by movement. Raises IntegrityError when it was reversed before."""
    table = model.Movement
    moves = session.execute(
        select(table.book, table.debit_account_id, table.credit_account_id, table.amount_cents)
        .where(table.entry_id == entry_id)
        .order_by(table.rank)
    )
    lines = [_Line(move.book, move.credit_account_id, move.debit_account_id, move.amount_cents) for move in moves]
    return _write(session, event, lines, entry_id)


def reverse_on_its_day(session: Session, event: Event, entry_id: UUID) -> UUID:
    """Post the contrary of an entry on the day it took effect (or the first open one): on no day do the books hold what was wrong."""
    day = session.execute(select(model.Entry.effective_on).where(model.Entry.id == entry_id)).scalar_one()
    return reverse(session, replace(event, effective_on=day), entry_id)


def _close_entry(
    session: Session,
    event: Event,
    entry_id: UUID,
    movement_count: int,
    total_cents: int,
    reverses_id: UUID | None = None,
) -> None:
    """Write the entry of movements that stand already: what a set-based statement wrote. The database checks the sums."""
    day = event.effective_on or paris_day(event.at)
    row = {
        "id": entry_id,
        "event_type": event.event_type,
        "event_id": event.event_id,
        "journal": RULES[event.event_type].journal,
        "posted_at": event.at,
        "posted_by": event.by,
        "effective_on": day,
        "narration": event.narration,
        "movement_count": movement_count,
        "total_cents": total_cents,
        "reverses_id": reverses_id,
    }
    late = {"late_narration": late_narration(event.narration, day)}
    session.connection().execute(_insert_entry(), row_values([row]) | late)


@lru_cache(maxsize=1)
def _insert_entry() -> TextClause:
    """Return the INSERT of one entry, which finds by itself the year that is open: no question is asked before it."""
    is_late = f":effective_on_0 < {BOOKS_OPEN_ON}"
    values = {column.name: f":{column.name}_0" for column in model.Entry.__table__.columns}
    values["effective_on"] = f"CASE WHEN {is_late} THEN {BOOKS_OPEN_ON} ELSE :effective_on_0 END"
    values["narration"] = f"CASE WHEN {is_late} THEN :late_narration ELSE :narration_0 END"
    statement = text(f"INSERT INTO entry ({', '.join(values)}) VALUES ({', '.join(values.values())})")  # noqa: S608 - our own names
    types = [bindparam(f"{column.name}_0", type_=column.type) for column in model.Entry.__table__.columns]
    return statement.bindparams(*types, bindparam("late_narration", type_=model.Entry.__table__.columns.narration.type))


_LINES_MAX = 16  # movements that a statement of their number writes; beyond, one for any number


def _write(
    session: Session,
    event: Event,
    lines: Sequence[_Line],
    reverses_id: UUID | None = None,
    fact: tuple[Executable, Mapping[str, Any]] | None = None,
) -> UUID:
    entry_id = new_id()
    rows = [
        {
            "entry_id": entry_id,
            "rank": rank,
            "book": line.book,
            "debit_account_id": line.debit_account_id,
            "credit_account_id": line.credit_account_id,
            "amount_cents": line.amount_cents,
        }
        for rank, line in enumerate(lines, 1)
    ]
    with sent_together(session) as connection:
        if fact is not None:
            connection.execute(*fact)
        if len(rows) <= _LINES_MAX:
            connection.execute(insert_rows(model.Movement, len(rows)), row_values(rows))
        else:
            insert_many(connection, model.Movement, rows)
        _close_entry(session, event, entry_id, len(lines), sum(line.amount_cents for line in lines), reverses_id)
    return entry_id


@lru_cache(maxsize=8192)
def _pattern(
    event_type: EventType, dimensions: tuple[tuple[Dimension, UUID], ...], payers: tuple[UUID, ...]
) -> tuple[tuple[_Line, ...], Mapping[int, AccountKey]]:
    """Return the movements of an event between its accounts, their amounts left open, and these accounts by id."""
    movements = movements_of(event_type, dict(dimensions), dict.fromkeys(payers, 1))
    accounts = {key.id: key for movement in movements for key in (movement.debit, movement.credit)}
    return tuple(_line(movement) for movement in movements), accounts


def _line(movement: Movement) -> _Line:
    debit, credit = movement.debit, movement.credit
    funder_id = debit.funder_id or credit.funder_id
    return _Line(CHART[debit.code].book, debit.id, credit.id, movement.amount_cents, funder_id)


def entry_of(session: Session, event_type: EventType, event_id: UUID) -> UUID:
    """Return the entry that tells an event. Raises NoResultFound."""
    return session.execute(
        select(model.Entry.id).where(model.Entry.event_type == event_type, model.Entry.event_id == event_id)
    ).scalar_one()
