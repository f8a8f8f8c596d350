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

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, Text, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from voucher.kernel.texts import as_text
from voucher.ledger.model import Account, Entry, Movement

FORMAT = "pass-numerique/entry/1"
ROWS_AT_ONCE = 20_000
_UNIT = "\x1f"  # between the parts of a movement on their way from the database

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


class CanonicalEntry(NamedTuple):
    """An entry's id as text (empty where the entry is gone), its canonical bytes, and the other columns of the query."""

    entry_id: str
    data: bytes
    others: tuple[Any, ...]


def canonical_query(
    session: Session, *others: Any, of: FromClause = Entry.__table__, is_whole: bool = False
) -> Select[Any]:
    """Return the statement of entries, to filter and order, for `canonical_entries`; `others` are columns to give too.

    `of` is where the entries come from, when they are joined to something. `is_whole` says that most of the journal is wanted:
    its movements are then gathered in one pass, and not an entry at a time.
    """
    dialect = session.get_bind().dialect.name
    is_postgresql = dialect == "postgresql"
    fields = [func.coalesce(as_text(column, dialect), "") for column in _HEADER]
    accounts = [Movement.book, Movement.debit_account_id, Movement.credit_account_id]
    pair = _joined("\t", [cast(column, Text) for column in accounts], is_postgresql)
    line = _joined(_UNIT, [cast(Movement.rank, Text), pair, cast(Movement.amount_cents, Text)], is_postgresql)
    header = _joined("\n", [literal(FORMAT), *fields], is_postgresql)
    # SQLite's of this age knows no order in an aggregate: its lines are put in order as they are read.
    joined: ColumnElement[Any] = (
        func.string_agg(line, aggregate_order_by(literal("\n"), Movement.rank))
        if is_postgresql
        else func.group_concat(line, "\n")
    )
    found: Any = select(joined).where(Movement.entry_id == Entry.id).scalar_subquery()
    if is_whole:
        lines = select(Movement.entry_id, joined.label("lines")).group_by(Movement.entry_id).subquery()
        found, of = lines.c.lines, of.outerjoin(lines, lines.c.entry_id == Entry.id)
    return select(as_text(Entry.id, dialect), header, found, Entry.narration, *others).select_from(of)


def _joined(between: str, texts: Sequence[ColumnElement[Any]], is_postgresql: bool) -> ColumnElement[Any]:
    """Return texts put one after the other: in one go on PostgreSQL, where each `||` would copy all that is before it."""
    if is_postgresql:
        return func.concat_ws(between, *texts)
    whole = texts[0]
    for one in texts[1:]:
        whole = whole.concat(between).concat(one)
    return whole


def canonical_entries(session: Session, query: Select[Any]) -> Iterator[CanonicalEntry]:
    """Run a statement made from `canonical_query`, a part at a time: memory does not grow with the journal.

    Where it gives rows without an entry (an outer join), they are given with an empty id and empty bytes.
    """
    pairs = _Pairs((str(row.id), row.key) for row in session.execute(select(Account.id, Account.key)))
    is_ordered = session.get_bind().dialect.name == "postgresql"
    with session.connection().execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        for entry_id, header, movements, narration, *others in rows:
            if entry_id is None:
                yield CanonicalEntry("", b"", tuple(others))
                continue
            lines = movements.split("\n") if movements else []
            if not is_ordered and len(lines) > 1:
                lines.sort(key=_rank)
            parts = [header, "\n"]
            for line in lines:
                rank, pair, cents = line.split(_UNIT)
                parts += (rank, pairs[pair], cents, "\n")
            parts += ("\n", narration)
            yield CanonicalEntry(entry_id, "".join(parts).encode(), tuple(others))


class _Pairs(dict[str, str]):
    """What a movement's line says between its rank and its cents, by book and ids of accounts; made once for each pair."""

    def __init__(self, accounts: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = dict(accounts)

    def __missing__(self, pair: str) -> str:
        book, debit, credit = pair.split("\t")
        # An account that is gone is written as a question mark: the leaf differs, and the entry is named.
        said = f"\t{book}\t{self._keys.get(debit, '?')}\t{self._keys.get(credit, '?')}\t"
        self[pair] = said
        return said


def _rank(line: str) -> int:
    return int(line[: line.index(_UNIT)])
