"""What must be true of where, for what and when vouchers are used: the place's structure, one of the nine services, a period's bounds."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import french_instant, paris_day, start_of_day
from voucher.kernel.checks import Check, Violation
from voucher.network.model import Place, Structure
from voucher.network.services import Service
from voucher.programme.model import Agreement
from voucher.redemption.model import Period, Redemption

ROWS_MAX = 100


@cache
def _query_redemptions_are_of_their_place() -> Select[*tuple[Any, ...]]:
    owner, told = aliased(Structure), aliased(Structure)
    return (
        select(
            Redemption.id,
            Redemption.service,
            Place.name.label("place_name"),
            owner.id.label("owner_id"),
            owner.name.label("owner_name"),
            told.id.label("told_id"),
            told.name.label("told_name"),
        )
        .outerjoin(Place, Place.id == Redemption.place_id)
        .outerjoin(owner, owner.id == Place.structure_id)
        .outerjoin(told, told.id == Redemption.structure_id)
        .where(
            or_(
                Place.id.is_(None),
                Place.structure_id != Redemption.structure_id,
                Redemption.service.not_in([one.value for one in Service]),
            )
        )
        .limit(ROWS_MAX)
    )


def check_redemptions_are_of_their_place(session: Session) -> list[Violation]:
    """Un encaissement est de la structure de son lieu, pour un des neuf services du dispositif."""
    rows = session.execute(_query_redemptions_are_of_their_place())
    name = "redemptions_are_of_their_place"
    found = []
    for row in rows:
        if row.owner_id is None or row.owner_id != row.told_id:
            place = f"au lieu « {row.place_name} » de {row.owner_name}" if row.owner_id else "à un lieu inconnu"
            detail = f"compté à {row.told_name or 'une structure inconnue'}, encaissé {place}"
            found.append(Violation(name, f"encaissement {row.id}", detail))
        if row.service not in set(Service):
            found.append(
                Violation(name, f"encaissement {row.id}", f"pour « {row.service} », qui n’est aucun des neuf services")
            )
    return found


@cache
def _query_periods_follow_each_other() -> Select[*tuple[Any, ...]]:
    firsts = select(Redemption.period_id, func.min(Redemption.redeemed_at).label("first_at")).group_by(
        Redemption.period_id
    )
    first = firsts.subquery()
    return (
        select(
            Agreement.number.label("agreement"),
            Period.number.label("rank"),
            Period.opened_at,
            Period.ends_at,
            Period.closed_at,
            first.c.first_at,
        )
        .join(Agreement, Agreement.id == Period.agreement_id)
        .outerjoin(first, first.c.period_id == Period.id)
        .order_by(Agreement.number, Period.number)
    )


def check_periods_follow_each_other(session: Session) -> list[Violation]:
    """Les périodes d’une convention sont numérotées sans trou, s’ouvrent après la clôture d’avant et finissent à minuit, à Paris ; rien n’y précède leur jour d’ouverture."""
    rows = session.execute(_query_periods_follow_each_other()).all()
    found = []
    for agreement, periods in groupby(rows, lambda row: row.agreement):
        rank, closed_at = 0, None
        for row in periods:
            said = [*_bounds(row)]
            if row.rank != rank + 1:
                said.append(f"numérotée {row.rank}, attendue {rank + 1}")
            # Clocks of several machines differ within a day.
            if rank and (closed_at is None or paris_day(row.opened_at) < paris_day(closed_at)):
                before = f"close le {french_instant(closed_at)}" if closed_at else "encore ouverte"
                said.append(f"ouverte le {french_instant(row.opened_at)}, celle d’avant {before}")
            subject = f"période {row.rank} de la convention {agreement}"
            found += [Violation("periods_follow_each_other", subject, one) for one in said]
            rank, closed_at = row.rank, row.closed_at
    return found[:ROWS_MAX]


def _bounds(row: Row[*tuple[Any, ...]]) -> Iterator[str]:
    """Say what is wrong between the instants of one period."""
    opened = f"ouverte le {french_instant(row.opened_at)}"
    # Scanned in the last seconds of a month, written once it was closed: it belongs to the next one. Clocks differ by a day at most.
    if row.first_at is not None and paris_day(row.first_at) < paris_day(row.opened_at) - timedelta(days=1):
        yield f"{opened}, un encaissement est du {french_instant(row.first_at)}"
    if row.closed_at is not None and paris_day(row.closed_at) < paris_day(row.opened_at):
        yield f"{opened}, close le {french_instant(row.closed_at)}"
    if row.ends_at is None:
        return
    if row.ends_at <= row.opened_at:
        yield f"{opened}, finie le {french_instant(row.ends_at)}"
    if row.ends_at != start_of_day(paris_day(row.ends_at)):
        yield f"finie le {french_instant(row.ends_at)}, et non à minuit"
    if row.closed_at is not None and paris_day(row.closed_at) > paris_day(row.ends_at):
        yield f"close le {french_instant(row.closed_at)}, finie le {french_instant(row.ends_at)}"


CHECKS: tuple[Check, ...] = (check_redemptions_are_of_their_place, check_periods_follow_each_other)
