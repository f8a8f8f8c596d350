"""Put an archive's rows into tables, those of this version or of an earlier one; the row that the database refuses is named."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Table, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from voucher.issuing.model import KeyState
from voucher.kernel.chunks import chunks
from voucher.takeover.archive import Archive, RefusedArchive
from voucher.takeover.tables import SEEDED, columns_of

ROWS_AT_ONCE = 1_000
_WRONG = (IntegrityError, DataError, StatementError)
_DIGEST_RANGE = 2**256


def load_table(
    session: Session, archive: Archive, table: Table, private_keys: Mapping[int, bytes], now: datetime
) -> int:
    """Put the rows of one table where they belong and return how many there are. Raises RefusedArchive at the first that is refused."""
    rows = archive.rows(table)
    count = loaded = 0
    for part in chunks(rows, ROWS_AT_ONCE):
        values = [row for _, row in part]
        if table.name == "issuer_key":
            values = [_signing_or_not(row, private_keys, now) for row in values]
        try:
            _write(session, table, values)
        except _WRONG as wrong:
            raise RefusedArchive(
                "Une ligne contredit les autres, ou une règle de la base : l’archive a été modifiée.",
                archive.name_of(table),
                _first_wrong(session, table, part, values),
            ) from wrong
        count += len(part)
        if archive.is_older:
            loaded += sum(_digest(row[column.name] for column in columns_of(table)) for row in values)
    if archive.is_older and loaded % _DIGEST_RANGE != _digest_of_rows(session, table):
        raise RefusedArchive(
            "La base n’a pas gardé les lignes telles quelles. Signalez-le à qui vous fournit le logiciel.",
            archive.name_of(table),
        )
    return count


def _write(session: Session, table: Table, values: Sequence[dict[str, Any]]) -> None:
    # What the database refuses is taken back to here, so that it can be asked again which row it was.
    with session.begin_nested():
        if table.name in SEEDED:
            session.execute(update(table).values(**values[0]))
        else:
            session.execute(insert(table), values)


def _first_wrong(
    session: Session, table: Table, part: Sequence[tuple[int, dict[str, Any]]], values: Sequence[dict[str, Any]]
) -> int:
    """Return the line of the first row that the database refuses by itself."""
    for (line, _), row in zip(part, values, strict=True):
        try:
            _write(session, table, [row])
        except _WRONG:
            return line
    return part[0][0]


def _signing_or_not(row: dict[str, Any], private_keys: Mapping[int, bytes], now: datetime) -> dict[str, Any]:
    """Return an issuer's key with its private part sealed by our master secret; without one, it signs no more."""
    if (sealed := private_keys.get(row["id"])) is not None:
        return {**row, "sealed_private_key": sealed}
    retired = {"state": KeyState.RETIRED.value, "retired_at": now} if row["state"] == KeyState.ACTIVE else {}
    return {**row, **retired, "sealed_private_key": b""}


def _digest_of_rows(session: Session, table: Table) -> int:
    """Sum the digests of a table's rows: the same whatever their order."""
    query = select(*columns_of(table)).execution_options(yield_per=ROWS_AT_ONCE)
    return sum(_digest(row) for row in session.execute(query)) % _DIGEST_RANGE


def _digest(row: Any) -> int:
    return int.from_bytes(sha256(repr(tuple(row)).encode()).digest())
