"""Calls for funds, receipts, published backing."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep what only grows."""
    op.create_table(
        "backing_figure",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("undrawn_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("outstanding_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payable_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_backing_figure")),
    )
    op.create_table(
        "funding_document",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "kind", name=op.f("pk_funding_document")),
    )
    op.create_table(
        "backing_line",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("held_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("undrawn_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("outstanding_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payable_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_backing_line_agreement_id")),
        sa.ForeignKeyConstraint(["day"], ["backing_figure.day"], name=op.f("fk_backing_line_day")),
        sa.PrimaryKeyConstraint("day", "agreement_id", name=op.f("pk_backing_line")),
    )
    op.create_table(
        "credit_release",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_credit_release_amount_is_positive")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_credit_release_agreement_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_credit_release_funder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_release")),
    )
    op.create_index(op.f("ix_credit_release_agreement_id"), "credit_release", ["agreement_id"], unique=False)
    op.create_table(
        "funds_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("used_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("advance_used_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("called_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("used_until", sa.Date(), nullable=True),
        sa.Column("called_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_by", sa.Uuid(), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(state = 'cancelled') = (cancelled_at IS NOT NULL)", name=op.f("ck_funds_call_cancelled_has_its_instant")
        ),
        sa.CheckConstraint(
            "CASE WHEN kind = 'use' THEN used_cents > 0 AND used_cents = advance_used_cents + called_cents ELSE used_cents = 0 AND advance_used_cents = 0 AND called_cents > 0 END",
            name=op.f("ck_funds_call_amounts_add_up"),
        ),
        sa.CheckConstraint(
            "CASE state WHEN 'called' THEN received_cents = 0 AND called_cents > 0 WHEN 'partly_paid' THEN received_cents > 0 AND received_cents < called_cents WHEN 'paid' THEN received_cents = called_cents WHEN 'cancelled' THEN received_cents = 0 ELSE 1 = 0 END",
            name=op.f("ck_funds_call_state_says_received"),
        ),
        sa.CheckConstraint("kind IN ('use', 'advance')", name=op.f("ck_funds_call_kind_is_known")),
        sa.CheckConstraint(
            "called_cents >= 0 AND advance_used_cents >= 0", name=op.f("ck_funds_call_amounts_are_not_negative")
        ),
        sa.CheckConstraint("due_on >= called_on", name=op.f("ck_funds_call_due_after_called")),
        sa.CheckConstraint("number > 0", name=op.f("ck_funds_call_number_is_positive")),
        sa.CheckConstraint(
            "received_cents BETWEEN 0 AND called_cents", name=op.f("ck_funds_call_received_within_called")
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_funds_call_agreement_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_funds_call_funder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funds_call")),
        sa.UniqueConstraint(
            "agreement_id", "funder_id", "number", name=op.f("uq_funds_call_agreement_id_funder_id_number")
        ),
        sa.UniqueConstraint("reference", name=op.f("uq_funds_call_reference")),
    )
    op.create_index("ix_funds_call_funder_id", "funds_call", ["funder_id"], unique=False)
    op.create_table(
        "kept_part",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("envelope_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_kept_part_amount_is_not_negative")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_kept_part_agreement_id")),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelope.id"], name=op.f("fk_kept_part_envelope_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_kept_part_funder_id")),
        sa.PrimaryKeyConstraint("agreement_id", "funder_id", name=op.f("pk_kept_part")),
    )
    op.create_table(
        "past_share",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("share_set", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("envelope_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("share_basis_points", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_past_share_agreement_id")),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelope.id"], name=op.f("fk_past_share_envelope_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_past_share_funder_id")),
        sa.PrimaryKeyConstraint("agreement_id", "share_set", "rank", name=op.f("pk_past_share")),
        sa.UniqueConstraint(
            "agreement_id", "share_set", "funder_id", name=op.f("uq_past_share_agreement_id_share_set_funder_id")
        ),
    )
    op.create_table(
        "share_ending",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("released_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_share_ending_agreement_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_share_ending_funder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_ending")),
        sa.UniqueConstraint("agreement_id", "funder_id", name=op.f("uq_share_ending_agreement_id_funder_id")),
    )
    op.create_index(op.f("ix_share_ending_agreement_id"), "share_ending", ["agreement_id"], unique=False)
    op.create_table(
        "funding_close",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("last_call_id", sa.Uuid(), nullable=True),
        sa.Column("used_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("received_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("due_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("carried_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("refund_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("refunded_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "received_cents + due_cents - refund_cents = used_cents", name=op.f("ck_funding_close_balance_is_final")
        ),
        sa.CheckConstraint(
            "refunded_cents BETWEEN 0 AND refund_cents", name=op.f("ck_funding_close_refunded_within_refund")
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_funding_close_agreement_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_funding_close_funder_id")),
        sa.ForeignKeyConstraint(["last_call_id"], ["funds_call.id"], name=op.f("fk_funding_close_last_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funding_close")),
        sa.UniqueConstraint("agreement_id", "funder_id", name=op.f("uq_funding_close_agreement_id_funder_id")),
    )
    op.create_table(
        "funds_call_use",
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_funds_call_use_account_id")),
        sa.ForeignKeyConstraint(
            ["call_id"],
            ["funds_call.id"],
            name=op.f("fk_funds_call_use_call_id"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_funds_call_use_entry_id")),
        sa.PrimaryKeyConstraint("account_id", "entry_id", name=op.f("pk_funds_call_use")),
    )
    op.create_index(op.f("ix_funds_call_use_call_id"), "funds_call_use", ["call_id"], unique=False)
    op.create_table(
        "funds_receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_by", sa.Uuid(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_funds_receipt_amount_is_positive")),
        sa.ForeignKeyConstraint(["call_id"], ["funds_call.id"], name=op.f("fk_funds_receipt_call_id")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_funds_receipt_paying_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funds_receipt")),
    )
    op.create_index(op.f("ix_funds_receipt_call_id"), "funds_receipt", ["call_id"], unique=False)
    op.create_table(
        "share_ending_part",
        sa.Column("ending_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("share_basis_points", sa.Integer(), nullable=False),
        sa.CheckConstraint("share_basis_points BETWEEN 1 AND 10000", name=op.f("ck_share_ending_part_share_is_a_part")),
        sa.ForeignKeyConstraint(["ending_id"], ["share_ending.id"], name=op.f("fk_share_ending_part_ending_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_share_ending_part_funder_id")),
        sa.PrimaryKeyConstraint("ending_id", "funder_id", name=op.f("pk_share_ending_part")),
    )
    op.create_table(
        "advance_refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("close_id", sa.Uuid(), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refunded_by", sa.Uuid(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_advance_refund_amount_is_positive")),
        sa.ForeignKeyConstraint(["close_id"], ["funding_close.id"], name=op.f("fk_advance_refund_close_id")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_advance_refund_paying_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advance_refund")),
    )
    op.create_index(op.f("ix_advance_refund_close_id"), "advance_refund", ["close_id"], unique=False)

    dialect = op.get_bind().dialect.name
    for table in ("funding_document", "backing_figure", "backing_line", "past_share", "credit_release"):
        for statement in append_only_statements(table, dialect):
            op.execute(statement)
