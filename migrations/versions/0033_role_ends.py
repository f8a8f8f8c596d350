"""Roles that end on a day, as two people decide it; when each account was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

account = sa.table("staff_account", sa.column("id", sa.Uuid()), sa.column("used_at", sa.DateTime(timezone=True)))
line = sa.table(
    "audit_line", sa.column("account_id", sa.Uuid()), sa.column("action", sa.String()), sa.column("at", sa.DateTime(timezone=True))
)  # fmt: skip


def upgrade() -> None:
    """Add the columns in place; the trail tells when somebody signed in last."""
    op.add_column("role_grant", sa.Column("until_on", sa.Date(), nullable=True))
    op.add_column("account_change", sa.Column("until_on", sa.Date(), nullable=True))
    op.add_column("staff_account", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("staff_account", sa.Column("closing_letter_id", sa.Uuid(), nullable=True))
    signed_in = sa.select(sa.func.max(line.c.at)).where(line.c.account_id == account.c.id, line.c.action == "signed_in")
    op.execute(sa.update(account).values(used_at=signed_in.scalar_subquery()))


def downgrade() -> None:
    """Take the columns away: a role that was to end goes on."""
    for table, column in (
        ("staff_account", "closing_letter_id"),
        ("staff_account", "used_at"),
        ("account_change", "until_on"),
        ("role_grant", "until_on"),
    ):
        op.drop_column(table, column)
