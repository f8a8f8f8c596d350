"""One-time links: the secret is made when a message leaves, known to its person alone, and serves once."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.clients import PASSWORD, a_person, settings_for
from tests.listed import listed
from tests.mail.post_office import PostOffice, open_post_office
from voucher.access import accounts, changes, links, sessions
from voucher.access.model import AccountLink, LinkSecret, StaffAccount
from voucher.access.read_trail import trail
from voucher.access.rules import LINK_LIVES, RESETS_ASKED_MAX, LinkPurpose, Role
from voucher.access.sessions import token_hash
from voucher.kernel.database import Base, Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage
from voucher.mail.send import NO_MORE_LINK, send_waiting

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
CHOSEN = "cinq autres mots très longs"
EMAIL = "luce@lieu.example"


def invited(database: Database) -> tuple[UUID, UUID]:
    """Return a person of the programme, and somebody whom they have just invited."""
    programme = a_person(database, Role.PROGRAMME, now=NOW)
    luce = accounts.open_account(database, accounts.NewAccount(new_id(), EMAIL, "Luce Arbre"), by=programme, now=NOW)
    return programme, luce


def send(database: Database, office: PostOffice, now: datetime = NOW) -> int:
    settings = settings_for(database, smtp_url=f"smtp://127.0.0.1:{office.port}")
    return send_waiting(database, settings, now, links.make_path).sent_count


def token_in(text: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:8000/personnes/lien/([\w-]{43})\n", text)
    assert found is not None, "no link"
    return found[1]


def body_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def everything(database: Database) -> str:
    """Return every value of every table, as text."""
    with database.engine.connect() as connection:
        return "\n".join(
            str(row) for table in Base.metadata.sorted_tables for row in connection.execute(table.select())
        )


def hashes(database: Database) -> set[bytes]:
    with database.read() as session:
        return set(session.scalars(select(LinkSecret.token_sha256)))


def outbox(database: Database, kind: str) -> list[OutboxMessage]:
    with database.read() as session:
        found = list(
            session.scalars(select(OutboxMessage).where(OutboxMessage.kind == kind).order_by(OutboxMessage.id))
        )
        session.expunge_all()
    return found


def signs_in(database: Database, password: str, email: str = EMAIL, now: datetime = NOW) -> bool:
    try:
        return bool(sessions.sign_in(database, email, password, now=now))
    except Refused:
        return False


def test_an_invited_person_chooses_the_password_and_nobody_else_ever_had_one(database: Database) -> None:
    invited(database)
    (message,) = outbox(database, "account_link")
    assert (message.recipient, message.path) == (EMAIL, "")
    assert "http" not in message.body
    assert hashes(database) == set()
    assert not signs_in(database, PASSWORD)
    with open_post_office() as office:
        assert send(database, office) == 1
    token = token_in(office.text())
    assert hashes(database) == {token_hash(token)}
    assert token not in everything(database)
    links.use_link(database, token, CHOSEN, now=NOW)
    assert signs_in(database, CHOSEN)
    assert token not in everything(database)
    (told,) = outbox(database, "account_news")
    assert told.recipient == EMAIL
    assert "choisi avec un lien" in told.body


def test_the_hash_is_committed_before_the_message_leaves(database: Database) -> None:
    invited(database)
    known: list[bool] = []

    def watch(message: EmailMessage) -> None:
        elsewhere = Database(database.url)
        known.append(token_hash(token_in(body_of(message))) in hashes(elsewhere))
        elsewhere.dispose()

    with open_post_office() as office:
        office.watch = watch
        send(database, office)
    assert known == [True]


def test_a_second_sending_makes_a_second_secret_and_the_first_use_ends_both(database: Database) -> None:
    invited(database)
    with open_post_office() as office:
        office.at_data = ["451 come back later"]
        assert send(database, office) == 0
        assert send(database, office, NOW + timedelta(hours=1)) == 1
    # The server said no, and yet the first may have reached its person.
    first, second = token_in(body_of(office.refused[0])), token_in(office.text())
    assert first != second
    assert hashes(database) == {token_hash(first), token_hash(second)}
    later = NOW + timedelta(hours=2)
    assert links.open_link(database, first, now=later) is not None
    assert links.open_link(database, second, now=later) is not None
    links.use_link(database, first, CHOSEN, now=later)
    for token in (first, second):
        with pytest.raises(Refused, match="link_ended"):
            links.use_link(database, token, "six mots encore plus longs", now=later)
    assert signs_in(database, CHOSEN)


def test_a_use_ends_every_link_of_the_account_whoever_asked_for_it(database: Database) -> None:
    programme, luce = invited(database)
    links.ask_link(database, luce, by=programme, now=NOW)
    links.ask_forgotten(database, EMAIL, now=NOW)
    printed = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    with open_post_office() as office:
        send(database, office)
    tokens = [token_in(body_of(one)) for *_, one in office.received if "/personnes/lien/" in body_of(one)]
    assert len(tokens) == 3
    links.use_link(database, tokens[1], CHOSEN, now=NOW)
    assert [links.open_link(database, token, now=NOW) for token in (*tokens, printed)] == [None] * 4


@pytest.mark.parametrize("same", [True, False], ids=["one link", "two links"])
def test_two_uses_at_the_same_moment_choose_one_password(database: Database, same: bool) -> None:
    invited(database)
    first = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    second = first if same else links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    wanted = {"trois noix sous la lanterne": first, "quatre poires dans un seau": second}
    start, won, lost = threading.Barrier(2), list[str](), list[str]()

    def use(password: str, token: str) -> None:
        start.wait()
        try:
            links.use_link(database, token, password, now=NOW)
        except Refused as refused:
            lost.append(refused.code)
        else:
            won.append(password)

    threads = [threading.Thread(target=use, args=pair) for pair in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), lost) == (1, ["link_ended"])
    assert [password for password in wanted if signs_in(database, password)] == won


@pytest.mark.parametrize("purpose", LinkPurpose)
def test_a_link_ends_with_time_and_an_old_demand_is_not_sent_any_more(database: Database, purpose: LinkPurpose) -> None:
    programme, luce = invited(database)
    if purpose is LinkPurpose.RESET:
        first = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
        links.use_link(database, first, CHOSEN, now=NOW)
        assert links.ask_link(database, luce, by=programme, now=NOW) is LinkPurpose.RESET
    life = LINK_LIVES[purpose]
    token = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    assert links.open_link(database, token, now=NOW + life - timedelta(seconds=1)) is not None
    assert links.open_link(database, token, now=NOW + life) is None
    with pytest.raises(Refused, match="link_ended"):
        links.use_link(database, token, "six mots encore plus longs", now=NOW + life)
    with open_post_office() as office:
        send(database, office, NOW + life + timedelta(seconds=1))
    assert all("/personnes/lien/" not in body_of(one) for *_, one in office.received)
    assert {one.failure for one in outbox(database, "account_link")} == {NO_MORE_LINK}


def test_a_link_to_renew_is_good_for_a_day_at_most() -> None:
    assert LINK_LIVES[LinkPurpose.RESET] <= timedelta(hours=24)


def _cancel(database: Database, programme: UUID, luce: UUID) -> None:
    assert links.cancel_links(database, luce, by=programme, now=NOW) == 2


def _close(database: Database, programme: UUID, luce: UUID) -> None:
    accounts.close_account(database, luce, by=programme, now=NOW)


def _move(database: Database, programme: UUID, luce: UUID) -> None:
    assert changes.change_address(database, luce, "luce@ailleurs.example", by=programme, now=NOW) is None


@pytest.mark.parametrize("end", [_cancel, _close, _move])
def test_links_end_when_cancelled_closed_or_sent_to_another_address(
    database: Database, end: Callable[[Database, UUID, UUID], None]
) -> None:
    programme, luce = invited(database)
    token = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    end(database, programme, luce)
    assert links.open_link(database, token, now=NOW) is None
    with pytest.raises(Refused, match="link_ended"):
        links.use_link(database, token, CHOSEN, now=NOW)
    with open_post_office() as office:
        send(database, office)
    # What waited for the old address never leaves.
    assert all("/personnes/lien/" not in body_of(one) for _, to, one in office.received if to == [EMAIL])
    assert outbox(database, "account_link")[0].failure == NO_MORE_LINK


def test_a_corrected_address_is_invited_anew_and_both_addresses_are_told(database: Database) -> None:
    programme, luce = invited(database)
    _move(database, programme, luce)
    with open_post_office() as office:
        send(database, office)
    linked = [to for _, to, one in office.received if "/personnes/lien/" in body_of(one)]
    told = [to for _, to, one in office.received if "a été remplacée" in body_of(one)]
    assert linked == [["luce@ailleurs.example"]]
    assert sorted(told) == [["luce@ailleurs.example"], [EMAIL]]


def test_an_address_that_one_person_changes_ends_the_password_chosen_at_the_old_one(database: Database) -> None:
    programme, luce = invited(database)
    links.use_link(database, links.print_link(database, EMAIL, now=NOW).rpartition("/")[2], CHOSEN, now=NOW)
    session = sessions.sign_in(database, EMAIL, CHOSEN, now=NOW)
    _move(database, programme, luce)
    assert sessions.viewer_of(database, session, now=NOW) is None
    assert not signs_in(database, CHOSEN, "luce@ailleurs.example")
    with open_post_office() as office:
        send(database, office)
    (token,) = (token_in(body_of(one)) for _, _, one in office.received if "/personnes/lien/" in body_of(one))
    links.use_link(database, token, "encore cinq autres mots", now=NOW)
    assert signs_in(database, "encore cinq autres mots", "luce@ailleurs.example")


def test_a_message_pointed_at_another_address_gets_no_link(database: Database) -> None:
    invited(database)
    with database.write() as session:
        session.execute(
            update(OutboxMessage).where(OutboxMessage.kind == "account_link").values(recipient="pat@ailleurs.example")
        )
    with open_post_office() as office:
        assert send(database, office) == 0
    assert hashes(database) == set()


def test_what_a_server_answers_keeps_no_secret(database: Database) -> None:
    invited(database)
    with open_post_office() as office:
        office.watch = lambda message: office.at_data.append(
            f"554 blocked: http://127.0.0.1:8000/personnes/lien/{token_in(body_of(message))} is a bad link"
        )
        send(database, office)
    (message,) = outbox(database, "account_link")
    assert "is a bad link" in message.failure
    assert token_in(body_of(office.refused[0])) not in everything(database)


def test_a_weak_password_is_refused_and_the_link_serves_still(database: Database) -> None:
    invited(database)
    token = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    with pytest.raises(Refused, match="weak_password") as refused:
        links.use_link(database, token, "motdepasse2026", now=NOW)
    assert refused.value.field == "wanted"
    links.use_link(database, token, CHOSEN, now=NOW)


def test_a_token_that_was_never_made_opens_nothing(database: Database) -> None:
    invited(database)
    assert links.open_link(database, "x" * 43, now=NOW) is None
    with pytest.raises(Refused, match="link_ended"):
        links.use_link(database, "x" * 43, CHOSEN, now=NOW)


def test_a_forgotten_password_is_answered_alike_whether_the_account_exists_or_not(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email="lea@lieu.example")
    closed = a_person(database, Role.AUDITOR, now=NOW, email="parti@lieu.example")
    accounts.close_account(database, closed, by=closed, now=NOW)
    for email in (" Lea@lieu.example", "personne@lieu.example", "parti@lieu.example"):
        links.ask_forgotten(database, email, now=NOW)
    assert [one.recipient for one in outbox(database, "account_link")] == ["lea@lieu.example"]
    # One line each time, and the address of nobody is not kept.
    lines, _ = listed(trail(database, Asked(limit=9, filters={"action": "oublié"})))
    assert [line.subject for line in lines] == ["lea@lieu.example", "sans suite", "sans suite"]
    assert "personne@lieu.example" not in everything(database)


def test_nobody_fills_somebody_s_mailbox(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    for _ in range(RESETS_ASKED_MAX + 2):
        links.ask_forgotten(database, EMAIL, now=NOW)
    assert len(outbox(database, "account_link")) == RESETS_ASKED_MAX
    links.ask_forgotten(database, EMAIL, now=NOW + LINK_LIVES[LinkPurpose.RESET])
    assert len(outbox(database, "account_link")) == RESETS_ASKED_MAX + 1


def test_a_printed_link_is_in_the_trail_and_its_person_is_told(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    path = links.print_link(database, EMAIL, now=NOW)
    assert path.startswith("/personnes/lien/")
    lines, _ = listed(trail(database, Asked(limit=9)))
    assert [(line.who, line.action, line.subject) for line in lines] == [
        ("le système", "Lien affiché sur le serveur", EMAIL)
    ]
    (told,) = outbox(database, "account_news")
    assert "affiché sur le serveur" in told.body
    assert path.rpartition("/")[2] not in told.body


def test_a_password_chosen_with_a_link_ends_every_session(database: Database) -> None:
    a_person(database, Role.AUDITOR, now=NOW, email=EMAIL)
    token = sessions.sign_in(database, EMAIL, PASSWORD, now=NOW)
    link = links.print_link(database, EMAIL, now=NOW).rpartition("/")[2]
    assert sessions.viewer_of(database, token, now=NOW) is not None
    links.use_link(database, link, CHOSEN, now=NOW)
    assert sessions.viewer_of(database, token, now=NOW) is None
    assert signs_in(database, CHOSEN)
    assert not signs_in(database, PASSWORD)


def test_who_asks_is_written_and_a_closed_account_is_sent_nothing(database: Database) -> None:
    programme, luce = invited(database)
    assert links.ask_link(database, luce, by=programme, now=NOW) is LinkPurpose.INVITATION
    accounts.close_account(database, luce, by=programme, now=NOW)
    with pytest.raises(Refused, match="account_closed"):
        links.ask_link(database, luce, by=programme, now=NOW)
    with pytest.raises(Refused, match="unknown_account"):
        links.print_link(database, EMAIL, now=NOW)
    with database.read() as session:
        asked = session.scalars(select(AccountLink.asked_by)).all()
        assert set(asked) == {programme}
        assert session.scalar(select(StaffAccount.password_hash).where(StaffAccount.id == luce)) is None
