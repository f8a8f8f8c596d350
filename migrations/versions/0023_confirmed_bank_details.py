"""A RIB is confirmed by another person than who recorded it. Those in use, and those before them, count as confirmed."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.database import Instant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

IN_USE = "ended_at IS NULL AND confirmed_at IS NOT NULL"
WAITING = "ended_at IS NULL AND confirmed_at IS NULL"


def upgrade() -> None:
    """Add the columns in place; what was recorded before is confirmed by nobody, on the day it was recorded."""
    op.add_column("bank_details", sa.Column("confirmed_by", sa.Uuid(), nullable=True))
    op.add_column("bank_details", sa.Column("confirmed_at", Instant(), nullable=True))
    op.execute("UPDATE bank_details SET confirmed_at = recorded_at")
    op.drop_index("uq_bank_details_current", "bank_details")
    for name, where in (("uq_bank_details_current", IN_USE), ("uq_bank_details_waiting", WAITING)):
        op.create_index(
            name,
            "bank_details",
            ["structure_id"],
            unique=True,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
