"""Redemptions in rows: those that no batch holds yet, behind what is still to be frozen; those of some days, behind a pace."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select

from voucher.kernel.calendar import end_of_day, paris_day, start_of_day
from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.kernel.typed_days import asked_day
from voucher.network.model import Place, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.reporting.debts import AGES, BEGAN_AT, IN_NO_BATCH
from voucher.settlement.model.issuer_scope import in_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionRow:
    """A redemption in a list."""

    id: UUID
    redeemed_at: datetime
    structure_name: str
    place_name: str
    agreement_id: UUID
    agreement_number: str
    voucher_count: int
    amount_cents: int


def redemption_rows(
    database: Database, asked: Asked, *, now: datetime, issuer_id: UUID | None = None
) -> Page[RedemptionRow]:
    """Return a page of confirmed redemptions. Sorts: at, amount.

    Filters: `since` and `until` (Paris days, ISO), `age`, `agreement` (number), `structure` (name or number). Without days, those
    that no batch holds.
    """
    sorts = {"at": Redemption.redeemed_at, "amount": Redemption.amount_cents}
    with database.read() as session:
        page = page_of(session, _redemptions(asked.filters, now, issuer_id), sorts, [Redemption.id], asked)
    return page.of(RedemptionRow(**row._asdict()) for row in page.rows)


def redemption_sums(
    database: Database, filters: Mapping[str, str], *, now: datetime, issuer_id: UUID | None = None
) -> tuple[int, int]:
    """Return how many vouchers the redemptions of a list are of, and their cents; the filters are those of `redemption_rows`."""
    listed = _redemptions(filters, now, issuer_id).subquery()
    with database.read() as session:
        vouchers, cents = session.execute(
            select(
                func.coalesce(func.sum(listed.c.voucher_count), 0), func.coalesce(func.sum(listed.c.amount_cents), 0)
            )
        ).one()
    return int(vouchers), int(cents)


def _redemptions(filters: Mapping[str, str], now: datetime, issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = (
        select(
            Redemption.id,
            Redemption.redeemed_at,
            Structure.name.label("structure_name"),
            Place.name.label("place_name"),
            Agreement.id.label("agreement_id"),
            Agreement.number.label("agreement_number"),
            Redemption.voucher_count,
            Redemption.amount_cents,
        )
        .join(Period, Period.id == Redemption.period_id)
        .join(Agreement, Agreement.id == Redemption.agreement_id)
        .join(Structure, Structure.id == Redemption.structure_id)
        .join(Place, Place.id == Redemption.place_id)
        .where(
            Redemption.state == RedemptionState.CONFIRMED,
            in_scope(Agreement.issuer_id, issuer_id),
        )
    )
    today, since, until = paris_day(now), asked_day(filters.get("since")), asked_day(filters.get("until"))
    if since is None and until is None:
        query = query.where(IN_NO_BATCH)
    if since is not None:
        query = query.where(Redemption.redeemed_at >= start_of_day(since))
    if until is not None:
        query = query.where(Redemption.redeemed_at < end_of_day(until))
    if age := next((one for one in AGES if one.key == filters.get("age")), None):
        if age.from_days:
            query = query.where(end_of_day(today - timedelta(days=age.from_days)) > BEGAN_AT)
        if age.to_days is not None:
            query = query.where(start_of_day(today - timedelta(days=age.to_days)) <= BEGAN_AT)
    if number := filters.get("agreement"):
        query = query.where(Agreement.number == number)
    if words := filters.get("structure"):
        pivot = Structure.pivot.startswith(compact(words) or words, autoescape=True)
        query = query.where(contains(Structure.name, words) | pivot)
    return query
