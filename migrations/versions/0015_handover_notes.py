"""A hand-over of the journal is a note that both operators sign, in place of the signature of a manifest."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLE = "seal_handover"


def upgrade() -> None:
    """Make the table again. A hand-over of the earlier form cannot become a note: its operator must import the archive anew."""
    connection = op.get_bind()
    if connection.execute(sa.text(f"SELECT count(*) FROM {_TABLE}")).scalar_one():  # noqa: S608 - a constant
        raise RuntimeError(
            "Cette base vient d’une reprise faite par une version plus ancienne. Refaites la reprise avec cette version."
        )
    op.drop_table(_TABLE)
    if connection.dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {_TABLE}_only_grows()")
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        _TABLE,
        sa.Column("size", big, autoincrement=False, nullable=False),
        sa.Column("previous_public_key", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.String(2000), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_seal_handover_hands_something_over")),
        sa.CheckConstraint("previous_public_key <> public_key", name=op.f("ck_seal_handover_keys_differ")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_seal_handover")),
    )
    for statement in append_only_statements(_TABLE, connection.dialect.name):
        op.execute(statement)
