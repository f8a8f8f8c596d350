"""The states of payments and their history. No other module writes `payment_advice.state` or `payment_event` (a test holds it).

A change is one conditional statement for one payment and a set-based one for many; its event is written in the same transaction,
as the entry is by its caller.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    Subquery,
    and_,
    exists,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from voucher.kernel.calendar import paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Base, analyze_tables, changed
from voucher.kernel.known_values import OneOf
from voucher.kernel.rows import insert_many
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import TRANSITIONS, PaymentWhy

REASON_LENGTH_MAX = 200
_MANY = 1_000


class PaymentEvent(Base):
    """One change of a payment's state: from, to, why; which line, file or batch; who, when. It only grows (trigger)."""

    __tablename__ = "payment_event"

    advice_id: Mapped[UUID] = mapped_column(ForeignKey("payment_advice.id"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # from 1; `payment_advice.event_count` is the last one's
    from_state: Mapped[AdviceState | None] = mapped_column(OneOf(AdviceState, 10))
    to_state: Mapped[AdviceState] = mapped_column(OneOf(AdviceState, 10))
    why: Mapped[PaymentWhy] = mapped_column(OneOf(PaymentWhy, 20))
    reason: Mapped[str] = mapped_column(String(REASON_LENGTH_MAX))  # a bank's code, or the words of a person
    effective_on: Mapped[date]  # the day on which it counts: the bank's where a line or a report says it
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey("bank_line.id"))
    bank_file: Mapped[str | None] = mapped_column(String(64), ForeignKey("bank_file.sha256"))  # where no line says it
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("settlement_batch.id"))  # that froze, sent or took it up
    # The entry of a rejection or of its withdrawal; other entries bear the id of their line, match or batch.
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("entry.id", deferrable=True, initially="DEFERRED"))
    happened_at: Mapped[datetime]
    made_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("rank >= 1 AND (rank = 1) = (from_state IS NULL)", name="first_comes_from_nothing"),
        Index(
            "ix_payment_event_entry_id",
            "entry_id",
            sqlite_where=text("entry_id IS NOT NULL"),
            postgresql_where=text("entry_id IS NOT NULL"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What payments that change together share: why, by whom, when, and what the event names. `effective_on` is the day of `at`
    by default; `part` is the file of the batch in which they leave.
    """

    why: PaymentWhy
    by: UUID | None
    at: datetime
    effective_on: date | None = None
    reason: str = ""
    line_id: UUID | None = None
    bank_file: str | None = None
    batch_id: UUID | None = None
    entry_id: UUID | None = None
    part: int | None = None


def change(
    session: Session,
    advices: Select[*tuple[Any, ...]] | Sequence[UUID],
    before: AdviceState,
    after: AdviceState,
    cause: Cause,
) -> int:
    """Change the state of those of these payments that are in `before`, write their events, and return how many they are.

    `advices` are ids, or select `advice_id` and whatever of `Cause` differs from one to the other (`effective_on`, `line_id`,
    `reason`, …); it must not depend on states. Raises ValueError for what is not in the table of transitions.
    """
    if (before, after, cause.why) not in TRANSITIONS:
        raise ValueError(f"no payment goes from {before} to {after} because of {cause.why}")
    if isinstance(advices, Select):
        return _change(session, advices.subquery("fact"), before, after, cause)
    return sum(_change(session, _listed(some), before, after, cause) for some in chunks(advices))


def locked_in(session: Session, advice_ids: Sequence[UUID], state: AdviceState) -> list[UUID]:
    """Return those of these payments that are in a state, held until the end of the transaction, in the order of ids."""
    return [
        advice_id
        for some in chunks(sorted(advice_ids))
        for advice_id in session.scalars(
            select(PaymentAdvice.id)
            .where(PaymentAdvice.id.in_(some), PaymentAdvice.state == state)
            .order_by(PaymentAdvice.id)
            .with_for_update()
        )
    ]


def by_reason(reasons: Mapping[UUID, str]) -> Iterator[tuple[str, list[UUID]]]:
    """Give the payments of each reason, as an event holds it, at most a thousand at a time."""
    ids: dict[str, list[UUID]] = {}
    for advice_id, reason in sorted(reasons.items()):
        ids.setdefault(reason[:REASON_LENGTH_MAX], []).append(advice_id)
    for reason, same in sorted(ids.items()):
        for some in chunks(same):
            yield reason, some


def write_first(session: Session, rows: Sequence[Mapping[str, Any]], cause: Cause) -> None:
    """Insert new payments with the first event of each: `rows` give all of `payment_advice` that has no default."""
    if any((None, AdviceState(row["state"]), cause.why) not in TRANSITIONS for row in rows):
        raise ValueError(f"no payment begins so because of {cause.why}")
    connection = session.connection()
    insert_many(connection, PaymentAdvice, [{**row, "event_count": 1} for row in rows])
    day = cause.effective_on or paris_day(cause.at)
    insert_many(
        connection,
        PaymentEvent,
        [
            {
                "advice_id": row["id"],
                "rank": 1,
                "from_state": None,
                "to_state": row["state"],
                "why": cause.why,
                "reason": row.get("state_reason", ""),
                "effective_on": day,
                "batch_id": row["batch_id"],
                "happened_at": cause.at,
                "made_by": cause.by,
            }
            for row in rows
        ],
    )


def _listed(advice_ids: Sequence[UUID]) -> Subquery:
    return select(PaymentAdvice.id.label("advice_id")).where(PaymentAdvice.id.in_(advice_ids)).subquery("fact")


def _change(session: Session, fact: Subquery, before: AdviceState, after: AdviceState, cause: Cause) -> int:
    count = changed(
        session,
        update(PaymentAdvice)
        .where(PaymentAdvice.id == fact.c.advice_id, PaymentAdvice.state == before)
        .values(state=after, event_count=PaymentAdvice.event_count + 1, **_also(fact, cause))
        .execution_options(synchronize_session=False),
    )
    if not count:
        return 0
    if count >= _MANY:
        analyze_tables(session, PaymentAdvice)
    # Those that just changed are those whose last event is not written yet.
    is_written = exists().where(
        PaymentEvent.advice_id == PaymentAdvice.id, PaymentEvent.rank == PaymentAdvice.event_count
    )
    values: dict[str, Any] = {
        "advice_id": PaymentAdvice.id,
        "rank": PaymentAdvice.event_count,
        "from_state": literal(before.value),
        "to_state": literal(after.value),
        "why": literal(cause.why.value),
        "happened_at": literal(cause.at, PaymentEvent.happened_at.type),
        "made_by": literal(cause.by, PaymentEvent.made_by.type),
        **{name: _of(fact, cause, name) for name in _NAMED},
    }
    written = insert(PaymentEvent).from_select(
        list(values),
        select(*values.values())
        .join(fact, fact.c.advice_id == PaymentAdvice.id)
        .where(and_(PaymentAdvice.state == after, ~is_written)),
    )
    if changed(session, written) != count:
        raise RuntimeError(f"{count} payments went from {before} to {after}, and not as many events say so")
    return count


_NAMED = ("reason", "effective_on", "line_id", "bank_file", "batch_id", "entry_id")


def _of(fact: Subquery, cause: Cause, name: str) -> ColumnElement[Any]:
    """Return what an event names: each payment's own where the fact says it, else what all share."""
    if name in fact.c:
        return fact.c[name]
    value = getattr(cause, name)
    if name == "effective_on" and value is None:
        value = paris_day(cause.at)
    return literal(value, PaymentEvent.__table__.columns[name].type)


_WITH_REASON = frozenset(
    {
        PaymentWhy.SET_ASIDE,
        PaymentWhy.CAME_BACK,
        PaymentWhy.REJECTED,
        PaymentWhy.NEVER_CAME,
        PaymentWhy.REASON_GIVEN,
        PaymentWhy.REJECTED_AGAIN,
        PaymentWhy.RETURN_UNDONE,
    }
)
"""Changes after which `state_reason` is the event's; after others it stays what a bank or a person last said."""


def _also(fact: Subquery, cause: Cause) -> dict[str, Any]:
    """Return what of a payment changes with its state."""
    also: dict[str, Any] = {}
    if cause.why in _WITH_REASON:
        also["state_reason"] = _of(fact, cause, "reason")
    match cause.why:
        case PaymentWhy.SET_ASIDE:
            also["is_payable"] = False
        case PaymentWhy.EXPORTED:
            also["part"] = cause.part
        case PaymentWhy.DEBITED:
            also["paid_on"] = _of(fact, cause, "effective_on")
        case PaymentWhy.PAYMENT_UNDONE:
            also["paid_on"] = None
    return also
