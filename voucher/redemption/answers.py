"""What the counter answers, as values; and how a refusal is kept so that a retry hears it again."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from voucher.redemption.rules import CounterRefusal, Refusal


@dataclass(frozen=True, slots=True)
class Counter:
    """Where a mediator stands: a place, and the structure that is paid for what is redeemed there."""

    place_id: UUID
    structure_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """Vouchers were redeemed, in one act. `remaining_count` are the booklet's vouchers still usable just after."""

    id: UUID
    serials: tuple[int, ...]
    booklet_number: int
    amount_cents: int
    remaining_count: int
    service: str
    redeemed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """A voucher that could be redeemed at this very moment. Nothing changed. `rank` is its place in the booklet, from 1."""

    serial: int
    booklet_number: int
    rank: int
    booklet_size: int
    face_value_cents: int
    remaining_count: int
    use_by: date
    grace_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableCover:
    """A booklet, by its cover: the ranks of its vouchers that could be redeemed together now. Nothing changed."""

    first_serial: int
    booklet_number: int
    ranks: tuple[int, ...]
    face_value_cents: int


@dataclass(frozen=True, slots=True)
class Undone:
    """A redemption was undone: its vouchers may be used again, its structure is no longer owed."""

    id: UUID
    serials: tuple[int, ...]
    amount_cents: int
    undone_at: datetime


def written(refusal: Refusal) -> str:
    """Return a refusal as JSON, with what is needed to say the same sentence again."""
    return json.dumps(
        {
            "serial": refusal.serial,
            "is_one_of_several": refusal.is_one_of_several,
            "at": refusal.at.isoformat() if refusal.at else None,
            "on": refusal.on.isoformat() if refusal.on else None,
            "detail": refusal.detail,
        }
    )


def read_again(reason: CounterRefusal, answer: str) -> Refusal:
    """Return a refusal that `written` kept."""
    kept = json.loads(answer)
    return Refusal(
        reason,
        serial=kept["serial"],
        is_one_of_several=kept["is_one_of_several"],
        at=datetime.fromisoformat(kept["at"]) if kept["at"] else None,
        on=date.fromisoformat(kept["on"]) if kept["on"] else None,
        detail=kept["detail"],
    )
