"""Lettrage: give one letter to the movements of a third party that belong together and balance: job `letters`, safe to run twice.

What belongs together follows from the business, never from an amount that happens to be equal:
4675 and 5115 by payment (ordered, sent, booked, rejected, set aside), several where one bank line pays them; 4431 by call for funds; 4678 by dispute; 4711 by bank line;
4670 by payment too: the period's uses and what was carried over, against what the batch orders and nets; 4671 and 4432 when
the account comes back to zero. An entry and the one that reverses it always go together: where a match is undone after its letter
was given, that letter is undone on the day it is seen, and what remains waits for another.

A period's uses are one row of `lettered_period` for each structure, not one for each use (ADR 13). The reading and the grouping
hold no lock; the writing takes its turn and gives up, until the next run, if another run wrote meanwhile.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, insert, literal, not_, select, union_all
from sqlalchemy.orm import Session, aliased

from voucher.accounting.letters import USES, undone_letters
from voucher.accounting.model import LetteredMovement, LetteredPeriod, LetterUndone, MatchingLetter
from voucher.accounting.sources import Sources
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database, take_turn
from voucher.kernel.identifiers import new_id
from voucher.kernel.settings import Settings
from voucher.ledger.chart import Code, EventType
from voucher.ledger.model import Account, Entry, Movement
from voucher.settlement.model.batches import BankLine
from voucher.settlement.reconciliation.to_identify import WAITS

CODES = (
    Code.CALLED,
    Code.ADVANCES,
    Code.OWED,
    Code.OVERPAID,
    Code.ORDERED,
    Code.SUSPENDED,
    Code.UNIDENTIFIED,
    Code.IN_TRANSIT,
)
WHEN_EVEN = (Code.ADVANCES, Code.OVERPAID)
"""Accounts whose movements net each other in no fixed pairs: they are lettered together once they come back to zero."""


@dataclass(kw_only=True)
class _Group:
    """What belongs together on one account."""

    code: str
    account_id: int
    source_id: UUID
    sides: list[tuple[UUID, int, str]] = field(default_factory=list)
    periods: list[UUID] = field(default_factory=list)
    debit_cents: int = 0
    credit_cents: int = 0

    @property
    def is_even(self) -> bool:
        return self.debit_cents == self.credit_cents > 0


@dataclass(frozen=True, slots=True)
class Lettered:
    """What a run did."""

    given_count: int
    undone_count: int


def match_up(database: Database, *, now: datetime) -> Lettered:
    """Give the letters that are due and undo those whose match was undone; run again, it changes nothing."""
    with database.read() as session:
        seen = _state(session)
        broken = _broken(session)
        groups = [group for group in _groups(session, broken) if group.is_even]
    if not groups and not broken:
        return Lettered(0, 0)
    with database.write() as session:
        take_turn(session, "lettering")
        if _state(session) != seen:
            return Lettered(0, 0)
        day = paris_day(now)
        if broken:
            session.execute(insert(LetterUndone), [{"letter_id": one, "undone_on": day} for one in broken])
        _write(session, groups, day)
    return Lettered(len(groups), len(broken))


def match_up_job(database: Database, settings: Settings, now: datetime) -> str:  # noqa: ARG001 - every job takes the settings
    """Run `match_up`; say what it did."""
    done = match_up(database, now=now)
    return (
        f"{done.given_count} lettres données, {done.undone_count} défaites"
        if done.given_count + done.undone_count
        else ""
    )


def _state(session: Session) -> tuple[int, int]:
    letters = session.scalar(select(func.count()).select_from(MatchingLetter)) or 0
    return letters, session.scalar(select(func.count()).select_from(LetterUndone)) or 0


def _broken(session: Session) -> list[UUID]:
    """Return the letters that hold an entry reversed since, with anything but its reversal, or a bank line that waits again."""
    reversal = aliased(Entry)
    waiting = session.scalars(
        select(LetteredMovement.letter_id)
        .join(Entry, Entry.id == LetteredMovement.entry_id)
        .join(BankLine, BankLine.id == Entry.event_id)
        .where(
            Entry.event_type.in_((EventType.UNKNOWN_DEBIT_BOOKED, EventType.UNKNOWN_CREDIT_BOOKED)),
            WAITS,
            LetteredMovement.letter_id.not_in(undone_letters()),
        )
        .distinct()
    )
    rows = session.scalars(
        select(LetteredMovement.letter_id)
        .join(reversal, reversal.reverses_id == LetteredMovement.entry_id)
        .join(MatchingLetter, MatchingLetter.id == LetteredMovement.letter_id)
        .where(MatchingLetter.source_id != LetteredMovement.entry_id, MatchingLetter.id.not_in(undone_letters()))
        .distinct()
    )
    return sorted({*rows, *waiting})


def _groups(session: Session, broken: Iterable[UUID]) -> Iterator[_Group]:
    groups: dict[tuple[int, UUID], _Group] = {}

    def group(code: str, account_id: int, source_id: UUID) -> _Group:
        return groups.setdefault((account_id, source_id), _Group(code=code, account_id=account_id, source_id=source_id))

    sources = Sources(session)
    evens: dict[int, UUID] = {}
    for row in _unlettered(session, set(broken)):
        if row.reversed_id is not None:
            source_id = row.reversed_id
        elif row.code in WHEN_EVEN:
            source_id = evens.setdefault(row.account_id, row.entry_id)
        else:
            found = sources.of(row)
            if found is None:
                continue
            source_id = found
        one = group(row.code, row.account_id, source_id)
        one.sides.append((row.entry_id, row.rank, row.side))
        if row.side == "debit":
            one.debit_cents += row.amount_cents
        else:
            one.credit_cents += row.amount_cents
    for account_id, period_id, source_id, cents in sources.uses(broken):
        one = group(Code.OWED, account_id, source_id)
        one.periods.append(period_id)
        one.credit_cents += cents
    yield from groups.values()


def _unlettered(session: Session, broken: set[UUID]) -> Iterable[Row[*tuple[Any, ...]]]:
    """Return each side, on an account that is lettered, of an entry that is not a use, which no letter holds."""
    reversal = aliased(Entry)
    sides = []
    for column, other_column, side in (
        (Movement.debit_account_id, Movement.credit_account_id, "debit"),
        (Movement.credit_account_id, Movement.debit_account_id, "credit"),
    ):
        other = aliased(Account)
        held = exists().where(
            LetteredMovement.entry_id == Movement.entry_id,
            LetteredMovement.rank == Movement.rank,
            LetteredMovement.side == side,
            LetteredMovement.letter_id.not_in(undone_letters()),
            *([LetteredMovement.letter_id.not_in(broken)] if broken else []),
        )
        sides.append(
            select(
                Movement.entry_id, Movement.rank, literal(side).label("side"), column.label("account_id"), Account.code,
                func.coalesce(Account.structure_id, other.structure_id).label("structure_id"), Movement.amount_cents,
                Entry.event_type, Entry.event_id, Entry.posted_at,
                func.coalesce(Entry.reverses_id, reversal.reverses_id).label("reversed_id"),
            )
            .join(Account, Account.id == column)
            .join(other, other.id == other_column)
            .join(Entry, Entry.id == Movement.entry_id)
            .outerjoin(reversal, reversal.reverses_id == Entry.id)
            .where(Account.code.in_(CODES), Entry.event_type.not_in(USES), not_(held))
        )  # fmt: skip
    both = union_all(*sides).subquery()
    return session.execute(select(both).order_by(both.c.posted_at, both.c.entry_id, both.c.rank, both.c.side))


def _write(session: Session, groups: list[_Group], day: date) -> None:
    numbers = {
        row.code: row.last + 1
        for row in session.execute(
            select(MatchingLetter.code, func.max(MatchingLetter.number).label("last")).group_by(MatchingLetter.code)
        )
    }
    letters, movements, periods = [], [], []
    for group in groups:
        number = numbers.setdefault(group.code, 0)
        numbers[group.code] += 1
        letter_id = new_id()
        letters.append(
            {
                "id": letter_id, "code": group.code, "number": number, "account_id": group.account_id,
                "source_id": group.source_id, "amount_cents": group.debit_cents, "lettered_on": day,
            }
        )  # fmt: skip
        movements += [
            {"letter_id": letter_id, "entry_id": entry_id, "rank": rank, "side": side}
            for entry_id, rank, side in group.sides
        ]
        periods += [
            {"letter_id": letter_id, "account_id": group.account_id, "period_id": period_id}
            for period_id in group.periods
        ]
    for table, rows in ((MatchingLetter, letters), (LetteredMovement, movements), (LetteredPeriod, periods)):
        if rows:
            session.execute(insert(table), rows)
