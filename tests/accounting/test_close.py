"""Before a year is closed two people look at what is left of it: what blocks is put right, the rest accepted by both, with reasons."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from tests.accounting.office import Office, an_office
from tests.accounting.test_fiscal_years import used_in_january
from tests.accounting.year import closed, end_periods, reasons
from tests.faults.world import planted
from tests.settlement.doubt import THIRD
from tests.settlement.test_statement_pages import pages
from tests.settlement.town import APPROVER, PREPARER, wrong_books
from voucher.accounting import close_year as closing
from voucher.accounting.checks_close import CHECKS
from voucher.accounting.close_items import CloseItem
from voucher.accounting.close_year import close_year, propose_close, signed_lists, withdraw_proposal
from voucher.accounting.model import CloseCheck
from voucher.accounting.year_end import CloseLine, before_closing
from voucher.demonstration.bank import BookedLine
from voucher.funding.call import call_funds
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.close_year import note_proposal
from voucher.ledger.model import FiscalYear, RuleStart
from voucher.settlement.bank_in.import_statement import import_statement

OCTOBER = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
JANUARY = datetime(2027, 1, 6, 9, 0, tzinfo=UTC)
FEBRUARY = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)
LAST_DAY = date(2026, 12, 31)


@pytest.fixture
def office(database: Database) -> Office:
    """70 € used in October, transmitted, 30 € of them debited; 12 € received that nobody knows."""
    office = an_office(database)
    office.town.redeem(0, 3, now=OCTOBER)
    office.town.redeem(1, 4, now=OCTOBER)
    (reference, cents), _ = office.references(office.settle(OCTOBER))
    office.bank_says(
        date(2026, 10, 9),
        OCTOBER + timedelta(days=5),
        BookedLine(reference="D1", amount_cents=cents, is_credit=False, end_to_end_id=reference),
    )
    office.bank_says(
        date(2026, 10, 12), OCTOBER + timedelta(days=8), BookedLine(reference="C1", amount_cents=1_200, is_credit=True)
    )
    return office


def figures(office: Office, year: int = 2026) -> dict[CloseItem, tuple[int, int]]:
    return {line.item: line.figures for line in before_closing(office.database, year) if line.count}


def propose(office: Office, **more: object) -> None:
    accepted = reasons(office.database, 2026) | more.pop("reasons", {})  # type: ignore[operator]
    propose_close(office.database, 2026, accepted, by=PREPARER, now=FEBRUARY, **more)  # type: ignore[arg-type]


def confirm(office: Office, **more: object) -> int:
    accepted = reasons(office.database, 2026)
    return close_year(office.database, 2026, accepted, by=APPROVER, now=FEBRUARY + timedelta(days=1), **more)  # type: ignore[arg-type]


def proposal_of(office: Office) -> UUID:
    with office.database.read() as session:
        found = session.scalars(select(FiscalYear.proposal_id)).one()
    assert found is not None
    return found


def wrong_lists(session: Session) -> list[str]:
    return [f"{one.subject} : {one.detail}" for check in CHECKS for one in check(session)]


def test_the_list_says_what_is_left_of_a_year_in_figures(office: Office) -> None:
    assert figures(office) == {
        CloseItem.NO_RECENT_STATEMENT: (1, 0),
        CloseItem.LINES_TO_IDENTIFY: (1, 1_200),
        CloseItem.USES_NOT_CALLED: (2, 7_000),
        CloseItem.IN_TRANSIT: (1, 4_000),
    }
    office.bank_says(LAST_DAY, JANUARY)
    call_funds(
        office.database, new_id(), office.town.agreement_id, office.town.agreed.funder_ids[0], by=PREPARER, now=JANUARY
    )
    left = figures(office)
    assert CloseItem.NO_RECENT_STATEMENT not in left
    assert left[CloseItem.USES_NOT_CALLED] == (1, 3_500)
    used_in_january(office.town)
    assert figures(office) == left, "what is of the next year is not left of this one"
    assert figures(office, 2027)[CloseItem.OPEN_PERIODS] == (1, 4_000)


def test_an_open_period_blocks_until_it_is_closed(office: Office) -> None:
    office.town.redeem(0, 5, now=datetime(2026, 12, 14, 9, tzinfo=UTC))
    assert figures(office)[CloseItem.OPEN_PERIODS] == (1, 5_000)
    with pytest.raises(Refused, match=r"year_blocked.*Arrêtez-les"):
        propose(office, reasons={CloseItem.OPEN_PERIODS: "Je l’accepte."})
    end_periods(office.database, JANUARY)
    propose(office)
    confirm(office)
    assert wrong_books(office.database) == []


def test_a_missing_statement_blocks_and_an_early_one_of_another_year_does_not(office: Office) -> None:
    office.balance_cents += 500  # a statement that nobody has told of this
    office.bank_says(date(2027, 1, 4), JANUARY)
    assert figures(office)[CloseItem.STATEMENT_GAPS] == (1, 0), "it stands astride the end of the year"
    (line,) = [one for one in before_closing(office.database, 2026) if one.item is CloseItem.STATEMENT_GAPS]
    assert "entre le relevé du 12\xa0octobre\xa02026 et celui du 4\xa0janvier\xa02027" in line.rows[0].label
    with pytest.raises(Refused, match=r"year_blocked.*importez-les"):
        propose(office, reasons={CloseItem.STATEMENT_GAPS: "Je l’accepte."})
    missing = office.balance_cents
    office.balance_cents -= 500
    office.bank_says(
        date(2026, 11, 3), JANUARY + timedelta(hours=1), BookedLine(reference="C2", amount_cents=500, is_credit=True)
    )
    assert CloseItem.STATEMENT_GAPS not in figures(office)
    assert office.balance_cents == missing
    office.balance_cents += 9
    office.bank_says(date(2027, 1, 6), JANUARY + timedelta(hours=2))
    assert CloseItem.STATEMENT_GAPS not in figures(office), "a gap of January is not of this year"
    assert CloseItem.STATEMENT_GAPS in figures(office, 2027)


def test_a_missing_page_blocks_as_a_missing_statement_does(database: Database) -> None:
    office = an_office(database)
    first, *others = pages(office.iban)
    november = datetime(2026, 11, 24, 9, tzinfo=UTC)
    import_statement(database, "page-1.xml", first, by=PREPARER, now=november)
    (line,) = [one for one in before_closing(database, 2026) if one.item is CloseItem.STATEMENT_GAPS]
    assert ["page 2 du relevé R1" in row.label for row in line.rows] == [True]
    for rank, content in enumerate(others):
        import_statement(database, f"page-{rank}.xml", content, by=PREPARER, now=november)
    assert CloseItem.STATEMENT_GAPS not in figures(office)


def test_both_people_accept_what_is_left_each_with_a_reason(office: Office) -> None:
    with pytest.raises(Refused, match="missing") as without:
        propose(office, reasons={CloseItem.IN_TRANSIT: " "})
    assert without.value.field == "reason_in_transit"
    propose(office)
    with pytest.raises(Refused, match="missing"):
        close_year(office.database, 2026, {}, by=APPROVER, now=FEBRUARY)
    with pytest.raises(Refused, match="same_person"):
        close_year(office.database, 2026, reasons(office.database, 2026), by=PREPARER, now=FEBRUARY)
    assert confirm(office) > 0
    signed = signed_lists(office.database, proposal_of(office))
    assert [one.said_by for one in signed] == [PREPARER, APPROVER] * len(CloseItem)
    assert all(bool(one.reason) == (one.count > 0) for one in signed)
    assert {one.item: (one.count, one.cents) for one in signed if one.count} == figures(office)
    assert wrong_books(office.database) == []


def test_figures_that_changed_since_they_were_seen_are_read_again(office: Office) -> None:
    seen = {line.item: line.figures for line in before_closing(office.database, 2026)}
    office.bank_says(date(2026, 12, 30), JANUARY, BookedLine(reference="C3", amount_cents=300, is_credit=True))
    with pytest.raises(Refused, match="figures_changed"):
        propose(office, seen=seen)
    propose(office)
    office.bank_says(
        LAST_DAY, JANUARY + timedelta(hours=1), BookedLine(reference="C4", amount_cents=70, is_credit=True)
    )
    with pytest.raises(Refused, match="list_changed"):
        confirm(office)
    withdraw_proposal(office.database, 2026, by=APPROVER, now=FEBRUARY)
    propose_close(office.database, 2026, reasons(office.database, 2026), by=PREPARER, now=FEBRUARY + timedelta(hours=1))
    confirm(office)
    with office.database.read() as session:
        proposals = session.scalars(select(CloseCheck.proposal_id).distinct()).all()
    assert len(proposals) == 2, "what the first proposal said stays written"
    assert wrong_books(office.database) == []


def test_what_was_settled_since_the_proposal_needs_no_other_one(office: Office) -> None:
    propose(office)
    office.bank_says(LAST_DAY, JANUARY)
    confirm(office)
    assert wrong_books(office.database) == []


PLANTED = {
    "one person alone": (
        "DELETE FROM close_check WHERE item = 'in_transit' AND said_by = (SELECT closed_by FROM fiscal_year)",
        "sans la liste",
    ),
    "no list at all": ("DELETE FROM close_check", "sans la liste"),
    "other figures": (
        "UPDATE close_check SET found_cents = found_cents + 1 WHERE item = 'in_transit' AND said_by = (SELECT closed_by FROM fiscal_year)",
        "40,00",
    ),
    "a blank reason": ("UPDATE close_check SET reason = ' ' WHERE item = 'in_transit'", "sans raison"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_close_that_two_people_did_not_sign_is_found_unless_it_is_older_than_the_rule(
    office: Office, fault: str
) -> None:
    closed(office.database, 2026, now=FEBRUARY)
    statement, words = PLANTED[fault]
    with planted(office.database, statement) as session:
        assert any(words in one for one in wrong_lists(session))
        closed_at = session.scalars(select(FiscalYear.closed_at)).one()
        session.add(RuleStart(rule="close_checks", written_until=closed_at))
        session.flush()
        assert wrong_lists(session) == []


@pytest.mark.parametrize("change", ["UPDATE close_check SET reason = 'autre'", "DELETE FROM close_check"])
def test_what_was_signed_never_changes(office: Office, change: str) -> None:
    propose(office)
    with pytest.raises(DatabaseError), office.database.write() as session:
        session.execute(text(change))


@pytest.mark.race
def test_a_proposal_taken_back_while_another_person_confirms_it_changes_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose(office)
    first = proposal_of(office)
    accepted = reasons(office.database, 2026)
    is_looking, may_go_on = threading.Event(), threading.Event()
    looked = closing.year_end

    def look(session: Session, year: int) -> list[CloseLine]:
        if threading.current_thread() is not threading.main_thread():
            is_looking.set()
            may_go_on.wait(20)
        return looked(session, year)

    monkeypatch.setattr(closing, "year_end", look)

    def take_back_and_propose() -> None:
        withdraw_proposal(office.database, 2026, by=PREPARER, now=FEBRUARY)
        with office.database.write() as session:
            note_proposal(session, 2026, new_id(), by=THIRD, now=FEBRUARY)

    with ThreadPoolExecutor(2) as people:
        confirmed = people.submit(
            close_year, office.database, 2026, accepted, by=APPROVER, now=FEBRUARY + timedelta(days=1)
        )
        assert is_looking.wait(20)
        taken_back = people.submit(take_back_and_propose)
        wait([taken_back], timeout=1)
        may_go_on.set()
        assert confirmed.result() > 0
        with pytest.raises(Refused, match="year_closed"):
            taken_back.result()
    assert proposal_of(office) == first
    assert wrong_books(office.database) == []
