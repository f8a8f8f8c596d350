"""Encaisser: use one or several vouchers of a booklet, for a service rendered, at a place.

The happy path asks nothing before it acts. What cannot change (a batch's value, dates and shares) is known to the process; all that
can (the vouchers' state and tags, the place, the key, an earlier refusal) stands in the one conditional UPDATE. Only when
that statement misses is the reason looked for, and kept as the answer to this request.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from voucher.issuing.model import IssuerKey, KeyState, Voucher, VoucherState
from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database, sent_together
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.rows import insert_rows, row_values
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.network.model import Place, Structure, StructureState
from voucher.network.services import Service
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.model import Period, RedeemedVoucher, Redemption, RedemptionState, RefusedAttempt
from voucher.redemption.period import close_ended_period, open_period, period_lock_key
from voucher.redemption.replayed_requests import (
    Attempt,
    attempt_lock_key,
    fingerprint_of,
    lock_attempt,
    record_refusal,
    stored_answer,
)
from voucher.redemption.rules import VOUCHERS_MAX, CounterRefusal, Refusal, end_of_life
from voucher.redemption.tray import Laid, Tray, read_tray
from voucher.redemption.typing_lock import typing_lock
from voucher.redemption.why_not_redeemed import tags_are_right, usable_states, why_not

SERVICES = frozenset(service.value for service in Service)
_TRIES = 3  # a voucher that another counter frees or takes between our two looks is looked at again
_EVENTS = {
    VoucherState.HANDED_OVER: EventType.VOUCHERS_REDEEMED,
    VoucherState.ISSUED: EventType.VOUCHERS_REDEEMED_FROM_STOCK,
}


class _Missed(Exception):
    """The conditional statement did not change every voucher: roll everything back."""


class _MonthOver(Exception):
    """The open period is of a month that is over: roll everything back, close it, begin again in the next one."""


def redeem(
    database: Database,
    attempt_id: UUID,
    laid: Sequence[Laid],
    service: str,
    counter: Counter,
    *,
    by: UUID,
    now: datetime,
) -> Redeemed | Refusal:
    """Redeem all these vouchers or none; the answer is a receipt or the reason, and a retry of `attempt_id` hears it again.

    `laid` are texts as scanned or typed, or parts of a booklet by its cover; `service` a code of the nine services of the lieux standard.
    """
    if service not in SERVICES:
        return Refusal(CounterRefusal.SERVICE_UNKNOWN)
    tray = read_tray(database, laid)
    if isinstance(tray, Refusal) and tray.reason.is_misunderstanding:
        return tray
    attempt = Attempt(attempt_id, fingerprint_of(counter, by, service, laid), counter, by, now)
    if isinstance(tray, Refusal):
        return _refuse_unknown(database, attempt, tray)
    clash: IntegrityError | None = None
    for _ in range(_TRIES):
        try:
            redeemed = _use_in_some_state(database, attempt, tray, service)
        except IntegrityError as known_id:  # this id has redeemed before, and was undone since
            redeemed, clash = None, known_id
        answer = redeemed or _explain(database, attempt, tray)
        if answer is not None:
            return answer
    if clash is not None:
        raise clash
    return Refusal(CounterRefusal.BUSY)


def _use_in_some_state(database: Database, attempt: Attempt, tray: Tray, service: str) -> Redeemed | Refusal | None:
    if end_of_life(tray.batch.dates, paris_day(attempt.at)) is not None:
        return None
    for state in usable_states(tray.batch.is_handover_required):
        try:
            return _use_in_its_month(database, attempt, tray, service, state)
        except _Missed:
            continue
    return None


def _use_in_its_month(
    database: Database, attempt: Attempt, tray: Tray, service: str, state: VoucherState
) -> Redeemed | Refusal:
    """Redeem in the open period, closed first and followed by the next one when its month is over and no job came yet."""
    try:
        with database.write() as session:
            return _use(session, attempt, tray, service, state)
    except _MonthOver:
        close_ended_period(database, tray.batch.agreement_id, attempt.at)
    with database.write() as session:
        return _use(session, attempt, tray, service, state)


def _use(session: Session, attempt: Attempt, tray: Tray, service: str, state: VoucherState) -> Redeemed | Refusal:
    batch, serials = tray.batch, tray.serials
    connection = session.connection()
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        keys = {"period": period_lock_key(batch.agreement_id), "attempt": attempt_lock_key(attempt.id)}
        with sent_together(session):
            connection.execute(_LOCKS, keys)
    if tray.is_typed and (
        typing_lock(session, attempt.by, serials, attempt.at) is not None or not tags_are_right(session, tray)
    ):
        # Told and recorded before the turn to type ends.
        if (answer := _explained(session, attempt, tray)) is None:
            raise _Missed
        return answer
    wanted: dict[str, Any] = {
        "usable": state,
        "attempt": attempt.id,
        "key": batch.key_id,
        "place": attempt.counter.place_id,
        "structure": attempt.counter.structure_id,
    }
    for rank, code in enumerate(tray.codes):
        wanted[f"serial_{rank}"] = code.serial
        wanted[f"tag_{rank}"] = code.tag
    if connection.execute(_use_vouchers(len(serials)), wanted).rowcount != len(serials):
        raise _Missed
    amounts_cents = batch.amounts_of(serials)
    amount_cents = batch.face_value_cents * len(serials)
    first_serial = batch.booklet_first_serial(serials[0])
    row = {
        "id": attempt.id,
        "fingerprint": attempt.fingerprint,
        "booklet_number": tray.booklet_number,
        "agreement_id": batch.agreement_id,
        "structure_id": attempt.counter.structure_id,
        "place_id": attempt.counter.place_id,
        "service": service,
        "mediator_id": attempt.by,
        "redeemed_at": attempt.at,
        "voucher_count": len(serials),
        "amount_cents": amount_cents,
        "first_serial": first_serial,
        "last_serial": first_serial + batch.booklet_size - 1,
        "other_usable": usable_states(batch.is_handover_required)[-1],
    }
    remaining_count = connection.execute(_INSERT_REDEMPTION, row).scalar_one_or_none()
    if remaining_count is None:
        open_period(session, batch.agreement_id, attempt.at)
        remaining_count = connection.execute(_INSERT_REDEMPTION, row).scalar_one_or_none()
    if remaining_count is None:
        raise _MonthOver
    lines = [{"redemption_id": attempt.id, "serial": serial, "is_live": True} for serial in serials]
    event = Event(
        _EVENTS[state],
        attempt.id,
        attempt.at,
        f"Carnet {booklet_label(tray.booklet_number)} : {len(serials)} chèque{'s' if len(serials) > 1 else ''}",
        attempt.by,
    )
    dimensions = {Dimension.AGREEMENT: batch.agreement_id, Dimension.STRUCTURE: attempt.counter.structure_id}
    fact = (insert_rows(RedeemedVoucher, len(lines)), row_values(lines))
    post_event(session, event, dimensions, amounts_cents, fact)
    return Redeemed(
        id=attempt.id,
        serials=serials,
        booklet_number=tray.booklet_number,
        amount_cents=amount_cents,
        remaining_count=int(remaining_count),
        service=service,
        redeemed_at=attempt.at,
    )


def _explain(database: Database, attempt: Attempt, tray: Tray) -> Redeemed | Refusal | None:
    """Return the answer this id got before, else why the vouchers were refused; None when nothing refuses them any more."""
    with database.write() as session:
        lock_attempt(session, attempt.id)
        return _explained(session, attempt, tray)


def _explained(session: Session, attempt: Attempt, tray: Tray) -> Redeemed | Refusal | None:
    if (stored := stored_answer(session, attempt)) is not None:
        return stored
    refusal = why_not(session, tray, attempt.counter, attempt.by, attempt.at)
    if refusal is not None:
        record_refusal(session, attempt, refusal)
    return refusal


def _refuse_unknown(database: Database, attempt: Attempt, refusal: Refusal) -> Redeemed | Refusal:
    """Refuse vouchers that are in no batch; a typed one counts as a wrong code."""
    with database.write() as session:
        lock_attempt(session, attempt.id)
        if (stored := stored_answer(session, attempt)) is not None:
            return stored
        is_typed = refusal.reason is CounterRefusal.WRONG_CODE
        serials = (refusal.serial,) if refusal.serial is not None else ()
        told = (typing_lock(session, attempt.by, serials, attempt.at) if is_typed else None) or refusal
        record_refusal(session, attempt, told)
        return told


# The shared lock keeps the period open; the other lets two sendings of one attempt be answered one after the other.
_LOCKS = select(
    func.pg_advisory_xact_lock_shared(bindparam("period")), func.pg_advisory_xact_lock(bindparam("attempt"))
)

_REFUSED_BEFORE = exists().where(RefusedAttempt.id == bindparam("attempt"))
_KEY_IS_GOOD = exists().where(
    IssuerKey.id == bindparam("key"), IssuerKey.state != literal_column(f"'{KeyState.REVOKED}'")
)
_PLACE_IS_GOOD = exists().where(
    Place.id == bindparam("place"),
    Place.structure_id == bindparam("structure"),
    Place.is_open,
    Structure.id == Place.structure_id,
    Structure.state == literal_column(f"'{StructureState.QUALIFIED}'"),
)


@lru_cache(maxsize=VOUCHERS_MAX)
def _use_vouchers(count: int) -> Update:
    """The statement that decides: it changes the vouchers that are all they must be at this very moment."""
    vouchers = Voucher.__table__
    each = [
        and_(vouchers.c.serial == bindparam(f"serial_{rank}"), vouchers.c.tag == bindparam(f"tag_{rank}"))
        for rank in range(count)
    ]
    return (
        update(vouchers)  # type: ignore[arg-type]
        .where(or_(*each), vouchers.c.state == bindparam("usable"))
        .where(~_REFUSED_BEFORE, _KEY_IS_GOOD, _PLACE_IS_GOOD)
        .values(state=literal_column(f"'{VoucherState.REDEEMED}'"))
    )


def _insert_redemption() -> Any:
    """The redemption goes into the open period, with what remains of its booklet; nothing is written when none is open,
    or when its month is over.
    """
    table = Redemption.__table__
    given = (
        "id",
        "fingerprint",
        "booklet_number",
        "agreement_id",
        "structure_id",
        "place_id",
        "service",
        "mediator_id",
        "redeemed_at",
        "voucher_count",
        "amount_cents",
    )
    remaining = (
        select(func.count())
        .select_from(Voucher)
        .where(Voucher.serial.between(bindparam("first_serial"), bindparam("last_serial")))
        .where(
            or_(
                Voucher.state == literal_column(f"'{VoucherState.HANDED_OVER}'"),
                Voucher.state == bindparam("other_usable"),
            )
        )
        .scalar_subquery()
    )
    values = [bindparam(name, type_=table.c[name].type) for name in given]
    state: ColumnElement[str] = literal_column(f"'{RedemptionState.CONFIRMED}'")
    source = select(*values, Period.id, remaining, state).where(
        Period.agreement_id == bindparam("agreement_id"),
        Period.closed_at.is_(None),
        or_(Period.ends_at.is_(None), Period.ends_at > bindparam("redeemed_at", type_=table.c.redeemed_at.type)),
    )
    return (
        insert(table)  # type: ignore[arg-type]
        .from_select([*given, "period_id", "remaining_count", "state"], source)
        .returning(table.c.remaining_count)
    )


_INSERT_REDEMPTION = _insert_redemption()
