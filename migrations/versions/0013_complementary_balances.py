"""Several final balances of a funder, when something was clawed back after the first; bank lines that cancel each other."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Number the final balances; let a match name another line."""
    with op.batch_alter_table("funding_close") as table:
        table.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="1"))
        table.drop_constraint(op.f("uq_funding_close_agreement_id_funder_id"), type_="unique")
        table.create_unique_constraint(
            op.f("uq_funding_close_agreement_id_funder_id_number"), ["agreement_id", "funder_id", "number"]
        )
    with op.batch_alter_table("funding_close") as table:
        table.alter_column("number", server_default=None)
