"""What banks say of transfers before money moves, and what people answer when a bank says « duplicate »."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements
from voucher.kernel.database import Instant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; what a bank said is never rewritten."""
    op.create_table(
        "transfer_report",
        sa.Column("bank_file", sa.String(length=64), nullable=False),
        sa.Column("advice_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("code", sa.String(length=35), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["bank_file"], ["bank_file.sha256"], name=op.f("fk_transfer_report_bank_file")),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_transfer_report_advice_id")),
        sa.PrimaryKeyConstraint("bank_file", "advice_id", "kind", name=op.f("pk_transfer_report")),
    )
    op.create_index(op.f("ix_transfer_report_advice_id"), "transfer_report", ["advice_id"], unique=False)
    for statement in append_only_statements("transfer_report", op.get_bind().dialect.name):
        op.execute(statement)
    op.create_table(
        "duplicate_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("advice_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("answered_at", Instant(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=False),
        sa.Column("withdrawn_at", Instant(), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_duplicate_answer_reason_is_given")),
        sa.CheckConstraint(
            "(withdrawn_at IS NULL) = (withdrawn_by IS NULL) AND (withdrawn_at IS NULL) = (withdrawn_reason = '')",
            name=op.f("ck_duplicate_answer_withdrawing_is_signed"),
        ),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_duplicate_answer_advice_id")),
        sa.PrimaryKeyConstraint("id", "advice_id", name=op.f("pk_duplicate_answer")),
    )
    op.create_index(op.f("ix_duplicate_answer_advice_id"), "duplicate_answer", ["advice_id"], unique=False)
    op.create_index(
        "uq_duplicate_answer_live",
        "duplicate_answer",
        ["advice_id", "answered_by"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
