"""The accountant's acts, each killed at its steps and run again: letters, closing, accounts, counts, seals, files to hand over."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.accounting.office import SIREN, an_office
from tests.accounting.year import end_periods, reasons
from tests.acts import audit_bytes, fec_bytes, one_turn, seal_entries
from tests.builders import issued_booklets
from tests.killing import Killer
from tests.settlement.test_disputes import claw_back
from tests.settlement.town import APPROVER, PREPARER, wrong_books
from voucher.accounting.close_year import close_year, propose_close
from voucher.accounting.match_up import Lettered, match_up
from voucher.accounting.produce import produce_account
from voucher.accounting.stock_count import Gap, NewCount, record_count, sign_count
from voucher.demonstration.bank import BookedLine
from voucher.distribution.lapse import lapse
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.end_share import end_share
from voucher.settlement.model.batches import BankLine
from voucher.settlement.reconciliation.undo_match import undo_match

DECEMBER = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
PAID = datetime(2026, 12, 18, 9, 0, tzinfo=UTC)
APRIL = datetime(2027, 4, 1, 9, 0, tzinfo=UTC)


@pytest.mark.kill
def test_a_year_is_lettered_closed_sealed_and_told_in_the_same_bytes_however_often_it_is_killed(
    database: Database, killer: Killer
) -> None:
    office = an_office(database)
    first = office.town.redeem(0, 3, now=DECEMBER)
    office.town.redeem(1, 2, now=DECEMBER)
    office.pay(office.settle(DECEMBER), PAID.date(), PAID)
    claw_back(office.town, first)
    lettered, again = killer.everywhere(match_up, now=PAID)
    assert (lettered.given_count > 0, again) == (True, Lettered(0, 0))
    with database.read() as session:
        line_id = session.query(BankLine.id).order_by(BankLine.amount_cents).first()[0]
    undo_match(database, line_id, "Autre virement", by=PREPARER, now=PAID)
    undone, again = killer.everywhere(match_up, now=PAID + timedelta(days=1))
    assert (undone.undone_count, again) == (1, Lettered(0, 0))
    spare = issued_booklets(database, 2, agreed=office.town.agreed, now=DECEMBER)
    number = spare.first_booklet_number
    count = NewCount(new_id(), office.town.agreed.issuer_id, None, date(2026, 12, 31), str(number))
    gaps, again = killer.everywhere(record_count, count, by=PREPARER, now=APRIL)
    assert again == gaps
    assert gaps[-1] == Gap(number + 1, "missing", gaps[-1].known_as)
    killer.everywhere(sign_count, count.id, count.issuer_id, by=APPROVER, now=APRIL)
    killer.everywhere(lapse, by=PREPARER, now=APRIL)
    end_periods(database, APRIL)
    killer.everywhere(propose_close, 2026, reasons(database, 2026), by=PREPARER, now=APRIL)
    carried, again = killer.everywhere(close_year, 2026, reasons(database, 2026), by=APPROVER, now=APRIL)
    assert again == carried > 0
    killer.everywhere(produce_account, new_id(), office.town.agreement_id, 2026, by=PREPARER, now=APRIL)
    sealed, again = killer.everywhere(seal_entries, now=APRIL)
    assert (sealed.added_count > 0, again) == (True, None)
    for file, words in ((audit_bytes, {}), (fec_bytes, {"siren": SIREN, "year": 2026, "now": APRIL})):
        content, again = killer.everywhere(file, **words)
        assert content == again
    assert wrong_books(database) == []


@pytest.mark.kill
def test_a_worker_killed_around_each_of_its_jobs_ends_its_turn_as_if_nothing_happened(
    database: Database, killer: Killer
) -> None:
    office = an_office(database)
    office.town.redeem(0, 3, now=DECEMBER)
    office.pay(office.settle(DECEMBER), PAID.date(), PAID)
    office.town.redeem(1, 2, now=PAID)
    office.bank_says(
        PAID.date() + timedelta(days=1),
        PAID + timedelta(days=1),
        BookedLine(reference="C1", amount_cents=777, is_credit=True),
    )
    first, second = office.town.agreed.funder_ids
    end_share(
        database, new_id(), office.town.agreement_id, first, date(2026, 12, 31), {second: 10_000}, by=PREPARER, now=PAID
    )
    said, again = killer.everywhere(one_turn, now=datetime(2027, 1, 2, 9, 0, tzinfo=UTC))
    assert [line.split(" : ")[0] for line in said] == ["périodes", "parts", "fonds", "lettrage", "scellement"]
    assert again == []
    assert wrong_books(database) == []
