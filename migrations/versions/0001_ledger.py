"""The ledger: accounts, movements, entries."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements
from voucher.ledger.triggers import ledger_triggers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep what only grows."""
    op.create_table(
        "account",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("book", sa.String(length=8), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=True),
        sa.Column("agreement_id", sa.Uuid(), nullable=True),
        sa.Column("structure_id", sa.Uuid(), nullable=True),
        sa.Column("bank_account_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("book IN ('budget', 'general')", name=op.f("ck_account_book_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("id", "book", name=op.f("uq_account_id_book")),
        sa.UniqueConstraint("key", name=op.f("uq_account_key")),
    )
    op.create_index(op.f("ix_account_agreement_id"), "account", ["agreement_id"], unique=False)
    op.create_index(op.f("ix_account_code"), "account", ["code"], unique=False)
    op.create_index(op.f("ix_account_funder_id"), "account", ["funder_id"], unique=False)
    op.create_index(op.f("ix_account_structure_id"), "account", ["structure_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("journal", sa.String(length=2), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_by", sa.Uuid(), nullable=True),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("narration", sa.String(length=200), nullable=False),
        sa.Column("movement_count", sa.Integer(), nullable=False),
        sa.Column("total_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("movement_count > 0 AND total_cents > 0", name=op.f("ck_entry_moves_something")),
        sa.ForeignKeyConstraint(["reverses_id"], ["entry.id"], name=op.f("fk_entry_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sa.UniqueConstraint("event_type", "event_id", name=op.f("uq_entry_event_type_event_id")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_entry_reverses_id")),
    )
    op.create_index(op.f("ix_entry_posted_at"), "entry", ["posted_at"], unique=False)
    op.create_index(op.f("ix_entry_journal_effective_on"), "entry", ["journal", "effective_on"], unique=False)
    op.create_table(
        "movement",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("book", sa.String(length=8), nullable=False),
        sa.Column("debit_account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("credit_account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_movement_amount_is_positive")),
        sa.CheckConstraint("debit_account_id <> credit_account_id", name=op.f("ck_movement_accounts_differ")),
        sa.ForeignKeyConstraint(
            ["credit_account_id", "book"],
            ["account.id", "account.book"],
            name=op.f("fk_movement_credit_account_id_book"),
        ),
        sa.ForeignKeyConstraint(
            ["debit_account_id", "book"], ["account.id", "account.book"], name=op.f("fk_movement_debit_account_id_book")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entry.id"], name=op.f("fk_movement_entry_id"), initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("entry_id", "rank", name=op.f("pk_movement")),
    )
    op.create_index(op.f("ix_movement_credit_account_id"), "movement", ["credit_account_id"], unique=False)
    op.create_index(op.f("ix_movement_debit_account_id"), "movement", ["debit_account_id"], unique=False)

    dialect = op.get_bind().dialect.name
    for statement in ledger_triggers(dialect):
        op.execute(statement)
    for table in ("account", "movement", "entry"):
        for statement in append_only_statements(table, dialect):
            op.execute(statement)
