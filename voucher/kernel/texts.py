"""A column's value as text, the same bytes on both engines: for seals and exports, where a stranger must read them."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Date, DateTime, LargeBinary, Text, Uuid, case, cast, func

from voucher.kernel.database import Instant

_UUID_PARTS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


def as_text(column: Any, dialect: str) -> ColumnElement[Any]:
    """Return the expression of a column as text, NULL where it is.

    Ids with dashes in lower case; instants in UTC to the microsecond (`2026-03-02T09:00:00.000000Z`); days as ISO 8601;
    booleans 1 or 0; bytes in lower-case hexadecimal; numbers in decimal.
    """
    kind, is_postgresql = column.type, dialect == "postgresql"
    if isinstance(kind, Uuid) and not is_postgresql:
        parts = [func.substr(cast(column, Text), start, length) for start, length in _UUID_PARTS]
        whole: ColumnElement[str] = parts[0]
        for part in parts[1:]:
            whole = whole.concat("-").concat(part)
        return whole
    if isinstance(kind, Instant | DateTime):
        if is_postgresql:
            return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        return func.replace(cast(column, Text), " ", "T").concat("Z")
    if isinstance(kind, Date) and is_postgresql:
        return func.to_char(column, "YYYY-MM-DD")
    if isinstance(kind, Boolean):
        return case((column.is_(None), None), (column, "1"), else_="0")
    if isinstance(kind, LargeBinary):
        return func.encode(column, "hex") if is_postgresql else func.lower(func.hex(column))
    return cast(column, Text)
