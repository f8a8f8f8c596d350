"""Room on the pages of advices, so that PostgreSQL changes their state in place (new pages only)."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave half of each new page free."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE payment_advice SET (fillfactor = 50)")
