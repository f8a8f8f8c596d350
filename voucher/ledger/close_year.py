"""The close of a fiscal year: after 31 December (Paris), proposed by one person and confirmed by another.

Nothing takes effect in the year any more; what each account carries over is written once. Sealing is not waited for: a seal
proves that entries did not change, whenever it is made, and the trigger refuses new ones in between. These functions work inside the
transaction of `voucher.accounting.close_year`, which first lets two people look at what is left of the year.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import exists, func, insert, literal, select, text, union_all, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database, changed, insert_new
from voucher.kernel.refusals import Refused
from voucher.ledger.fiscal_years import last_closed_year
from voucher.ledger.model import Entry, FiscalYear, Movement, OpeningBalance

YEAR_MIN, YEAR_MAX = 2019, 2200


@dataclass(frozen=True, slots=True)
class YearState:
    """A fiscal year: who proposed its close and who confirmed it, if anybody."""

    year: int
    proposal_id: UUID | None
    proposed_at: datetime | None
    proposed_by: UUID | None
    closed_at: datetime | None
    closed_by: UUID | None


def note_proposal(session: Session, year: int, proposal_id: UUID, *, by: UUID, now: datetime) -> bool:
    """Write that a person proposes to close a year; False when one stands. Raises Refused: not over, an earlier year open, closed."""
    _refuse_unready(session, year, now)
    row: dict[str, object] = {"year": year, "following_on": date(year + 1, 1, 1), "proposal_id": proposal_id}
    row |= {"proposed_at": now, "proposed_by": by}
    return insert_new(session, FiscalYear, {**row, "closed_at": None, "closed_by": None})


def delete_proposal(session: Session, year: int) -> None:
    """Delete a proposal that nobody confirmed. Raises Refused once the year is closed."""
    row = session.get(FiscalYear, year, with_for_update=True)
    if row is None:
        return
    if row.closed_at is not None:
        raise _is_closed(year)
    session.delete(row)


def lock_entries(session: Session) -> None:
    """Keep entries from being written until the end of the caller's transaction: those under way are waited for."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE entry IN SHARE ROW EXCLUSIVE MODE"))


def proposal_to_confirm(session: Session, year: int, *, by: UUID, now: datetime) -> YearState:
    """Return the proposal of a year that this person may confirm, or the year as it was closed; its row is held until it is closed.

    Raises Refused: not proposed, proposed by the same person, not over, an earlier year open.
    """
    # Held: a proposal taken back and made anew meanwhile would be closed under a list that nobody confirmed.
    row = session.execute(select(FiscalYear.__table__).where(FiscalYear.year == year).with_for_update()).one_or_none()
    if row is None or row.closed_at is None:
        _refuse_unready(session, year, now)
    if row is None:
        raise Refused("not_proposed", f"Personne n’a proposé de clore {year}. Proposez-le d’abord.")
    if row.closed_at is None and row.proposed_by == by:
        raise Refused(
            "same_person", f"Vous avez proposé de clore {year}. Une autre personne doit confirmer. Rien n’est clos."
        )
    return YearState(year, row.proposal_id, row.proposed_at, row.proposed_by, row.closed_at, row.closed_by)


def end_year(session: Session, year: int, *, by: UUID, now: datetime) -> int:
    """Close a proposed year, its entries held, and write what each account carries over; return how many do. Again, it changes nothing."""
    close = (
        update(FiscalYear)
        .where(FiscalYear.year == year, FiscalYear.closed_at.is_(None))
        .values(closed_at=now, closed_by=by)
        .execution_options(synchronize_session=False)
    )
    if changed(session, close):
        _carry_over(session, year)
    return session.scalar(select(func.count()).where(OpeningBalance.year == year + 1)) or 0


def _refuse_unready(session: Session, year: int, now: datetime) -> None:
    if not YEAR_MIN <= year <= YEAR_MAX:
        raise Refused("unknown_year", "Cet exercice n’existe pas. Choisissez-le dans la liste.")
    last = last_closed_year(session)
    if last is not None and year <= last:
        raise _is_closed(year)
    if paris_day(now) <= date(year, 12, 31):
        raise Refused(
            "not_over", f"L’exercice {year} n’est pas fini. Revenez à partir du {french_date(date(year + 1, 1, 1))}."
        )
    first_open = date(year, 1, 1)
    if session.scalar(select(exists().where(Entry.effective_on < first_open))) and last != year - 1:
        raise Refused("earlier_open", f"L’exercice {year - 1} n’est pas clos. Clôturez-le d’abord.")


def _is_closed(year: int) -> Refused:
    return Refused("year_closed", f"L’exercice {year} est déjà clos. Rien n’a changé.")


def _carry_over(session: Session, year: int) -> None:
    """Write what each account carries over: what it opened with, and what moved in the year."""
    opened = select(OpeningBalance.account_id.label("id"), OpeningBalance.balance_cents.label("cents")).where(
        OpeningBalance.year == year
    )
    moved = select(Movement).join(Entry, Entry.id == Movement.entry_id)
    moved = moved.where(Entry.effective_on >= date(year, 1, 1), Entry.effective_on <= date(year, 12, 31))
    sides = union_all(
        opened,
        moved.with_only_columns(Movement.debit_account_id, Movement.amount_cents),
        moved.with_only_columns(Movement.credit_account_id, -Movement.amount_cents),
    ).subquery()
    balance = func.sum(sides.c.cents)
    carried = select(literal(year + 1), sides.c.id, balance).group_by(sides.c.id).having(balance != 0)
    session.execute(insert(OpeningBalance).from_select(["year", "account_id", "balance_cents"], carried))


def years(database: Database, *, now: datetime) -> list[YearState]:
    """Return every year from the first entry's to the present one, the newest first."""
    with database.read() as session:
        rows = {row.year: row for row in session.execute(select(FiscalYear.__table__))}
        first = session.scalar(select(func.min(Entry.effective_on)))
    present = paris_day(now).year
    start = min([present, *rows, *([first.year] if first else [])])
    nothing = (None, None, None, None, None)
    return [
        YearState(
            year,
            *((row.proposal_id, row.proposed_at, row.proposed_by, row.closed_at, row.closed_by) if row else nothing),
        )
        for year in range(max([present, *rows]), start - 1, -1)
        for row in [rows.get(year)]
    ]
