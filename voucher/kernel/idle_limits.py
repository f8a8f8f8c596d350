"""How long a session may stay without a page before it ends, by what its person may do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleLimits:
    """Minutes: of who pays, of who stands at a counter all day, of everybody else."""

    finance_minutes: int = 30
    counter_minutes: int = 12 * 60
    other_minutes: int = 2 * 60


USUAL_IDLE_LIMITS = IdleLimits()
