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
from voucher.kernel.identifiers import derived_number
from voucher.redemption.answers import Counter, Redeemed, read_again, written
from voucher.redemption.model import RedeemedVoucher, Redemption, RedemptionState, RefusedAttempt
from voucher.redemption.rules import CounterRefusal, Refusal

_LOCK = select(func.pg_advisory_xact_lock(bindparam("key")))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request at a counter. Its id is made by the client before it sends, and kept when it sends again."""

    id: UUID
    fingerprint: bytes
    counter: Counter
    by: UUID
    at: datetime


def fingerprint_of(counter: Counter, by: UUID, service: str, codes: Iterable[str]) -> bytes:
    """Return the SHA-256 of what is asked; the order of the codes does not matter."""
    parts = [str(counter.place_id), str(by), service, *sorted(codes)]
    return hashlib.sha256("\n".join(parts).encode()).digest()


def attempt_lock_key(attempt_id: UUID) -> int:
    """Return the advisory lock of one attempt: two sendings of it are answered one after the other."""
    return derived_number(f"attempt {attempt_id}")


def lock_attempt(session: Session, attempt_id: UUID) -> None:
    """Wait until no other transaction answers this attempt (PostgreSQL; SQLite has one writer)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_LOCK, {"key": attempt_lock_key(attempt_id)})


def stored_answer(session: Session, attempt: Attempt) -> Redeemed | Refusal | None:
    """Return what this id was answered before, if anything."""
    redemption = session.execute(select(*Redemption.__table__.c).where(Redemption.id == attempt.id)).one_or_none()
    if redemption is not None:
        if redemption.fingerprint != attempt.fingerprint:
            return Refusal(CounterRefusal.OTHER_BODY)
        if redemption.state == RedemptionState.UNDONE:
            return Refusal(CounterRefusal.UNDONE_ALREADY, at=redemption.undone_at)
        serials = session.scalars(
            select(RedeemedVoucher.serial)
            .where(RedeemedVoucher.redemption_id == attempt.id)
            .order_by(RedeemedVoucher.serial)
        )
        return Redeemed(
            id=attempt.id,
            serials=tuple(serials),
            booklet_number=redemption.booklet_number,
            amount_cents=redemption.amount_cents,
            remaining_count=redemption.remaining_count,
            service=redemption.service,
            redeemed_at=redemption.redeemed_at,
        )
    refused = session.execute(
        select(RefusedAttempt.fingerprint, RefusedAttempt.refusal, RefusedAttempt.answer).where(
            RefusedAttempt.id == attempt.id
        )
    ).one_or_none()
    if refused is None:
        return None
    if refused.fingerprint != attempt.fingerprint:
        return Refusal(CounterRefusal.OTHER_BODY)
    return read_again(refused.refusal, refused.answer)


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
