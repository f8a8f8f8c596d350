"""When batches are due; holds."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "payment_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(length=150), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Uuid(), nullable=True),
        sa.Column("lift_reason", sa.String(length=150), nullable=False),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name=op.f("ck_payment_hold_lifting_is_signed")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_payment_hold_agreement_id")),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_payment_hold_structure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_hold")),
    )
    op.create_index(op.f("ix_payment_hold_structure_id"), "payment_hold", ["structure_id"], unique=False)
    for name, columns, condition in (
        ("uq_payment_hold_live", ["structure_id", "agreement_id"], "lifted_at IS NULL"),
        ("uq_payment_hold_live_everywhere", ["structure_id"], "lifted_at IS NULL AND agreement_id IS NULL"),
    ):
        op.create_index(
            name,
            "payment_hold",
            columns,
            unique=True,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
