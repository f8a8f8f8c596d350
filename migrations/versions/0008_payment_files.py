"""What leaves: parts of a batch, files of the accountant. Their columns stand with the tables they complete, in 0004."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make nothing: the tables of 0004 hold it all."""
