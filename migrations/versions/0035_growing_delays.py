"""No account waits any more whatever is typed: tries are counted with the others'. Networks that a person came from."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; take the lock's columns away."""
    op.create_table(
        "staff_network",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("network", sa.String(length=60), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["staff_account.id"], name=op.f("fk_staff_network_account_id")),
        sa.PrimaryKeyConstraint("account_id", "network", name=op.f("pk_staff_network")),
    )
    op.drop_column("staff_account", "failed_count")
    op.drop_column("staff_account", "locked_until")


def downgrade() -> None:
    """Give the columns back: nobody waits."""
    op.add_column("staff_account", sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("staff_account", sa.Column("failed_count", sa.Integer(), nullable=False, server_default="0"))
    op.drop_table("staff_network")
