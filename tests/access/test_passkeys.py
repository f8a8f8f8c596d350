"""Passkeys: added by their person, proved by what they sign, refused for what they do not."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import func, select

from tests.clients import PASSWORD, a_person
from tests.listed import listed
from tests.soft_key import OURS, PRESENT, SoftKey
from voucher.access import accounts, sessions
from voucher.access.factors import passkey_proof, passkeys
from voucher.access.model import SignInStep, StaffSession
from voucher.access.read_trail import trail
from voucher.access.rules import STEP_DURATION, Door, Role
from voucher.access.sessions import NOWHERE, Viewer, viewer_of
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
EMAIL = "lea@lieu.example"


def lea(database: Database) -> Viewer:
    """Return a person signed in by password."""
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    return seen(database, sessions.sign_in(database, EMAIL, PASSWORD, now=NOW))


def seen(database: Database, token: str) -> Viewer:
    found = viewer_of(database, token, now=NOW)
    assert found is not None
    return found


def add(database: Database, who: Viewer, key: SoftKey, label: str = "téléphone", **lies: Any) -> Viewer:
    """Add a passkey; return the person as the session that goes on shows them."""
    step = passkeys.begin_passkey(database, OURS, who, label, programme_name="Pass", now=NOW)
    answer = key.make(step.options, **lies)
    return seen(database, passkeys.add_passkey(database, OURS, who, step.token, answer, now=NOW, visit=NOWHERE))


def sign_in(database: Database, key: SoftKey, *, now: datetime = NOW, **lies: Any) -> Viewer:
    step = passkey_proof.begin_sign_in(database, OURS, now=NOW)
    answer = key.sign(step.options, **lies)
    return seen(database, passkey_proof.sign_in(database, OURS, step.token, answer, now=now, visit=NOWHERE))


def told(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(OutboxMessage.subject).order_by(OutboxMessage.id)))


def acts(database: Database) -> list[str]:
    rows, _ = listed(trail(database, Asked(sort="at", limit=50)))
    return [row.action for row in rows]


def session_count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(StaffSession)) or 0


def test_a_passkey_is_added_told_and_opens_the_account_by_itself(database: Database) -> None:
    who, key = lea(database), SoftKey(is_synced=True)
    sessions.sign_in(database, EMAIL, PASSWORD, now=NOW)
    renewed = add(database, who, key)
    assert (renewed.is_strong, renewed.door, renewed.token_sha256 != who.token_sha256) == (True, Door.PASSWORD, True)
    assert session_count(database) == 1, "the other session was opened without this key"
    assert told(database) == ["une clé d’accès ouvre votre compte"]
    found = sign_in(database, key)
    assert (found.account_id, found.door, found.is_strong, found.confirmed_at) == (
        who.account_id,
        Door.PASSKEY,
        True,
        NOW,
    )
    (shown,) = passkeys.own_passkeys(database, who.account_id)
    assert (shown.label, shown.is_synced, shown.created_at, shown.used_at) == ("téléphone", True, NOW, NOW)
    assert acts(database)[-2:] == ["Clé d’accès ajoutée", "Connexion"]


def test_a_browser_is_asked_for_a_key_that_knows_its_person_and_not_for_one_that_they_have(database: Database) -> None:
    who, key = lea(database), SoftKey()
    who = add(database, who, key)
    options = passkeys.begin_passkey(database, OURS, who, "clé USB", programme_name="Pass", now=NOW).options
    assert options["authenticatorSelection"] == {
        "residentKey": "required", "requireResidentKey": True, "userVerification": "required"
    }  # fmt: skip
    assert (options["rp"], options["attestation"]) == ({"id": "localhost", "name": "Pass"}, "none")
    assert [one["id"] for one in options["excludeCredentials"]] == [json.loads(key.make(options))["id"]]
    assert EMAIL not in options["user"]["id"]
    asked = passkey_proof.begin_sign_in(database, OURS, now=NOW).options
    assert (asked["rpId"], asked["userVerification"], asked["allowCredentials"]) == ("localhost", "required", [])


WRONG = {
    "another site": {"origin": "https://ailleurs.example"},
    "another port": {"origin": "http://localhost:9000"},
    "another name": {"party": "ailleurs.example"},
    "a page inside another": {"cross_origin": True},
    "another challenge": {"challenge": "AAAA"},
    "nobody verified": {"flags": PRESENT},
}


@pytest.mark.parametrize("lie", [*WRONG.values(), {"kind": "webauthn.get"}], ids=[*WRONG, "another ceremony"])
def test_a_new_key_that_lies_is_not_kept(sqlite_database: Database, lie: dict[str, Any]) -> None:
    who, key = lea(sqlite_database), SoftKey()
    with pytest.raises(Refused, match="wrong_passkey"):
        add(sqlite_database, who, key, **lie)
    assert passkeys.own_passkeys(sqlite_database, who.account_id) == []
    assert told(sqlite_database) == []


OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "lie",
    [*WRONG.values(), {"kind": "webauthn.create"}, {"signer": OTHER_KEY}, {"user_handle": b"another one 1234"}, {"user_handle": b""}],
    ids=[*WRONG, "another ceremony", "another key", "another person", "no person"],
)  # fmt: skip
def test_a_passkey_that_lies_opens_nothing_and_every_lie_is_answered_alike(
    sqlite_database: Database, lie: dict[str, Any]
) -> None:
    who, key = lea(sqlite_database), SoftKey()
    add(sqlite_database, who, key)
    before = session_count(sqlite_database)
    with pytest.raises(Refused, match="wrong_passkey") as refused:
        sign_in(sqlite_database, key, **lie)
    with pytest.raises(Refused) as unknown:
        sign_in(sqlite_database, SoftKey(), user_handle=who.account_id.bytes)
    assert refused.value.sentence == unknown.value.sentence
    assert session_count(sqlite_database) == before
    assert sign_in(sqlite_database, key).account_id == who.account_id


def test_a_challenge_serves_once_for_one_thing_within_minutes(database: Database) -> None:
    who, key = lea(database), SoftKey(counts=False)
    who = add(database, who, key)
    step = passkey_proof.begin_sign_in(database, OURS, now=NOW)
    answer = key.sign(step.options)
    for ended in (
        lambda: passkey_proof.confirm(database, OURS, who, step.token, answer, "essayer", now=NOW),
        lambda: passkey_proof.sign_in(database, OURS, step.token, answer, now=NOW + STEP_DURATION, visit=NOWHERE),
    ):
        with pytest.raises(Refused, match="step_ended"):
            ended()
    assert passkey_proof.sign_in(database, OURS, step.token, answer, now=NOW, visit=NOWHERE)
    with pytest.raises(Refused, match="step_ended"):
        passkey_proof.sign_in(database, OURS, step.token, answer, now=NOW, visit=NOWHERE)
    wrong = passkey_proof.begin_sign_in(database, OURS, now=NOW)
    for code in ("wrong_passkey", "step_ended"):
        with pytest.raises(Refused, match=code):
            passkey_proof.sign_in(database, OURS, wrong.token, "{}", now=NOW, visit=NOWHERE)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(SignInStep)) == 0


def test_a_challenge_of_one_person_serves_no_other(database: Database) -> None:
    who, key = lea(database), SoftKey()
    who = add(database, who, key)
    other = replace(who, account_id=a_person(database, Role.AUDITOR, now=NOW))
    step = passkeys.begin_passkey(database, OURS, who, "clé", programme_name="Pass", now=NOW)
    with pytest.raises(Refused, match="step_ended"):
        passkeys.add_passkey(database, OURS, other, step.token, SoftKey().make(step.options), now=NOW, visit=NOWHERE)
    asked = passkey_proof.begin_confirmation(database, OURS, other.account_id, now=NOW)
    with pytest.raises(Refused, match="wrong_passkey"):
        passkey_proof.confirm(database, OURS, other, asked.token, key.sign(asked.options), "essayer", now=NOW)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_a_counter_that_goes_back_is_refused_and_told_to_the_person_and_the_trail(
    database: Database, count: int
) -> None:
    who, key = lea(database), SoftKey()
    add(database, who, key)
    key.count = 4
    sign_in(database, key)
    before = session_count(database)
    with pytest.raises(Refused, match="passkey_copied"):
        sign_in(database, key, count=count)
    assert session_count(database) == before
    assert told(database)[-1] == "une clé d’accès a été refusée"
    assert acts(database)[-1] == "Clé d’accès refusée : son compteur recule"
    key.count = 5
    assert sign_in(database, key).account_id == who.account_id


def test_nobody_raises_the_alarm_of_a_copy_without_the_key(database: Database) -> None:
    who, key = lea(database), SoftKey()
    add(database, who, key)
    key.count = 4
    sign_in(database, key)
    with pytest.raises(Refused, match="wrong_passkey"):
        sign_in(database, key, count=1, signer=OTHER_KEY)
    assert told(database) == ["une clé d’accès ouvre votre compte"]


def test_a_key_that_does_not_count_signs_as_often_as_it_likes(database: Database) -> None:
    who, key = lea(database), SoftKey(counts=False)
    add(database, who, key)
    assert {sign_in(database, key).account_id for _ in range(3)} == {who.account_id}


@pytest.mark.race
def test_a_key_and_its_copy_at_once_open_one_session(database: Database) -> None:
    who, key = lea(database), SoftKey()
    add(database, who, key)
    steps = [passkey_proof.begin_sign_in(database, OURS, now=NOW) for _ in range(4)]
    answers = [key.sign(step.options, count=7) for step in steps]
    ends: list[str] = []

    def show(rank: int) -> None:
        try:
            passkey_proof.sign_in(database, OURS, steps[rank].token, answers[rank], now=NOW, visit=NOWHERE)
            ends.append("open")
        except Refused as refused:
            ends.append(refused.code)

    threads = [threading.Thread(target=show, args=(rank,)) for rank in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(ends) == ["open", "passkey_copied", "passkey_copied", "passkey_copied"]


@pytest.mark.race
def test_one_answer_sent_twice_at_once_opens_one_session(database: Database) -> None:
    who, key = lea(database), SoftKey(counts=False)
    add(database, who, key)
    step = passkey_proof.begin_sign_in(database, OURS, now=NOW)
    answer = key.sign(step.options)
    ends: list[str] = []

    def show() -> None:
        try:
            passkey_proof.sign_in(database, OURS, step.token, answer, now=NOW, visit=NOWHERE)
            ends.append("open")
        except Refused as refused:
            ends.append(refused.code)

    threads = [threading.Thread(target=show) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(ends) == ["open", "step_ended", "step_ended", "step_ended"]


def test_a_password_waits_for_the_passkey_of_its_person(database: Database) -> None:
    who, key, stranger = lea(database), SoftKey(), SoftKey()
    add(database, who, key)
    a_person(database, Role.AUDITOR, now=NOW, email="ines@lieu.example")
    add(database, seen(database, sessions.sign_in(database, "ines@lieu.example", PASSWORD, now=NOW)), stranger)
    waiting = sessions.sign_in(database, EMAIL, PASSWORD, now=NOW)
    assert viewer_of(database, waiting, now=NOW) is None

    def end_wait(with_key: SoftKey) -> str:
        step = passkey_proof.begin_second_factor(database, OURS, waiting, now=NOW)
        assert [one["id"] for one in step.options["allowCredentials"]] == [json.loads(key.sign(step.options))["id"]]
        answer = with_key.sign(step.options)
        return passkey_proof.end_wait(database, OURS, waiting, step.token, answer, now=NOW, visit=NOWHERE)

    with pytest.raises(Refused, match="wrong_passkey"):
        end_wait(stranger)
    found = seen(database, end_wait(key))
    assert (found.account_id, found.is_strong, found.door) == (who.account_id, True, Door.PASSWORD)
    assert viewer_of(database, waiting, now=NOW) is None
    with pytest.raises(Refused, match="waiting_over"):
        passkey_proof.begin_second_factor(database, OURS, waiting, now=NOW)
    with pytest.raises(Refused, match="waiting_over"):
        passkey_proof.end_wait(database, OURS, waiting, "", "", now=NOW, visit=NOWHERE)


def test_a_challenge_for_anybody_ends_no_wait(database: Database) -> None:
    who, key = lea(database), SoftKey()
    add(database, who, key)
    waiting = sessions.sign_in(database, EMAIL, PASSWORD, now=NOW)
    step = passkey_proof.begin_sign_in(database, OURS, now=NOW)
    answer = key.sign(step.options)
    with pytest.raises(Refused, match="step_ended"):
        passkey_proof.end_wait(database, OURS, waiting, step.token, answer, now=NOW, visit=NOWHERE)


def test_a_passkey_confirms_who_is_signed_in(database: Database) -> None:
    who, key = lea(database), SoftKey()
    who = add(database, who, key)
    later = NOW + timedelta(hours=1)
    step = passkey_proof.begin_confirmation(database, OURS, who.account_id, now=later)
    answer = key.sign(step.options)
    passkey_proof.confirm(database, OURS, who, step.token, answer, "essayer", now=later)
    with database.read() as session:
        assert session.scalar(select(StaffSession.confirmed_at)) == later


def test_a_passkey_that_was_removed_opens_nothing_and_its_sessions_end(database: Database) -> None:
    who, key, kept = lea(database), SoftKey(), SoftKey()
    who = add(database, add(database, who, key), kept, "clé USB")
    sign_in(database, key)
    first, _ = passkeys.own_passkeys(database, who.account_id)
    token = passkeys.remove_passkey(database, who, first.id, keeps_one=True, now=NOW, visit=NOWHERE)
    assert seen(database, token).is_strong
    assert session_count(database) == 1
    assert told(database)[-1] == "une clé d’accès n’ouvre plus votre compte"
    with pytest.raises(Refused, match="wrong_passkey"):
        sign_in(database, key)
    with pytest.raises(Refused, match="unknown_passkey"):
        passkeys.remove_passkey(database, who, first.id, keeps_one=False, now=NOW, visit=NOWHERE)
    assert sign_in(database, kept).account_id == who.account_id


def test_the_last_factor_of_who_must_have_one_stays(database: Database) -> None:
    who, key = lea(database), SoftKey()
    who = add(database, who, key)
    (only,) = passkeys.own_passkeys(database, who.account_id)
    with pytest.raises(Refused, match="last_factor"):
        passkeys.remove_passkey(database, who, only.id, keeps_one=True, now=NOW, visit=NOWHERE)
    assert sign_in(database, key).account_id == who.account_id
    token = passkeys.remove_passkey(database, who, only.id, keeps_one=False, now=NOW, visit=NOWHERE)
    assert not seen(database, token).is_strong
    with database.read() as session:
        body = session.scalar(select(OutboxMessage.body).order_by(OutboxMessage.id.desc()).limit(1)) or ""
    assert "Votre mot de passe suffit maintenant pour entrer." in body


@pytest.mark.race
def test_the_last_two_factors_are_not_removed_at_once(database: Database) -> None:
    who = lea(database)
    who = add(database, add(database, who, SoftKey()), SoftKey(), "clé USB")
    ends: list[str] = []

    def remove(passkey_id: UUID) -> None:
        try:
            passkeys.remove_passkey(database, who, passkey_id, keeps_one=True, now=NOW, visit=NOWHERE)
            ends.append("removed")
        except Refused as refused:
            ends.append(refused.code)

    threads = [
        threading.Thread(target=remove, args=(one.id,)) for one in passkeys.own_passkeys(database, who.account_id)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(ends) == ["last_factor", "removed"]


def test_a_passkey_is_renamed_by_its_person_alone(database: Database) -> None:
    who = add(database, lea(database), SoftKey())
    (own,) = passkeys.own_passkeys(database, who.account_id)
    other = a_person(database, Role.AUDITOR, now=NOW)
    with pytest.raises(Refused, match="unknown_passkey"):
        passkeys.rename_passkey(database, other, own.id, "à moi", now=NOW)
    with pytest.raises(Refused, match="unknown_passkey"):
        passkeys.remove_passkey(
            database, replace(who, account_id=other), own.id, keeps_one=False, now=NOW, visit=NOWHERE
        )
    passkeys.rename_passkey(database, who.account_id, own.id, " téléphone  de Léa ", now=NOW)
    assert passkeys.own_passkeys(database, who.account_id)[0].label == "téléphone de Léa"
    for label in ("", " ", "x" * 61):
        with pytest.raises(Refused):
            passkeys.rename_passkey(database, who.account_id, own.id, label, now=NOW)
        with pytest.raises(Refused):
            passkeys.begin_passkey(database, OURS, who, label, programme_name="Pass", now=NOW)


def test_a_session_that_has_not_shown_the_factors_of_its_person_changes_none(database: Database) -> None:
    who = add(database, lea(database), SoftKey())
    begun = passkeys.begin_passkey(database, OURS, who, "clé USB", programme_name="Pass", now=NOW)
    with database.write() as session:
        token = sessions.open_session(session, who.account_id, now=NOW, door=Door.PROVIDER)
    weak = seen(database, token)
    (own,) = passkeys.own_passkeys(database, who.account_id)
    for act in (
        lambda: passkeys.begin_passkey(database, OURS, weak, "clé", programme_name="Pass", now=NOW),
        lambda: passkeys.remove_passkey(database, weak, own.id, keeps_one=False, now=NOW, visit=NOWHERE),
        lambda: passkeys.add_passkey(
            database, OURS, weak, begun.token, SoftKey().make(begun.options), now=NOW, visit=NOWHERE
        ),
    ):
        with pytest.raises(Refused, match="not_strong"):
            act()
    assert passkeys.own_passkeys(database, who.account_id) == [own]


def test_a_closed_account_has_no_door_left(database: Database) -> None:
    who, key = lea(database), SoftKey()
    who = add(database, who, key)
    step = passkeys.begin_passkey(database, OURS, who, "autre", programme_name="Pass", now=NOW)
    asked = passkey_proof.begin_sign_in(database, OURS, now=NOW)
    answer = key.sign(asked.options)
    accounts.close_account(database, who.account_id, by=who.account_id, now=NOW)
    with pytest.raises(Refused, match="wrong_passkey"):
        passkey_proof.sign_in(database, OURS, asked.token, answer, now=NOW, visit=NOWHERE)
    with pytest.raises(Refused, match="account_closed"):
        passkeys.add_passkey(database, OURS, who, step.token, SoftKey().make(step.options), now=NOW, visit=NOWHERE)


def test_a_key_is_known_once_and_a_person_has_so_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    who, key = lea(database), SoftKey()
    who = add(database, who, key)
    with pytest.raises(Refused, match="known_passkey"):
        add(database, who, key, "la même")
    monkeypatch.setattr(passkeys, "PASSKEYS_MAX", 1)
    with pytest.raises(Refused, match="too_many_passkeys"):
        add(database, who, SoftKey(), "une de trop")
