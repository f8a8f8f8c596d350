"""An SMTP server on the loopback that keeps what it is given, and refuses what it is told to."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class PostOffice:
    """What was received, and what is answered: `answers` by recipient, at RCPT; `at_data` once for the next message.

    `watch` is called with each message before it is answered; `refused` keeps those that `at_data` did not take.
    """

    received: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    at_data: list[str] = field(default_factory=list)
    refused: list[EmailMessage] = field(default_factory=list)
    watch: Callable[[EmailMessage], None] = lambda _: None
    was_tls: bool = False
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.was_tls = server.transport is not None and server.transport.get_extra_info("ssl_object") is not None
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        self.watch(message)
        if self.at_data:
            self.refused.append(message)
            return self.at_data.pop(0)
        self.received.append((envelope.mail_from or "", list(envelope.rcpt_tos), message))
        return "250 taken"

    def text(self, rank: int = 0) -> str:
        """Return the body of a message received, its lines ended as ours are."""
        return str(self.received[rank][2].get_content()).replace("\r\n", "\n")


def free_port() -> int:
    """Return a port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def open_post_office(*, tls: ssl.SSLContext | None = None, is_tls_first: bool = False) -> Iterator[PostOffice]:
    """Serve on a free port; with a context it offers STARTTLS and takes nothing before, or speaks TLS from the first byte."""
    office = PostOffice(port=free_port())
    options = {"tls_context": tls, "require_starttls": True} if tls and not is_tls_first else {}
    controller = Controller(
        office, hostname="127.0.0.1", port=office.port, ssl_context=tls if is_tls_first else None, **options
    )
    controller.start()
    try:
        yield office
    finally:
        controller.stop()
