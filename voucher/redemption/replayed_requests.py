"""A request keeps its answer: the same id with the same body hears it again, with another body is refused."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from voucher.issuing.doors import Door
from voucher.issuing.wrong_code_alarm import count_wrong_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import derived_number
from voucher.network.model import Place
from voucher.redemption.answers import Counter, Redeemed, read_again, written
from voucher.redemption.model import RedeemedVoucher, Redemption, RedemptionState, RefusedAttempt
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.redemption.tray import Laid

_LOCK = select(func.pg_advisory_xact_lock(bindparam("key")))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request at a counter. Its id is made by the client before it sends, and kept when it sends again."""

    id: UUID
    fingerprint: bytes
    counter: Counter
    by: UUID
    at: datetime


def fingerprint_of(counter: Counter, by: UUID, service: str, laid: Iterable[Laid]) -> bytes:
    """Return the SHA-256 of what is asked; the order of what is laid does not matter."""
    parts = [str(counter.place_id), str(by), service, *sorted(map(str, laid))]
    return hashlib.sha256("\n".join(parts).encode()).digest()


def attempt_lock_key(attempt_id: UUID) -> int:
    """Return the advisory lock of one attempt: two sendings of it are answered one after the other."""
    return derived_number(f"attempt {attempt_id}")


def lock_attempt(session: Session, attempt_id: UUID) -> None:
    """Wait until no other transaction answers this attempt (PostgreSQL; SQLite has one writer)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK, {"key": attempt_lock_key(attempt_id)})


@dataclass(frozen=True, slots=True)
class Stored:
    """What an id was answered: to which request, at which place."""

    fingerprint: bytes
    place_id: UUID
    answer: Redeemed | Refusal


def stored_answer(session: Session, attempt: Attempt) -> Redeemed | Refusal | None:
    """Return what this id was answered before, if anything."""
    stored = find_stored(session, attempt.id)
    if stored is None:
        return None
    return stored.answer if stored.fingerprint == attempt.fingerprint else Refusal(CounterRefusal.OTHER_BODY)


def find_stored(session: Session, attempt_id: UUID) -> Stored | None:
    """Return what an id was answered, whatever was asked."""
    redemption = session.execute(select(*Redemption.__table__.c).where(Redemption.id == attempt_id)).one_or_none()
    if redemption is not None:
        if redemption.state == RedemptionState.UNDONE:
            undone = Refusal(CounterRefusal.UNDONE_ALREADY, at=redemption.undone_at)
            return Stored(redemption.fingerprint, redemption.place_id, undone)
        serials = session.scalars(
            select(RedeemedVoucher.serial)
            .where(RedeemedVoucher.redemption_id == attempt_id)
            .order_by(RedeemedVoucher.serial)
        )
        redeemed = Redeemed(
            id=attempt_id,
            serials=tuple(serials),
            booklet_number=redemption.booklet_number,
            amount_cents=redemption.amount_cents,
            remaining_count=redemption.remaining_count,
            service=redemption.service,
            redeemed_at=redemption.redeemed_at,
        )
        return Stored(redemption.fingerprint, redemption.place_id, redeemed)
    refused = session.execute(
        select(
            RefusedAttempt.fingerprint, RefusedAttempt.place_id, RefusedAttempt.refusal, RefusedAttempt.answer
        ).where(RefusedAttempt.id == attempt_id)
    ).one_or_none()
    if refused is None:
        return None
    return Stored(refused.fingerprint, refused.place_id, read_again(refused.refusal, refused.answer))


def find_answer(database: Database, attempt_id: UUID, counter: Counter) -> Redeemed | Refusal | None:
    """Return what an attempt of this place was answered, or None: it never arrived. Nothing changes.

    For whoever stands at a counter where another person left without an answer: they may not send it again, its body is theirs.
    """
    with database.read() as session:
        stored = find_stored(session, attempt_id)
        is_ours = stored is not None and session.scalar(
            select(Place.id).where(Place.id == stored.place_id, Place.structure_id == counter.structure_id)
        )
    return stored.answer if stored is not None and is_ours and stored.place_id == counter.place_id else None


def record_refusal(session: Session, attempt: Attempt, refusal: Refusal) -> None:
    """Keep a refusal for ever under the id of its request; a wrong code is counted for the programme too."""
    if refusal.reason is CounterRefusal.WRONG_CODE:
        count_wrong_code(session, Door.COUNTER, attempt.at)
    session.execute(
        insert(RefusedAttempt).values(
            id=attempt.id,
            fingerprint=attempt.fingerprint,
            refusal=refusal.reason,
            answer=written(refusal),
            place_id=attempt.counter.place_id,
            mediator_id=attempt.by,
            serial=refusal.serial,
            attempted_at=attempt.at,
        )
    )
