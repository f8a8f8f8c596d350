"""How a value is written in a table's file, and read back: the same text on both engines.

Absent is `\\N`; a text that begins with a backslash gets another before it. Instants are UTC to the microsecond, days ISO,
bytes base64, booleans `true` and `false`, identifiers with hyphens, numbers plain.
"""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Date, Float, Integer, LargeBinary, String, Uuid

from voucher.kernel.database import BigInt, Instant
from voucher.kernel.known_values import OneOf

ABSENT = "\\N"


class WrongCell(ValueError):
    """A cell does not say what its column holds."""


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read_instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _read_bool(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _read_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_KINDS: tuple[tuple[Any, str, Callable[[Any], str], Callable[[str], Any]], ...] = (
    (Instant, "instant", _instant, _read_instant),
    (Uuid, "uuid", str, UUID),
    (Boolean, "boolean", lambda value: "true" if value else "false", _read_bool),
    (Date, "date", date.isoformat, date.fromisoformat),
    (LargeBinary, "base64", lambda value: base64.b64encode(value).decode(), _read_bytes),
    (Integer, "integer", str, int),
    (Float, "float", repr, float),
    (String, "text", str, str),
    (OneOf, "text", str, str),
)


def kind_of(column: Column[Any]) -> str:
    """Return the name of a column's kind, as the schema says it. Raises TypeError for one that has no form yet."""
    return _of(column)[1]


def column_of(name: str, form: str, *, is_nullable: bool) -> Column[Any]:
    """Return a column that holds values of a form, for a table of an earlier version. Raises ValueError for an unknown form."""
    for kind, known, _, _ in _KINDS:
        if known == form:
            return Column(name, BigInt if kind is Integer else kind(), nullable=is_nullable)
    raise ValueError(f"unknown form {form!r}")


def writer_of(column: Column[Any]) -> Callable[[Any], str]:
    """Return what writes a column's values."""
    write, is_text = _of(column)[2], kind_of(column) == "text"

    def written(value: Any) -> str:
        if value is None:
            return ABSENT
        text = write(value)
        return f"\\{text}" if is_text and text.startswith("\\") else text

    return written


def reader_of(column: Column[Any]) -> Callable[[str], Any]:
    """Return what reads a column's values; it raises WrongCell with a French reason."""
    read, kind, may_be_absent = _of(column)[3], kind_of(column), column.nullable

    def found(text: str) -> Any:
        if text == ABSENT:
            if not may_be_absent:
                raise WrongCell(f"« {column.name} » manque")
            return None
        try:
            return read(text[1:] if kind == "text" and text.startswith("\\") else text)
        except (ValueError, KeyError, binascii.Error):
            raise WrongCell(f"« {column.name} » n’est pas de la forme {kind}") from None

    return found


def _of(column: Column[Any]) -> tuple[Any, str, Callable[[Any], str], Callable[[str], Any]]:
    for kind in _KINDS:
        if isinstance(column.type, kind[0]):
            return kind
    raise TypeError(
        f"{column.table.name}.{column.name}: {column.type!r} has no form in a take-over; give it one in cells.py"
    )
