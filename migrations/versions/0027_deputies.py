"""An approver may name a deputy, from a day to another; a batch says as whose deputy it was approved."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.database import Instant

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, then add the column in place: no batch was approved by a deputy before."""
    op.create_table(
        "approver_deputy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=True),
        sa.Column("approver_id", sa.Uuid(), nullable=False),
        sa.Column("deputy_id", sa.Uuid(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("named_at", Instant(), nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("from_on <= until_on", name=op.f("ck_approver_deputy_days_are_in_order")),
        sa.CheckConstraint("deputy_id <> approver_id", name=op.f("ck_approver_deputy_two_people")),
        sa.CheckConstraint(
            "decided_by IS NULL OR (decided_by <> approver_id AND decided_by <> deputy_id)",
            name=op.f("ck_approver_deputy_a_third_person"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by IS NULL) AND (decided_at IS NULL) = (is_accepted IS NULL)",
            name=op.f("ck_approver_deputy_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_approver_deputy_ended_by_somebody")
        ),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_approver_deputy_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approver_deputy")),
    )
    for column in ("approver_id", "deputy_id"):
        op.create_index(op.f(f"ix_approver_deputy_{column}"), "approver_deputy", [column])
    with op.batch_alter_table("settlement_batch") as table:
        table.add_column(sa.Column("approved_as_id", sa.Uuid(), nullable=True))
        table.create_foreign_key(
            op.f("fk_settlement_batch_approved_as_id"), "approver_deputy", ["approved_as_id"], ["id"]
        )
        table.create_check_constraint(
            op.f("ck_settlement_batch_a_deputy_approved"), "approved_as_id IS NULL OR approved_by IS NOT NULL"
        )
