"""Send what waits in the outbox, by SMTP: job `mail`.

A message is claimed by a conditional statement before it is handed over, so that two workers never send it both. Killed between
the server's yes and ours, it is sent again after the claim ends, with the same Message-ID: most servers show it once.
"""

import re
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, select, update

from voucher.kernel.database import Database, changed
from voucher.kernel.settings import Settings
from voucher.mail.model import OutboxMessage
from voucher.mail.smtp import NoServer, NotTaken, connect, message_of, quit_server, send_one

AT_ONCE_MAX = 200
CLAIM = timedelta(minutes=10)
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
"""How long after each failed try the next one comes; after the last, the message is given up."""

NO_MORE_LINK = "Ce lien n’est plus attendu : il a été annulé, un autre a servi, ou il date de trop longtemps."

MakePath = Callable[[Database, UUID, str, datetime], str | None]
"""Makes the page's path of a message whose path is a secret, from what it is about and its address; None: not wanted any more."""

_WAITS_NOW = OutboxMessage.sent_at.is_(None) & OutboxMessage.given_up_at.is_(None)


@dataclass(slots=True)
class Sent:
    """What a turn did: how many were sent and how many failed; why the server could not be used, empty if it could."""

    sent_count: int = 0
    failed_count: int = 0
    no_server: str = ""

    @property
    def line(self) -> str:
        """What the job `mail` shows; empty when there was nothing to do."""
        parts = [f"{self.sent_count} envoyé(s)"] if self.sent_count else []
        parts += [f"{self.failed_count} refusé(s)"] if self.failed_count else []
        parts += [self.no_server] if self.no_server else []
        return ", ".join(parts)


def send_waiting(database: Database, settings: Settings, now: datetime, make_path: MakePath = lambda *_: None) -> Sent:
    """Send what is due, the oldest first; without `smtp_url` everything waits.

    A message without a path (a one-time link) gets it from `make_path`, which commits what it must know before the message
    leaves. Such a path is written nowhere, not even in what a server answers.
    """
    done = Sent()
    if settings.smtp_url is None:
        return done
    server: smtplib.SMTP | None = None
    try:
        for row in _due(database, now):
            if not _claim(database, row, now):
                continue
            path: str | None = row.path
            try:
                server = server or connect(settings)
                path = row.path or make_path(database, row.about_id, row.recipient, now)
                if path is None:
                    raise NotTaken(NO_MORE_LINK, is_final=True)
                send_one(server, message_of(row, settings, path), settings)  # type: ignore[arg-type]  # a row has its columns
            except NoServer as gone:
                # The others would fail too: they wait without losing a try.
                sentence = _without_secret(row, path, str(gone))
                _note_failure(database, row, sentence, now, is_final=False)
                done.no_server = sentence
                return done
            except (NotTaken, ValueError) as refused:
                is_final = not isinstance(refused, NotTaken) or refused.is_final
                _note_failure(database, row, _without_secret(row, path, str(refused)), now, is_final=is_final)
                done.failed_count += 1
            else:
                _note_sent(database, row.id, now)
                done.sent_count += 1
    finally:
        if server is not None:
            quit_server(server)
    return done


def _without_secret(row: Row[OutboxMessage], path: str | None, sentence: str) -> str:
    # A server may quote the address that it does not like.
    if row.path or not path:
        return sentence
    return re.sub(re.escape(f"{path.rpartition('/')[0]}/") + r"\S*", "…", sentence)


def _due(database: Database, now: datetime) -> list[Row[OutboxMessage]]:
    with database.read() as session:
        rows = session.execute(
            select(*OutboxMessage.__table__.columns)
            .where(_WAITS_NOW, OutboxMessage.next_try_at <= now)
            .order_by(OutboxMessage.next_try_at, OutboxMessage.id)
            .limit(AT_ONCE_MAX)
        )
        return list(rows)


def _claim(database: Database, row: Row[OutboxMessage], now: datetime) -> bool:
    claim = (
        update(OutboxMessage)
        .where(OutboxMessage.id == row.id, _WAITS_NOW, OutboxMessage.try_count == row.try_count)
        .where(OutboxMessage.next_try_at == row.next_try_at)
        .values(try_count=OutboxMessage.try_count + 1, next_try_at=now + CLAIM)
    )
    with database.write() as session:
        return changed(session, claim) == 1


def _note_sent(database: Database, message_id: UUID, now: datetime) -> None:
    with database.write() as session:
        session.execute(
            update(OutboxMessage).where(OutboxMessage.id == message_id, _WAITS_NOW).values(sent_at=now, failure="")
        )


def _note_failure(database: Database, row: Row[OutboxMessage], sentence: str, now: datetime, *, is_final: bool) -> None:
    tries = row.try_count + 1
    values: dict[str, object] = {"failure": sentence[:300]}
    if is_final or tries > len(WAITS):
        values["given_up_at"] = now
    else:
        values["next_try_at"] = now + WAITS[tries - 1]
    with database.write() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.id == row.id, _WAITS_NOW).values(**values))
