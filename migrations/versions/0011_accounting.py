"""Fiscal years and opening balances; matching letters, annual accounts, stock counts."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements
from voucher.ledger.triggers import year_triggers

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ONLY_GROW = (
    "opening_balance", "matching_letter", "lettered_movement", "lettered_period", "letter_undone", "annual_account",
    "stock_count_gap",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables, and the triggers that keep closed years and what only grows."""
    op.create_table(
        "fiscal_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("following_on", sa.Date(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name=op.f("ck_fiscal_year_closed_by_somebody")),
        sa.CheckConstraint("closed_by IS NULL OR closed_by <> proposed_by", name=op.f("ck_fiscal_year_four_eyes")),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_fiscal_year")),
    )
    op.create_table(
        "opening_balance",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("balance_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("balance_cents <> 0", name=op.f("ck_opening_balance_carries_something")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_opening_balance_account_id")),
        sa.PrimaryKeyConstraint("year", "account_id", name=op.f("pk_opening_balance")),
    )
    op.create_table(
        "matching_letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lettered_on", sa.Date(), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_matching_letter_amount_is_positive")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_matching_letter_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matching_letter")),
        sa.UniqueConstraint("code", "number", name=op.f("uq_matching_letter_code_number")),
    )
    op.create_index(op.f("ix_matching_letter_account_id"), "matching_letter", ["account_id"], unique=False)
    op.create_table(
        "lettered_movement",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column("letter_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_lettered_movement_side_is_known")),
        sa.ForeignKeyConstraint(["letter_id"], ["matching_letter.id"], name=op.f("fk_lettered_movement_letter_id")),
        sa.PrimaryKeyConstraint("entry_id", "rank", "side", "letter_id", name=op.f("pk_lettered_movement")),
    )
    op.create_index(op.f("ix_lettered_movement_letter_id"), "lettered_movement", ["letter_id"], unique=False)
    op.create_table(
        "lettered_period",
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("period_id", sa.Uuid(), nullable=False),
        sa.Column("letter_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_lettered_period_account_id")),
        sa.ForeignKeyConstraint(["letter_id"], ["matching_letter.id"], name=op.f("fk_lettered_period_letter_id")),
        sa.PrimaryKeyConstraint("account_id", "period_id", "letter_id", name=op.f("pk_lettered_period")),
    )
    op.create_index(op.f("ix_lettered_period_letter_id"), "lettered_period", ["letter_id"], unique=False)
    op.create_table(
        "letter_undone",
        sa.Column("letter_id", sa.Uuid(), nullable=False),
        sa.Column("undone_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["letter_id"], ["matching_letter.id"], name=op.f("fk_letter_undone_letter_id")),
        sa.PrimaryKeyConstraint("letter_id", name=op.f("pk_letter_undone")),
    )
    op.create_table(
        "annual_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("produced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("produced_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_annual_account_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annual_account")),
    )
    op.create_index(
        op.f("ix_annual_account_agreement_id_year"), "annual_account", ["agreement_id", "year"], unique=False
    )
    op.create_table(
        "stock_count",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("prescriber_id", sa.Uuid(), nullable=True),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("ranges", sa.String(length=2000), nullable=False),
        sa.Column("expected_count", sa.Integer(), nullable=False),
        sa.Column("counted_count", sa.Integer(), nullable=False),
        sa.Column("expected_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("counted_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name=op.f("ck_stock_count_signed_by_somebody")),
        sa.CheckConstraint("signed_by IS NULL OR signed_by <> recorded_by", name=op.f("ck_stock_count_four_eyes")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_stock_count_issuer_id")),
        sa.ForeignKeyConstraint(["prescriber_id"], ["prescriber.id"], name=op.f("fk_stock_count_prescriber_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_count")),
    )
    op.create_index(op.f("ix_stock_count_issuer_id"), "stock_count", ["issuer_id"], unique=False)
    op.create_table(
        "stock_count_gap",
        sa.Column("count_id", sa.Uuid(), nullable=False),
        sa.Column("booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("known_as", sa.String(length=120), nullable=False),
        sa.CheckConstraint("kind IN ('missing', 'extra')", name=op.f("ck_stock_count_gap_kind_is_known")),
        sa.ForeignKeyConstraint(["count_id"], ["stock_count.id"], name=op.f("fk_stock_count_gap_count_id")),
        sa.PrimaryKeyConstraint("count_id", "booklet_number", name=op.f("pk_stock_count_gap")),
    )

    dialect = op.get_bind().dialect.name
    for statement in year_triggers(dialect):
        op.execute(statement)
    for table in ONLY_GROW:
        for statement in append_only_statements(table, dialect):
            op.execute(statement)
