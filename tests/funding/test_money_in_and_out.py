"""Money of funders: received in parts or too much, undone, and the final balance that gives back what an advance left."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pypdf
import pytest
from sqlalchemy import select

from tests.builders import SOMEONE
from tests.funding.money import PERSON, a_funded_town, balance, booked, received, settled, wrong_funds
from tests.reporting.life import export_period
from tests.settlement.town import NOW, Town
from voucher.distribution.lapse import lapse
from voucher.funding.accounts import take_funding_turn
from voucher.funding.backing import backings
from voucher.funding.call import call_advance, call_funds
from voucher.funding.close import ClosePreview, close_funding, close_preview
from voucher.funding.documents import keep_balance_document
from voucher.funding.model import CallState, FundingClose, FundsCall
from voucher.funding.receive import receive_funds, refund_advance, undo_receipt, undo_refund
from voucher.funding.return_advance import return_advance, undo_return
from voucher.funding.statement import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import EventType
from voucher.ledger.model import Entry

OVER = datetime(2027, 3, 10, 9, 0, tzinfo=UTC)


def called(town: Town, rank: int = 0, *, now: datetime = NOW) -> FundsCall:
    done = call_funds(town.database, new_id(), town.agreement_id, town.agreed.funder_ids[rank], by=PERSON, now=now)
    return stored(town, done.call_id)


def stored(town: Town, call_id: object) -> FundsCall:
    return detached(town, FundsCall, call_id)


def detached(town: Town, table: type, row_id: object):
    with town.database.read() as session:
        row = session.get_one(table, row_id)
        session.expunge(row)
        return row


def test_a_call_is_paid_in_parts(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    call = called(town)
    received(town, call.id, 2_000)
    assert (stored(town, call.id).state, balance(town, "4431")) == (CallState.PARTLY_PAID, 3_000)
    received(town, call.id, 3_000)
    assert (stored(town, call.id).state, balance(town, "4431")) == (CallState.PAID, 0)
    assert wrong_funds(database) == []


def test_what_is_received_beyond_a_call_waits_to_be_identified(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    call, line, match_id = called(town), booked(town, 9_000), new_id()
    for _ in range(2):
        with database.write() as session:
            assert receive_funds(session, match_id, call.id, line, by=PERSON, now=NOW) == 5_000
    with pytest.raises(Refused, match="nothing_due"), database.write() as session:
        receive_funds(session, new_id(), call.id, line, by=PERSON, now=NOW)
    with pytest.raises(Refused, match="same_id_other_content"), database.write() as session:
        receive_funds(session, match_id, new_id(), line, by=PERSON, now=NOW)
    assert stored(town, call.id).received_cents == 5_000
    assert wrong_funds(database) == []


def test_a_receipt_that_is_undone_makes_the_call_due_again(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    call = called(town)
    match_id = received(town, call.id, 5_000)
    for _ in range(2):
        with database.write() as session:
            undo_receipt(session, match_id, by=PERSON, now=NOW)
    assert (stored(town, call.id).state, balance(town, "4431")) == (CallState.CALLED, 5_000)
    received(town, call.id, 5_000)
    assert stored(town, call.id).state == CallState.PAID
    assert wrong_funds(database) == []


def test_money_on_another_account_or_of_another_issuer_pays_no_call(database: Database) -> None:
    town, other = a_funded_town(database), a_funded_town(database)
    town.redeem()
    call, line = called(town), booked(other, 5_000)
    with pytest.raises(Refused, match="other_account"), database.write() as session:
        receive_funds(session, new_id(), call.id, line, by=PERSON, now=NOW)
    mine = booked(town, 5_000)
    with pytest.raises(Refused, match="agreement_unknown"), database.write() as session:
        receive_funds(session, new_id(), call.id, mine, by=PERSON, now=NOW, issuer_id=new_id())


def close(town: Town, rank: int = 0, *, now: datetime = OVER, close_id: object = None, **seen: object) -> FundingClose:
    done = close_funding(
        town.database,
        close_id or new_id(),
        town.agreement_id,
        town.agreed.funder_ids[rank],
        by=PERSON,
        now=now,
        **seen,  # type: ignore[arg-type]
    )
    return detached(town, FundingClose, done.close_id)


def test_an_agreement_is_closed_only_when_everything_is_over(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=6)
    with pytest.raises(Refused, match="agreement_not_over"):
        close(town, now=NOW)
    with pytest.raises(Refused, match=r"agreement_not_settled.*circulation"):
        close(town)
    lapse(database, by=SOMEONE, now=OVER)
    with pytest.raises(Refused, match=r"agreement_not_settled.*règlement"):
        close(town)


def over(database: Database) -> Town:
    """Return a town whose agreement is over: 30 € of each of two funders were used, and the structure is paid."""
    town = a_funded_town(database)
    town.redeem(voucher_count=6)
    return town


def test_what_remains_of_an_advance_is_given_back(database: Database) -> None:
    town = over(database)
    advance = call_advance(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], 10_000, by=PERSON, now=NOW)
    received(town, advance.call_id, 10_000)
    settled(town, OVER)
    close_id = new_id()
    done = close(town, close_id=close_id)
    assert close(town, close_id=close_id).id == done.id
    assert (done.used_cents, done.received_cents, done.due_cents, done.refund_cents) == (3_000, 10_000, 0, 7_000)
    with pytest.raises(Refused, match="funding_closed"):
        called(town)
    with pytest.raises(Refused, match="funding_closed"):
        close(town)
    line, match_id = booked(town, 8_000, is_credit=False, now=OVER), new_id()
    later = OVER + timedelta(days=9)
    for _ in range(2):
        with database.write() as session:
            assert refund_advance(session, match_id, close_id, line, by=PERSON, now=later) == 7_000
    assert balance(town, "4432") == 0
    with database.write() as session:
        undo_refund(session, match_id, by=PERSON, now=later)
    assert balance(town, "4432") == -7_000
    with database.read() as session:
        days = session.execute(select(Entry.event_type, Entry.effective_on).where(Entry.event_id == match_id)).all()
    assert {tuple(row) for row in days} == {
        (EventType.ADVANCE_REFUNDED, OVER.date()),
        (EventType.MATCH_UNDONE, OVER.date()),
    }
    assert wrong_funds(database) == []


def test_a_bank_line_of_a_funder_waits_for_who_draws_up_its_final_balance(database: Database) -> None:
    town = over(database)
    funder_id = town.agreed.funder_ids[0]
    call_id = call_advance(database, new_id(), town.agreement_id, funder_id, 8_000, by=PERSON, now=NOW).call_id
    first, second = received(town, call_id, 3_000), received(town, call_id, 5_000)
    settled(town, OVER)
    close_id, refund_id = close(town).id, new_id()
    credit, debit = booked(town, 3_000, now=OVER), booked(town, 5_000, is_credit=False, now=OVER)
    with database.write() as session:
        undo_receipt(session, first, by=PERSON, now=OVER)
        refund_advance(session, refund_id, close_id, debit, by=PERSON, now=OVER, part_cents=2_000)
    done: list[str] = []

    def act(name: str, verb: Callable[..., object], *command: object, **part: int) -> None:
        with database.write() as session:
            verb(session, *command, by=PERSON, now=OVER, **part)
        done.append(name)

    threads = [
        threading.Thread(target=act, args=("received", receive_funds, new_id(), call_id, credit)),
        threading.Thread(target=act, args=("receipt undone", undo_receipt, second)),
        threading.Thread(
            target=act,
            args=("given back", refund_advance, new_id(), close_id, debit),
            kwargs={"part_cents": 1_000},
        ),
        threading.Thread(target=act, args=("undone", undo_refund, refund_id)),
    ]
    with database.write() as session:
        take_funding_turn(session, town.agreement_id, funder_id)
        for thread in threads:
            thread.start()
        threads[0].join(0.5)
        assert done == [], "a final balance that is being drawn up reads what they change"
    for thread in threads:
        thread.join()
    assert sorted(done) == ["given back", "receipt undone", "received", "undone"]
    assert (balance(town, "4431"), balance(town, "4432")) == (5_000, -4_000)
    assert wrong_funds(database) == []


def test_what_was_given_back_before_the_final_balance_is_counted_and_said_by_it(database: Database) -> None:
    town = over(database)
    funder_id = town.agreed.funder_ids[0]
    advance = call_advance(database, new_id(), town.agreement_id, funder_id, 10_000, by=PERSON, now=NOW)
    received(town, advance.call_id, 10_000)
    line, undone_id, match_id = booked(town, 4_000, is_credit=False), new_id(), new_id()
    for each_id in (undone_id, match_id):
        with database.write() as session:
            return_advance(session, each_id, town.agreement_id, funder_id, line, 4_000, by=PERSON, now=NOW)
        found = statement(database, town.agreement_id, funder_id, today=NOW.date())
        assert found is not None
        assert dict(found.figures)["Avance rendue avant le décompte"] == 4_000
        assert (found.received_cents - found.returned_cents, found.advance_cents) == (6_000, 6_000)
        if each_id == undone_id:
            with database.write() as session:
                undo_return(session, each_id, by=PERSON, now=NOW)
    settled(town, OVER)
    done = close(town)
    assert (done.used_cents, done.received_cents, done.due_cents, done.refund_cents) == (3_000, 6_000, 0, 3_000)
    document = keep_balance_document(database, done.id, now=OVER)
    said = " ".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(document.content)).pages)
    assert "40,00\u00a0€ d’avance déjà rendus déduits" in said.replace("\n", " ")
    with pytest.raises(Refused, match="match_rested_on"), database.write() as session:
        undo_return(session, match_id, by=PERSON, now=OVER)
    with pytest.raises(Refused, match="nothing_to_refund"), database.write() as session:
        return_advance(session, new_id(), town.agreement_id, funder_id, line, 1, by=PERSON, now=OVER)
    assert balance(town, "4432") == -3_000
    assert wrong_funds(database) == []


def test_without_an_advance_the_final_balance_calls_the_rest(database: Database) -> None:
    town = over(database)
    settled(town, OVER)
    done = close(town)
    assert (done.used_cents, done.received_cents, done.due_cents, done.refund_cents) == (3_000, 0, 3_000, 0)
    assert done.last_call_id is not None
    received(town, done.last_call_id, 3_000, now=OVER + timedelta(days=5))
    assert balance(town, "4431") == 0
    kept = keep_balance_document(database, done.id, now=OVER)
    assert kept.content.startswith(b"%PDF")
    assert keep_balance_document(database, done.id, now=OVER + timedelta(days=1)) == kept
    assert wrong_funds(database) == []


def test_an_advance_that_is_still_awaited_cannot_be_left_over(database: Database) -> None:
    town = over(database)
    call_advance(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], 10_000, by=PERSON, now=NOW)
    settled(town, OVER)
    with pytest.raises(Refused, match="advance_awaited"):
        close(town)


def seen(town: Town, rank: int = 0) -> ClosePreview:
    return close_preview(town.database, town.agreement_id, town.agreed.funder_ids[rank])


@pytest.mark.parametrize("advance_cents", [0, 2_000, 10_000])
def test_what_a_final_balance_will_say_is_what_it_says(database: Database, advance_cents: int) -> None:
    town = over(database)
    if advance_cents:
        funder_id = town.agreed.funder_ids[0]
        asked = call_advance(database, new_id(), town.agreement_id, funder_id, advance_cents, by=PERSON, now=NOW)
        received(town, asked.call_id, advance_cents)
    before = seen(town)
    assert (before.circulation_cents, before.waiting_cents, before.is_blocked) == (4_000, 6_000, True)
    settled(town, OVER)
    said = seen(town)
    assert (said.is_blocked, said.last_call_cents, said.waiting_cents) == (False, 3_000, 0)
    with pytest.raises(Refused, match=r"figure_changed.*Les montants ont changé"):
        close(town, seen_cents=(said.due_cents + 1, said.refund_cents))
    done = close(town, seen_cents=(said.due_cents, said.refund_cents))
    assert (done.due_cents, done.refund_cents) == (said.due_cents, said.refund_cents)
    assert done.due_cents == max(3_000 - advance_cents, 0)
    assert wrong_funds(database) == []


def test_structures_that_nobody_can_pay_keep_their_money_and_do_not_block_a_balance_for_ever(
    database: Database,
) -> None:
    town = over(database)
    funder_id = town.agreed.funder_ids[0]
    asked = call_advance(database, new_id(), town.agreement_id, funder_id, 10_000, by=PERSON, now=NOW)
    received(town, asked.call_id, 10_000)
    lapse(database, by=SOMEONE, now=OVER)
    said = seen(town)
    assert (said.waiting_cents, said.refund_cents, said.is_blocked) == (6_000, 7_000, False)
    for kept_cents in (0, 5_999):
        with pytest.raises(Refused, match=r"agreement_not_settled.*gardez leur argent de côté"):
            close(town, kept_cents=kept_cents)
    done = close(town, kept_cents=6_000)
    assert (done.kept_cents, done.refund_cents) == (6_000, 7_000)
    with database.read() as session:
        owed = backings(session, on=OVER.date())[town.agreement_id]
    assert (owed.payable_cents, owed.held_cents) == (6_000, 10_000), "nothing moved: 3 000 of it are this funder's part"
    assert keep_balance_document(database, done.id, now=OVER).content.startswith(b"%PDF")
    assert wrong_funds(database) == []
    settled(town, OVER + timedelta(days=400))
    assert wrong_funds(database) == []


def test_a_payment_under_way_keeps_a_balance_from_being_drawn_up(database: Database) -> None:
    town = over(database)
    export_period(town, now=OVER)
    lapse(database, by=SOMEONE, now=OVER)
    assert (seen(town).under_way_cents, seen(town).is_blocked) == (6_000, True)
    with pytest.raises(Refused, match=r"agreement_not_settled.*en route"):
        close(town, kept_cents=6_000)
