"""A door to an SMTP server, as `smtp_url` names it. `smtps://` speaks TLS from the first byte; `smtp://` turns to TLS before anything
is said, except to this very machine.
"""

import smtplib
import ssl
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from voucher.kernel.addresses import smtp_server
from voucher.kernel.calendar import PARIS
from voucher.kernel.settings import Settings
from voucher.mail.model import OutboxMessage

TIMEOUT_SECONDS = 20
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NoServer(Exception):
    """The mail server cannot be reached, or does not let us in: nothing can be sent now. Its text is French."""


class NotTaken(Exception):
    """The server did not take a message. `is_final`: it never will, as it is. Its text is French."""

    def __init__(self, sentence: str, *, is_final: bool) -> None:
        super().__init__(sentence)
        self.is_final = is_final


def message_of(row: OutboxMessage, settings: Settings, path: str) -> EmailMessage:
    """Return an outbox row as it goes over the wire, with the path of its page; the same row always has the same Message-ID."""
    message = EmailMessage(policy=policy.SMTP)
    domain = settings.mail_from.rpartition("@")[2]
    message["Message-ID"] = f"<{row.id}@{domain}>"
    message["Date"] = format_datetime(row.created_at.astimezone(PARIS))
    message["From"] = formataddr((settings.programme_name, settings.mail_from))
    message["To"] = row.recipient
    message["Subject"] = f"{settings.programme_name} : {row.subject}"
    message["Auto-Submitted"] = "auto-generated"
    said = (
        row.body.rstrip(),
        f"{settings.base_url.rstrip('/')}{path}",
        f"-- \n{settings.programme_name}\nCe message est automatique. Une question ? {settings.help_contact}, {settings.help_phone}",
    )
    message.set_content("\n\n".join(said) + "\n", cte="quoted-printable")
    return message


def connect(settings: Settings) -> smtplib.SMTP:
    """Return an open connection, signed in where the address holds a user. Raises NoServer."""
    assert settings.smtp_url is not None, "the caller asked"
    at = smtp_server(settings.smtp_url.get_secret_value())
    context = ssl.create_default_context()
    try:
        server: smtplib.SMTP
        if at.scheme == "smtps":
            server = smtplib.SMTP_SSL(at.host, at.port, timeout=TIMEOUT_SECONDS, context=context)
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=TIMEOUT_SECONDS)
    except (OSError, smtplib.SMTPException) as error:
        raise NoServer(f"Le serveur {at.host} ne répond pas : {_words(error)}") from None
    try:
        server.ehlo()
        if at.scheme == "smtp" and (server.has_extn("starttls") or at.host not in _LOOPBACK):
            server.starttls(context=context)
        if at.user:
            server.login(at.user, at.password)
    except UnicodeError:  # its words hold a letter of the password
        quit_server(server)
        raise NoServer(
            "Le serveur ne prend ni accent ni symbole dans le nom et le mot de passe de PASS_SMTP_URL."
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        quit_server(server)
        raise NoServer(f"Le serveur {at.host} ne nous laisse pas entrer : {_words(error)}") from None
    return server


def send_one(server: smtplib.SMTP, message: EmailMessage, settings: Settings) -> None:
    """Give one message to the server. Raises NotTaken, or NoServer when it went away."""
    try:
        server.send_message(message, settings.mail_from, [message["To"]])
    except smtplib.SMTPRecipientsRefused as refused:
        code, answer = next(iter(refused.recipients.values()))
        raise NotTaken(f"Le serveur refuse cette adresse : {code} {_plain(answer)}", is_final=code >= 500) from None
    except smtplib.SMTPServerDisconnected as lost:
        raise NoServer(f"Le serveur a coupé : {_words(lost)}") from None
    except smtplib.SMTPResponseException as refused:
        sentence = f"Le serveur refuse ce message : {refused.smtp_code} {_plain(refused.smtp_error)}"
        raise NotTaken(sentence, is_final=refused.smtp_code >= 500) from None
    except smtplib.SMTPException as error:
        raise NotTaken(f"Le serveur refuse ce message : {_words(error)}", is_final=False) from None
    except OSError as lost:
        raise NoServer(f"Le serveur a coupé : {_words(lost)}") from None


def quit_server(server: smtplib.SMTP) -> None:
    """Say goodbye, if anybody listens still."""
    with suppress(OSError, smtplib.SMTPException):
        server.quit()
    server.close()


def _words(error: Exception) -> str:
    # An answer of the server, never what we said: the password is in that.
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_plain(error.smtp_error)}"
    return _plain(str(error) or type(error).__name__)


def _plain(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:200]
