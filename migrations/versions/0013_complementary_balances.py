"""Several final balances of a funder, when something was clawed back after the first; the cut-off day of monthly periods."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Number the final balances; give agreements a cut-off day."""
    with op.batch_alter_table("funding_close") as table:
        table.add_column(sa.Column("number", sa.Integer(), nullable=False, server_default="1"))
        table.drop_constraint(op.f("uq_funding_close_agreement_id_funder_id"), type_="unique")
        table.create_unique_constraint(
            op.f("uq_funding_close_agreement_id_funder_id_number"), ["agreement_id", "funder_id", "number"]
        )
    with op.batch_alter_table("funding_close") as table:
        table.alter_column("number", server_default=None)
    with op.batch_alter_table("agreement") as table:
        table.add_column(sa.Column("cut_off_day", sa.Integer(), nullable=False, server_default="31"))
        table.create_check_constraint(op.f("ck_agreement_cut_off_day_is_a_day"), "cut_off_day BETWEEN 1 AND 31")
    with op.batch_alter_table("agreement") as table:
        table.alter_column("cut_off_day", server_default=None)
