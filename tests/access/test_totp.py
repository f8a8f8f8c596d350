"""Codes of six digits: added, shown once each, early, late, too often; and a telephone whose clock is wrong."""

from base64 import b32encode
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given, strategies
from sqlalchemy import func, select, update

from tests.at_once import at_once, refusals_in
from tests.clients import a_person
from tests.factors import MASTER_SECRET, add_totp, code_at, password_shown, viewer_of
from tests.listed import listed
from voucher.access import sessions
from voucher.access.factors import totp
from voucher.access.factors.held import factors_of
from voucher.access.factors.totp import NewTotp, begin_totp, begun_totp, confirm_totp, remove_totp, show_totp
from voucher.access.model import StaffAccount, StaffSession, TotpDevice
from voucher.access.read_trail import trail
from voucher.access.rules import STEP_DURATION, Role
from voucher.access.sessions import Visit
from voucher.access.tries import ACCOUNT_WAITS, ADDRESS_FREE_COUNT, TOO_MANY
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=30)
NEXT = NOW + 2 * STEP


@pytest.fixture
def lea(database: Database) -> UUID:
    """A person with a password."""
    return a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")


def begun(database: Database, who: sessions.Viewer, now: datetime = NOW) -> NewTotp:
    return begin_totp(database, who, programme_name="Pass numérique", master_secret=MASTER_SECRET, now=now)


def show(database: Database, lea: UUID, code: str, now: datetime, token: str = "", address: str = "") -> str:
    """Show a code after the password, as a page does; return the token of the session that it opens."""
    token = token or password_shown(database, lea, now)
    visit = Visit(address=address)
    return show_totp(database, lea, token, code, master_secret=MASTER_SECRET, now=now, visit=visit)


def actions(database: Database) -> list[str]:
    lines, _ = listed(trail(database, Asked(limit=99)))
    return [line.action for line in lines]


def subjects(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(OutboxMessage.subject).order_by(OutboxMessage.id)))


def test_a_password_waits_for_the_code_and_the_code_opens(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    token = password_shown(database, lea, NEXT)
    assert sessions.viewer_of(database, token, now=NEXT) is None
    assert sessions.waiting_account(database, token, now=NEXT) == lea
    opened = show(database, lea, code_at(secret, NEXT), NEXT, token)
    who = viewer_of(database, opened, NEXT)
    assert (who.account_id, who.is_strong, who.confirmed_at) == (lea, True, NEXT)
    # Another token than the one that the browser held before.
    assert opened != token
    assert sessions.waiting_account(database, token, now=NEXT) is None
    assert actions(database)[-2:] == ["Mot de passe donné, deuxième preuve attendue", "Connexion"]


def test_the_secret_is_sealed_and_is_its_account_s_alone(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    with database.read() as session:
        sealed = session.scalars(select(TotpDevice.sealed_secret)).one()
        told = session.scalars(select(OutboxMessage.body)).all()
    assert secret.encode() not in sealed
    assert not any(secret in text for text in told)
    other = a_person(database, Role.AUDITOR, now=NOW)
    with database.write() as session:
        session.execute(update(TotpDevice).values(account_id=other))
    with pytest.raises(Refused, match="factor_unreadable"):
        show(database, other, code_at(secret, NEXT), NEXT)


def test_another_master_secret_is_said_and_not_a_failure_of_ours(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    token = password_shown(database, lea, NEXT)
    with pytest.raises(Refused, match="factor_unreadable") as refused:
        show_totp(database, lea, token, code_at(secret, NEXT), master_secret=b"\x07" * 32, now=NEXT)
    assert "code de secours" in refused.value.sentence


@pytest.mark.parametrize("early", [-1, 0, 1])
def test_a_clock_may_be_one_step_early_or_late(database: Database, lea: UUID, early: int) -> None:
    secret = add_totp(database, lea, NOW)
    later = NOW + timedelta(minutes=5)
    assert show(database, lea, code_at(secret, later + early * STEP), later)


@pytest.mark.parametrize("early", [-240, -2, 2, 240])
def test_a_code_that_is_too_early_or_too_late_is_refused(database: Database, lea: UUID, early: int) -> None:
    secret = add_totp(database, lea, NOW)
    later = NOW + timedelta(hours=3)
    with pytest.raises(Refused, match="wrong_code") as refused:
        show(database, lea, code_at(secret, later + early * STEP), later)
    assert "réglez votre téléphone sur l’heure automatique" in refused.value.sentence
    assert actions(database)[-1] == "Code faux après le mot de passe"


def test_a_code_serves_once_and_none_before_it_serves_after(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    with pytest.raises(Refused, match="code_served"):  # what added the application
        show(database, lea, code_at(secret, NOW), NOW)
    assert show(database, lea, code_at(secret, NEXT), NEXT)
    for code in (code_at(secret, NEXT), code_at(secret, NEXT - STEP)):
        with pytest.raises(Refused, match="code_served") as refused:
            show(database, lea, code, NEXT)
    assert "a déjà servi" in refused.value.sentence
    assert show(database, lea, code_at(secret, NEXT + STEP), NEXT + STEP)


@pytest.mark.race
def test_the_same_code_sent_at_once_opens_one_session(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    tokens = [password_shown(database, lea, NEXT) for _ in range(2)]
    said = at_once(*(partial(show, database, lea, code_at(secret, NEXT), NEXT, token) for token in tokens))
    assert refusals_in(said) == ["code_served"]


@pytest.mark.race
def test_one_session_that_waits_is_opened_once(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    token = password_shown(database, lea, NEXT)
    codes = [code_at(secret, NEXT), code_at(secret, NEXT + STEP)]
    said = at_once(*(partial(show, database, lea, code, NEXT, token) for code in codes))
    assert len(refusals_in(said)) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(StaffSession)) == 2  # this one, and where it was added


def test_wrong_codes_make_the_next_wait_and_a_right_one_clears_them(database: Database, lea: UUID) -> None:
    secret, token = add_totp(database, lea, NOW), password_shown(database, lea, NEXT)
    wrong = "000000" if code_at(secret, NEXT) != "000000" else "000001"
    with pytest.raises(Refused, match="wrong_code"):
        show(database, lea, wrong, NEXT, token)
    assert show(database, lea, code_at(secret, NEXT), NEXT, token)
    token = password_shown(database, lea, NEXT)
    for _ in range(2):
        with pytest.raises(Refused, match="wrong_code"):
            show(database, lea, wrong, NEXT, token)
    with pytest.raises(Refused, match=TOO_MANY):  # not looked at: a right one waits too
        show(database, lea, code_at(secret, NEXT + STEP), NEXT, token)
    assert show(database, lea, code_at(secret, NEXT + STEP), NEXT + STEP, token)


def test_codes_tried_again_and_again_wait_longer_and_the_person_is_told_once(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    said, at = [], NEXT
    for wait in ACCOUNT_WAITS:
        token = password_shown(database, lea, at)
        for moment in (at, at + wait / 2) if wait else (at,):
            try:
                show(database, lea, "000000" if code_at(secret, at) != "000000" else "000001", moment, token)
            except Refused as refused:
                said.append(refused.code)
        at += wait
    assert said == ["wrong_code", *["wrong_code", TOO_MANY] * (len(ACCOUNT_WAITS) - 1)]
    assert subjects(database).count("des codes faux sont essayés sur votre compte") == 1
    assert actions(database).count("Trop de codes faux après le mot de passe") == 1
    assert show(database, lea, code_at(secret, at), at)


def test_codes_tried_by_a_stranger_keep_nobody_out_of_a_browser_they_know(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    where = {"address": "192.0.2.9", "network": "192.0.x.x", "agent": "Firefox"}
    token = password_shown(database, lea, NEXT)
    first = Visit(new_browser_token="known", **where)
    show_totp(database, lea, token, code_at(secret, NEXT), master_secret=MASTER_SECRET, now=NEXT, visit=first)
    stranger, wrong = password_shown(database, lea, NEXT), "000000" if code_at(secret, NEXT) != "000000" else "000001"
    for _ in range(9):
        with pytest.raises(Refused):
            show(database, lea, wrong, NEXT, stranger, "203.0.113.7")
    again = Visit(browser_token="known", new_browser_token="next", **where)
    token, later = password_shown(database, lea, NEXT), NEXT + STEP
    assert show_totp(database, lea, token, code_at(secret, later), master_secret=MASTER_SECRET, now=later, visit=again)


def test_tries_sent_together_are_all_counted(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    token = password_shown(database, lea, NEXT)
    wrong = "000000" if code_at(secret, NEXT) != "000000" else "000001"
    said = at_once(*[partial(show, database, lea, wrong, NEXT, token)] * 8)
    assert refusals_in(said) == [TOO_MANY] * 6 + ["wrong_code"] * 2


def test_who_tries_one_account_after_the_other_is_slowed_down_by_network(database: Database) -> None:
    people = [a_person(database, Role.AUDITOR, now=NOW) for _ in range(ADDRESS_FREE_COUNT // 2 + 1)]
    for one in people:
        add_totp(database, one, NOW)
    said = []
    for one in people:
        token = password_shown(database, one, NEXT)
        for _ in range(2):
            try:
                show(database, one, "000000", NEXT, token, "203.0.113.7")
            except Refused as refused:
                said.append(refused.code)
    assert said == ["wrong_code"] * ADDRESS_FREE_COUNT + [TOO_MANY] * 2
    # Nobody is told of it: none of these accounts was tried too often.
    assert "des codes faux sont essayés sur votre compte" not in subjects(database)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12 34", "１２３４５", "१२३४५६"])
def test_what_is_no_code_is_not_counted(database: Database, lea: UUID, typed: str) -> None:
    secret, token = add_totp(database, lea, NOW), password_shown(database, lea, NEXT)
    for _ in range(7):
        with pytest.raises(Refused, match="not_a_code"):
            show(database, lea, typed, NEXT, token)
    assert show(database, lea, f" {code_at(secret, NEXT)[:3]} {code_at(secret, NEXT)[3:]} ", NEXT, token)


def test_a_session_waits_ten_minutes_and_no_more(database: Database, lea: UUID) -> None:
    secret, token = add_totp(database, lea, NOW), password_shown(database, lea, NEXT)
    later = NEXT + STEP_DURATION
    assert sessions.waiting_account(database, token, now=later) is None
    with pytest.raises(Refused, match="waiting_over") as refused:
        show(database, lea, code_at(secret, later), later, token)
    assert "Connectez-vous de nouveau." in refused.value.sentence


def test_the_token_of_an_open_session_or_of_somebody_else_s_is_opened_by_no_code(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    other = a_person(database, Role.AUDITOR, now=NOW)
    for token in (password_shown(database, other, NEXT), "nobody's"):
        with pytest.raises(Refused, match="waiting_over"):
            show(database, lea, code_at(secret, NEXT), NEXT, token)
        with database.write() as session:
            session.execute(update(TotpDevice).values(last_step=0))


def test_nothing_serves_before_its_first_code(database: Database, lea: UUID) -> None:
    who = viewer_of(database, password_shown(database, lea, NOW), NOW)
    new = begun(database, who)
    assert new.uri.startswith("otpauth://totp/Pass%20num%C3%A9rique:lea%40lieu.example?secret=")
    assert not factors_of(database, lea).is_any
    with pytest.raises(Refused, match="wrong_code"):
        confirm_totp(database, who, new.token, "000000", master_secret=MASTER_SECRET, now=NOW)
    again = begun_totp(database, who, new.token, programme_name="Pass numérique", master_secret=MASTER_SECRET, now=NOW)
    assert again == new
    assert not factors_of(database, lea).is_any
    confirm_totp(database, who, new.token, code_at(new.secret, NOW), master_secret=MASTER_SECRET, now=NOW)
    assert factors_of(database, lea).totp_since == NOW
    with pytest.raises(Refused, match="step_over"):
        confirm_totp(database, who, new.token, code_at(new.secret, NOW), master_secret=MASTER_SECRET, now=NOW)


def test_what_was_begun_is_its_person_s_for_ten_minutes(database: Database, lea: UUID) -> None:
    who = viewer_of(database, password_shown(database, lea, NOW), NOW)
    other = a_person(database, Role.AUDITOR, now=NOW)
    stranger = viewer_of(database, password_shown(database, other, NOW), NOW)
    new, later = begun(database, who), NOW + STEP_DURATION
    for person, at in ((stranger, NOW), (who, later)):
        with pytest.raises(Refused, match="step_over"):
            confirm_totp(database, person, new.token, code_at(new.secret, at), master_secret=MASTER_SECRET, now=at)
        words = {"programme_name": "Pass numérique", "master_secret": MASTER_SECRET}
        assert begun_totp(database, person, new.token, now=at, **words) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(120, "avance de 2 h 00"), (-120, "retarde de 2 h 00"), (7, "avance de 7 min"), (-1440, "retarde de 24 h 00")],
)
def test_a_telephone_whose_clock_is_wrong_is_told_by_how_much(
    database: Database, lea: UUID, minutes: int, said: str
) -> None:
    who = viewer_of(database, password_shown(database, lea, NOW), NOW)
    new = begun(database, who)
    code = code_at(new.secret, NOW + timedelta(minutes=minutes))
    with pytest.raises(Refused, match="wrong_code") as refused:
        confirm_totp(database, who, new.token, code, master_secret=MASTER_SECRET, now=NOW)
    assert f"Votre téléphone {said}. Réglez votre téléphone sur l’heure automatique" in refused.value.sentence


def test_a_first_code_that_was_typed_slowly_is_no_wrong_clock(database: Database, lea: UUID) -> None:
    who = viewer_of(database, password_shown(database, lea, NOW), NOW)
    new, later = begun(database, who), NOW + timedelta(minutes=2)
    with pytest.raises(Refused, match="wrong_code") as refused:
        confirm_totp(database, who, new.token, code_at(new.secret, NOW), master_secret=MASTER_SECRET, now=later)
    assert "Écrivez celui que l’application montre maintenant." in refused.value.sentence


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_rfc_6238(second: int, code: str) -> None:
    # Appendix B, SHA-1: the last six of its eight digits.
    secret, at = b32encode(b"12345678901234567890").decode(), datetime.fromtimestamp(second, UTC)
    assert totp._step(secret, code, at, 0) == second // 30


@given(now=strategies.integers(1_700_000_000, 4_000_000_000), shift=strategies.integers(-200, 200))
def test_a_code_is_taken_one_step_around_and_no_further(now: int, shift: int) -> None:
    secret, shown = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", datetime.fromtimestamp(now + shift, UTC)
    found = totp._step(secret, code_at(secret, shown), datetime.fromtimestamp(now, UTC), totp.REACH)
    step = (now + shift) // 30
    assert found == (step if abs(step - now // 30) <= 1 else None)


def test_a_new_application_replaces_the_one_before_and_ends_the_other_sessions(database: Database, lea: UUID) -> None:
    old = add_totp(database, lea, NOW)
    here = viewer_of(database, show(database, lea, code_at(old, NEXT), NEXT), NEXT)
    elsewhere = show(database, lea, code_at(old, NEXT + STEP), NEXT)
    waits = password_shown(database, lea, NEXT)
    new = begun(database, here, NEXT)
    token = confirm_totp(database, here, new.token, code_at(new.secret, NEXT), master_secret=MASTER_SECRET, now=NEXT)
    assert viewer_of(database, token, NEXT).is_strong
    assert sessions.viewer_of(database, elsewhere, now=NEXT) is None
    assert sessions.waiting_account(database, waits, now=NEXT) is None
    later = NEXT + timedelta(minutes=5)
    with pytest.raises(Refused, match="wrong_code"):
        show(database, lea, code_at(old, later), later)
    assert show(database, lea, code_at(new.secret, later), later)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(TotpDevice)) == 2
    assert subjects(database).count("une application de codes est ajoutée") == 2


def test_a_password_alone_changes_no_factor(database: Database, lea: UUID) -> None:
    weak = viewer_of(database, password_shown(database, lea, NOW), NOW)
    other = viewer_of(database, password_shown(database, lea, NOW), NOW)
    new = begun(database, weak)
    first = begun(database, other)
    confirm_totp(database, other, first.token, code_at(first.secret, NOW), master_secret=MASTER_SECRET, now=NOW)
    with pytest.raises(Refused, match="not_strong"):
        confirm_totp(database, weak, new.token, code_at(new.secret, NOW), master_secret=MASTER_SECRET, now=NOW)
    with pytest.raises(Refused, match="not_strong"):
        remove_totp(database, weak, is_required=False, now=NOW)
    assert factors_of(database, lea).totp_since == NOW


def test_the_last_factor_is_removed_but_by_who_must_have_one(database: Database, lea: UUID) -> None:
    secret = add_totp(database, lea, NOW)
    who = viewer_of(database, show(database, lea, code_at(secret, NEXT), NEXT), NEXT)
    elsewhere = show(database, lea, code_at(secret, NEXT + STEP), NEXT)
    with pytest.raises(Refused, match="last_factor"):
        remove_totp(database, who, is_required=True, now=NEXT)
    assert factors_of(database, lea).is_any
    token = remove_totp(database, who, is_required=False, now=NEXT)
    with pytest.raises(Refused, match="no_totp"):
        remove_totp(database, viewer_of(database, token, NEXT), is_required=False, now=NEXT)
    assert not factors_of(database, lea).is_any
    assert viewer_of(database, password_shown(database, lea, NEXT), NEXT).is_strong is False
    assert sessions.viewer_of(database, elsewhere, now=NEXT) is None
    assert subjects(database).count("une application de codes est retirée") == 1


def test_an_account_closed_meanwhile_is_opened_by_no_code(database: Database, lea: UUID) -> None:
    secret, token = add_totp(database, lea, NOW), password_shown(database, lea, NEXT)
    with database.write() as session:
        session.execute(update(StaffAccount).where(StaffAccount.id == lea).values(closed_at=NEXT))
    with pytest.raises(Refused, match="waiting_over"):
        show(database, lea, code_at(secret, NEXT), NEXT, token)
