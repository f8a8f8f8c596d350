"""What a bank line causes takes effect on the bank's day: lines keep their value date, shown only; what was posted before stays as it is."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements
from voucher.kernel.database import Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLE = "rule_start"


def upgrade() -> None:
    """Add the value date; say until when entries were posted under the rule before, if there are any."""
    connection = op.get_bind()
    op.add_column("bank_line", sa.Column("valued_on", sa.Date(), nullable=True))
    op.create_table(
        _TABLE,
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("written_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rule", name=op.f("pk_rule_start")),
    )
    entry = sa.table("entry", sa.column("posted_at", Instant()))
    last = connection.execute(sa.select(sa.func.max(entry.c.posted_at))).scalar_one_or_none()
    if last is not None:
        rule = sa.table(_TABLE, sa.column("rule", sa.String()), sa.column("written_until", Instant()))
        connection.execute(sa.insert(rule).values(rule="bank_day", written_until=last))
    for statement in append_only_statements(_TABLE, connection.dialect.name):
        op.execute(statement)
