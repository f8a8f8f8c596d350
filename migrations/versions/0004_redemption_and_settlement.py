"""Periods, redemptions, batches, advices, bank files."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep what only grows."""
    op.create_table(
        "bank_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_bank_file")),
    )
    op.create_table(
        "refused_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("refusal", sa.String(length=40), nullable=False),
        sa.Column("answer", sa.String(length=2000), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_attempt")),
    )
    op.create_index(
        op.f("ix_refused_attempt_mediator_id_attempted_at"),
        "refused_attempt",
        ["mediator_id", "attempted_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_refused_attempt_serial_attempted_at"), "refused_attempt", ["serial", "attempted_at"], unique=False
    )
    op.create_table(
        "bank_statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bank_file", sa.String(length=64), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("opening_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("closing_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["bank_file"], ["bank_file.sha256"], name=op.f("fk_bank_statement_bank_file")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_bank_statement_paying_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statement")),
        sa.UniqueConstraint(
            "paying_account_id", "reference", name=op.f("uq_bank_statement_paying_account_id_reference")
        ),
    )
    op.create_index(op.f("ix_bank_statement_paying_account_id"), "bank_statement", ["paying_account_id"], unique=False)
    op.create_table(
        "period",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_period_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period")),
        sa.UniqueConstraint("agreement_id", "number", name=op.f("uq_period_agreement_id_number")),
    )
    op.create_index(
        "uq_period_open",
        "period",
        ["agreement_id"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "settlement_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("period_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("advice_count", sa.Integer(), nullable=False),
        sa.Column("total_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("execution_on", sa.Date(), nullable=True),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_by", sa.Uuid(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exported_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> frozen_by", name=op.f("ck_settlement_batch_four_eyes")
        ),
        sa.CheckConstraint("total_cents >= 0", name=op.f("ck_settlement_batch_total_is_not_negative")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_settlement_batch_agreement_id")),
        sa.ForeignKeyConstraint(["period_id"], ["period.id"], name=op.f("fk_settlement_batch_period_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_batch")),
        sa.UniqueConstraint("number", name=op.f("uq_settlement_batch_number")),
        sa.UniqueConstraint("period_id", name=op.f("uq_settlement_batch_period_id")),
    )
    op.create_index(op.f("ix_settlement_batch_agreement_id"), "settlement_batch", ["agreement_id"], unique=False)
    op.create_table(
        "payment_advice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("voucher_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("holder_name", sa.String(length=70), nullable=True),
        sa.Column("iban", sa.String(length=34), nullable=True),
        sa.Column("bic", sa.String(length=11), nullable=True),
        sa.Column("part", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("state_reason", sa.String(length=200), nullable=False),
        sa.Column("is_payable", sa.Boolean(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.CheckConstraint("state <> 'held' OR NOT is_payable", name=op.f("ck_payment_advice_held_is_not_payable")),
        sa.CheckConstraint(
            "state IN ('held', 'taken_up', 'settled') OR iban IS NOT NULL", name=op.f("ck_payment_advice_iban_is_known")
        ),
        sa.CheckConstraint(
            "state <> 'settled' OR amount_cents = 0", name=op.f("ck_payment_advice_settled_pays_nothing")
        ),
        sa.CheckConstraint(
            "amount_cents > 0 OR (amount_cents = 0 AND state = 'settled' AND NOT is_payable)",
            name=op.f("ck_payment_advice_amount_is_positive"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["settlement_batch.id"], name=op.f("fk_payment_advice_batch_id")),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_payment_advice_structure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_advice")),
        sa.UniqueConstraint("batch_id", "structure_id", name=op.f("uq_payment_advice_batch_id_structure_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_payment_advice_reference")),
    )
    op.create_index(op.f("ix_payment_advice_due_on"), "payment_advice", ["due_on"], unique=False)
    op.create_index(op.f("ix_payment_advice_structure_id"), "payment_advice", ["structure_id"], unique=False)
    op.create_table(
        "payment_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["settlement_batch.id"], name=op.f("fk_payment_file_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_file")),
        sa.UniqueConstraint("batch_id", "kind", "part", name=op.f("uq_payment_file_batch_id_kind_part")),
        sa.CheckConstraint("part >= 1", name=op.f("ck_payment_file_part_counts_from_one")),
    )
    op.create_table(
        "redemption",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("period_id", sa.Uuid(), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voucher_count", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remaining_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(state = 'undone') = (undone_at IS NOT NULL)", name=op.f("ck_redemption_undone_is_dated")),
        sa.CheckConstraint("voucher_count > 0 AND amount_cents > 0", name=op.f("ck_redemption_uses_something")),
        sa.ForeignKeyConstraint(["booklet_number"], ["booklet.number"], name=op.f("fk_redemption_booklet_number")),
        sa.ForeignKeyConstraint(["period_id"], ["period.id"], name=op.f("fk_redemption_period_id")),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_redemption_place_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption")),
    )
    op.create_index(
        op.f("ix_redemption_period_id_structure_id"), "redemption", ["period_id", "structure_id"], unique=False
    )
    op.create_index(op.f("ix_redemption_place_id_redeemed_at"), "redemption", ["place_id", "redeemed_at"], unique=False)
    op.create_table(
        "advice_line",
        sa.Column("advice_id", sa.Uuid(), nullable=False),
        sa.Column("nature", sa.String(length=14), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("voucher_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["advice_id"], ["payment_advice.id"], name=op.f("fk_advice_line_advice_id")),
        sa.PrimaryKeyConstraint("advice_id", "nature", "source_id", name=op.f("pk_advice_line")),
        sa.UniqueConstraint(
            "nature", "source_id", "structure_id", name=op.f("uq_advice_line_nature_source_id_structure_id")
        ),
    )
    op.create_table(
        "bank_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=True),
        sa.Column("bank_file", sa.String(length=64), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("bank_reference", sa.String(length=40), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("matched_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_credit", sa.Boolean(), nullable=False),
        sa.Column("is_reversal", sa.Boolean(), nullable=False),
        sa.Column("end_to_end_id", sa.String(length=35), nullable=True),
        sa.Column("counterparty", sa.String(length=140), nullable=False),
        sa.Column("counterparty_iban", sa.String(length=34), nullable=True),
        sa.Column("remittance", sa.String(length=500), nullable=False),
        sa.Column("return_reason", sa.String(length=4), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("domain_code", sa.String(length=35), nullable=True),
        sa.Column("message_id", sa.String(length=35), nullable=True),
        sa.Column("payment_information_id", sa.String(length=35), nullable=True),
        sa.Column("batch_count", sa.Integer(), nullable=True),
        sa.CheckConstraint("matched_cents BETWEEN 0 AND amount_cents", name=op.f("ck_bank_line_matched_within_amount")),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_bank_line_amount_is_positive")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_bank_line_paying_account_id")
        ),
        sa.ForeignKeyConstraint(["bank_file"], ["bank_file.sha256"], name=op.f("fk_bank_line_bank_file")),
        sa.ForeignKeyConstraint(["statement_id"], ["bank_statement.id"], name=op.f("fk_bank_line_statement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_line")),
        sa.UniqueConstraint("key", name=op.f("uq_bank_line_key")),
    )
    op.create_index(op.f("ix_bank_line_end_to_end_id"), "bank_line", ["end_to_end_id"], unique=False)
    op.create_index(op.f("ix_bank_line_bank_file"), "bank_line", ["bank_file"], unique=False)
    op.create_index(op.f("ix_bank_line_bank_reference"), "bank_line", ["bank_reference"], unique=False)
    op.create_index(
        "ix_bank_line_waiting",
        "bank_line",
        ["paying_account_id", "booked_on"],
        unique=False,
        sqlite_where=sa.text("matched_cents < amount_cents"),
        postgresql_where=sa.text("matched_cents < amount_cents"),
    )
    op.create_table(
        "redeemed_voucher",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["redemption_id"], ["redemption.id"], name=op.f("fk_redeemed_voucher_redemption_id")),
        sa.ForeignKeyConstraint(["serial"], ["voucher.serial"], name=op.f("fk_redeemed_voucher_serial")),
        sa.PrimaryKeyConstraint("redemption_id", "serial", name=op.f("pk_redeemed_voucher")),
    )
    op.create_index(
        "uq_redeemed_voucher_live",
        "redeemed_voucher",
        ["serial"],
        unique=True,
        sqlite_where=sa.text("is_live"),
        postgresql_where=sa.text("is_live"),
    )

    for table in ("refused_attempt", "advice_line", "payment_file", "bank_file", "bank_statement"):
        for statement in append_only_statements(table, op.get_bind().dialect.name):
            op.execute(statement)
