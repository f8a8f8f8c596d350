"""Matches of bank lines, made and undone; what a bank file held that is counted nowhere."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bank_match",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=14), nullable=False),
        sa.Column("advice_id", sa.Uuid(), nullable=True),
        sa.Column("target_id", sa.Uuid(), nullable=True),
        sa.Column("amount_cents", _BIG, nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.Column("undone_reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('payment', 'return')) = (advice_id IS NOT NULL)", name=op.f("ck_bank_match_advice_fits_kind")
        ),
        sa.CheckConstraint(
            "(kind IN ('funds', 'advance_refund', 'overpayment')) = (target_id IS NOT NULL)",
            name=op.f("ck_bank_match_target_fits_kind"),
        ),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_bank_match_amount_is_positive")),
        sa.CheckConstraint(
            "(undone_at IS NULL) = (undone_by IS NULL) AND (undone_at IS NULL) = (undone_reason = '')",
            name=op.f("ck_bank_match_undone_is_signed"),
        ),
        sa.ForeignKeyConstraint(["line_id"], ["bank_line.id"], name=op.f("fk_bank_match_line_id")),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_bank_match_advice_id")),
        sa.PrimaryKeyConstraint("id", "part", name=op.f("pk_bank_match")),
    )
    op.create_index(op.f("ix_bank_match_line_id"), "bank_match", ["line_id"], unique=False)
    op.create_index(
        "uq_bank_match_advice",
        "bank_match",
        ["advice_id", "kind"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL AND advice_id IS NOT NULL"),
        postgresql_where=sa.text("undone_at IS NULL AND advice_id IS NOT NULL"),
    )
    op.create_table(
        "bank_set_aside",
        sa.Column("bank_file", sa.String(length=64), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["bank_file"], ["bank_file.sha256"], name=op.f("fk_bank_set_aside_bank_file")),
        sa.PrimaryKeyConstraint("bank_file", "rank", name=op.f("pk_bank_set_aside")),
    )
