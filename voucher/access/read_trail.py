"""The audit trail as pages and files show it: searched by person, act, subject and days, each line with its place in the sealed trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select

from voucher.access.model import StaffAccount
from voucher.access.words import codes_of, said
from voucher.kernel.calendar import end_of_day, start_of_day
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.kernel.typed_days import parse_day, wrong_days
from voucher.trail.model import AuditLine, TrailSeal

SYSTEM = "le système"
"""Who acted where no person did: what is done by itself, or a command of the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLine:
    """A line of the audit trail. `leaf` is its number in the sealed trail, from 0; None while it waits for its seal."""

    leaf: int | None
    at: datetime
    who: str
    email: str
    action: str  # in French
    subject: str


def trail(database: Database, asked: Asked) -> Page[TrailLine]:
    """Return a page of the audit trail by time.

    Filters: `who` (name or address), `action`, `subject`, `since` and `until` (days in Paris, both included). A day that
    cannot be read finds nothing: a wrong filter never widens a search.
    """
    who = func.coalesce(StaffAccount.name, SYSTEM)
    query = (
        select(
            TrailSeal.leaf,
            AuditLine.at,
            who.label("who"),
            func.coalesce(StaffAccount.email, "").label("email"),
            AuditLine.action,
            AuditLine.subject,
        )
        .select_from(AuditLine)
        .outerjoin(StaffAccount, StaffAccount.id == AuditLine.account_id)
        .outerjoin(TrailSeal, TrailSeal.line_id == AuditLine.id)
    )
    if text := asked.filters.get("who"):
        query = query.where(or_(contains(who, text), contains(StaffAccount.email, text)))
    if action := asked.filters.get("action"):
        query = query.where(or_(AuditLine.action.in_(codes_of(action)), contains(AuditLine.action, action)))
    if text := asked.filters.get("subject"):
        query = query.where(contains(AuditLine.subject, text))
    query = query.where(*_days(asked.filters))
    with database.read() as session:
        page = page_of(session, query, {"at": AuditLine.at}, [AuditLine.id], asked)
    return page.of(
        TrailLine(
            leaf=row.leaf,
            at=row.at,
            who=row.who,
            email=row.email,
            action=said(row.action),
            subject=row.subject,
        )
        for row in page.rows
    )


def _days(filters: Mapping[str, str]) -> list[ColumnElement[bool] | Any]:
    since, until = filters.get("since"), filters.get("until")
    if wrong_days(since, until):
        return [false()]
    return [
        *([AuditLine.at >= start_of_day(parse_day(since))] if since else []),
        *([AuditLine.at < end_of_day(parse_day(until))] if until else []),
    ]
