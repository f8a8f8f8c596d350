"""Récolement: booklets counted by hand on a day (31 December) at one holder's, against what the system knew at the end of it.

Booklets not handed over are inactive stock, off the balance sheet: a count changes nothing in the books. Each difference is listed
booklet by booklet; a second person signs the record; what is missing is then stopped, what is in excess destroyed or entrusted, by
the acts that exist. (domain.md §2: undistributed stock is « valeurs inactives », counted on 31 December.)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from voucher.accounting.model import GapKind, StockCount, StockCountGap
from voucher.distribution.model import Handover, Prescriber, StockSlip, StockVoid, StopOrder
from voucher.issuing.model import Booklet, IssueBatch
from voucher.kernel.calendar import end_of_day, french_date, not_before, paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.kernel.typed_numbers import WrongNumber, parse_serial
from voucher.programme.model import Agreement

BOOKLETS_MAX = 200_000
RANGES_LENGTH_MAX = 2000
_BETWEEN = re.compile(r"-|–|à")


@dataclass(frozen=True, slots=True)
class NewCount:
    """A count: whose stock (a prescriber's, or the issuer's own: None), the day, the numbers found (« 1-40, 57 »)."""

    id: UUID
    issuer_id: UUID
    prescriber_id: UUID | None
    counted_on: date
    ranges: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A booklet that lacks or is in excess, with what the system said of it."""

    booklet_number: int
    kind: GapKind
    known_as: str

    @property
    def is_missing(self) -> bool:
        """Whether it was not where the system said."""
        return self.kind == GapKind.MISSING


@dataclass(frozen=True, slots=True)
class _Known:
    """A booklet as the system knew it at the end of the day: where, and whether it was stock."""

    is_here: bool
    cents: int
    words: str


def parse_ranges(text: str) -> list[tuple[int, int]]:
    """Return the ranges of booklet numbers that a person typed, first and last, in order. Raises Refused.

    « 1-40, 57 ; 60 à 62 », each number as printed or plain. An empty text is an empty stock.
    """
    ranges = []
    for part in re.split(r"[,;\n]+", text):
        if not (typed := part.strip()):
            continue
        try:
            ends = [parse_serial(one) for one in _BETWEEN.split(typed)]
        except WrongNumber:
            ends = []
        if len(ends) not in (1, 2):
            raise Refused("wrong_range", f"« {typed[:40]} » ne se lit pas. Écrivez par exemple 1-40, 57.", "ranges")
        first, last = ends[0], ends[-1]
        if first > last:
            raise Refused("wrong_range", f"« {typed} » : écrivez le plus petit numéro d’abord.", "ranges")
        ranges.append((first, last))
    ranges.sort()
    for before, after in pairwise(ranges):
        if after[0] <= before[1]:
            raise Refused(
                "counted_twice",
                f"Le carnet {booklet_label(after[0])} est compté deux fois. Vérifiez les numéros.",
                "ranges",
            )
    if sum(last - first + 1 for first, last in ranges) > BOOKLETS_MAX:
        raise Refused("too_many", f"Plus de {BOOKLETS_MAX} carnets. Vérifiez les numéros.", "ranges")
    return ranges


def tidy(ranges: Iterable[tuple[int, int]]) -> str:
    """Return ranges as they are stored: « 1-40, 57 »."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def ranges_label(stored: str) -> str:
    """Return stored ranges as people read them, and may type them again: « 0001 à 0040, 0057 »."""
    return ", ".join(
        booklet_label(first) if first == last else f"{booklet_label(first)} à {booklet_label(last)}"
        for first, last in parse_ranges(stored)
    )


def record_count(database: Database, new: NewCount, *, by: UUID, now: datetime) -> list[Gap]:
    """Record a count and return its differences; the same command again changes nothing and returns the same.

    Raises Refused: numbers that cannot be read, a day to come, a prescriber of another issuer.
    """
    ranges = parse_ranges(new.ranges)
    said = tidy(ranges)
    if len(said) > RANGES_LENGTH_MAX:
        raise Refused("too_many_ranges", "Il y a trop d’intervalles. Comptez en plusieurs fois.", "ranges")
    if new.counted_on > paris_day(now):
        raise Refused("day_to_come", f"Le {french_date(new.counted_on)} est à venir. Corrigez le jour.", "counted_on")
    row: dict[str, object] = {
        "id": new.id,
        "issuer_id": new.issuer_id,
        "prescriber_id": new.prescriber_id,
        "counted_on": new.counted_on,
        "ranges": said,
    }
    with database.write() as session:
        if is_replay(session, StockCount, row):
            return gaps_of(session, new.id)
        if new.prescriber_id is not None and new.issuer_id != session.scalar(
            select(Prescriber.issuer_id).where(Prescriber.id == new.prescriber_id)
        ):
            raise Refused("prescriber_unknown", "Choisissez un prescripteur de la liste.", "prescriber_id")
        found = {number for first, last in ranges for number in range(first, last + 1)}
        known = _known(session, new.issuer_id, new.prescriber_id, new.counted_on, found)
        here = {number for number, one in known.items() if one.is_here}
        gaps = [
            *(Gap(number, GapKind.MISSING, known[number].words) for number in sorted(here - found)),
            *(
                Gap(number, GapKind.EXTRA, known[number].words if number in known else "inconnu de votre collectivité")
                for number in sorted(found - here)
            ),
        ]
        told = {
            "expected_count": len(here),
            "counted_count": len(found),
            "expected_cents": sum(known[number].cents for number in here),
            "counted_cents": sum(known[number].cents for number in found if number in known),
            "recorded_at": now,
            "recorded_by": by,
            "signed_at": None,
            "signed_by": None,
        }
        insert_once(session, StockCount, row, told, Refused("count_exists", "Ce récolement existe déjà. Ouvrez-le."))
        if gaps:
            session.execute(
                insert(StockCountGap),
                [
                    {
                        "count_id": new.id,
                        "booklet_number": gap.booklet_number,
                        "kind": gap.kind,
                        "known_as": gap.known_as,
                    }
                    for gap in gaps
                ],
            )
    return gaps


def sign_count(database: Database, count_id: UUID, issuer_id: UUID, *, by: UUID, now: datetime) -> None:
    """Sign a count that another person recorded; again, it changes nothing. Raises Refused: unknown, the same person."""
    with database.write() as session:
        found = session.execute(
            select(StockCount.recorded_by, StockCount.recorded_at, StockCount.signed_by).where(
                StockCount.id == count_id, StockCount.issuer_id == issuer_id
            )
        ).one_or_none()
        if found is None:
            raise Refused("unknown_count", "Ce récolement n’existe pas. Choisissez-le dans la liste.")
        if found.recorded_by == by:
            raise Refused("same_person", "Vous avez compté ces carnets. Une autre personne doit signer.")
        sign = (
            update(StockCount)
            .where(StockCount.id == count_id, StockCount.signed_at.is_(None))
            .values(signed_at=not_before(now, found.recorded_at), signed_by=by)
            .execution_options(synchronize_session=False)
        )
        if changed(session, sign) == 0 and found.signed_by not in (None, by):
            raise Refused("already_signed", "Une autre personne vient de signer ce récolement. Il n’y a rien à faire.")


def gaps_of(session: Session, count_id: UUID) -> list[Gap]:
    """Return the differences of a count: what lacks, then what is in excess."""
    rows = session.execute(
        select(StockCountGap.booklet_number, StockCountGap.kind, StockCountGap.known_as)
        .where(StockCountGap.count_id == count_id)
        .order_by(StockCountGap.kind.desc(), StockCountGap.booklet_number)
    )
    return [Gap(*row) for row in rows]


def _known(
    session: Session, issuer_id: UUID, prescriber_id: UUID | None, day: date, found: set[int]
) -> Mapping[int, _Known]:
    """Return what the system knew, at the end of a day, of the booklets that should be here and of those found."""
    end = end_of_day(day)
    last_slips = _slips_after(session, issuer_id, end)
    touched = [
        Booklet.number.between(slip.first_booklet_number, slip.first_booklet_number + slip.booklet_count - 1)
        for slip in last_slips
    ]
    held = Booklet.prescriber_id == prescriber_id if prescriber_id else Booklet.prescriber_id.is_(None)
    holder = aliased(Prescriber)
    query = (
        select(
            Booklet.number, Booklet.prescriber_id, holder.name.label("holder_name"),
            (Booklet.size * IssueBatch.face_value_cents).label("cents"), IssueBatch.ordered_at, IssueBatch.lapsed_at,
            Handover.handed_over_at, StopOrder.stopped_at, StockVoid.voided_at,
        )
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
        .outerjoin(holder, holder.id == Booklet.prescriber_id)
        .outerjoin(Handover, Handover.booklet_number == Booklet.number)
        .outerjoin(StopOrder, StopOrder.booklet_number == Booklet.number)
        .outerjoin(
            StockVoid,
            and_(
                StockVoid.issuer_id == issuer_id, StockVoid.first_booklet_number <= Booklet.number,
                StockVoid.first_booklet_number + StockVoid.booklet_count > Booklet.number,
            ),
        )
        .where(Agreement.issuer_id == issuer_id)
    )  # fmt: skip
    numbers = sorted(found)
    spans = [Booklet.number.between(first, last) for first, last in _spans(numbers)]
    wanted = or_(held, *touched) if touched else held
    rows = {row.number: row for row in session.execute(query.where(wanted))}
    for some in chunks(spans, 200):
        rows |= {row.number: row for row in session.execute(query.where(or_(*some)))}
    known = {}
    for number, row in rows.items():
        holder_id, name = row.prescriber_id, row.holder_name
        for slip in last_slips:
            if slip.first_booklet_number <= number < slip.first_booklet_number + slip.booklet_count:
                holder_id, name = slip.from_prescriber_id, slip.from_name
                break
        why_not = _why_not_stock(row, end)
        words = why_not or (f"en stock chez {name}" if name else "en stock à la collectivité")
        known[number] = _Known(not why_not and holder_id == prescriber_id, row.cents, words[:120])
    return {number: one for number, one in known.items() if one.is_here or number in found}


def _slips_after(session: Session, issuer_id: UUID, end: datetime) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the slips made after an instant, the first of them first: a booklet was where its first one took it from."""
    giver = aliased(Prescriber)
    return session.execute(
        select(
            StockSlip.first_booklet_number, StockSlip.booklet_count, StockSlip.from_prescriber_id,
            giver.name.label("from_name"),
        )
        .outerjoin(giver, giver.id == StockSlip.from_prescriber_id)
        .where(StockSlip.issuer_id == issuer_id, StockSlip.made_at >= end)
        .order_by(StockSlip.made_at, StockSlip.id)
    ).all()  # fmt: skip


def _why_not_stock(row: Row[*tuple[Any, ...]], end: datetime) -> str:
    """Say why a booklet was no stock at an instant; empty when it was."""
    if row.ordered_at >= end:
        return "commandé après ce jour"
    for at, words in (
        (row.voided_at, "annulé"),
        (row.stopped_at, "bloqué"),
        (row.handed_over_at, "remis à une personne"),
        (row.lapsed_at, "caduc"),
    ):
        if at is not None and at < end:
            return f"{words} le {french_date(paris_day(at))}"
    return ""


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return the stretches of numbers that follow each other."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
