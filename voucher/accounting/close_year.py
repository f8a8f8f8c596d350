"""Clôturer un exercice: one person looks at what is left of it and proposes, another looks again and confirms; each signs the list.

What blocks is put right first. The rest may be accepted, by both, each with a reason of their own; what each of them found stays written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from voucher.accounting.close_items import ITEM_NAMES, WHAT_TO_DO, CloseItem
from voucher.accounting.model import CloseCheck
from voucher.accounting.year_end import CloseLine, year_end
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.close_year import delete_proposal, end_year, lock_entries, note_proposal, proposal_to_confirm

REASON_LENGTH_MAX = 500

Reasons = Mapping[CloseItem, str]
Seen = Mapping[CloseItem, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a person found of an item before a close, and why that person accepts it."""

    item: CloseItem
    said_by: UUID
    said_at: datetime
    count: int
    cents: int
    reason: str


def propose_close(
    database: Database, year: int, reasons: Reasons, *, by: UUID, now: datetime, seen: Seen | None = None
) -> None:
    """Propose to close a year, with a reason for all that is left of it; where a proposal stands, it changes nothing.

    `seen` is what the page showed of each item: the count and the cents. Raises Refused: not over, an earlier year open, already
    closed, something blocks, a reason lacks (its field is `reason_<item>`), the figures changed since the page was shown.
    """
    with database.write() as session:
        proposal_id = new_id()
        if note_proposal(session, year, proposal_id, by=by, now=now):
            _sign(session, proposal_id, year, year_end(session, year), reasons, seen, by=by, now=now)


def withdraw_proposal(database: Database, year: int, *, by: UUID, now: datetime) -> None:  # noqa: ARG001 - every use case says who and when
    """Take back a proposal that nobody confirmed; what its list said stays written. Raises Refused once the year is closed."""
    with database.write() as session:
        delete_proposal(session, year)


def close_year(
    database: Database, year: int, reasons: Reasons, *, by: UUID, now: datetime, seen: Seen | None = None
) -> int:
    """Close a proposed year, with reasons as above, and write what each account carries over; return how many accounts do.

    The same command again changes nothing. While it runs no entry is written. Raises Refused as above, and: not proposed, proposed by
    the same person, something is left that this proposal does not accept.
    """
    with database.write() as session:
        lock_entries(session)
        proposal = proposal_to_confirm(session, year, by=by, now=now)
        if proposal.closed_at is None:
            assert proposal.proposal_id is not None, "proposals made before lists were signed are gone (migration 0022)"
            lines = year_end(session, year)
            _refuse_blocking(year, lines)
            _refuse_changed(session, proposal.proposal_id, lines)
            _sign(session, proposal.proposal_id, year, lines, reasons, seen, by=by, now=now)
        return end_year(session, year, by=by, now=now)


def signed_lists(database: Database, proposal_id: UUID) -> list[Signed]:
    """Return what each person signed for a proposal, in the order of the items, who proposed first."""
    order = list(CloseItem)
    with database.read() as session:
        rows = _signed(session, proposal_id)
    return sorted(rows, key=lambda one: (order.index(one.item), one.said_at))


def _signed(session: Session, proposal_id: UUID) -> list[Signed]:
    table = CloseCheck
    rows = session.execute(
        select(table.item, table.said_by, table.said_at, table.found_count, table.found_cents, table.reason).where(
            table.proposal_id == proposal_id
        )
    )
    return [Signed(row.item, *row[1:]) for row in rows]


def _refuse_blocking(year: int, lines: list[CloseLine]) -> None:
    for line in lines:
        if line.is_blocking:
            raise Refused(
                "year_blocked",
                f"{ITEM_NAMES[line.item]} : {line.count}. {WHAT_TO_DO[line.item]} {year} ne peut pas être clos avant.",
            )


def _refuse_changed(session: Session, proposal_id: UUID, lines: list[CloseLine]) -> None:
    """Refuse to confirm what the first person did not accept: something came since."""
    proposed = {one.item: (one.count, one.cents) for one in _signed(session, proposal_id)}
    for line in lines:
        if line.count and proposed.get(line.item) != line.figures:
            raise Refused(
                "list_changed",
                f"{ITEM_NAMES[line.item]} : la liste a changé depuis la proposition. Rien n’est clos. "
                "Retirez la proposition, puis faites-en une nouvelle.",
            )


def _sign(
    session: Session,
    proposal_id: UUID,
    year: int,
    lines: list[CloseLine],
    reasons: Reasons,
    seen: Seen | None,
    *,
    by: UUID,
    now: datetime,
) -> None:
    """Write what a person found of every item, with the reason for what is left."""
    _refuse_blocking(year, lines)
    rows = []
    for line in lines:
        if seen is not None and seen.get(line.item) != line.figures:
            raise Refused(
                "figures_changed",
                f"{ITEM_NAMES[line.item]} : ce chiffre vient de changer. Relisez-le, puis recommencez.",
            )
        field = f"reason_{line.item}"
        reason = required_text(reasons.get(line.item, ""), field, REASON_LENGTH_MAX) if line.count else ""
        rows.append(
            {
                "proposal_id": proposal_id,
                "year": year,
                "item": line.item.value,
                "said_by": by,
                "said_at": now,
                "found_count": line.count,
                "found_cents": line.cents,
                "reason": reason,
            }
        )
    session.execute(insert(CloseCheck), rows)
