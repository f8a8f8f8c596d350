"""Who seals the journal after a take-over."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which only grows."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "seal_handover",
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("previous_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("manifest_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_seal_handover_hands_something_over")),
        sa.CheckConstraint("previous_public_key <> public_key", name=op.f("ck_seal_handover_keys_differ")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_seal_handover")),
    )
    for statement in append_only_statements("seal_handover", op.get_bind().dialect.name):
        op.execute(statement)
