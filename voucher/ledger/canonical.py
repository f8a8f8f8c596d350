"""The canonical bytes of an entry with its movements: what a seal's leaf hashes. The same on both engines.

UTF-8 text, lines ended by a line feed (U+000A); docs/proof.md gives the layout for who wants to write it again elsewhere:

    pass-numerique/entry/1
    <id> <event type> <event id> <journal> <posted at> <posted by> <effective on> <reverses> <movement count> <total cents>
        (ten lines, one for each; empty where there is nothing)
    <rank> TAB <book> TAB <key of the debited account> TAB <key of the credited account> TAB <cents>
        (a line for each movement, by rank)
    (an empty line)
    <narration>   (to the end, without a line feed after it)

No field before the narration can hold a line feed, and no movement's line is empty: two entries never have the same bytes.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from voucher.kernel.bulk import streamed_rows
from voucher.kernel.texts import as_text
from voucher.ledger.model import Account, Entry, Movement

FORMAT = "pass-numerique/entry/1"
LINES_KEPT, LENGTH_KEPT = 20_000, 1_000  # different sets of movements remembered in words; a batch's, longer, is not
_UNIT = "\x1f"  # between the parts of a movement on their way from the database

_HEADER = (
    "id",
    "event_type",
    "event_id",
    "journal",
    "posted_at",
    "posted_by",
    "effective_on",
    "reverses_id",
    "movement_count",
    "total_cents",
)
_LINE = (
    Movement.rank,
    Movement.book,
    Movement.debit_account_id,
    Movement.credit_account_id,
    Movement.amount_cents,
)


class CanonicalEntry(NamedTuple):
    """An entry's id as text (empty where the entry is gone), its canonical bytes, and the other columns of the query."""

    entry_id: str
    data: bytes
    others: tuple[Any, ...]


def canonical_query(dialect: str, picked: Select[Any], *order: Any) -> Select[Any]:
    """Return the statement, for `canonical_entries`, of the entries that `picked` gives, in this order.

    `dialect` is that of the database ("sqlite", "postgresql"); `picked` is a SELECT of all columns of `Entry`, and of others to give too.
    """
    # First the rows in their order, then their words: the OFFSET keeps a database from sorting all the words of the journal,
    # and the first ones come before the last ones are made.
    rows = picked.order_by(*order).offset(0).subquery()
    given = {column.name: column for column in rows.columns}
    entry = {name: given.pop(name) for name in Entry.__table__.columns.keys()}  # noqa: SIM118 - the keys are the names
    header = _joined("\n", literal(FORMAT), *(func.coalesce(as_text(entry[name], dialect), "") for name in _HEADER))
    line = _joined(_UNIT, *(cast(column, Text) for column in _LINE))
    # An entry has few movements: looked up by its id, whether a day is sealed or the whole journal is read.
    lines = select(func.aggregate_strings(line, "\n")).where(Movement.entry_id == entry["id"]).scalar_subquery()
    words = select(as_text(entry["id"], dialect), header, lines, entry["narration"], *given.values())
    return words.order_by(*(rows.columns[column.key] for column in order))


def _joined(between: str, *texts: ColumnElement[Any]) -> ColumnElement[Any]:
    whole = texts[0]
    for one in texts[1:]:
        whole = whole.concat(between).concat(one)
    return whole


def canonical_entries(session: Session, query: Select[Any]) -> Iterator[CanonicalEntry]:
    """Run a statement made from `canonical_query`, a part at a time: memory does not grow with the journal.

    Where it gives rows without an entry (an outer join), they are given with an empty id and empty bytes. The session takes
    no other statement until the last one is read.
    """
    lines_of = _Movements(session).lines
    kept_lines_of = lru_cache(LINES_KEPT)(lines_of)
    for entry_id, header, joined, narration, *others in streamed_rows(session, query):
        if entry_id is None:
            yield CanonicalEntry("", b"", tuple(others))
            continue
        lines = kept_lines_of(joined) if joined and len(joined) <= LENGTH_KEPT else lines_of(joined)
        yield CanonicalEntry(entry_id, f"{header}\n{lines}\n{narration}".encode(), tuple(others))


class _Movements:
    """Puts an entry's movements in words, from what the database joined of them. Many entries have the same ones."""

    def __init__(self, session: Session) -> None:
        self._keys = {str(row.id): row.key for row in session.execute(select(Account.id, Account.key))}

    def lines(self, joined: str | None) -> str:
        """Return a line for each movement, by rank."""
        movements = [line.split(_UNIT) for line in joined.split("\n")] if joined else []
        # Not every SQLite knows an order in an aggregate, and PostgreSQL takes as long to sort two movements as to join them.
        movements.sort(key=lambda movement: int(movement[0]))
        return "".join(self._line(*movement) for movement in movements)

    def _line(self, rank: str, book: str, debit: str, credit: str, cents: str) -> str:
        # An account that is gone is written as a question mark: the leaf differs, and the entry is named.
        return f"{rank}\t{book}\t{self._keys.get(debit, '?')}\t{self._keys.get(credit, '?')}\t{cents}\n"
