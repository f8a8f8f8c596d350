"""A question about a duplicate crosses with what the bank said and who answered: the next operator's people end it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.clients import settings_for
from tests.settlement.doubt import LATER, Doubt
from tests.settlement.town import APPROVER, PREPARER, wrong_books
from tests.takeover.test_takeover import THEIR_MASTER_SECRET, THEIR_ORIGIN
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.proof.sealing import seal_now
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.reports.answer_duplicates import NewAnswer, answer_duplicates
from voucher.settlement.reports.read_duplicates import duplicates_of
from voucher.settlement.words.states import DuplicateOutcome
from voucher.takeover.export import export_takeover
from voucher.takeover.importing import import_takeover


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_duplicate_answered_once_is_answered_the_second_time_by_the_next_operator(
    sqlite_database: Database,
    open_database: Callable[[str], AbstractContextManager[Database]],
    engine: str,
    tmp_path: Path,
) -> None:
    doubt = Doubt(sqlite_database)
    doubt.report(group="DU01")
    doubt.answer(DuplicateOutcome.NEVER_CAME, PREPARER)
    seal_now(sqlite_database, settings_for(sqlite_database), LATER)
    path = tmp_path / "reprise.zip"
    export_takeover(sqlite_database, path, settings=settings_for(sqlite_database), now=LATER)
    after = LATER + timedelta(days=1)
    with open_database(engine) as theirs:
        import_takeover(theirs, path, origin=THEIR_ORIGIN, master_secret=THEIR_MASTER_SECRET, now=after)
        page = duplicates_of(theirs, doubt.batch_id, limit=9)
        assert page == doubt.page()
        answer = NewAnswer(new_id(), doubt.batch_id, None, DuplicateOutcome.NEVER_CAME, "Confirmé.", 2)
        assert answer_duplicates(theirs, answer, by=APPROVER, now=after) is DuplicateOutcome.NEVER_CAME
        with theirs.read() as session:
            assert set(session.scalars(select(PaymentAdvice.state))) == {"rejected"}
        assert wrong_books(theirs) == []
