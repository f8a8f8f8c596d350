"""Two people look at what is left of a year before it is closed, and accept it with a reason; years closed before did without."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements
from voucher.kernel.database import Instant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_TABLE = "close_check"


def upgrade() -> None:
    """Make the table; say until when years were closed without it. A proposal that waits is made anew, with what it must say."""
    connection = op.get_bind()
    op.add_column("fiscal_year", sa.Column("proposal_id", sa.Uuid(), nullable=True))
    op.create_table(
        _TABLE,
        sa.Column("proposal_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(24), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_count", sa.Integer(), nullable=False),
        sa.Column("found_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.CheckConstraint(
            "item IN ('open_periods', 'statement_gaps', 'no_recent_statement', 'lines_to_identify', 'uses_not_called', "
            "'in_transit')",
            name=op.f("ck_close_check_item_is_known"),
        ),
        sa.CheckConstraint("found_count >= 0", name=op.f("ck_close_check_found_is_counted")),
        sa.CheckConstraint("(found_count = 0) = (reason = '')", name=op.f("ck_close_check_left_with_a_reason")),
        sa.CheckConstraint(
            "found_count = 0 OR item NOT IN ('open_periods', 'statement_gaps')",
            name=op.f("ck_close_check_blocking_is_clear"),
        ),
        sa.PrimaryKeyConstraint("proposal_id", "item", "said_by", name=op.f("pk_close_check")),
    )
    for statement in append_only_statements(_TABLE, connection.dialect.name):
        op.execute(statement)
    year = sa.table("fiscal_year", sa.column("closed_at", Instant()))
    last = connection.execute(sa.select(sa.func.max(year.c.closed_at))).scalar_one_or_none()
    if last is not None:
        rule = sa.table("rule_start", sa.column("rule", sa.String()), sa.column("written_until", Instant()))
        connection.execute(sa.insert(rule).values(rule="close_checks", written_until=last))
    connection.execute(sa.delete(year).where(year.c.closed_at.is_(None)))
