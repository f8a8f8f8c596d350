"""Recovery codes: ten, each good once, found by none who has not the sheet."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.at_once import at_once, refusals_in
from tests.clients import a_person
from tests.factors import add_totp, code_at, password_shown, viewer_of
from tests.factors import strong as strong_session
from voucher.access import passwords
from voucher.access.factors import recovery
from voucher.access.factors.held import factors_of
from voucher.access.factors.recovery import CODE_COUNT, new_codes, show_recovery_code
from voucher.access.factors.totp import remove_totp
from voucher.access.model import RecoveryCode
from voucher.access.open_sessions import end_sessions_of
from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.access.tries import TOO_MANY
from voucher.kernel.base32 import ALPHABET
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, 10, tzinfo=UTC)
NEXT = NOW + timedelta(minutes=5)


@pytest.fixture
def who(database: Database) -> Viewer:
    """A person with an application of codes, signed in with it."""
    lea = a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    return strong_session(database, lea, add_totp(database, lea, NOW), NEXT)


def show(database: Database, who: Viewer, typed: str, now: datetime = NEXT) -> int:
    """Show a recovery code after the password; return how many are left."""
    token = password_shown(database, who.account_id, now)
    opened, left = show_recovery_code(database, who.account_id, token, typed, now=now)
    assert viewer_of(database, opened, now).is_strong
    return left


def left(database: Database, account_id: UUID) -> int:
    return factors_of(database, account_id).codes_left


def test_each_of_ten_codes_opens_once(database: Database, who: Viewer) -> None:
    codes = new_codes(database, who, now=NEXT)
    assert len(set(codes)) == CODE_COUNT
    assert all(len(code) == 12 and set(code) <= set(ALPHABET) for code in codes)
    for rank, code in enumerate(codes, start=1):
        assert show(database, who, code) == CODE_COUNT - rank
    for code in codes[:2]:
        with pytest.raises(Refused, match="wrong_code"):
            show(database, who, code)
    with database.read() as session:
        told = list(
            session.scalars(select(OutboxMessage.body).where(OutboxMessage.subject == "un code de secours a servi"))
        )
    assert len(told) == CODE_COUNT
    assert "Il vous en reste 9." in told[0]
    assert not any(code in text for code in codes for text in told)


def test_a_session_that_has_been_ended_makes_no_codes(database: Database, who: Viewer) -> None:
    """Whoever took it asked for them, and its person closed it while they were made."""
    codes = new_codes(database, who, now=NEXT)
    end_sessions_of(database, who.account_id, by=who.account_id, now=NEXT)
    with pytest.raises(Refused, match="signed_out"):
        new_codes(database, who, now=NEXT)
    assert show(database, who, codes[0]) == CODE_COUNT - 1


def test_a_code_is_typed_as_people_type(database: Database, who: Viewer) -> None:
    for way in (
        str.lower,
        lambda code: f" {code[:4]}-{code[4:8]} {code[8:]} ",
        lambda code: code.replace("0", "O").replace("1", "l"),
    ):
        code = new_codes(database, who, now=NEXT)[0]
        assert show(database, who, way(code)) == CODE_COUNT - 1


@pytest.mark.parametrize("typed", ["", "7KQ4", "7KQ4 M2XW 9TBD 7", "123456"])
def test_what_is_no_recovery_code_says_so_and_is_not_counted(database: Database, who: Viewer, typed: str) -> None:
    codes = new_codes(database, who, now=NEXT)
    for _ in range(6):
        with pytest.raises(Refused, match="not_a_code"):
            show(database, who, typed)
    assert show(database, who, codes[0]) == CODE_COUNT - 1


def test_new_codes_end_those_before(database: Database, who: Viewer) -> None:
    before, after = new_codes(database, who, now=NEXT), new_codes(database, who, now=NEXT)
    assert left(database, who.account_id) == CODE_COUNT
    with pytest.raises(Refused, match="wrong_code"):
        show(database, who, before[0])
    assert show(database, who, after[0]) == CODE_COUNT - 1


def test_codes_tried_in_a_loop_are_not_looked_at_any_more(
    database: Database, who: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = new_codes(database, who, now=NEXT)
    hashed: list[str] = []

    def is_password(stored: str | None, password: str) -> bool:
        hashed.append(password)
        return passwords.is_password(stored, password)

    monkeypatch.setattr(recovery, "is_password", is_password)
    said = []
    for number in range(40):
        try:
            show(database, who, f"{number:012d}")
        except Refused as refused:
            said.append(refused.code)
    assert said == ["wrong_code"] * 2 + [TOO_MANY] * 38
    # One hash each, whether or not a code begins so; none once there were too many.
    assert len(hashed) == 2
    with pytest.raises(Refused, match=TOO_MANY):
        show(database, who, codes[0])
    assert show(database, who, codes[0], NEXT + timedelta(seconds=1)) == CODE_COUNT - 1


def test_a_code_that_begins_right_is_wrong_in_the_same_words_after_one_hash(database: Database, who: Viewer) -> None:
    code = new_codes(database, who, now=NEXT)[0]
    said = []
    for typed in (code[:4] + "00000000", "ZZZZ" + code[4:]):
        with pytest.raises(Refused, match="wrong_code") as refused:
            show(database, who, typed)
        said.append(refused.value.sentence)
    assert said[0] == said[1]
    assert left(database, who.account_id) == CODE_COUNT


def test_codes_are_kept_as_passwords_are(database: Database, who: Viewer) -> None:
    codes = new_codes(database, who, now=NEXT)
    with database.read() as session:
        rows = session.execute(select(RecoveryCode.beginning, RecoveryCode.code_hash)).all()
    assert sorted(row.beginning for row in rows) == sorted(code[:4] for code in codes)
    assert all(row.code_hash.startswith("$argon2id$") for row in rows)


@pytest.mark.race
def test_one_code_sent_at_once_opens_one_session(database: Database, who: Viewer) -> None:
    code = new_codes(database, who, now=NEXT)[0]
    tokens = [password_shown(database, who.account_id, NEXT) for _ in range(2)]
    said = at_once(*(partial(show_recovery_code, database, who.account_id, token, code, now=NEXT) for token in tokens))
    assert refusals_in(said) == ["wrong_code"]
    assert left(database, who.account_id) == CODE_COUNT - 1


def test_a_code_shown_by_a_session_that_waits_no_more_stays_good(database: Database, who: Viewer) -> None:
    code = new_codes(database, who, now=NEXT)[0]
    with pytest.raises(Refused, match="waiting_over"):
        show_recovery_code(database, who.account_id, "nobody's", code, now=NEXT)
    assert show(database, who, code) == CODE_COUNT - 1


def test_somebody_else_s_code_opens_nothing(database: Database, who: Viewer) -> None:
    codes = new_codes(database, who, now=NEXT)
    other = a_person(database, Role.AUDITOR, now=NOW)
    theirs = strong_session(database, other, add_totp(database, other, NOW), NEXT)
    with pytest.raises(Refused, match="wrong_code"):
        show(database, theirs, codes[0])


def test_codes_are_made_beside_a_factor_and_end_with_the_last(database: Database, who: Viewer) -> None:
    nobody = a_person(database, Role.AUDITOR, now=NOW)
    without = viewer_of(database, password_shown(database, nobody, NOW), NOW)
    with pytest.raises(Refused, match="no_factor"):
        new_codes(database, without, now=NOW)
    weak = viewer_of(database, password_shown(database, nobody, NOW), NOW)
    secret = add_totp(database, nobody, NOW)
    with pytest.raises(Refused, match="not_strong"):
        new_codes(database, weak, now=NOW)
    assert code_at(secret, NOW)
    new_codes(database, who, now=NEXT)
    remove_totp(database, who, is_required=False, now=NEXT)
    assert left(database, who.account_id) == 0
