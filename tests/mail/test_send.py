"""E-mails leave by a real SMTP server, once; what fails is tried again, then given up where people see it."""

import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from tests.acts import send_mail
from tests.clients import settings_for
from tests.killing import Killer, When
from tests.listed import listed
from tests.mail.post_office import free_port, open_post_office
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import Settings
from voucher.mail.again import send_again
from voucher.mail.checks import CHECKS
from voucher.mail.model import OutboxMessage
from voucher.mail.queue import Letter, is_address, queue
from voucher.mail.read import MessageState, message_counts, messages
from voucher.mail.send import WAITS, send_waiting

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SOMEONE = UUID("01890000-0000-7000-8000-000000000001")


def a_letter(**changes: object) -> Letter:
    values: dict[str, object] = {
        "kind": "advice_sent",
        "about_id": new_id(),
        "issuer_id": None,
        "recipient": "tresor@association.example",
        "subject": "70,00 € sont en route",
        "body": "Bonjour,\n\nVos chèques sont payés.",
        "path": "/comptoir/paiements/1",
    }
    return Letter(**(values | changes))  # type: ignore[arg-type]


def put(database: Database, *letters: Letter, now: datetime = NOW) -> None:
    with database.write() as session:
        queue(session, letters, now)


def settings_to(database: Database, port: int, scheme: str = "smtp", host: str = "127.0.0.1") -> Settings:
    return settings_for(database, smtp_url=f"{scheme}://{host}:{port}")


def rows(database: Database) -> list[OutboxMessage]:
    with database.read() as session:
        found = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.created_at, OutboxMessage.id)))
        session.expunge_all()
    return found


def test_a_message_is_sent_once_with_a_text_that_says_where_to_look(database: Database) -> None:
    put(database, a_letter())
    with open_post_office() as office:
        settings = settings_to(database, office.port)
        assert send_waiting(database, settings, NOW).sent_count == 1
        assert send_waiting(database, settings, NOW + timedelta(days=9)).sent_count == 0
    ((sender, recipients, message),) = office.received
    assert (sender, recipients) == ("ne-pas-repondre@pass-numerique.example", ["tresor@association.example"])
    assert message["Subject"] == "Pass numérique : 70,00 € sont en route"
    assert message["Message-ID"] == f"<{rows(database)[0].id}@pass-numerique.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "Vos chèques sont payés.\n\nhttp://127.0.0.1:8000/comptoir/paiements/1\n" in office.text()
    assert rows(database)[0].sent_at == NOW


def test_a_fact_is_told_once_however_often_it_is_queued(database: Database) -> None:
    letter = a_letter()
    put(database, letter)
    put(database, letter, a_letter(about_id=letter.about_id, kind="advice_returned"))
    assert len(rows(database)) == 2


def test_what_the_fact_rolls_back_is_not_told(database: Database) -> None:
    def told_then_refused() -> None:
        with database.write() as session:
            queue(session, [a_letter()], NOW)
            raise Refused("no", "Non.")

    with pytest.raises(Refused):
        told_then_refused()
    assert rows(database) == []


def test_without_a_server_messages_wait_and_can_be_counted(database: Database) -> None:
    put(database, a_letter(), a_letter())
    assert send_waiting(database, settings_for(database), NOW).line == ""
    assert message_counts(database)[MessageState.WAITING] == 2


def test_a_refused_address_is_given_up_at_once_and_sent_again_by_hand(database: Database) -> None:
    put(database, a_letter(recipient="partie@association.example"), a_letter())
    with open_post_office() as office:
        office.answers["partie@association.example"] = "550 no such user here"
        done = send_waiting(database, settings_to(database, office.port), NOW)
        assert (done.sent_count, done.failed_count) == (1, 1), "the others leave all the same"
        refused = next(row for row in rows(database) if row.given_up_at)
        assert refused.failure == "Le serveur refuse cette adresse : 550 no such user here"
        with pytest.raises(Refused, match="Corrigez-la"):
            send_again(database, refused.id, "pas une adresse", by=SOMEONE, now=NOW)
        for _ in range(2):
            send_again(database, refused.id, "nouvelle@association.example", by=SOMEONE, now=NOW)
        assert send_waiting(database, settings_to(database, office.port), NOW).sent_count == 1
    assert office.received[-1][1] == ["nouvelle@association.example"]
    with pytest.raises(Refused, match="est parti le"):
        send_again(database, refused.id, "nouvelle@association.example", by=SOMEONE, now=NOW)
    with pytest.raises(Refused, match="n’existe pas"):
        send_again(database, new_id(), "nouvelle@association.example", by=SOMEONE, now=NOW)


def test_a_passing_refusal_is_tried_again_later_and_later_then_given_up(database: Database) -> None:
    put(database, a_letter())
    at = NOW
    with open_post_office() as office:
        office.at_data = ["451 come back later"] * (len(WAITS) + 1)
        settings = settings_to(database, office.port)
        for wait in WAITS:
            assert send_waiting(database, settings, at).failed_count == 1
            assert send_waiting(database, settings, at + wait - timedelta(seconds=1)).line == ""
            at += wait
        assert message_counts(database)[MessageState.RETRYING] == 1
        assert send_waiting(database, settings, at).failed_count == 1
        assert send_waiting(database, settings, at + timedelta(days=30)).line == ""
    assert message_counts(database)[MessageState.GIVEN_UP] == 1
    assert rows(database)[0].failure == "Le serveur refuse ce message : 451 come back later"


def test_a_server_that_is_not_there_costs_one_message_one_try(database: Database) -> None:
    put(database, a_letter(), a_letter(), a_letter())
    done = send_waiting(database, settings_to(database, free_port()), NOW)
    assert "ne répond pas" in done.line
    assert sorted(row.try_count for row in rows(database)) == [0, 0, 1]
    with open_post_office() as office:
        later = NOW + timedelta(minutes=2)
        assert send_waiting(database, settings_to(database, office.port), later).sent_count == 3


@pytest.mark.kill
def test_killed_before_the_server_was_asked_it_is_sent_once_its_claim_ends(database: Database, killer: Killer) -> None:
    put(database, a_letter())
    with open_post_office() as office:
        url = f"smtp://127.0.0.1:{office.port}"
        killer.dies((When.COMMITTED, 1), send_mail, url, now=NOW)
        assert killer.alive(send_mail, url, now=NOW + timedelta(minutes=9)) == 0, "its claim still holds"
        assert killer.alive(send_mail, url, now=NOW + timedelta(minutes=11)) == 1
    assert len(office.received) == 1


@pytest.mark.kill
def test_killed_after_the_servers_yes_it_is_sent_again_as_the_same_message(database: Database, killer: Killer) -> None:
    put(database, a_letter())
    with open_post_office() as office:
        url = f"smtp://127.0.0.1:{office.port}"
        killer.dies((When.COMMIT, 2), send_mail, url, now=NOW)
        assert killer.alive(send_mail, url, now=NOW + timedelta(minutes=9)) == 0, "its claim still holds"
        assert killer.alive(send_mail, url, now=NOW + timedelta(minutes=11)) == 1
        assert killer.alive(send_mail, url, now=NOW + timedelta(minutes=30)) == 0
    assert len({message["Message-ID"] for _, _, message in office.received}) == 1
    assert len(office.received) == 2


@pytest.mark.race
def test_two_workers_send_each_message_once(database: Database) -> None:
    put(database, *(a_letter(recipient=f"a{rank}@association.example") for rank in range(20)))
    with open_post_office() as office:
        settings = settings_to(database, office.port)
        threads = [threading.Thread(target=send_waiting, args=(database, settings, NOW)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(to for _, tos, _ in office.received for to in tos) == sorted(
        f"a{rank}@association.example" for rank in range(20)
    )


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nBcc: vole@ailleurs.example", "a@b.example, c@d.example", "Nom <a@b.example>", "a@b", "",
        "a b@c.example", "a@b.example\x00", "é@b.example", f"{'a' * 65}@b.example", "a@-",
    ],
)  # fmt: skip
def test_an_address_that_is_not_one_is_never_written_to(sqlite_database: Database, address: str) -> None:
    assert not is_address(address)
    put(sqlite_database, a_letter(recipient=address))
    assert rows(sqlite_database) == []


def test_what_a_name_holds_never_becomes_a_header(sqlite_database: Database) -> None:
    evil = "Association\r\nBcc: vole@ailleurs.example\r\n\r\n<script>"
    put(sqlite_database, a_letter(subject=evil, body=f"Pour {evil}\n.\nDATA\n.\r\n."))
    with open_post_office() as office:
        assert send_waiting(sqlite_database, settings_to(sqlite_database, office.port), NOW).sent_count == 1
    _, recipients, message = office.received[0]
    assert recipients == ["tresor@association.example"]
    assert message["Bcc"] is None
    assert message["Subject"] == "Pass numérique : Association Bcc: vole@ailleurs.example <script>"
    assert "DATA\n.\n." in office.text()


def test_the_list_finds_by_state_and_words(sqlite_database: Database) -> None:
    mine, other = new_id(), new_id()
    put(sqlite_database, a_letter(issuer_id=mine, subject="Avril"), a_letter(issuer_id=other, subject="Mai"))

    def found(issuer_id: UUID | None = None, **filters: str) -> list[str]:
        page, total = listed(
            messages(sqlite_database, Asked(descending=True, limit=10, filters=filters), issuer_id=issuer_id)
        )
        assert total == len(page)
        return sorted(row.subject for row in page)

    assert found() == ["Avril", "Mai"]
    assert found(mine) == ["Avril"]
    assert found(text="mai") == ["Mai"]
    assert found(text="m_i") == found(text="%") == [], "what is typed is words, not a pattern"
    assert found(state="attente") == ["Avril", "Mai"]
    assert found(state="envoye") == found(state="rien de tel") == []


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate of 127.0.0.1 signed by itself; return a server's context, its public part in `folder`/ca.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_it_speaks_tls_and_only_with_a_server_whose_name_is_proved(
    sqlite_database: Database, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sqlite_database, a_letter())
    with open_post_office(tls=certificate(tmp_path), is_tls_first=scheme == "smtps") as office:
        settings = settings_to(sqlite_database, office.port, scheme)
        assert "certificate verify failed" in send_waiting(sqlite_database, settings, NOW).line
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert send_waiting(sqlite_database, settings, NOW + timedelta(hours=1)).sent_count == 1
    assert office.was_tls


def test_the_outbox_is_checked(database: Database) -> None:
    put(database, a_letter())
    with database.write() as session:
        assert [violation for check in CHECKS for violation in check(session)] == []
        session.get_one(OutboxMessage, rows(database)[0].id).sent_at = NOW
        session.flush()
        assert [violation.check for check in CHECKS for violation in check(session)] == ["messages_can_be_sent"]
