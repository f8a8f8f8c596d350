"""Payments have a history, which opens with the state as the entries prove it; columns in place of equal ids and marks in text."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements
from voucher.kernel.database import Instant

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

PARIS = ZoneInfo("Europe/Paris")
ROWS_AT_ONCE = 5_000


def _table(name: str, **columns: Any) -> Any:
    return sa.table(name, *(sa.column(one, kind) for one, kind in columns.items()))


advice = _table("payment_advice", id=sa.Uuid(), batch_id=sa.Uuid(), structure_id=sa.Uuid(), state=sa.String(),
                state_reason=sa.String(), paid_on=sa.Date(), event_count=sa.Integer())  # fmt: skip
batch = _table("settlement_batch", id=sa.Uuid(), frozen_at=Instant(), exported_at=Instant())
taken = _table("advice_line", advice_id=sa.Uuid(), nature=sa.String(), source_id=sa.Uuid())
line = _table("bank_line", id=sa.Uuid(), key=sa.String(), bank_reference=sa.String(), end_to_end_id=sa.String(), booked_on=sa.Date(),
              origin=sa.String(), part=sa.Integer())  # fmt: skip
match = _table("bank_match", id=sa.Uuid(), line_id=sa.Uuid(), advice_id=sa.Uuid(), kind=sa.String(), made_at=Instant(), undone_at=Instant(),
               is_automatic=sa.Boolean())  # fmt: skip
entry = _table("entry", id=sa.Uuid(), event_type=sa.String(), event_id=sa.Uuid(), effective_on=sa.Date(), posted_at=Instant(),
               reverses_id=sa.Uuid())  # fmt: skip
event = _table("payment_event", advice_id=sa.Uuid(), rank=sa.Integer(), from_state=sa.String(), to_state=sa.String(), why=sa.String(),
               reason=sa.String(), effective_on=sa.Date(), line_id=sa.Uuid(), bank_file=sa.String(), batch_id=sa.Uuid(),
               entry_id=sa.Uuid(), happened_at=Instant(), made_by=sa.Uuid())  # fmt: skip


def upgrade() -> None:
    """Add the columns in place (a table that is made anew would lose its triggers), make the table, and fill all of them."""
    op.add_column("bank_match", sa.Column("is_automatic", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("bank_line", sa.Column("origin", sa.String(length=10), nullable=False, server_default="named"))
    op.add_column("bank_line", sa.Column("part", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("payment_advice", sa.Column("event_count", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "payment_event",
        sa.Column("advice_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.String(length=10), nullable=True),
        sa.Column("to_state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("bank_file", sa.String(length=64), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("happened_at", Instant(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "rank >= 1 AND (rank = 1) = (from_state IS NULL)", name=op.f("ck_payment_event_first_comes_from_nothing")
        ),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_payment_event_advice_id")),
        sa.ForeignKeyConstraint(["line_id"], ["bank_line.id"], name=op.f("fk_payment_event_line_id")),
        sa.ForeignKeyConstraint(["bank_file"], ["bank_file.sha256"], name=op.f("fk_payment_event_bank_file")),
        sa.ForeignKeyConstraint(["batch_id"], ["settlement_batch.id"], name=op.f("fk_payment_event_batch_id")),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["entry.id"],
            name=op.f("fk_payment_event_entry_id"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("advice_id", "rank", name=op.f("pk_payment_event")),
    )
    op.create_index(
        "ix_payment_event_entry_id",
        "payment_event",
        ["entry_id"],
        unique=False,
        sqlite_where=sa.text("entry_id IS NOT NULL"),
        postgresql_where=sa.text("entry_id IS NOT NULL"),
    )
    connection = op.get_bind()
    _say_lines_and_matches(connection)
    _open_histories(connection)
    connection.execute(sa.update(advice).values(event_count=1))
    for statement in append_only_statements("payment_event", connection.dialect.name):
        op.execute(statement)


def _say_lines_and_matches(connection: sa.Connection) -> None:
    """Say in columns what equal ids, a « ~ » and the end of a key said."""
    connection.execute(sa.update(match).where(match.c.id == match.c.line_id).values(is_automatic=True))
    for origin, is_so in (
        ("unnamed", line.c.bank_reference.startswith("~")),
        ("cfonb", line.c.bank_reference.startswith("~cfonb:")),
        ("accountant", line.c.bank_reference == sa.literal("~").concat(line.c.end_to_end_id)),
    ):
        connection.execute(sa.update(line).where(is_so).values(origin=origin))
    parted = sa.select(line.c.id, line.c.key).where(line.c.origin != "accountant", ~line.c.key.endswith("|1"))
    of_part: dict[int, list[UUID]] = {}
    for row in connection.execute(parted):
        of_part.setdefault(int(row.key.rpartition("|")[2]), []).append(row.id)
    for part, ids in sorted(of_part.items()):
        for start in range(0, len(ids), ROWS_AT_ONCE):
            some = ids[start : start + ROWS_AT_ONCE]
            connection.execute(sa.update(line).where(line.c.id.in_(some)).values(part=part))


def _open_histories(connection: sa.Connection) -> None:
    """Give each payment one event, « repris de l'état »: what its line, its entries or its batch prove of the state it is in."""
    _from_lines(connection, "paid", "payment")
    _from_lines(connection, "returned", "return")
    _from_rejections(connection)
    _from_takers(connection)
    _from_batches(connection)
    _name_withdrawals(connection)


def _open(connection: sa.Connection, facts: sa.Select[Any]) -> None:
    """Insert the first event of the payments that `facts` selects, with what it says of each."""
    columns = {column.name: column for column in facts.selected_columns}
    given = facts.add_columns(sa.literal(1), advice.c.state, sa.literal("resumed"), advice.c.state_reason)
    connection.execute(sa.insert(event).from_select([*columns, "rank", "to_state", "why", "reason"], given))


def _from_lines(connection: sa.Connection, state: str, kind: str) -> None:
    _open(
        connection,
        sa.select(
            advice.c.id.label("advice_id"),
            line.c.booked_on.label("effective_on"),
            line.c.id.label("line_id"),
            match.c.made_at.label("happened_at"),
        )
        .select_from(advice)
        .join(match, match.c.advice_id == advice.c.id)
        .join(line, line.c.id == match.c.line_id)
        .where(advice.c.state == state, match.c.kind == kind, match.c.undone_at.is_(None)),
    )


def _from_rejections(connection: sa.Connection) -> None:
    """A rejection that was withdrawn and stands again counts from then on: the withdrawal bears the payment's id."""
    withdrawal, again = entry.alias(), entry.alias()
    _open(
        connection,
        sa.select(
            advice.c.id.label("advice_id"),
            sa.func.coalesce(again.c.effective_on, entry.c.effective_on).label("effective_on"),
            sa.func.coalesce(again.c.id, entry.c.id).label("entry_id"),
            sa.func.coalesce(again.c.posted_at, entry.c.posted_at).label("happened_at"),
        )
        .select_from(advice)
        .join(entry, (entry.c.event_id == advice.c.id) & (entry.c.event_type == "transfer_rejected"))
        .outerjoin(
            withdrawal,
            (withdrawal.c.event_id == advice.c.id) & (withdrawal.c.event_type == "rejection_withdrawn"),
        )
        .outerjoin(again, again.c.reverses_id == withdrawal.c.id)
        .where(advice.c.state == "rejected"),
    )


def _from_takers(connection: sa.Connection) -> None:
    taker = advice.alias()
    for row in connection.execute(sa.select(batch)).all():
        _open(
            connection,
            _by_batch(row.id, row.frozen_at)
            .join(taken, taken.c.source_id == advice.c.id)
            .join(taker, taker.c.id == taken.c.advice_id)
            .where(advice.c.state == "taken_up", taken.c.nature == "carried_over", taker.c.batch_id == row.id),
        )


def _from_batches(connection: sa.Connection) -> None:
    """What waits, left or was settled says when its batch was frozen or sent; what was set aside has an entry of its own."""
    _open(
        connection,
        sa.select(
            advice.c.id.label("advice_id"),
            entry.c.effective_on.label("effective_on"),
            advice.c.batch_id.label("batch_id"),
            entry.c.posted_at.label("happened_at"),
        )
        .select_from(advice)
        .join(entry, (entry.c.event_id == advice.c.id) & (entry.c.event_type == "advice_set_aside"))
        .where(advice.c.state == "held"),
    )
    is_open = sa.exists().where(event.c.advice_id == advice.c.id)
    for row in connection.execute(sa.select(batch)).all():
        for at, is_in in (
            (row.exported_at, advice.c.state == "in_file"),
            (row.frozen_at, sa.true()),
        ):
            if at is not None:
                of_batch = _by_batch(row.id, at).where(advice.c.batch_id == row.id, is_in, ~is_open)
                _open(connection, of_batch)


def _by_batch(batch_id: UUID, at: datetime) -> sa.Select[Any]:
    day: date = at.astimezone(PARIS).date()
    return sa.select(
        advice.c.id.label("advice_id"),
        sa.literal(day, sa.Date()).label("effective_on"),
        sa.literal(batch_id, sa.Uuid()).label("batch_id"),
        sa.literal(at, Instant()).label("happened_at"),
    ).select_from(advice)


def _name_withdrawals(connection: sa.Connection) -> None:
    """Name the withdrawal that stands of each rejection: should its debit be undone, it is what is reversed.

    The second one bears an id that was invented from the payment's.
    """
    reversal = entry.alias()
    rows = connection.execute(
        sa.select(entry.c.id, entry.c.event_id, reversal.c.id.label("reversal_id"))
        .outerjoin(reversal, reversal.c.reverses_id == entry.c.id)
        .where(entry.c.event_type == "rejection_withdrawn")
    ).all()
    standing = dict(_standing({row.event_id: row for row in rows}))
    for advice_id, entry_id in standing.items():
        connection.execute(
            sa.update(event)
            .where(event.c.advice_id == advice_id, event.c.to_state.not_in(("rejected", "taken_up")))
            .values(entry_id=entry_id)
        )
    # What was rejected when it was taken up, or came back after its debit: a rejection that stood is named.
    rejection = (
        sa.select(entry.c.id)
        .where(entry.c.event_id == event.c.advice_id, entry.c.event_type == "transfer_rejected")
        .scalar_subquery()
    )
    was_taken = (event.c.to_state == "taken_up") & event.c.advice_id.not_in(list(standing))
    connection.execute(sa.update(event).where(was_taken).values(entry_id=rejection))


def _standing(known: dict[UUID, Any]) -> Iterator[tuple[UUID, UUID]]:
    for event_id, row in known.items():
        if row.reversal_id is None:
            yield event_id, row.id
        elif (second := known.get(uuid5(event_id, "again"))) is not None and second.reversal_id is None:
            yield event_id, second.id
