"""The day an advice is due is that of its own period; what it carries over keeps its own. Nothing but that column changes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from voucher.kernel.database import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

advice = sa.table(
    "payment_advice",
    sa.column("id", sa.Uuid()),
    sa.column("batch_id", sa.Uuid()),
    sa.column("is_payable", sa.Boolean()),
    sa.column("due_on", sa.Date()),
)
line = sa.table("advice_line", sa.column("advice_id", sa.Uuid()), sa.column("nature", sa.String()))
batch = sa.table(
    "settlement_batch",
    sa.column("id", sa.Uuid()),
    sa.column("agreement_id", sa.Uuid()),
    sa.column("period_id", sa.Uuid()),
)
agreement = sa.table("agreement", sa.column("id", sa.Uuid()), sa.column("payment_days", sa.Integer()))
period = sa.table(
    "period",
    sa.column("id", sa.Uuid()),
    sa.column("opened_at", Instant()),
    sa.column("ends_at", Instant()),
    sa.column("closed_at", Instant()),
)


def upgrade() -> None:
    """Give back its own day to what was held with a period, and to what carried older money over beside it."""
    connection = op.get_bind()
    own = sa.exists().where(line.c.advice_id == advice.c.id, line.c.nature.in_(("period", "released")))
    carries = sa.exists().where(line.c.advice_id == advice.c.id, line.c.nature == "carried_over")
    rows = connection.execute(
        sa.select(
            advice.c.id,
            advice.c.due_on,
            agreement.c.payment_days,
            period.c.opened_at,
            period.c.ends_at,
            period.c.closed_at,
        )
        .join(batch, batch.c.id == advice.c.batch_id)
        .join(period, period.c.id == batch.c.period_id)
        .join(agreement, agreement.c.id == batch.c.agreement_id)
        .where(own, sa.or_(carries, ~advice.c.is_payable))
    ).all()
    for row in rows:
        due_on = _last_day(row.opened_at, row.ends_at, row.closed_at) + timedelta(days=row.payment_days)
        # Only a day that older money brought forward is wrong.
        if row.due_on < due_on:
            connection.execute(sa.update(advice).where(advice.c.id == row.id).values(due_on=due_on))


def _last_day(opened_at: datetime, ends_at: datetime | None, closed_at: datetime | None) -> date:
    """Return the last Paris day of a period, as the rule was when this migration was written."""
    if ends_at is None:
        return _paris_day(closed_at or opened_at)
    month_end = _paris_day(ends_at) - timedelta(days=1)
    return min(month_end, _paris_day(closed_at)) if closed_at else month_end


def _paris_day(instant: datetime) -> date:
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return aware.astimezone(ZoneInfo("Europe/Paris")).date()
