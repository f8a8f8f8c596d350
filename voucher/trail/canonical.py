"""The canonical bytes of a line of the trail: what its leaf hashes. The same on both engines.

A JSON array of six texts, written as RFC 8785 says (no space, no escape but those that JSON asks for), in UTF-8:

    ["pass-numerique/audit-line/1",<id>,<at>,<account id>,<action>,<subject>]

The account is an empty text where the system acted. The id is random enough that a hash, which audit archives give without the
line, tells nobody whether a line that they guess is the one.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, func
from sqlalchemy.orm import Session

from voucher.kernel.bulk import streamed_rows
from voucher.kernel.texts import as_text
from voucher.trail.model import AuditLine

FORMAT = "pass-numerique/audit-line/1"


class CanonicalLine(NamedTuple):
    """A line's id and instant as text, its bytes (all three empty where the line is gone), and the query's own columns."""

    line_id: str
    at: str
    data: bytes
    others: tuple[Any, ...]


def canonical_lines(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[CanonicalLine]:
    """Give the lines of a statement that reads `AuditLine`, in its order, a part at a time: memory does not grow with the trail.

    Where it gives rows without a line (an outer join), they are given empty. The session takes no other statement until the
    last one is read.
    """
    dialect = session.get_bind().dialect.name
    texts = query.add_columns(
        as_text(AuditLine.id, dialect),
        as_text(AuditLine.at, dialect),
        func.coalesce(as_text(AuditLine.account_id, dialect), ""),
        AuditLine.action,
        AuditLine.subject,
    )
    for *others, line_id, at, account_id, action, subject in streamed_rows(session, texts):
        data = b"" if line_id is None else line_bytes(line_id, at, account_id, action, subject)
        yield CanonicalLine(line_id or "", at or "", data, tuple(others))


def line_bytes(line_id: str, at: str, account_id: str, action: str, subject: str) -> bytes:
    """Return the bytes of a line."""
    texts = [FORMAT, line_id, at, account_id, action, subject]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()
