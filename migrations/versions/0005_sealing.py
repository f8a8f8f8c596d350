"""Seals and checkpoints."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, which only grow."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "seal",
        sa.Column("leaf", big, autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("leaf >= 0", name=op.f("ck_seal_leaf_counts_from_zero")),
        sa.PrimaryKeyConstraint("leaf", name=op.f("pk_seal")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_seal_entry_id")),
    )
    op.create_table(
        "seal_node",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("place", big, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("generation > 0", name=op.f("ck_seal_node_leaves_are_seals")),
        sa.PrimaryKeyConstraint("generation", "place", name=op.f("pk_seal_node")),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_on", sa.Date(), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_checkpoint_seals_something")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
    )
    dialect = op.get_bind().dialect.name
    for table in ("seal", "seal_node", "checkpoint"):
        for statement in append_only_statements(table, dialect):
            op.execute(statement)
