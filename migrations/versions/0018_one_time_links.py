"""One-time links with which a person chooses a password; an account has none until then."""

import sqlalchemy as sa
from alembic import op


revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; let an account wait for its first password."""
    with op.batch_alter_table("staff_account") as table:
        table.alter_column("password_hash", existing_type=sa.String(length=200), nullable=True)
    op.create_table(
        "account_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("asked_from", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_how", sa.String(length=10), nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'reset')", name=op.f("ck_account_link_purpose_is_known")),
        sa.CheckConstraint("asked_from IN ('office', 'person', 'host')", name=op.f("ck_account_link_origin_is_known")),
        sa.CheckConstraint(
            "(asked_from = 'office') = (asked_by IS NOT NULL)", name=op.f("ck_account_link_office_says_who")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_account_link_end_says_how")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["staff_account.id"], name=op.f("fk_account_link_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_link")),
    )
    op.create_index(op.f("ix_account_link_account_id"), "account_link", ["account_id"], unique=False)
    op.create_table(
        "link_secret",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_at > made_at", name=op.f("ck_link_secret_lives_a_while")),
        sa.ForeignKeyConstraint(["link_id"], ["account_link.id"], name=op.f("fk_link_secret_link_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_link_secret")),
    )
    op.create_index(op.f("ix_link_secret_link_id"), "link_secret", ["link_id"], unique=False)
