"""What pages ask of redemption: a place's day, a receipt, a structure's redemptions and what became of each."""

from collections import Counter as Counts
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Row, Select, select

from voucher.kernel.calendar import end_of_day, start_of_day
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.typed_days import asked_day
from voucher.kernel.typed_numbers import serial_asked
from voucher.network.model import Place, Structure
from voucher.network.services import Service
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.answers import Counter
from voucher.redemption.model import Period, RedeemedVoucher, Redemption, RedemptionState
from voucher.redemption.rules import undo_limit


class Standing(StrEnum):
    """Where a redemption stands, as a counter reads it."""

    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    REVERSED = "reversed"
    UNDONE = "undone"


STANDINGS: Mapping[Standing, str] = {
    Standing.CONFIRMED: "Confirmé",
    Standing.DISPUTED: "Contesté",
    Standing.REVERSED: "Repris",
    Standing.UNDONE: "Annulé",
}
"""The word of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionLine:
    """A redemption in a list. `service` is French; `undo_until` is None once it can no longer be undone."""

    id: UUID
    redeemed_at: datetime
    place_id: UUID
    place_name: str
    booklet_number: int
    voucher_count: int
    amount_cents: int
    service: str
    agreement_id: UUID
    period_id: UUID
    is_undone: bool
    undone_at: datetime | None
    undo_until: datetime | None
    is_disputed: bool = False
    is_reversed: bool = False

    @property
    def standing(self) -> Standing:
        """Where it stands now."""
        if self.is_undone:
            return Standing.UNDONE
        if self.is_reversed:
            return Standing.REVERSED
        return Standing.DISPUTED if self.is_disputed else Standing.CONFIRMED

    @property
    def is_counted(self) -> bool:
        """Whether its vouchers are used: neither undone nor reversed."""
        return not self.is_undone and not self.is_reversed


@dataclass(frozen=True, slots=True)
class CounterDay:
    """What a place redeemed on a Paris day, the last first; the totals leave out what was undone or reversed."""

    on: date
    lines: tuple[RedemptionLine, ...]
    redemption_count: int
    voucher_count: int
    amount_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What proves a redemption, with the provider's mentions (CGCT R.1611-8: name, SIRET or RNA number, address)."""

    line: RedemptionLine
    serials: tuple[int, ...]
    remaining_count: int
    structure_name: str
    structure_pivot: str
    place_address: str
    place_town: str
    issuer_name: str
    agreement_name: str


def counter_day(database: Database, counter: Counter, on: date, *, undo_minutes: int, now: datetime) -> CounterDay:
    """Return what a place redeemed on a day."""
    query = _lines().where(
        Redemption.place_id == counter.place_id,
        Redemption.structure_id == counter.structure_id,
        Redemption.redeemed_at >= start_of_day(on),
        Redemption.redeemed_at < end_of_day(on),
    )
    with database.read() as session:
        rows = session.execute(query.order_by(Redemption.redeemed_at.desc(), Redemption.id.desc())).all()
    lines = tuple(_line(row, undo_minutes, now) for row in rows)
    counted = [line for line in lines if line.is_counted]
    return CounterDay(
        on,
        lines,
        len(counted),
        sum(line.voucher_count for line in counted),
        sum(line.amount_cents for line in counted),
    )


SERVICES_LOOKED_AT = 200


def services_lately(database: Database, counter: Counter) -> tuple[Service, ...]:
    """Return what a place usually renders: the service of most of its latest redemptions, then the last two others."""
    latest = (
        select(Redemption.service)
        .where(Redemption.place_id == counter.place_id, Redemption.structure_id == counter.structure_id)
        .order_by(Redemption.redeemed_at.desc(), Redemption.id.desc())
        .limit(SERVICES_LOOKED_AT)
    )
    with database.read() as session:
        rendered = session.scalars(latest).all()
    if not rendered:
        return ()
    usual = Counts(rendered).most_common(1)[0][0]
    return (usual, *[service for service in dict.fromkeys(rendered) if service != usual][:2])


def receipt(
    database: Database, redemption_id: UUID, structure_id: UUID, *, undo_minutes: int, now: datetime
) -> Receipt | None:
    """Return the receipt of a redemption of this structure, or None."""
    query = (
        _lines()
        .add_columns(
            Redemption.remaining_count,
            Structure.name.label("structure_name"),
            Structure.pivot,
            Place.address,
            Place.postcode,
            Place.city,
            Issuer.name.label("issuer_name"),
            Agreement.name.label("agreement_name"),
        )
        .join(Structure, Structure.id == Redemption.structure_id)
        .join(Agreement, Agreement.id == Redemption.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(Redemption.id == redemption_id, Redemption.structure_id == structure_id)
    )
    with database.read() as session:
        row = session.execute(query).one_or_none()
        if row is None:
            return None
        serials = session.scalars(
            select(RedeemedVoucher.serial)
            .where(RedeemedVoucher.redemption_id == redemption_id)
            .order_by(RedeemedVoucher.serial)
        ).all()
    return Receipt(
        line=_line(row, undo_minutes, now),
        serials=tuple(serials),
        remaining_count=row.remaining_count,
        structure_name=row.structure_name,
        structure_pivot=row.pivot,
        place_address=row.address,
        place_town=f"{row.postcode} {row.city}",
        issuer_name=row.issuer_name,
        agreement_name=row.agreement_name,
    )


def redemptions(
    database: Database,
    asked: Asked,
    *,
    structure_id: UUID,
    undo_minutes: int,
    now: datetime,
) -> Page[RedemptionLine]:
    """Return a page of a structure's redemptions. Sorts: at, place, amount.

    Filters: `place` (a place's id), `state` (`confirmed`, `undone`, `disputed`, `reversed`), `since` and `until` (Paris days, AAAA-MM-JJ), `booklet` (number).
    """
    query = _lines().where(Redemption.structure_id == structure_id)
    if place_id := _uuid(asked.filters.get("place", "")):
        query = query.where(Redemption.place_id == place_id)
    if state := asked.filters.get("state"):
        query = query.where(Redemption.state == state)
    if first_on := asked_day(asked.filters.get("since", "")):
        query = query.where(Redemption.redeemed_at >= start_of_day(first_on))
    if last_on := asked_day(asked.filters.get("until", "")):
        query = query.where(Redemption.redeemed_at < end_of_day(last_on))
    if number := asked.filters.get("booklet"):
        query = query.where(Redemption.booklet_number == serial_asked(number))
    sorts = {"at": Redemption.redeemed_at, "place": Place.name, "amount": Redemption.amount_cents}
    with database.read() as session:
        page = page_of(session, query, sorts, [Redemption.id], asked)
        return page.of(_line(row, undo_minutes, now) for row in page.rows)


def _lines() -> Select[*tuple[object, ...]]:
    return (
        select(
            Redemption.id,
            Redemption.redeemed_at,
            Redemption.place_id,
            Place.name.label("place_name"),
            Redemption.booklet_number,
            Redemption.voucher_count,
            Redemption.amount_cents,
            Redemption.service,
            Redemption.agreement_id,
            Redemption.period_id,
            Redemption.state,
            Redemption.undone_at,
            Period.closed_at.label("period_closed_at"),
        )
        .join(Place, Place.id == Redemption.place_id)
        .join(Period, Period.id == Redemption.period_id)
    )


def _line(row: Row[*tuple[object, ...]], undo_minutes: int, now: datetime) -> RedemptionLine:
    is_undone = row.state == RedemptionState.UNDONE
    limit = undo_limit(row.redeemed_at, undo_minutes)
    may_undo = row.state == RedemptionState.CONFIRMED and row.period_closed_at is None and now < limit
    return RedemptionLine(
        id=row.id,
        redeemed_at=row.redeemed_at,
        place_id=row.place_id,
        place_name=row.place_name,
        booklet_number=row.booklet_number,
        voucher_count=row.voucher_count,
        amount_cents=row.amount_cents,
        service=row.service.label,
        agreement_id=row.agreement_id,
        period_id=row.period_id,
        is_undone=is_undone,
        undone_at=row.undone_at,
        undo_until=limit if may_undo else None,
        is_disputed=row.state == RedemptionState.DISPUTED,
        is_reversed=row.state == RedemptionState.REVERSED,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
