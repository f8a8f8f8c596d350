"""A bank statement says which page it is, when the bank cut it in pages."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns in place: a table that is made anew would lose the triggers that let it only grow."""
    op.add_column("bank_statement", sa.Column("page", sa.Integer(), nullable=True))
    op.add_column("bank_statement", sa.Column("is_last_page", sa.Boolean(), nullable=True))
