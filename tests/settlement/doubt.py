"""A batch in transit of which a bank says « duplicate », and the people who answer: what tests of duplicates begin with."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.settlement.reports import status_report
from tests.settlement.test_import_statement import Paid
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.accounting.checks import CHECKS
from voucher.accounting.match_up import match_up
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.bank_in.import_report import Reported, import_report
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.reports.answer_duplicates import NewAnswer, answer_duplicates, withdraw_answer
from voucher.settlement.reports.read_duplicates import DuplicatePage, duplicates_of

THIRD = UUID("01890000-0000-7000-8000-00000000000c")
LATER = NOW + timedelta(hours=1)


class Doubt:
    """A batch that left, of 30 € and 40 €, of which a bank says things; and people who answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.paid = Paid(database)
        with database.read() as session:
            self.batch_id = session.execute(select(SettlementBatch.id)).scalar_one()

    @property
    def first(self) -> str:
        return self.paid.first

    @property
    def second(self) -> str:
        return self.paid.second

    def report(self, *, group: str = "", block: str = "", **transfers: str) -> Reported:
        """Import a report; `first` and `second` are what it says of each transfer."""
        named = {getattr(self, which): code for which, code in transfers.items()}
        content = status_report(self.batch_id, group=group, block=block, transfers=named)
        return import_report(self.database, "compte-rendu.xml", content, by=PREPARER, now=NOW)

    def answer(
        self,
        outcome: str,
        by: UUID,
        *,
        of: UUID | None = None,
        seen: int = 2,
        answer_id: UUID | None = None,
        why: str = "Vu.",
        now: datetime = LATER,
    ) -> UUID:
        """Answer for all the transfers, or for one; return the answer's id."""
        new = NewAnswer(answer_id or new_id(), self.batch_id, of, outcome, why, 1 if of else seen)
        answer_duplicates(self.database, new, by=by, now=now)
        return new.id

    def withdraw(self, answer_id: UUID, *, now: datetime = LATER) -> None:
        withdraw_answer(self.database, answer_id, "Je me suis trompé.", by=THIRD, now=now)

    def freeze(self) -> Frozen:
        return freeze_batch(self.database, new_id(), self.paid.town.agreement_id, by=PREPARER, now=LATER)

    def states(self) -> list[str]:
        return self.paid.states()

    def page(self, advice_id: UUID | None = None) -> DuplicatePage:
        found = duplicates_of(self.database, self.batch_id, advice_id=advice_id, limit=9)
        assert found is not None
        return found

    def refusal(self, act: Callable[[], object]) -> str:
        before = (self.states(), self.page().open_count)
        with pytest.raises(Refused) as refused:
            act()
        assert (self.states(), self.page().open_count) == before
        return refused.value.sentence

    def is_right(self) -> None:
        assert wrong_books(self.database) == []
        match_up(self.database, now=LATER)
        with self.database.read() as session:
            assert [one for check in CHECKS for one in check(session)] == []
