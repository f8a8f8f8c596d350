"""What two people decide of a part of a bank line: an account of the chart, undoing; advances given back before a final balance."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

DIMENSIONS = (
    "CASE WHEN code IS NULL THEN agreement_id IS NULL AND structure_id IS NULL AND funder_id IS NULL "
    "WHEN code = '6270' THEN agreement_id IS NULL AND structure_id IS NULL AND funder_id IS NULL "
    "WHEN code = '4671' THEN agreement_id IS NOT NULL AND structure_id IS NOT NULL AND funder_id IS NULL "
    "WHEN code = '4432' THEN agreement_id IS NOT NULL AND structure_id IS NULL AND funder_id IS NOT NULL "
    "ELSE 1 = 0 END"
)
END_IS_SIGNED = "(confirmed_at IS NULL) = (confirmed_by IS NULL) AND (withdrawn_at IS NULL) = (withdrawn_by IS NULL)"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "line_proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("amount_cents", _BIG, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=4), nullable=True),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("structure_id", sa.Uuid(), nullable=True),
        sa.Column("funder_id", sa.Uuid(), nullable=True),
        sa.Column("undoes_id", sa.Uuid(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Uuid(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('account', 'undo', 'refund')", name=op.f("ck_line_proposal_kind_is_known")),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_line_proposal_amount_is_positive")),
        sa.CheckConstraint(DIMENSIONS, name=op.f("ck_line_proposal_account_has_its_dimensions")),
        sa.CheckConstraint("(kind = 'account') = (code IS NOT NULL)", name=op.f("ck_line_proposal_account_fits_kind")),
        sa.CheckConstraint("(kind = 'undo') = (undoes_id IS NOT NULL)", name=op.f("ck_line_proposal_undone_fits_kind")),
        sa.CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by <> proposed_by", name=op.f("ck_line_proposal_four_eyes")
        ),
        sa.CheckConstraint(END_IS_SIGNED, name=op.f("ck_line_proposal_end_is_signed")),
        sa.CheckConstraint("confirmed_at IS NULL OR withdrawn_at IS NULL", name=op.f("ck_line_proposal_ends_once")),
        sa.ForeignKeyConstraint(["line_id"], ["bank_line.id"], name=op.f("fk_line_proposal_line_id")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_line_proposal_agreement_id")),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_line_proposal_structure_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_line_proposal_funder_id")),
        sa.ForeignKeyConstraint(["undoes_id"], ["line_proposal.id"], name=op.f("fk_line_proposal_undoes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_proposal")),
    )
    op.create_index(op.f("ix_line_proposal_line_id"), "line_proposal", ["line_id"], unique=False)
    is_live_undo = sa.text("withdrawn_at IS NULL AND undoes_id IS NOT NULL")
    op.create_index(
        "uq_line_proposal_undo",
        "line_proposal",
        ["undoes_id"],
        unique=True,
        sqlite_where=is_live_undo,
        postgresql_where=is_live_undo,
    )
    waits = sa.text("confirmed_at IS NULL AND withdrawn_at IS NULL")
    op.create_index(
        "ix_line_proposal_waiting",
        "line_proposal",
        ["proposed_at"],
        unique=False,
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.create_table(
        "advance_return",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", _BIG, nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_by", sa.Uuid(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_advance_return_amount_is_positive")),
        sa.CheckConstraint(
            "(undone_at IS NULL) = (undone_by IS NULL)", name=op.f("ck_advance_return_undone_is_signed")
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_advance_return_agreement_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_advance_return_funder_id")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_advance_return_paying_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advance_return")),
    )
    op.create_index(op.f("ix_advance_return_agreement_id"), "advance_return", ["agreement_id"], unique=False)


def downgrade() -> None:
    """Take the tables away."""
    op.drop_table("advance_return")
    op.drop_table("line_proposal")
