"""Publish the day's figure of backing (job `backing`): a canonical text, signed by the programme, that never changes afterwards.

A day's figure holds every entry posted before that day ended in Paris, and no other: whoever has the ledger computes it
again. It is made an hour after midnight at the earliest, when nothing that began the day before is still being written. Days
that no worker saw are made up for.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from voucher.funding.backing import FUNDER_CODES, Backing, Whole, backings, rate_basis_points, whole
from voucher.funding.model import BackingFigure, BackingLine
from voucher.kernel.calendar import end_of_day, paris_day
from voucher.kernel.database import Database, take_turn
from voucher.kernel.settings import Settings
from voucher.ledger.chart import Code
from voucher.programme.model import Agreement
from voucher.programme.programme_key import programme_key

FORMAT = "pass-numerique/fonds/2"
FORMAT_FIRST = "pass-numerique/fonds/1"  # of days published before: its `undrawn` holds free credit; still verified
SIGNATURE_LINE = "signature: "
DELAY = timedelta(hours=1)
DAYS_AT_ONCE_MAX = 31  # a worker that was away for longer publishes the rest at its next turns


class UntrustedFigure(ValueError):
    """The file is not one that the programme signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLine:
    """An agreement in a published figure, in cents; what the first format did not say is None."""

    agreement_number: str
    agreement_name: str
    held_cents: int
    undrawn_cents: int
    outstanding_cents: int
    payable_cents: int
    overdue_cents: int | None
    free_cents: int | None

    @property
    def due_cents(self) -> int:
        """What is to be paid."""
        return self.outstanding_cents + self.payable_cents

    @property
    def cash_basis_points(self) -> int | None:
        """How much of it is in the bank."""
        return rate_basis_points(min(self.held_cents, self.due_cents), self.due_cents)

    @property
    def coverage_basis_points(self) -> int | None:
        """How much of it is covered, promises kept."""
        return rate_basis_points(min(self.held_cents + self.undrawn_cents, self.due_cents), self.due_cents)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
    """A published day, in cents; `file` is what is given for download: the text and its signature."""

    day: date
    published_at: datetime
    held_cents: int
    undrawn_cents: int
    outstanding_cents: int
    payable_cents: int
    overdue_cents: int | None
    free_cents: int | None
    banked_cents: int | None
    covered_cents: int | None
    lines: tuple[PublishedLine, ...]
    file: bytes
    public_key: bytes

    @property
    def is_first_format(self) -> bool:
        """Say whether it was published before free credit was left out: its coverage is not comparable."""
        return self.covered_cents is None

    @property
    def due_cents(self) -> int:
        """What is to be paid."""
        return self.outstanding_cents + self.payable_cents

    @property
    def cash_basis_points(self) -> int | None:
        """How much of what is to be paid is in the bank; None where nothing is due, or where it was not published."""
        return None if self.banked_cents is None else rate_basis_points(self.banked_cents, self.due_cents)

    @property
    def coverage_basis_points(self) -> int | None:
        """How much of what is to be paid is covered, promises kept; None as above."""
        return None if self.covered_cents is None else rate_basis_points(self.covered_cents, self.due_cents)

    @property
    def unpaid_cents(self) -> int:
        """What structures are owed and the bank does not hold, agreement by agreement."""
        return sum(max(line.payable_cents - max(line.held_cents, 0), 0) for line in self.lines)


def publish_backing(database: Database, settings: Settings, now: datetime) -> str:
    """Publish the figure of each day that is over and has none; return a line that says so, empty when nothing was due."""
    key = programme_key(settings.master_secret)
    published = [
        day.isoformat()
        for day in _days_due(database, now)
        if publish_day(database, day, key, origin=settings.base_url, now=now)
    ]
    return f"Fonds disponibles publiés : {', '.join(published)}" if published else ""


def publish_day(database: Database, day: date, key: Ed25519PrivateKey, *, origin: str, now: datetime) -> bool:
    """Publish one day's figure and return True; False where it is published already: it never changes."""
    taken_at = end_of_day(day)
    with database.write() as session:
        take_turn(session, "publish backing")
        if session.get(BackingFigure, day) is not None:
            return False
        found, total, numbers = figures_at(session, taken_at, day)
        text = canonical_text(day, taken_at, origin, total, [(numbers[one], found[one]) for one in found])
        figure = {
            "day": day,
            "taken_at": taken_at,
            **_cents(total.backing),
            "banked_cents": total.backing.banked_cents,
            "covered_cents": total.backing.covered_cents,
            "text": text,
            "signature": key.sign(text.encode()),
            "public_key": key.public_key().public_bytes_raw(),
            "published_at": now,
        }
        session.execute(insert(BackingFigure).values(**figure))
        lines = [{"day": day, "agreement_id": one, **_cents(backing)} for one, backing in found.items()]
        if lines:
            session.execute(insert(BackingLine), lines)
    return True


def figures_at(
    session: Session, taken_at: datetime, day: date
) -> tuple[dict[UUID, Backing], Whole, Mapping[UUID, str]]:
    """Return what a day's figure is made of: each agreement's backing, the programme's, and the agreements' numbers."""
    found = backings(session, before=taken_at, on=day)
    rows = session.execute(select(Agreement.id, Agreement.number).where(Agreement.created_at < taken_at))
    numbers = {row.id: row.number for row in rows if row.id in found}
    found = {number: found[number] for number in numbers}
    return found, whole(session, found.values(), taken_at), numbers


def canonical_text(
    day: date,
    taken_at: datetime,
    origin: str,
    total: Whole,
    agreements: Sequence[tuple[str, Backing]],
    form: str = FORMAT,
) -> str:
    """Return the text that is signed: UTF-8, lines ended by LF, amounts in cents, agreements by number.

    `form` is FORMAT, or FORMAT_FIRST to write again a day that was published in it.
    """
    written = _written if form == FORMAT else _written_first
    in_all = f" in_bank={total.backing.banked_cents} covered={total.backing.covered_cents}" if form == FORMAT else ""
    head = [
        form,
        f"origin: {origin}",
        f"day: {day.isoformat()}",
        f"taken_at: {taken_at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}",
        "unit: cent",
        f"total: {written(total.backing)}{in_all}",
        f"bank: balance={total.bank_cents} waiting={total.waiting_cents} charges={total.charges_cents}",
    ]
    body = [f"agreement {number}: {written(backing)}" for number, backing in sorted(agreements)]
    return "\n".join([*head, *body]) + "\n"


def signed_file(text: str, signature: bytes) -> bytes:
    """Return the published file: the text, then its signature in base64 on a line of its own."""
    return f"{text}{SIGNATURE_LINE}{base64.b64encode(signature).decode()}\n".encode()


def verify_file(content: bytes, public_key: bytes) -> str:
    """Return the text of a published file. Raises UntrustedFigure unless the programme's key signed exactly this."""
    text, mark, last = content.rpartition(SIGNATURE_LINE.encode())
    try:
        signature = base64.b64decode(last.rstrip(b"\n"), validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
        said = text.decode()
    except (InvalidSignature, ValueError) as untrusted:
        raise UntrustedFigure("the file does not carry the programme's signature") from untrusted
    if not mark or not said.startswith((f"{FORMAT}\n", f"{FORMAT_FIRST}\n")):
        raise UntrustedFigure("the file has another format")
    return said


def published_figure(database: Database, day: date | None = None) -> PublishedFigure | None:
    """Return a published day, the last one where none is given; None where it was not published."""
    with database.read() as session:
        query = select(BackingFigure).order_by(BackingFigure.day.desc()).limit(1)
        figure = session.scalar(query if day is None else query.where(BackingFigure.day == day))
        if figure is None:
            return None
        rows = session.execute(
            select(
                Agreement.number.label("agreement_number"),
                Agreement.name.label("agreement_name"),
                BackingLine.held_cents,
                BackingLine.undrawn_cents,
                BackingLine.outstanding_cents,
                BackingLine.payable_cents,
                BackingLine.overdue_cents,
                BackingLine.free_cents,
            )
            .join(Agreement, Agreement.id == BackingLine.agreement_id)
            .where(BackingLine.day == figure.day)
            .order_by(Agreement.number)
        )
        return _published(figure, tuple(PublishedLine(**row._asdict()) for row in rows))


def published_days(database: Database, limit: int) -> list[PublishedFigure]:
    """Return the last published days, the latest first, without their agreements."""
    with database.read() as session:
        rows = session.scalars(select(BackingFigure).order_by(BackingFigure.day.desc()).limit(limit))
        return [_published(figure, ()) for figure in rows]


def first_published_on(database: Database) -> date | None:
    """Return the first day that was published."""
    with database.read() as session:
        return session.scalar(select(func.min(BackingFigure.day)))


def _published(figure: BackingFigure, lines: tuple[PublishedLine, ...]) -> PublishedFigure:
    return PublishedFigure(
        day=figure.day,
        published_at=figure.published_at,
        held_cents=figure.held_cents,
        undrawn_cents=figure.undrawn_cents,
        outstanding_cents=figure.outstanding_cents,
        payable_cents=figure.payable_cents,
        overdue_cents=figure.overdue_cents,
        free_cents=figure.free_cents,
        banked_cents=figure.banked_cents,
        covered_cents=figure.covered_cents,
        lines=lines,
        file=signed_file(figure.text, figure.signature),
        public_key=figure.public_key,
    )


def _days_due(database: Database, now: datetime) -> list[date]:
    last_over = paris_day(now - DELAY) - timedelta(days=1)
    with database.read() as session:
        last = session.scalar(select(func.max(BackingFigure.day)))
    first = last_over if last is None else last + timedelta(days=1)
    count = min((last_over - first).days + 1, DAYS_AT_ONCE_MAX)
    return [first + timedelta(days=rank) for rank in range(count)]


def _cents(backing: Backing) -> dict[str, int]:
    return {
        "held_cents": backing.held_cents,
        "undrawn_cents": backing.undrawn_cents,
        "outstanding_cents": backing.outstanding_cents,
        "payable_cents": backing.payable_cents,
        "overdue_cents": backing.overdue_cents,
        "free_cents": backing.free_cents,
    }


def _written(backing: Backing) -> str:
    return (
        f"held={backing.held_cents} undrawn={backing.undrawn_cents} overdue={backing.overdue_cents} "
        f"outstanding={backing.outstanding_cents} payable={backing.payable_cents} free={backing.free_cents}"
    )


def _written_first(backing: Backing) -> str:
    """Write what the first format said: undrawn was all that funders had committed and not given, free credit too."""
    owed = sum(backing.by_code.get(code, 0) for code in (Code.COMMITTED, *FUNDER_CODES))
    return (
        f"held={backing.held_cents} undrawn={owed + backing.outstanding_cents - backing.overdue_cents} "
        f"outstanding={backing.outstanding_cents} payable={backing.payable_cents}"
    )
