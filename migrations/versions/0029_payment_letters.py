"""E-mails that finance writes to a structure about a payment are kept."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.database import Instant

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "payment_letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("advice_id", sa.Uuid(), nullable=False),
        sa.Column("recipient", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=150), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_payment_letter_advice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_letter")),
    )
    op.create_index(op.f("ix_payment_letter_advice_id"), "payment_letter", ["advice_id"])
