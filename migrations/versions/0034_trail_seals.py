"""Seals of the audit trail."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, which only grow. The first sealing takes every line that is there."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "trail_seal",
        sa.Column("leaf", big, autoincrement=False, nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("leaf >= 0", name=op.f("ck_trail_seal_leaf_counts_from_zero")),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_trail_seal")),
        sa.UniqueConstraint("line_id", name=op.f("uq_trail_seal_line_id")),
    )
    op.create_table(
        "trail_checkpoint",
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_trail_checkpoint_seals_something")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_trail_checkpoint")),
    )
    dialect = op.get_bind().dialect.name
    for table in ("trail_seal", "trail_checkpoint"):
        for statement in append_only_statements(table, dialect):
            op.execute(statement)


def downgrade() -> None:
    """Take the tables away."""
    for table in ("trail_checkpoint", "trail_seal"):
        op.drop_table(table)
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP FUNCTION {table}_only_grows()")
