"""Coverage by region: places, what they redeemed, beside the third places that the census of 2018 counted.

Nothing here is about a person; still, few redemptions in a region may be those of people one knows: small counts are
hidden as `small_cells` says, over agreements and regions together, since the page shows one agreement or all of them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from voucher.kernel.database import Database
from voucher.network.model import Place
from voucher.programme.territories import OTHER_TERRITORIES, REGIONS, THIRD_PLACES_2018, Region
from voucher.redemption.model import USED_STATES, Redemption
from voucher.reporting.small_cells import SMALL_CELL_MAX, TOTAL, hidden_cells, with_totals

NOT_LOCATED = "not_located"
"""The code of the places (and third places) of no known region: a category of its own, shared among no others."""
NOT_LOCATED_NAME = "Non localisés"


@dataclass(frozen=True, slots=True)
class Used:
    """What was redeemed: acts at a counter, vouchers, cents."""

    redemption_count: int
    voucher_count: int
    amount_cents: int

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.redemption_count + other.redemption_count,
            self.voucher_count + other.voucher_count,
            self.amount_cents + other.amount_cents,
        )


@dataclass(frozen=True, slots=True)
class RegionCoverage:
    """A region: its open places, and what was redeemed there. `used` is None where it is hidden; `is_small` then says
    whether it is small itself, or hidden because it would give another away.

    `third_place_count` is None where the census counted none by that name (overseas collectivities).
    """

    code: str
    name: str
    place_count: int
    third_place_count: int | None
    used: Used | None
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every region in the order of the alphabet, then the rest; `total` likewise, hidden if it would give a region away."""

    read_at: datetime
    rows: tuple[RegionCoverage, ...]
    total: RegionCoverage

    @property
    def hidden_count(self) -> int:
        """Count the regions whose figures are hidden."""
        return sum(1 for row in self.rows if row.used is None)


def coverage(database: Database, *, now: datetime, agreement_id: UUID | None = None) -> Coverage:
    """Return the coverage of the whole programme or of one agreement; places are the whole network's in both."""
    code = func.coalesce(Place.region_code, NOT_LOCATED)
    counts = (func.count(), func.sum(Redemption.voucher_count), func.sum(Redemption.amount_cents))
    with database.read() as session:
        open_places = select(code, func.count()).where(Place.is_open).group_by(code)
        places = {row[0]: row[1] for row in session.execute(open_places)}
        # Summed by place first: a place is read once, not once a redemption.
        by_place = (
            select(
                Redemption.agreement_id, Redemption.place_id, *(one.label(f"n{at}") for at, one in enumerate(counts))
            )
            .where(Redemption.state.in_(USED_STATES))
            .group_by(Redemption.agreement_id, Redemption.place_id)
            .subquery()
        )
        sums = (func.sum(by_place.c[f"n{at}"]) for at in range(len(counts)))
        rows = session.execute(
            select(by_place.c.agreement_id, code, *sums)
            .join(Place, Place.id == by_place.c.place_id)
            .group_by(by_place.c.agreement_id, code)
        ).all()
    used = {(str(row[0]), row[1]): Used(*(int(value) for value in row[2:])) for row in rows}
    line = TOTAL if agreement_id is None else str(agreement_id)
    shown = _Shown(used, line)
    census: dict[str, int] = {**THIRD_PLACES_2018.by_region, NOT_LOCATED: THIRD_PLACES_2018.not_located_count}
    known = {*census, *places, *(region for _, region in used)}
    listed = [region for region in _regions() if region.code in known]
    return Coverage(
        now,
        tuple(
            RegionCoverage(one.code, one.name, places.get(one.code, 0), census.get(one.code), *shown.of(one.code))
            for one in listed
        ),
        RegionCoverage(TOTAL, "Total", sum(places.values()), THIRD_PLACES_2018.total_count, *shown.of(TOTAL)),
    )


def _regions() -> list[Region]:
    return [*sorted(REGIONS, key=_by_name), OTHER_TERRITORIES, Region(NOT_LOCATED, NOT_LOCATED_NAME)]


def _by_name(region: Region) -> str:
    return region.name.replace("Î", "I")


class _Shown:
    """One line of the table agreements by regions (or the line of totals): its cells that may be shown."""

    def __init__(self, used: dict[tuple[str, str], Used], line: str) -> None:
        self.line = line
        self.counts = with_totals({cell: one.redemption_count for cell, one in used.items()})
        self.hidden = hidden_cells(self.counts)
        self.sums: dict[str, Used] = {}
        for (agreement, region), one in used.items():
            if line in (TOTAL, agreement):
                for name in (region, TOTAL):
                    self.sums[name] = self.sums.get(name, Used(0, 0, 0)) + one

    def of(self, region: str) -> tuple[Any, bool]:
        """Return what was used and False; or None and whether the count is small."""
        cell = (self.line, region)
        if cell in self.hidden:
            return None, 0 < self.counts[cell] <= SMALL_CELL_MAX
        return self.sums.get(region, Used(0, 0, 0)), False
