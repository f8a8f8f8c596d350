"""A cover lays vouchers of its booklet: how many may be redeemed, which are taken, and what a retry or another person hears."""

import pytest

from tests.builders import (
    NOW,
    SOMEONE,
    a_counter,
    an_agreement,
    handed_over_booklets,
    issued_booklets,
    scanned_codes,
    typed_codes,
)
from voucher.issuing.code import Kind
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.checks import CHECKS as LEDGER_CHECKS
from voucher.redemption.answers import Counter, Redeemed, UsableCover
from voucher.redemption.check_voucher import check
from voucher.redemption.checks import CHECKS
from voucher.redemption.read import services_lately
from voucher.redemption.redeem import redeem
from voucher.redemption.replayed_requests import find_answer
from voucher.redemption.rules import WRONG_CODES_BY_VOUCHER_MAX, CounterRefusal, Refusal
from voucher.redemption.tray import CoverPart
from voucher.redemption.undo import undo

WORKSHOP = "everyday_digital_tools"
ACT = {"by": SOMEONE, "now": NOW}


def covers(database: Database, booklet_number: int) -> tuple[str, str]:
    """Return what a scanner reads on a cover, and what a person types of it."""
    with database.read() as session:
        cover = stored_codes(session, booklet_number, 1)[0].cover
    return cover.to_url("http://127.0.0.1:8000"), typing_code(cover.payload.serial, cover.payload.tag, Kind.BOOKLET)


def usable(database: Database, code: str, counter: Counter) -> tuple[int, ...]:
    answer = check(database, code, counter, **ACT)
    assert isinstance(answer, UsableCover), answer
    return answer.ranks


def refusal(answer: object) -> CounterRefusal:
    assert isinstance(answer, Refusal), answer
    return answer.reason


@pytest.mark.parametrize("is_typed", [False, True])
def test_a_cover_says_which_vouchers_are_left_and_lays_those_that_are_asked(database: Database, is_typed: bool) -> None:
    issued, counter = handed_over_booklets(database), a_counter(database)
    cover = covers(database, issued.first_booklet_number)[is_typed]
    assert usable(database, cover, counter) == tuple(range(1, 11))
    codes = scanned_codes(database, issued.first_booklet_number)
    assert isinstance(redeem(database, new_id(), [codes[1]], WORKSHOP, counter, **ACT), Redeemed)
    assert usable(database, cover, counter) == (1, 3, 4, 5, 6, 7, 8, 9, 10)
    attempt = new_id()
    taken = redeem(database, attempt, [CoverPart(cover, (3, 1)), codes[3]], WORKSHOP, counter, **ACT)
    assert isinstance(taken, Redeemed)
    assert taken.serials == tuple(issued.first_serial + rank - 1 for rank in (1, 3, 4))
    assert (taken.amount_cents, taken.remaining_count) == (3000, 6)
    again = redeem(database, attempt, [codes[3], CoverPart(cover, (1, 3))], WORKSHOP, counter, **ACT)
    assert again == taken, "the order changes nothing"
    other = redeem(database, attempt, [codes[3], CoverPart(cover, (1, 5))], WORKSHOP, counter, **ACT)
    assert refusal(other) is CounterRefusal.OTHER_BODY
    assert undo(database, attempt, counter, undo_minutes=30, **ACT)
    assert usable(database, cover, counter) == (1, 3, 4, 5, 6, 7, 8, 9, 10)
    with database.read() as session:
        assert [violation for one in (*CHECKS, *LEDGER_CHECKS) for violation in one(session)] == []


def test_a_cover_whose_vouchers_are_all_used_or_not_handed_over_says_so(database: Database) -> None:
    counter, agreed = a_counter(database), an_agreement(database)
    used, kept = handed_over_booklets(database, agreed=agreed), issued_booklets(database, 1, agreed=agreed)
    cover, _ = covers(database, used.first_booklet_number)
    taken = redeem(database, new_id(), [CoverPart(cover, tuple(range(1, 11)))], WORKSHOP, counter, **ACT)
    assert isinstance(taken, Redeemed)
    assert taken.remaining_count == 0
    answer = check(database, cover, counter, **ACT)
    assert isinstance(answer, Refusal)
    assert answer.sentence.startswith("Tous les chèques de ce carnet ont déjà été encaissés.")
    in_stock, _ = covers(database, kept.first_booklet_number)
    assert refusal(check(database, in_stock, counter, **ACT)) is CounterRefusal.NOT_HANDED_OVER


def test_ranks_of_no_voucher_and_a_voucher_taken_for_a_cover_lay_nothing(database: Database) -> None:
    issued, counter = handed_over_booklets(database), a_counter(database)
    cover, _ = covers(database, issued.first_booklet_number)
    voucher = scanned_codes(database, issued.first_booklet_number)[0]
    for part in (
        CoverPart(cover, (0,)),
        CoverPart(cover, (11,)),
        CoverPart(cover, (10**30,)),
        CoverPart(voucher, (1,)),
    ):
        answer = redeem(database, new_id(), [part], WORKSHOP, counter, **ACT)
        assert refusal(answer) is CounterRefusal.UNREADABLE
    assert (
        refusal(redeem(database, new_id(), [CoverPart(cover, ())], WORKSHOP, counter, **ACT)) is CounterRefusal.NO_CODE
    )
    assert usable(database, cover, counter) == tuple(range(1, 11))


def test_a_cover_that_is_guessed_is_counted_like_a_voucher_and_a_right_one_waits_too(database: Database) -> None:
    issued, counter = handed_over_booklets(database), a_counter(database)
    _, right = covers(database, issued.first_booklet_number)
    for tag in range(WRONG_CODES_BY_VOUCHER_MAX):
        wrong = typing_code(issued.first_serial, tag, Kind.BOOKLET)
        answer = (
            check(database, wrong, counter, **ACT)
            if tag % 2
            else redeem(database, new_id(), [CoverPart(wrong, (1,))], WORKSHOP, counter, **ACT)
        )
        assert refusal(answer) is CounterRefusal.WRONG_CODE
    assert refusal(check(database, right, counter, **ACT)) is CounterRefusal.VOUCHER_LOCKED
    locked = redeem(database, new_id(), [CoverPart(right, (1,))], WORKSHOP, counter, **ACT)
    assert refusal(locked) is CounterRefusal.VOUCHER_LOCKED


def test_what_an_attempt_was_answered_is_found_by_its_place_alone(database: Database) -> None:
    issued, counter, elsewhere = handed_over_booklets(database), a_counter(database), a_counter(database)
    sister = a_counter(database, structure_id=counter.structure_id)
    codes = scanned_codes(database, issued.first_booklet_number)
    done, no = new_id(), new_id()
    taken = redeem(database, done, codes[:1], WORKSHOP, counter, **ACT)
    told = redeem(database, no, codes[:1], WORKSHOP, counter, **ACT)
    assert (find_answer(database, done, counter), find_answer(database, no, counter)) == (taken, told)
    assert find_answer(database, new_id(), counter) is None
    for stranger in (elsewhere, sister, Counter(counter.place_id, elsewhere.structure_id)):
        assert find_answer(database, done, stranger) is None
        assert find_answer(database, no, stranger) is None


def test_a_place_offers_what_it_usually_renders_then_the_last_two_others(database: Database) -> None:
    issued, counter = handed_over_booklets(database), a_counter(database)
    assert services_lately(database, counter) == ()
    rendered = ["safe_digital_use", WORKSHOP, WORKSHOP, "leisure_and_creation", "digital_employability"]
    for code, service in zip(typed_codes(database, issued.first_booklet_number), rendered, strict=False):
        assert isinstance(redeem(database, new_id(), [code], service, counter, **ACT), Redeemed)
    assert services_lately(database, counter)[0] == WORKSHOP
    assert set(services_lately(database, counter)[1:]) == {"digital_employability", "leisure_and_creation"}
    assert services_lately(database, a_counter(database)) == ()


def test_digits_typed_without_the_key_of_capitals_count_as_guesses(database: Database) -> None:
    """What is read as a typing code is limited as one, however it was typed."""
    issued, counter = handed_over_booklets(database), a_counter(database)
    signs = str.maketrans("1234567890", "&é\"'(-è_çà")
    right = typed_codes(database, issued.first_booklet_number)[0].lower().translate(signs)
    for tag in range(WRONG_CODES_BY_VOUCHER_MAX):
        wrong = typing_code(issued.first_serial, tag).lower().translate(signs)
        assert refusal(check(database, wrong, counter, **ACT)) is CounterRefusal.WRONG_CODE
    assert refusal(check(database, right, counter, **ACT)) is CounterRefusal.VOUCHER_LOCKED
