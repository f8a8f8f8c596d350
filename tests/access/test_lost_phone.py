"""A lost phone: somebody of the programme asks, another one confirms, and nothing of before opens the account."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.at_once import at_once
from tests.clients import PASSWORD, a_person
from tests.factors import MASTER_SECRET, add_totp, code_at, password_shown, strong, viewer_of
from tests.listed import listed
from voucher.access import accounts, changes, sessions
from voucher.access.browsers import known_browser
from voucher.access.checks import CHECKS
from voucher.access.factors.held import factors_of
from voucher.access.factors.recovery import new_codes, show_recovery_code
from voucher.access.factors.totp import begin_totp, confirm_totp, show_totp
from voucher.access.model import AccountChange, Passkey, RecoveryCode, StaffSession, TotpDevice
from voucher.access.read_changes import changes_of, had_hand_in, waiting_changes
from voucher.access.read_trail import trail
from voucher.access.rules import Door, Role
from voucher.access.visits import Visit
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage

NOW = datetime(2026, 3, 12, 9, 0, 10, tzinfo=UTC)
NEXT = NOW + timedelta(minutes=5)
LATER = NOW + timedelta(minutes=10)


@pytest.fixture
def pat(database: Database) -> UUID:
    """A person of the programme, who asks."""
    return a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")


@pytest.fixture
def quentin(database: Database) -> UUID:
    """Another one."""
    return a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")


@pytest.fixture
def alice(database: Database) -> UUID:
    """An approver with an application of codes, who loses her phone."""
    account_id = a_person(database, Role.FINANCE_APPROVER, now=NOW, email="alice@lieu.example")
    add_totp(database, account_id, NOW)
    return account_id


def asked(database: Database, account_id: UUID, by: UUID | None) -> UUID:
    waiting = changes.ask_reset(database, account_id, by=by, now=NEXT)
    assert waiting is not None
    return waiting


def told(database: Database, recipient: str) -> list[str]:
    with database.read() as session:
        return list(
            session.scalars(
                select(OutboxMessage.subject).where(OutboxMessage.recipient == recipient).order_by(OutboxMessage.id)
            )
        )


def violations(database: Database) -> list[str]:
    with database.read() as session:
        return [f"{one.check} {one.detail}" for check in CHECKS for one in check(session)]


def test_two_people_reset_and_the_person_comes_back_with_another_phone(
    database: Database, pat: UUID, quentin: UUID
) -> None:
    alice = a_person(database, Role.FINANCE_APPROVER, now=NOW, email="alice@lieu.example")
    secret = add_totp(database, alice, NOW)
    who = strong(database, alice, secret, NEXT)
    codes = new_codes(database, who, now=NEXT)
    with database.write() as session:
        key = {"credential_id": b"k", "public_key": b"p", "sign_count": 0, "label": "Bureau", "is_synced": False}
        session.add(Passkey(id=new_id(), account_id=alice, created_at=NOW, **key))
    waits = password_shown(database, alice, NEXT)
    change_id = asked(database, alice, pat)
    assert factors_of(database, alice).passkey_count == 1
    with pytest.raises(Refused, match="four_eyes"):
        changes.confirm_change(database, change_id, by=pat, now=NEXT)
    assert factors_of(database, alice).is_any
    changes.confirm_change(database, change_id, by=quentin, now=NEXT)
    changes.confirm_change(database, change_id, by=quentin, now=NEXT)
    held = factors_of(database, alice)
    assert (held.is_any, held.codes_left) == (False, 0)
    with database.read() as session:
        assert session.scalars(select(StaffSession.account_id).where(StaffSession.account_id == alice)).all() == []
    for act in (
        lambda: show_totp(database, alice, waits, code_at(secret, LATER), master_secret=MASTER_SECRET, now=LATER),
        lambda: show_recovery_code(database, alice, waits, codes[0], now=LATER),
    ):
        with pytest.raises(Refused, match="wrong_code"):
            act()
    assert told(database, "alice@lieu.example")[-2:] == [
        "votre deuxième preuve va être remise à zéro",
        "votre deuxième preuve est remise à zéro",
    ]
    assert "une demande attend votre confirmation" in told(database, "quentin@lieu.example")
    # The password alone comes in, to add a new phone; from then on it does not.
    new = add_totp(database, alice, LATER)
    after = LATER + timedelta(minutes=1)
    assert sessions.viewer_of(database, password_shown(database, alice, after), now=after) is None
    assert strong(database, alice, new, after).is_strong
    (written,) = (one for one in changes_of(database, alice) if one.is_reset)
    assert (written.what, written.outcome) == ("la remise à zéro de sa deuxième preuve", "confirmed")
    lines, _ = listed(trail(database, Asked(limit=99)))
    said = [line.action for line in lines]
    assert "Remise à zéro de la deuxième preuve demandée" in said
    assert "Deuxième preuve remise à zéro" in said
    assert violations(database) == []


def test_a_lost_phone_is_a_stranger_s_after_the_reset(
    database: Database, pat: UUID, quentin: UUID, alice: UUID
) -> None:
    lost = Visit(new_browser_token="a" * 43, network="203.0.x.x", agent="Firefox sur Android")
    with database.write() as session:
        sessions.open_session(session, alice, now=NOW, door=Door.PASSWORD, visit=lost)
    back = replace(lost, browser_token=lost.new_browser_token, new_browser_token="b" * 43)
    with database.read() as session:
        assert known_browser(session, alice, back) is not None
    changes.confirm_change(database, asked(database, alice, pat), by=quentin, now=NEXT)
    with database.read() as session:
        assert known_browser(session, alice, back) is None
    sessions.sign_in(database, "alice@lieu.example", PASSWORD, now=LATER, visit=back)
    assert told(database, "alice@lieu.example").count("une nouvelle connexion à votre compte") == 2


def test_the_person_is_not_one_of_the_two(database: Database, pat: UUID, quentin: UUID) -> None:
    add_totp(database, pat, NOW)
    with pytest.raises(Refused, match="own_reset"):
        changes.ask_reset(database, pat, by=pat, now=NEXT)
    change_id = asked(database, pat, quentin)
    with pytest.raises(Refused, match="own_reset"):
        changes.confirm_change(database, change_id, by=pat, now=NEXT)
    # Two of the programme, of whom one is outside: the host is the other one.
    assert "une demande attend votre confirmation" not in told(database, "pat@lieu.example")
    changes.stand_in(database, change_id, now=NEXT)
    assert not factors_of(database, pat).is_any
    assert violations(database) == []


def test_the_host_stands_in_only_where_nobody_else_could(database: Database, pat: UUID, alice: UUID) -> None:
    change_id = asked(database, alice, pat)
    quentin = a_person(database, Role.PROGRAMME, now=NOW)
    with pytest.raises(Refused, match="somebody_else"):
        changes.stand_in(database, change_id, now=NEXT)
    accounts.close_account(database, quentin, by=pat, now=NEXT)
    changes.stand_in(database, change_id, now=NEXT)
    assert not factors_of(database, alice).is_any


def test_what_the_host_asks_waits_where_the_programme_has_somebody(database: Database, pat: UUID, alice: UUID) -> None:
    change_id = asked(database, alice, None)
    assert factors_of(database, alice).is_any
    changes.confirm_change(database, change_id, by=pat, now=NEXT)
    assert not factors_of(database, alice).is_any
    # The only person of the programme loses theirs: the host decides alone, and it is written so.
    add_totp(database, pat, NOW)
    assert changes.ask_reset(database, pat, by=None, now=NEXT) is None
    assert not factors_of(database, pat).is_any
    assert violations(database) == []


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.PROGRAMME}))
def test_nobody_but_the_programme_confirms(
    database: Database, pat: UUID, quentin: UUID, alice: UUID, role: Role
) -> None:
    scoped = {Role.ISSUER, Role.PRESCRIBER, Role.MEDIATOR, Role.PLACE_MANAGER}
    other = a_person(database, role, new_id() if role in scoped else None, now=NOW)
    with pytest.raises(Refused, match="not_of_programme"):
        changes.confirm_change(database, asked(database, alice, pat), by=other, now=NEXT)
    assert factors_of(database, alice).is_any


def test_a_reset_is_asked_once_refused_and_of_somebody_who_has_a_factor(
    database: Database, pat: UUID, quentin: UUID, alice: UUID
) -> None:
    change_id = asked(database, alice, pat)
    with pytest.raises(Refused, match="already_asked"):
        changes.ask_reset(database, alice, by=quentin, now=NEXT)
    changes.refuse_change(database, change_id, by=quentin, now=NEXT)
    assert factors_of(database, alice).is_any
    with pytest.raises(Refused, match="already_decided"):
        changes.confirm_change(database, change_id, by=quentin, now=NEXT)
    with pytest.raises(Refused, match="no_factor"):
        changes.ask_reset(database, quentin, by=pat, now=NEXT)
    assert waiting_changes(database) == []
    # Who resets gets no way in: it is no hand in the account.
    assert not had_hand_in(database, alice, pat)


@pytest.mark.race
def test_who_adds_a_phone_while_two_people_reset_stays_outside(
    database: Database, pat: UUID, quentin: UUID, alice: UUID
) -> None:
    """Of a factor added and a reset at the same moment, the reset comes last or the addition is refused."""
    secret = add_totp(database, quentin, NOW)
    who = strong(database, quentin, secret, NEXT)
    third = a_person(database, Role.PROGRAMME, now=NOW)
    new = begin_totp(database, who, programme_name="Pass numérique", master_secret=MASTER_SECRET, now=NEXT)
    change_id = asked(database, quentin, pat)
    code = code_at(new.secret, NEXT)
    _, reset = at_once(
        partial(confirm_totp, database, who, new.token, code, master_secret=MASTER_SECRET, now=NEXT),
        partial(changes.confirm_change, database, change_id, by=third, now=NEXT),
    )
    assert reset is None, "it was confirmed"
    assert not factors_of(database, quentin).is_any
    with database.read() as session:
        assert session.scalars(select(StaffSession.account_id).where(StaffSession.account_id == quentin)).all() == []


@pytest.mark.race
@pytest.mark.parametrize("with_sheet", [False, True], ids=["code", "recovery code"])
def test_who_shows_a_factor_while_two_people_reset_it_stays_outside(
    database: Database, pat: UUID, quentin: UUID, with_sheet: bool
) -> None:
    """A stolen telephone, or a stolen sheet, is shown at the very moment of the reset: no session outlives it."""
    alice = a_person(database, Role.FINANCE_APPROVER, now=NOW)
    secret = add_totp(database, alice, NOW)
    codes = new_codes(database, strong(database, alice, secret, NEXT), now=NEXT)
    waits, change_id = password_shown(database, alice, LATER), asked(database, alice, pat)
    sheet = partial(show_recovery_code, database, alice, waits, codes[0], now=LATER)
    phone = partial(show_totp, database, alice, waits, code_at(secret, LATER), master_secret=MASTER_SECRET, now=LATER)
    _, reset = at_once(
        sheet if with_sheet else phone, partial(changes.confirm_change, database, change_id, by=quentin, now=LATER)
    )
    assert reset is None, "it was confirmed"
    with database.read() as session:
        assert session.scalars(select(StaffSession.account_id).where(StaffSession.account_id == alice)).all() == []


def test_one_person_alone_ends_no_factor_by_changing_an_address(database: Database, pat: UUID, quentin: UUID) -> None:
    luce = a_person(database, Role.MEDIATOR, new_id(), now=NOW, email="luce@lieu.example")
    add_totp(database, luce, NOW)
    waiting = changes.change_address(database, luce, "autre@lieu.example", by=pat, now=NEXT)
    assert waiting is not None
    assert factors_of(database, luce).is_any
    changes.confirm_change(database, waiting, by=quentin, now=NEXT)
    # Who read the old address may have added it.
    assert not factors_of(database, luce).is_any
    # Of an approver the password and the factors stay: two people know whose they are.
    alice = a_person(database, Role.FINANCE_APPROVER, now=NOW)
    add_totp(database, alice, NOW)
    waiting = changes.change_address(database, alice, "alice.bis@lieu.example", by=pat, now=NEXT)
    assert waiting is not None
    changes.confirm_change(database, waiting, by=quentin, now=NEXT)
    assert factors_of(database, alice).is_any


def test_a_closed_account_has_no_factor_left(database: Database, pat: UUID, alice: UUID) -> None:
    accounts.close_account(database, alice, by=pat, now=NEXT)
    assert not factors_of(database, alice).is_any
    assert violations(database) == []
    with database.write() as session:
        session.execute(update(TotpDevice).where(TotpDevice.account_id == alice).values(removed_at=None))
    assert violations(database) == ["closed_accounts_open_nothing fermé, il a encore une application de codes"]


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        (TotpDevice, "removed_at", "une application de codes"),
        (Passkey, "removed_at", "une clé d’accès"),
        (RecoveryCode, "ended_at", "un code de secours"),
    ],
)
def test_verify_names_what_a_reset_did_not_end(
    database: Database, pat: UUID, quentin: UUID, alice: UUID, table: type, column: str, words: str
) -> None:
    with database.write() as session:
        key = {"credential_id": b"k", "public_key": b"p", "sign_count": 0, "label": "Bureau", "is_synced": False}
        session.add(Passkey(id=new_id(), account_id=alice, created_at=NOW, **key))
        session.add(RecoveryCode(id=new_id(), account_id=alice, beginning="ABCD", code_hash="x", made_at=NOW))
    changes.confirm_change(database, asked(database, alice, pat), by=quentin, now=NEXT)
    assert violations(database) == []
    with database.write() as session:
        session.execute(update(table).values({column: None}))
    found = [one for one in violations(database) if one.startswith("resets_end_factors")]
    assert found[0].startswith(f"resets_end_factors {words} d’avant le")
    assert len(found) == 1


def test_verify_names_a_session_that_outlives_a_reset_and_a_reset_by_one_person(
    database: Database, pat: UUID, quentin: UUID, alice: UUID
) -> None:
    changes.confirm_change(database, asked(database, alice, pat), by=quentin, now=NEXT)
    token = password_shown(database, alice, LATER)
    assert viewer_of(database, token, LATER)
    with database.write() as session:
        session.execute(update(StaffSession).values(started_at=NOW))
    assert [one.split(" d’avant")[0] for one in violations(database)] == ["resets_end_factors une connexion"]
    with database.write() as session:
        session.execute(
            update(AccountChange).where(AccountChange.kind == "factors").values(decided_by=alice, asked_by=quentin)
        )
        session.execute(update(StaffSession).values(started_at=LATER))
    assert [one.partition(" ")[0] for one in violations(database)] == ["factors_reset_by_two"]
