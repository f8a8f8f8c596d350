"""Encaisser: what a mediator gets, what the books say, and what a retry hears."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, func, select

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
from voucher.issuing.code import read_code
from voucher.issuing.model import Voucher
from voucher.kernel.calendar import PARIS
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import EventType
from voucher.ledger.checks import CHECKS as LEDGER_CHECKS
from voucher.ledger.model import Account, Entry, Movement
from voucher.redemption.answers import Counter, Redeemed, Usable
from voucher.redemption.check_voucher import check
from voucher.redemption.checks import CHECKS
from voucher.redemption.model import Redemption
from voucher.redemption.redeem import redeem
from voucher.redemption.rules import CounterRefusal, Refusal

WORKSHOP = "everyday_digital_tools"


def take(
    database: Database,
    codes: list[str],
    counter: Counter,
    *,
    attempt=None,
    at: datetime = NOW,
    by=SOMEONE,
    service=WORKSHOP,
) -> Redeemed | Refusal:
    return redeem(database, attempt or new_id(), codes, service, counter, by=by, now=at)


def refused(answer: object) -> CounterRefusal:
    assert isinstance(answer, Refusal), answer
    return answer.reason


def states(database: Database, codes: list[str]) -> list[str]:
    serials = [read_code(code).payload.serial for code in codes]
    with database.read() as session:
        found = session.execute(select(Voucher.serial, Voucher.state).where(Voucher.serial.in_(serials))).all()
    return [dict(found)[serial] for serial in serials]  # type: ignore[arg-type]


def count_of(database: Database, table: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def assert_clean(database: Database) -> None:
    with database.read() as session:
        assert [found for one in (*LEDGER_CHECKS, *CHECKS) for found in one(session)] == []


def test_three_vouchers_of_a_booklet_are_redeemed_in_one_act(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    answer = take(database, codes[:3], counter)
    assert isinstance(answer, Redeemed)
    assert (answer.amount_cents, answer.remaining_count, answer.redeemed_at) == (3000, 7, NOW)
    assert states(database, codes) == ["redeemed"] * 3 + ["handed_over"] * 7
    assert_clean(database)


def test_a_redemption_posts_its_entry_by_funder_to_the_cent(database: Database) -> None:
    agreed = an_agreement(database, shares=(3333, 6667), face_value_cents=1000)
    issued = handed_over_booklets(database, agreed=agreed)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    take(database, codes, counter)
    with database.read() as session:
        entry = session.execute(
            select(Entry.id, Entry.total_cents).where(Entry.event_type == EventType.VOUCHERS_REDEEMED)
        ).one()
        debit = session.execute(
            select(Account.code, Account.funder_id, Movement.amount_cents)
            .join(Account, Account.id == Movement.debit_account_id)
            .where(Movement.entry_id == entry.id)
            .order_by(Movement.rank)
        ).all()
    assert entry.total_cents == 2 * 10_000
    state, department = agreed.funder_ids
    assert [tuple(row) for row in debit] == [
        ("8050", state, 3333), ("8050", department, 6667), ("4430", state, 3333), ("4430", department, 6667),
    ]  # fmt: skip
    assert_clean(database)


def test_a_typed_code_is_redeemed_like_a_scanned_one(database: Database) -> None:
    issued = handed_over_booklets(database)
    typed = typed_codes(database, issued.first_booklet_number)
    assert isinstance(take(database, [typed[0].lower().replace(" ", "-")], a_counter(database)), Redeemed)


def test_the_same_voucher_scanned_twice_counts_once(database: Database) -> None:
    issued = handed_over_booklets(database)
    code = scanned_codes(database, issued.first_booklet_number)[0]
    answer = take(database, [code, code, typed_codes(database, issued.first_booklet_number)[0]], a_counter(database))
    assert isinstance(answer, Redeemed)
    assert answer.amount_cents == 1000


def test_a_retry_hears_the_same_answer_and_changes_nothing(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    attempt = new_id()
    first = take(database, codes[:2], counter, attempt=attempt)
    take(database, codes[2:3], counter)  # the booklet goes on; what the receipt said does not change
    again = take(database, list(reversed(codes[:2])), counter, attempt=attempt, at=NOW + timedelta(days=700))
    assert again == first
    assert count_of(database, Redemption) == 2
    assert_clean(database)


@pytest.mark.parametrize("change", ["codes", "service", "place", "mediator"])
def test_the_same_id_with_another_body_is_refused(database: Database, change: str) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    attempt = new_id()
    take(database, codes[:1], counter, attempt=attempt)
    other = a_counter(database, structure_id=counter.structure_id)
    answer = take(
        database,
        codes[1:2] if change == "codes" else codes[:1],
        other if change == "place" else counter,
        attempt=attempt,
        by=new_id() if change == "mediator" else SOMEONE,
        service="safe_digital_use" if change == "service" else WORKSHOP,
    )
    assert refused(answer) is CounterRefusal.OTHER_BODY
    assert states(database, codes[:2]) == ["redeemed", "handed_over"]


def test_a_refused_id_stays_refused_even_once_the_reason_is_gone(database: Database) -> None:
    agreed = an_agreement(database)
    issued = issued_booklets(database, 1, agreed=agreed)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    attempt = new_id()
    first = take(database, codes[:1], counter, attempt=attempt)
    assert refused(first) is CounterRefusal.NOT_HANDED_OVER
    plant_state(database, codes[0], "handed_over")
    assert take(database, codes[:1], counter, attempt=attempt) == first
    assert states(database, codes[:1]) == ["handed_over"]
    assert refused(take(database, codes[1:2], counter, attempt=attempt)) is CounterRefusal.OTHER_BODY
    assert isinstance(take(database, codes[:1], counter), Redeemed)


def test_a_tray_is_redeemed_whole_or_not_at_all(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    take(database, codes[2:3], counter)
    answer = take(database, codes[:4], counter)
    assert isinstance(answer, Refusal)
    assert answer.reason is CounterRefusal.REDEEMED_HERE
    assert answer.sentence.startswith("Le chèque 0000\u00a00003 a déjà été encaissé le 2\u00a0mars\u00a02026")
    assert states(database, codes[:4]) == ["handed_over", "handed_over", "redeemed", "handed_over"]
    assert count_of(database, Redemption) == 1
    assert_clean(database)


def test_without_required_hand_over_stock_is_redeemed_from_its_own_account(database: Database) -> None:
    agreed = an_agreement(database, is_handover_required=False)
    issued = issued_booklets(database, 1, agreed=agreed)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    answer = take(database, codes[:2], counter)
    assert isinstance(answer, Redeemed)
    assert answer.remaining_count == 8
    with database.read() as session:
        types = session.scalars(select(Entry.event_type).where(Entry.event_id == answer.id)).all()
    assert types == [EventType.VOUCHERS_REDEEMED_FROM_STOCK]
    assert_clean(database)


def test_a_voucher_is_good_until_the_last_minute_of_its_grace_in_paris(database: Database) -> None:
    issued = handed_over_booklets(database)  # grace until 31 January 2027
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    last_minute = datetime(2027, 1, 31, 23, 59, 59, tzinfo=PARIS)
    midnight = datetime(2027, 2, 1, 0, 0, 0, tzinfo=PARIS)
    assert isinstance(take(database, codes[:1], counter, at=last_minute), Redeemed)
    answer = take(database, codes[1:2], counter, at=midnight)
    assert refused(answer) is CounterRefusal.EXPIRED
    assert "31\u00a0janvier\u00a02027" in answer.sentence  # type: ignore[union-attr]
    after_presentation = datetime(2027, 3, 1, 0, 0, 0, tzinfo=PARIS)
    assert refused(take(database, codes[1:2], counter, at=after_presentation)) is CounterRefusal.LAPSED


@pytest.mark.parametrize(
    ("day", "last", "first_after"),
    [
        # Summer time begins on 28 March 2027 and ends on 31 October 2027 in Paris.
        ((2027, 3, 28), "2027-03-28T21:59:59+00:00", "2027-03-28T22:00:00+00:00"),
        ((2027, 10, 31), "2027-10-31T22:59:59+00:00", "2027-10-31T23:00:00+00:00"),
    ],
)
def test_the_day_of_a_clock_change_ends_at_midnight_in_paris(
    sqlite_database: Database, day: tuple[int, int, int], last: str, first_after: str
) -> None:
    end = datetime(*day, tzinfo=PARIS).date()
    agreed = an_agreement(sqlite_database, use_by=end, grace_until=end, present_by=end + timedelta(days=28))
    issued = handed_over_booklets(sqlite_database, agreed=agreed)
    counter, codes = a_counter(sqlite_database), scanned_codes(sqlite_database, issued.first_booklet_number)
    assert isinstance(take(sqlite_database, codes[:1], counter, at=datetime.fromisoformat(last)), Redeemed)
    late = take(sqlite_database, codes[1:2], counter, at=datetime.fromisoformat(first_after))
    assert refused(late) is CounterRefusal.EXPIRED


def test_a_forged_code_costs_no_query(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    take(database, codes[:1], counter)  # the keys are known to the process
    forged = codes[1][:-1] + ("A" if codes[1][-1] != "A" else "B")
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert refused(take(database, [forged], counter)) is CounterRefusal.FORGED
    assert refused(check(database, forged, counter, by=SOMEONE, now=NOW)) is CounterRefusal.FORGED
    assert statements == []


def test_the_happy_path_asks_nothing_before_it_acts(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    for code in codes[:2]:  # the second one finds the ledger's accounts committed, and remembers them
        take(database, [code], counter)
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2].split()[0]))
    take(database, codes[2:3], counter)
    locks = ["SELECT"] if database.is_postgresql else ["BEGIN"]
    assert statements == [*locks, "UPDATE", "INSERT", "INSERT", "INSERT", "INSERT"]


def test_checking_a_voucher_changes_nothing(database: Database) -> None:
    issued = handed_over_booklets(database)
    counter, codes = a_counter(database), scanned_codes(database, issued.first_booklet_number)
    take(database, codes[:1], counter)
    answer = check(database, codes[3], counter, by=SOMEONE, now=NOW)
    assert isinstance(answer, Usable)
    assert (answer.rank, answer.booklet_size, answer.face_value_cents, answer.remaining_count) == (4, 10, 1000, 9)
    assert refused(check(database, codes[0], counter, by=SOMEONE, now=NOW)) is CounterRefusal.REDEEMED_HERE
    assert states(database, codes[3:4]) == ["handed_over"]
    assert_clean(database)


def plant_state(database: Database, code: str, state: str) -> None:
    """Put a voucher in a state without the use case that brings it there."""
    serial = read_code(code).payload.serial
    with database.write() as session:
        session.execute(Voucher.__table__.update().where(Voucher.serial == serial).values(state=state))  # type: ignore[attr-defined]
