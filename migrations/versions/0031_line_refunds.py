"""Money sent back to who sent it, by two people; and what people write beside a bank line."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.hold_values import hold_values

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FILE_FITS_STATE = (
    "(state IN ('proposed', 'withdrawn')) = (file_content IS NULL) AND (file_content IS NULL) = (file_sha256 IS NULL) "
    "AND (file_content IS NULL) = (file_name IS NULL)"
)


MATCH_KINDS = (
    "payment", "return", "charge", "funds", "advance_refund", "advance_return", "overpayment", "refund", "refund_debit", "offset",
)  # fmt: skip


def upgrade() -> None:
    """Make the tables; let a match be a refund or its debit."""
    hold_values("bank_match", {"kind": MATCH_KINDS})
    op.create_table(
        "line_refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("holder_name", sa.String(length=70), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("amount_cents", _BIG, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("execution_on", sa.Date(), nullable=True),
        sa.Column("file_name", sa.String(length=120), nullable=True),
        sa.Column("file_sha256", sa.String(length=64), nullable=True),
        sa.Column("file_content", sa.LargeBinary(), nullable=True),
        sa.Column("debit_match_id", sa.Uuid(), nullable=True),
        sa.Column("return_line_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'withdrawn', 'in_file', 'paid', 'returned', 'rejected')",
            name=op.f("ck_line_refund_state_is_known"),
        ),
        sa.CheckConstraint(
            "channel IN ('public_accountant', 'mandated_operator')", name=op.f("ck_line_refund_channel_is_known")
        ),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_line_refund_amount_is_positive")),
        sa.CheckConstraint(FILE_FITS_STATE, name=op.f("ck_line_refund_file_fits_state")),
        sa.CheckConstraint(
            "(state IN ('paid', 'returned')) = (debit_match_id IS NOT NULL)",
            name=op.f("ck_line_refund_paid_by_a_debit"),
        ),
        sa.CheckConstraint(
            "(state = 'returned') = (return_line_id IS NOT NULL)", name=op.f("ck_line_refund_returned_by_a_credit")
        ),
        sa.ForeignKeyConstraint(["id"], ["line_proposal.id"], name=op.f("fk_line_refund_id")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_line_refund_paying_account_id")
        ),
        sa.ForeignKeyConstraint(["return_line_id"], ["bank_line.id"], name=op.f("fk_line_refund_return_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_refund")),
        sa.UniqueConstraint("reference", name=op.f("uq_line_refund_reference")),
    )
    op.create_table(
        "line_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["bank_line.id"], name=op.f("fk_line_note_line_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_note")),
    )
    op.create_index(op.f("ix_line_note_line_id"), "line_note", ["line_id"], unique=False)


def downgrade() -> None:
    """Take the tables away."""
    op.drop_table("line_note")
    op.drop_table("line_refund")
    hold_values("bank_match", {"kind": [one for one in MATCH_KINDS if not one.startswith("refund")]})
