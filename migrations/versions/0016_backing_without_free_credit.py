"""Published figures say free credit, late calls and both coverages apart; a final balance says what is kept for structures."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_CENTS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns in place (what was published before keeps its own text): a table that is made anew would lose the triggers that let it only grow."""
    for name in ("overdue_cents", "free_cents", "banked_cents", "covered_cents"):
        op.add_column("backing_figure", sa.Column(name, _CENTS, nullable=True))
    for name in ("overdue_cents", "free_cents"):
        op.add_column("backing_line", sa.Column(name, _CENTS, nullable=True))
    op.add_column("funding_close", sa.Column("kept_cents", _CENTS, nullable=False, server_default="0"))
