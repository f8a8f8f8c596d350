"""Three people and a deputy: named by an approver, accepted by the programme, through the real use cases."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from tests.settlement.town import APPROVER, NOW
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.settlement.batches.approve import Standing
from voucher.settlement.batches.deputies import NewDeputy, Person, decide_deputy, end_deputy, name_deputy

TODAY = paris_day(NOW)
CLAIRE = Person(APPROVER, "Claire Morel", "claire@lieu.example")
ALICE = Person(UUID("01890000-0000-7000-8000-0000000000a1"), "Alice Roy", "alice@lieu.example")
DOMINIQUE = Person(UUID("01890000-0000-7000-8000-0000000000d1"), "Dominique Lebrun", "dominique@lieu.example")


def name(
    database: Database, from_on: date = TODAY, until_on: date = TODAY, *, deputy: Person = ALICE,
    approver: Person = CLAIRE, issuer_id: UUID | None = None, deputyship_id: UUID | None = None,
) -> UUID:  # fmt: skip
    """Let Claire name Alice; return the deputyship."""
    new = NewDeputy(
        id=deputyship_id or new_id(), deputy_id=deputy.id, from_on=from_on, until_on=until_on, issuer_id=issuer_id
    )
    name_deputy(database, new, by=approver, deputy=deputy, programme=[DOMINIQUE], now=NOW)
    return new.id


def decide(database: Database, named: UUID, *, by: UUID = DOMINIQUE.id, is_accepted: bool = True) -> None:
    """Let Dominique accept it, or refuse it."""
    decide_deputy(database, named, is_accepted=is_accepted, approver=CLAIRE, deputy=ALICE, by=by, now=NOW)


def end(database: Database, named: UUID, *, by: UUID = APPROVER, now: datetime = NOW) -> None:
    """End it early."""
    end_deputy(database, named, approver=CLAIRE, deputy=ALICE, by=by, now=now)


def accepted(database: Database, from_on: date = TODAY, until_on: date = TODAY, **more: Any) -> UUID:
    """Name and accept."""
    named = name(database, from_on, until_on, **more)
    decide(database, named)
    return named


def standing(named: UUID) -> Standing:
    """Return as whose deputy Alice approves."""
    return Standing(named, CLAIRE, ALICE.name)
