"""An agreement with structures that redeem: what settlement tests begin with, built through the real use cases."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.builders import (
    SOMEONE,
    Agreed,
    a_counter,
    an_agreement,
    an_iban,
    handed_over_booklets,
    record_rib,
    scanned_codes,
)
from tests.settlement.bank import OUR_IBAN
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.structures import NewBankDetails
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.redeem import redeem
from voucher.reporting.verify import verify

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday
PREPARER = UUID("01890000-0000-7000-8000-00000000000a")
APPROVER = UUID("01890000-0000-7000-8000-00000000000b")


@dataclass(frozen=True, slots=True)
class Town:
    """An agreement and its counters, each of a structure of its own."""

    database: Database
    agreed: Agreed
    counters: tuple[Counter, ...]

    @property
    def agreement_id(self) -> UUID:
        """The agreement."""
        return self.agreed.agreement_id

    @property
    def structure_ids(self) -> list[UUID]:
        """The structures, in the order of the counters."""
        return [counter.structure_id for counter in self.counters]

    def redeem(self, rank: int = 0, voucher_count: int = 10, *, now: datetime = NOW) -> UUID:
        """Hand a new booklet over and redeem vouchers of it at a counter; return the redemption."""
        issued = handed_over_booklets(self.database, agreed=self.agreed, now=now - timedelta(days=1))
        attempt_id = new_id()
        answer = redeem(
            self.database,
            attempt_id,
            scanned_codes(self.database, issued.first_booklet_number)[:voucher_count],
            "everyday_digital_tools",
            self.counters[rank],
            by=SOMEONE,
            now=now,
        )
        assert isinstance(answer, Redeemed), answer
        return attempt_id


def a_town(
    database: Database,
    *,
    structure_count: int = 2,
    with_rib: int | None = None,
    channel: str = "mandated_operator",
    agreed: Agreed | None = None,
    ribs_since: datetime = NOW,
) -> Town:
    """Sign an agreement, unless one is given, and open counters; the first `with_rib` structures have bank details (all by default)."""
    agreed = agreed or an_agreement(database, channel=channel)
    counters = tuple(a_counter(database) for _ in range(structure_count))
    for rank in range(structure_count if with_rib is None else with_rib):
        give_rib(database, counters[rank].structure_id, rank + 1, now=ribs_since)
    return Town(database, agreed, counters)


def give_rib(database: Database, structure_id: UUID, rank: int, *, now: datetime = NOW) -> str:
    """Record the rank-th test RIB for a structure; return its IBAN."""
    iban = an_iban(7000 + rank)
    details = NewBankDetails(new_id(), structure_id, f"ASSOCIATION {rank}", iban, iban)
    record_rib(database, details, now=now)
    return iban


def wrong_books(database: Database) -> list[str]:
    """Return every violation that `voucher verify` finds."""
    return [str(violation) for result in verify(database) for violation in result.violations]


__all__ = ["APPROVER", "NOW", "OUR_IBAN", "PREPARER", "Town", "a_town", "give_rib", "wrong_books"]
