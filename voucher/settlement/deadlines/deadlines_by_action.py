"""The clock gathered by what a person must do: a structure and a cause, or a batch; the lines behind stay one link away."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date

from voucher.settlement.deadlines.payment_deadlines import Due


@dataclass(frozen=True, slots=True, kw_only=True)
class DueGroup:
    """Dues that one act settles. `first` is the first due of them; `since_on` is when the newest began to wait."""

    first: Due
    title: str
    structure_count: int
    line_count: int
    amount_cents: int
    late_cents: int
    since_on: date

    @property
    def is_late(self) -> bool:
        """Whether a part of it is late."""
        return self.late_cents > 0


def by_act(found: Iterable[Due]) -> list[DueGroup]:
    """Gather what waits by structure and cause, the rest by batch or period; the newest first."""
    return _gathered((_act_of(one), one) for one in found)


def by_cause(found: Iterable[Due]) -> list[DueGroup]:
    """Gather what waits by cause, whatever the structure, the rest by batch or period; the newest first."""
    return _gathered((one.title or _act_of(one), one) for one in found)


def _act_of(one: Due) -> Hashable:
    return (one.structure_id, one.title) if one.advice_id else (one.batch_id, one.stage, one.label)


def _gathered(found: Iterable[tuple[Hashable, Due]]) -> list[DueGroup]:
    groups: dict[Hashable, list[Due]] = {}
    for key, one in found:
        groups.setdefault(key, []).append(one)
    return sorted((_group(same) for same in groups.values()), key=lambda one: (-one.since_on.toordinal(), one.title))


def _group(same: list[Due]) -> DueGroup:
    first = min(same, key=lambda one: one.due_on)
    waits = {one.structure_id for one in same if one.structure_id is not None}
    return DueGroup(
        first=first,
        title=first.title or first.label,
        # A batch tells how many it pays by the day they are due: the same structure may be in several.
        structure_count=len(waits) or max(one.structure_count for one in same),
        line_count=len({one.advice_id or one.due_on for one in same}),
        amount_cents=sum(one.amount_cents for one in same),
        late_cents=sum(one.amount_cents for one in same if one.is_late),
        since_on=max(one.since_on for one in same),
    )
