"""Calls for funds: exact to the cent whatever the order of uses, numbered without a gap, taken once."""

import hashlib
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.builders import SOMEONE
from tests.funding.money import PERSON, a_funded_town, balance, received, wrong_funds
from tests.listed import listed
from tests.settlement.town import NOW, Town
from voucher.funding.call import Called, call_advance, call_funds
from voucher.funding.cancel import cancel_call
from voucher.funding.documents import (
    call_pdf,
    documents_of,
    keep_call_documents,
    lines_of_call,
    parties_of,
    uses_csv,
)
from voucher.funding.model import DocumentKind, FundsCall
from voucher.funding.uses import uses_of_call, uses_to_call
from voucher.issuing.model import IssueBatch
from voucher.issuing.shares import shares_of_batch
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.kernel.share_rounding import shares_of
from voucher.network.names import names_of_structures
from voucher.redemption.undo import undo

LATER = NOW + timedelta(days=2)


def call(town: Town, rank: int = 0, **more: object) -> Called:
    act = {"by": PERSON, "now": LATER, **more}
    return call_funds(town.database, new_id(), town.agreement_id, town.agreed.funder_ids[rank], **act)  # type: ignore[arg-type]


def refusal(town: Town, rank: int = 0, **more: object) -> str:
    with pytest.raises(Refused) as said:
        call(town, rank, **more)
    return said.value.code


def test_a_call_is_what_was_used_and_not_called_yet(database: Database) -> None:
    town = a_funded_town(database, shares=(3333, 6667))
    town.redeem(voucher_count=7)
    first = call(town)
    assert (first.used_cents, first.called_cents) == (balance(town, "4431"), 2333)
    assert balance(town, "4430") == 0
    assert refusal(town) == "nothing_to_call"
    town.redeem(voucher_count=3)
    second = call(town)
    assert [one.reference.rpartition("-")[2] for one in (first, second)] == ["1", "2"]
    assert second.due_on == LATER.date() + timedelta(days=30)
    assert wrong_funds(database) == []


def test_the_same_call_sent_twice_is_one_call(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    call_id, funder_id = new_id(), town.agreed.funder_ids[0]
    once, again = (call_funds(database, call_id, town.agreement_id, funder_id, by=PERSON, now=LATER) for _ in range(2))
    assert once == again
    with pytest.raises(Refused, match="same_id_other_content"):
        call_funds(database, call_id, town.agreement_id, town.agreed.funder_ids[1], by=PERSON, now=LATER)


def test_a_figure_that_changed_since_it_was_seen_is_not_called(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    assert refusal(town, seen_cents=4_999) == "figure_changed"
    assert call(town, seen_cents=5_000).used_cents == 5_000


def test_another_issuers_agreement_does_not_exist(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    assert refusal(town, issuer_id=new_id()) == "agreement_unknown"
    with pytest.raises(Refused, match="funder_unknown"):
        call_funds(database, new_id(), town.agreement_id, new_id(), by=PERSON, now=LATER)


def test_uses_after_the_day_asked_wait_for_the_next_call(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=4)
    town.redeem(voucher_count=2, now=NOW + timedelta(days=1))
    assert call(town, until=NOW.date()).used_cents == 2_000
    assert call(town).used_cents == 1_000
    assert wrong_funds(database) == []


def test_what_was_undone_after_its_call_comes_off_the_next_one(database: Database) -> None:
    town = a_funded_town(database)
    redemption_id = town.redeem(voucher_count=2)
    call(town, now=NOW + timedelta(minutes=1))
    undo(database, redemption_id, town.counters[0], undo_minutes=30, by=SOMEONE, now=NOW + timedelta(minutes=2))
    assert balance(town, "4430") == -1_000
    assert refusal(town) == "credit_for_funder"
    town.redeem(voucher_count=5)
    assert call(town).used_cents == 1_500
    assert wrong_funds(database) == []


def test_an_advance_is_used_before_anything_is_called(database: Database) -> None:
    town = a_funded_town(database)
    asked = advance(town, 7_000, now=NOW)
    received(town, asked.call_id, 7_000)
    town.redeem()
    first = call(town)
    assert (first.used_cents, first.advance_used_cents, first.called_cents) == (5_000, 5_000, 0)
    town.redeem()
    second = call(town)
    assert (second.advance_used_cents, second.called_cents) == (2_000, 3_000)
    assert (balance(town, "4432"), balance(town, "4431")) == (0, 3_000)
    with pytest.raises(Refused, match="call_received"):
        cancel_call(database, asked.call_id, by=PERSON, now=LATER)
    assert wrong_funds(database) == []


def advance(town: Town, amount_cents: int, *, now: datetime = LATER) -> Called:
    funder_id = town.agreed.funder_ids[0]
    return call_advance(town.database, new_id(), town.agreement_id, funder_id, amount_cents, by=PERSON, now=now)


def test_an_advance_is_never_more_than_what_the_commitment_leaves_to_be_used(database: Database) -> None:
    town = a_funded_town(database, committed_cents=280_000)
    with pytest.raises(Refused, match="advance_too_high") as refused:
        advance(town, 99_999_900)
    assert "avancer 1\u202f400,00\u00a0€ au plus" in refused.value.sentence
    asked = advance(town, 100_000)
    with pytest.raises(Refused, match=r"avancer 400,00"):
        advance(town, 40_001)
    town.redeem()
    with pytest.raises(
        Refused, match=r"avancer 400,00"
    ):  # the advance pays the 50 € used: 950 € of it remain, for 1 350 €
        advance(town, 40_001)
    call(town)
    received(town, asked.call_id, 100_000)
    advance(town, 40_000)
    with pytest.raises(Refused, match=r"avancer 0,00.*Appelez ce qui est utilisé"):
        advance(town, 1)
    assert wrong_funds(database) == []


def test_uses_that_are_called_or_to_be_called_are_not_advanced(database: Database) -> None:
    town = a_funded_town(database, committed_cents=20_000)
    town.redeem()
    with pytest.raises(Refused, match=r"avancer 50,00"):
        advance(town, 5_001)
    call(town)
    advance(town, 5_000)
    assert balance(town, "4431") == 10_000, "all that the funder committed, and no more"


def test_an_advance_is_refused_after_the_last_day_of_presentation(database: Database) -> None:
    town = a_funded_town(database)
    advance(town, 1_000, now=datetime(2027, 2, 28, 12, 0, tzinfo=UTC))
    with pytest.raises(Refused, match="agreement_over") as refused:
        advance(town, 1_000, now=datetime(2027, 3, 1, 12, 0, tzinfo=UTC))
    assert "décompte final" in refused.value.sentence


def test_a_cancelled_call_gives_its_uses_back_and_keeps_its_number(database: Database) -> None:
    town = a_funded_town(database)
    asked = advance(town, 2_000, now=NOW)
    town.redeem()
    wrong = call(town)
    with pytest.raises(Refused, match="advance_used"):
        cancel_call(database, asked.call_id, by=PERSON, now=LATER)
    for _ in range(2):
        cancel_call(database, wrong.call_id, by=PERSON, now=LATER)
    assert (balance(town, "4430"), balance(town, "4431"), balance(town, "4432")) == (5_000, 2_000, -2_000)
    cancel_call(database, asked.call_id, by=PERSON, now=LATER)
    right = call(town)
    assert right.reference.endswith("-3")
    assert right.called_cents == 5_000
    received(town, right.call_id, 1)
    with pytest.raises(Refused, match="call_received"):
        cancel_call(database, right.call_id, by=PERSON, now=LATER)
    assert wrong_funds(database) == []


def test_the_list_behind_a_call_sums_up_to_it(database: Database) -> None:
    town = a_funded_town(database, shares=(3333, 6667))
    for count in (3, 1, 2):
        town.redeem(voucher_count=count)
    waiting, waiting_count = listed(
        uses_to_call(database, town.agreement_id, town.agreed.funder_ids[0], Asked(limit=2))
    )
    assert (len(waiting), waiting_count) == (2, 3)
    done = call(town)
    lines, count = listed(uses_of_call(database, done.call_id, Asked(limit=10), names_of_structures))
    assert count == 3
    assert sum(line.cents for line in lines) == done.used_cents
    assert {line.structure_id for line in lines} == {town.structure_ids[0]}
    assert all(line.structure_name.startswith("Association du Numérique") for line in lines)
    assert listed(uses_of_call(database, done.call_id, Asked(limit=10), issuer_id=new_id())) == ([], 0)


def test_a_calls_documents_are_made_once_and_kept(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=4)
    done = call(town)
    first = keep_call_documents(database, done.call_id, names_of_structures, now=LATER)
    town.redeem()
    again = keep_call_documents(database, done.call_id, now=LATER + timedelta(days=40))
    assert first == again == documents_of(database, done.call_id)
    kinds = {one.kind: one for one in first}
    assert set(kinds) == {DocumentKind.CALL_PDF, DocumentKind.USES_CSV}
    assert kinds[DocumentKind.CALL_PDF].content.startswith(b"%PDF")
    assert all(hashlib.sha256(one.content).hexdigest() == one.sha256 for one in first)
    assert ";20,00\r\n" in kinds[DocumentKind.USES_CSV].content.decode("utf-8-sig")
    assert wrong_funds(database) == []


@pytest.mark.race
def test_two_people_who_call_at_once_call_once(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem()
    outcomes: list[object] = []
    start = threading.Barrier(4)

    def one() -> None:
        start.wait()
        try:
            outcomes.append(call(town).used_cents)
        except Refused as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["5000", *["nothing_to_call"] * 3]
    assert wrong_funds(database) == []


@settings(max_examples=5)
@given(
    shares=st.sampled_from([(3333, 6667), (3333, 3333, 3334), (10, 9990), (2517, 2483, 5000)]),
    counts=st.lists(st.integers(1, 10), min_size=1, max_size=5),
    calls=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_calls_sum_up_to_each_funders_part_of_what_was_used_in_any_order(
    open_database, shares: tuple[int, ...], counts: list[int], calls: list[bool]
) -> None:
    with open_database("sqlite") as database:
        town = a_funded_town(database, shares=shares)
        called = dict.fromkeys(range(len(shares)), 0)
        for count, is_called in zip(counts, calls, strict=False):
            town.redeem(voucher_count=count)
            if is_called:
                for rank in called:
                    called[rank] += _called_or_nothing(town, rank)
        for rank in called:
            called[rank] += _called_or_nothing(town, rank)
        # Each booklet is an order of ten vouchers: a voucher's parts are fixed by its rank in the order.
        parts = _parts_used(town, shares, counts)
        assert list(called.values()) == parts
        assert sum(called.values()) == 1_000 * sum(counts)
        assert wrong_funds(database) == []


def _called_or_nothing(town: Town, rank: int) -> int:
    try:
        return call(town, rank).used_cents
    except Refused as refused:
        return 0 if refused.code == "nothing_to_call" else -1


def _parts_used(town: Town, shares: tuple[int, ...], counts: list[int]) -> list[int]:
    """Sum up the parts of the vouchers used, from what each order fixed for each funder."""
    totals = [0] * len(shares)
    with town.database.read() as session:
        batches = session.scalars(select(IssueBatch).order_by(IssueBatch.first_serial)).all()
        for batch, count in zip(batches, counts, strict=True):
            fixed = shares_of_batch(session, batch.id)
            assert sum(fixed.amounts_cents) == 10_000
            for rank, cents in enumerate(fixed.amounts_of(range(count)).values()):
                totals[rank] += cents
        issued = [
            sum(shares_of_batch(session, batch.id).amounts_cents[rank] for batch in batches)
            for rank in range(len(shares))
        ]
    assert issued == list(shares_of(1_000, shares, 0, 10 * len(counts)))
    return totals


def test_documents_that_a_crash_kept_from_being_made_are_made_when_they_are_asked_for(database: Database) -> None:
    town = a_funded_town(database)
    town.redeem(voucher_count=4)
    done = call(town)
    assert documents_of(database, done.call_id) == []
    with pytest.raises(RuntimeError):
        keep_call_documents(database, done.call_id, _crash, now=LATER)
    assert documents_of(database, done.call_id) == []
    much_later = LATER + timedelta(days=9)
    kept = keep_call_documents(database, done.call_id, names_of_structures, now=much_later)
    with database.read() as session:
        stored = session.get_one(FundsCall, done.call_id)
        parties, lines = parties_of(session, stored), lines_of_call(session, stored, names_of_structures)
        assert [one.content for one in kept] == [call_pdf(stored, parties, lines), uses_csv(stored.reference, lines)]


def _crash(*_: object) -> dict:
    raise RuntimeError
