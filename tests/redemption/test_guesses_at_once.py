"""Codes guessed all at once, over several processes: no more are looked at than may be, and the programme hears of it."""

import json
from collections import Counter as Tally
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.builders import NOW, a_counter, handed_over_booklets, typed_codes
from tests.clients import app_for, csrf_token, settings_for, signed_in_client
from tests.redemption.test_refusals import wrong
from voucher.access.rules import Role
from voucher.issuing.doors import Door
from voucher.issuing.typing_code import typing_code
from voucher.issuing.wrong_code_alarm import alarms, count_wrong_code, watch_wrong_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.tries import Limit, TryCount, forget_ended
from voucher.redemption.answers import Counter
from voucher.redemption.check_voucher import check
from voucher.redemption.guessing_places import GuessingPlace, guessing_places
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import WRONG_CODES_BY_MEDIATOR_MAX, WRONG_CODES_BY_VOUCHER_MAX, Refusal

AT_ONCE = 64
PROCESSES = 4
TRIES = Limit("test", count_max=10, window=timedelta(minutes=10))


def guess_codes(url: str, guesses: list[tuple[str, UUID]], counter: Counter) -> list[str]:
    """Try these (code, mediator) at once, by testing and by redeeming in turn; return what each was told."""
    database = Database(url, pool_size=8)

    def told(rank: int) -> str:
        code, mediator = guesses[rank]
        if rank % 2:
            answer: Any = check(database, code, counter, by=mediator, now=NOW)
        else:
            answer = redeem(database, new_id(), [code], "everyday_digital_tools", counter, by=mediator, now=NOW)
        return str(answer.reason) if isinstance(answer, Refusal) else "done"

    with ThreadPoolExecutor(len(guesses)) as pool:
        found = list(pool.map(told, range(len(guesses))))
    database.dispose()
    return found


def post_codes(url: str, codes: list[str]) -> list[int]:
    """Type these on the citizen's page at once, all from one address; return the statuses."""
    database = Database(url, pool_size=8)
    app = app_for(database, NOW)
    with ThreadPoolExecutor(len(codes)) as pool:
        found = list(pool.map(lambda code: app.test_client().post("/cheque", data={"code": code}).status_code, codes))
    database.dispose()
    return found


def take_tries(url: str, count: int) -> list[bool]:
    """Take tries of one key at once."""
    database = Database(url, pool_size=8)
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(lambda _: TRIES.take(database, "one", NOW), range(count)))
    database.dispose()
    return found


def at_once(database: Database, act: Any, shares: list[Any], *more: Any) -> Tally[Any]:
    """Do an act in four processes at once (on SQLite, which has one, in one); tally what was told."""
    if not database.is_postgresql:
        shares = [sum(shares, shares[0][:0])] if isinstance(shares[0], list) else [sum(shares)]
    with ProcessPoolExecutor(len(shares), mp_context=get_context("forkserver")) as pool:
        running = [pool.submit(act, database.url, share, *more) for share in shares]
        return Tally(told for one in running for told in one.result())


def in_shares(guesses: list[Any]) -> list[list[Any]]:
    return [guesses[rank::PROCESSES] for rank in range(PROCESSES)]


@pytest.mark.race
def test_of_64_wrong_codes_that_one_mediator_sends_at_once_ten_are_looked_at(database: Database) -> None:
    counter, mediator = a_counter(database), new_id()
    guesses = [(typing_code(1_000_000 + rank, rank), mediator) for rank in range(AT_ONCE)]
    told = at_once(database, guess_codes, in_shares(guesses), counter)
    assert told == {"wrong_code": WRONG_CODES_BY_MEDIATOR_MAX, "typing_locked": AT_ONCE - WRONG_CODES_BY_MEDIATOR_MAX}


@pytest.mark.race
def test_of_64_wrong_codes_sent_at_once_for_one_voucher_five_are_looked_at(database: Database) -> None:
    counter = a_counter(database)
    right = typed_codes(database, handed_over_booklets(database).first_booklet_number)[0]
    told = at_once(database, guess_codes, in_shares([(wrong(right), new_id()) for _ in range(AT_ONCE)]), counter)
    assert told == {"wrong_code": WRONG_CODES_BY_VOUCHER_MAX, "voucher_locked": AT_ONCE - WRONG_CODES_BY_VOUCHER_MAX}


@pytest.mark.race
def test_good_codes_typed_at_once_are_all_taken(database: Database) -> None:
    counter, mediator = a_counter(database), new_id()
    first = handed_over_booklets(database, 2).first_booklet_number
    codes = typed_codes(database, first) + typed_codes(database, first + 1)
    assert at_once(database, guess_codes, in_shares([(code, mediator) for code in codes]), counter) == {"done": 20}


@pytest.mark.race
def test_of_64_wrong_codes_typed_at_once_on_the_public_page_ten_are_looked_at(database: Database) -> None:
    codes = [typing_code(1_000_000 + rank, rank) for rank in range(AT_ONCE)]
    assert at_once(database, post_codes, in_shares(codes)) == {422: 10, 429: 54}


@pytest.mark.race
def test_of_64_tries_at_once_over_four_processes_ten_pass(database: Database) -> None:
    assert at_once(database, take_tries, [16] * PROCESSES) == {True: 10, False: 54}


def test_a_try_given_back_is_no_try_and_a_window_ends(database: Database) -> None:
    for _ in range(30):
        assert TRIES.take(database, "one", NOW)
        TRIES.uncount(database, "one", NOW)
    assert [TRIES.take(database, "one", NOW) for _ in range(12)] == [True] * 10 + [False] * 2
    assert TRIES.take(database, "other", NOW)
    TRIES.uncount(database, "one", NOW)
    assert [TRIES.take(database, "one", NOW) for _ in range(2)] == [True, False]
    later = NOW + TRIES.window
    assert TRIES.take(database, "one", later)
    TRIES.uncount(database, "nobody", later)
    assert forget_ended(database, later) == 1  # the other's; this one's began anew
    assert forget_ended(database, later + TRIES.window) == 1
    with database.read() as session:
        assert session.query(TryCount).count() == 0


def test_one_voucher_is_not_guessed_at_from_many_addresses(database: Database) -> None:
    client = app_for(database, NOW).test_client()
    right = typed_codes(database, handed_over_booklets(database).first_booklet_number)[0]

    def type_in(code: str, rank: int) -> tuple[int, str]:
        answer = client.post("/cheque", data={"code": code}, environ_base={"REMOTE_ADDR": f"10.0.0.{rank}"})
        return answer.status_code, answer.text

    assert {type_in(wrong(right), rank)[0] for rank in range(20)} == {422}
    status, page = type_in(right, 99)
    assert status == 429
    assert "mal tapé trop de fois" in page
    with database.read() as session:
        counts = dict(session.execute(select(TryCount.key, TryCount.count)).all())  # type: ignore[arg-type]
    assert {count for key, count in counts.items() if "10.0.0.99" in key} == {0}  # it cost that person nothing


def test_many_wrong_codes_over_the_programme_raise_the_alarm_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(database, wrong_codes_alarm=12)
    counter = a_counter(database)
    for rank in range(11):
        check(database, typing_code(1_000_000 + rank, rank), counter, by=new_id(), now=NOW + timedelta(minutes=rank))
    assert watch_wrong_codes(database, settings, NOW) == ""
    client = app_for(database, NOW + timedelta(minutes=20)).test_client()
    client.post("/cheque", data={"code": typing_code(5, 5)})
    now = NOW + timedelta(minutes=30)
    sentence = (
        "12 codes faux tapés en une heure, depuis le 2 mars 2026 à 10 h 00 (11 au comptoir, 1 sur la page publique)"
    )
    assert watch_wrong_codes(database, settings, now).replace("\u00a0", " ") == sentence
    assert "12 wrong codes were typed in the hour from 2026-03-02T09:00" in caplog.text
    assert watch_wrong_codes(database, settings, now + timedelta(minutes=1)) == ""
    assert [(place.name[:8], place.count) for place in guessing_places(database, NOW)] == [("Comptoir", 11)]
    assert isinstance(guessing_places(database, NOW)[0], GuessingPlace)
    app = app_for(database, now, wrong_codes_alarm=12)
    page = signed_in_client(app, database, Role.PROGRAMME).get("/programme/").text.replace("\u00a0", " ")
    assert sentence in page
    assert "11 codes faux" in page
    quiet = signed_in_client(app_for(database, now), database, Role.PROGRAMME).get("/programme/").text
    assert "cherche peut-être des codes" not in quiet


def test_old_counts_are_forgotten(database: Database) -> None:
    settings = settings_for(database, wrong_codes_alarm=1)
    with database.write() as session:
        count_wrong_code(session, Door.DESK, NOW)
    assert "au guichet d’un prescripteur" in watch_wrong_codes(database, settings, NOW)
    assert len(alarms(database, count_min=1, now=NOW + timedelta(days=6))) == 1
    assert alarms(database, count_min=1, now=NOW + timedelta(days=8)) == []
    watch_wrong_codes(database, settings, NOW + timedelta(days=91))
    assert alarms(database, count_min=1, now=NOW) == []


def test_what_cannot_be_read_as_a_code_is_no_guess(database: Database) -> None:
    app = app_for(database, NOW)
    counter = a_counter(database)
    client = signed_in_client(app, database, Role.MEDIATOR, counter.structure_id)
    client.get("/comptoir/lieux")
    heads = {"X-CSRFToken": csrf_token(client.get("/comptoir/").text)}
    for _ in range(15):
        answer = client.post(
            "/comptoir/api/check", json={"place": str(counter.place_id), "code": "0G7K 3M9Q XR"}, headers=heads
        )
        assert json.loads(answer.text)["code"] == "unreadable"
        assert app.test_client().post("/cheque", data={"code": "0G7K 3M9Q XR"}).status_code == 422
    with database.read() as session:
        assert session.query(TryCount).count() == 0
