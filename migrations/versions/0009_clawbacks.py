"""Disputes, overpayments and how they are recovered."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep what only grows."""
    op.create_table(
        "dispute",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("voucher_count", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("facts", sa.String(length=500), nullable=False),
        sa.Column("is_suspending", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("decision", sa.String(length=500), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("is_released", sa.Boolean(), nullable=False),
        sa.Column("vouchers_became", sa.String(length=12), nullable=True),
        sa.CheckConstraint(
            "(outcome IS NOT NULL AND outcome = 'upheld') = (vouchers_became IS NOT NULL)",
            name=op.f("ck_dispute_upheld_gives_back"),
        ),
        sa.CheckConstraint(
            "NOT is_released OR (is_suspending AND outcome = 'dismissed')",
            name=op.f("ck_dispute_released_was_suspended"),
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_dispute_decision_is_signed"),
        ),
        sa.CheckConstraint("amount_cents > 0 AND voucher_count > 0", name=op.f("ck_dispute_contests_something")),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> opened_by", name=op.f("ck_dispute_four_eyes")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_dispute_agreement_id")),
        sa.ForeignKeyConstraint(["redemption_id"], ["redemption.id"], name=op.f("fk_dispute_redemption_id")),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_dispute_structure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
    )
    op.create_index(op.f("ix_dispute_redemption_id"), "dispute", ["redemption_id"], unique=False)
    op.create_index(op.f("ix_dispute_structure_id"), "dispute", ["structure_id"], unique=False)
    op.create_index(
        "uq_dispute_open",
        "dispute",
        ["redemption_id"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_index(
        "uq_dispute_upheld",
        "dispute",
        ["redemption_id"],
        unique=True,
        sqlite_where=sa.text("outcome = 'upheld'"),
        postgresql_where=sa.text("outcome = 'upheld'"),
    )
    op.create_table(
        "overpayment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recovered_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("write_off_reason", sa.String(length=500), nullable=False),
        sa.Column("write_off_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("write_off_asked_by", sa.Uuid(), nullable=True),
        sa.Column("written_off_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("written_off_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "amount_cents > 0 AND recovered_cents >= 0 AND recovered_cents <= amount_cents",
            name=op.f("ck_overpayment_recovered_is_a_part"),
        ),
        sa.CheckConstraint(
            "written_off_by IS NULL OR (write_off_asked_by IS NOT NULL AND claimed_at IS NOT NULL)",
            name=op.f("ck_overpayment_write_off_was_asked"),
        ),
        sa.CheckConstraint(
            "written_off_by IS NULL OR written_off_by <> write_off_asked_by", name=op.f("ck_overpayment_four_eyes")
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_overpayment_agreement_id")),
        sa.ForeignKeyConstraint(["dispute_id"], ["dispute.id"], name=op.f("fk_overpayment_dispute_id")),
        sa.ForeignKeyConstraint(["redemption_id"], ["redemption.id"], name=op.f("fk_overpayment_redemption_id")),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_overpayment_structure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overpayment")),
        sa.UniqueConstraint("dispute_id", name=op.f("uq_overpayment_dispute_id")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_overpayment_redemption_id")),
    )
    op.create_index(
        op.f("ix_overpayment_agreement_id_decided_at"), "overpayment", ["agreement_id", "decided_at"], unique=False
    )
    op.create_index(op.f("ix_overpayment_structure_id"), "overpayment", ["structure_id"], unique=False)
    op.create_table(
        "recovery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("overpayment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("advice_id", sa.Uuid(), nullable=True),
        sa.Column("bank_line_id", sa.Uuid(), nullable=True),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recovered_by", sa.Uuid(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'netted') = (advice_id IS NOT NULL) AND (kind = 'repaid') = (bank_line_id IS NOT NULL)",
            name=op.f("ck_recovery_kind_says_by_what"),
        ),
        sa.CheckConstraint(
            "(cancelled_at IS NULL) = (cancelled_by IS NULL)", name=op.f("ck_recovery_cancelling_is_signed")
        ),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_recovery_amount_is_positive")),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_recovery_advice_id")),
        sa.ForeignKeyConstraint(["bank_line_id"], ["bank_line.id"], name=op.f("fk_recovery_bank_line_id")),
        sa.ForeignKeyConstraint(["overpayment_id"], ["overpayment.id"], name=op.f("fk_recovery_overpayment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
        sa.UniqueConstraint("overpayment_id", "advice_id", name=op.f("uq_recovery_overpayment_id_advice_id")),
    )
    op.create_index(op.f("ix_recovery_advice_id"), "recovery", ["advice_id"], unique=False)
    op.create_index(op.f("ix_recovery_overpayment_id"), "recovery", ["overpayment_id"], unique=False)
    op.create_index(
        "uq_recovery_bank_line",
        "recovery",
        ["bank_line_id", "overpayment_id"],
        unique=True,
        sqlite_where=sa.text("cancelled_at IS NULL"),
        postgresql_where=sa.text("cancelled_at IS NULL"),
    )
    op.create_table(
        "revenue_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("overpayment_id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.Uuid(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        sa.Column("pdf_sha256", sa.String(length=64), nullable=False),
        sa.Column("csv", sa.LargeBinary(), nullable=False),
        sa.Column("csv_sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_revenue_order_amount_is_positive")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_revenue_order_issuer_id")),
        sa.ForeignKeyConstraint(["overpayment_id"], ["overpayment.id"], name=op.f("fk_revenue_order_overpayment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revenue_order")),
        sa.UniqueConstraint("issuer_id", "year", "rank", name=op.f("uq_revenue_order_issuer_id_year_rank")),
        sa.UniqueConstraint("overpayment_id", name=op.f("uq_revenue_order_overpayment_id")),
    )
    for statement in append_only_statements("revenue_order", op.get_bind().dialect.name):
        op.execute(statement)
