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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from voucher.kernel.texts import as_text
from voucher.ledger.model import Account, Entry, Movement

FORMAT = "pass-numerique/entry/1"
ROWS_AT_ONCE = 20_000

_HEADER = (
    Entry.id,
    Entry.event_type,
    Entry.event_id,
    Entry.journal,
    Entry.posted_at,
    Entry.posted_by,
    Entry.effective_on,
    Entry.reverses_id,
    Entry.movement_count,
    Entry.total_cents,
)


@dataclass(frozen=True, slots=True)
class CanonicalEntry:
    """An entry's id, its canonical bytes, and what the query gave before them."""

    entry_id: UUID
    data: bytes
    others: tuple[Any, ...]


def canonical_query(session: Session, *others: Any) -> Select[Any]:
    """Return the statement of entries, to filter and order, for `canonical_entries`; `others` are columns to give too."""
    dialect = session.get_bind().dialect.name
    header: ColumnElement[str] = literal(FORMAT)
    for column in _HEADER:
        header = header.concat("\n").concat(func.coalesce(as_text(column, dialect), ""))
    joined = func.string_agg if dialect == "postgresql" else func.group_concat
    line: ColumnElement[str] = cast(Movement.rank, Text)
    for column in (Movement.book, Movement.debit_account_id, Movement.credit_account_id, Movement.amount_cents):
        line = line.concat("\t").concat(cast(column, Text))
    movements = select(joined(line, "\n")).where(Movement.entry_id == Entry.id).scalar_subquery()
    return select(as_text(Entry.id, dialect), header, movements, Entry.narration, *others)


def canonical_entries(session: Session, query: Select[Any]) -> Iterator[CanonicalEntry]:
    """Run a statement made from `canonical_query`, a part at a time: memory does not grow with the journal.

    Where it gives rows without an entry (an outer join), they are given with empty bytes and the id nil.
    """
    keys = account_keys(session)
    with session.connection().execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        for row in rows:
            entry_id, header, movements, narration, *others = row
            if entry_id is None:
                yield CanonicalEntry(UUID(int=0), b"", tuple(others))
                continue
            lines = [line.split("\t") for line in (movements or "").split("\n") if line]
            if len(lines) > 1:
                lines.sort(key=_rank)
            text = "".join(
                [
                    header,
                    "\n",
                    *[
                        f"{rank}\t{book}\t{keys[debit]}\t{keys[credit]}\t{cents}\n"
                        for rank, book, debit, credit, cents in lines
                    ],
                    "\n",
                    narration,
                ]
            )
            yield CanonicalEntry(UUID(entry_id), text.encode(), tuple(others))


def account_keys(session: Session) -> Mapping[str, str]:
    """Return the key of each account by its id, the id as text."""
    return _Keys((str(row.id), row.key) for row in session.execute(select(Account.id, Account.key)))


class _Keys(dict[str, str]):
    """An account that is gone is written as a question mark: the leaf differs, and the entry is named."""

    def __missing__(self, _id: str) -> str:
        return "?"


def _rank(line: list[str]) -> int:
    return int(line[0])
