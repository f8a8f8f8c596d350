"""A kept file says in a column what it pays: a page asks for the sum, and loads no file."""

import csv
import io
from decimal import Decimal

import sqlalchemy as sa
from alembic import op
from lxml import etree

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

file = sa.table(
    "payment_file",
    sa.column("id", sa.Uuid()),
    sa.column("kind", sa.String()),
    sa.column("content", sa.LargeBinary()),
    sa.column("total_cents", sa.BigInteger()),
)


def upgrade() -> None:
    """Add the column and read it from each file that pays."""
    op.add_column(
        "payment_file", sa.Column("total_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    connection = op.get_bind()
    # The table only grows: for the length of this transaction, its new column may be filled.
    is_sqlite = connection.dialect.name == "sqlite"
    op.execute(
        "DROP TRIGGER payment_file_never_updated"
        if is_sqlite
        else "ALTER TABLE payment_file DISABLE TRIGGER payment_file_never_changed"
    )
    for file_id in connection.scalars(sa.select(file.c.id)).all():
        row = connection.execute(sa.select(file.c.kind, file.c.content).where(file.c.id == file_id)).one()
        total_cents = _total_cents(row.kind, row.content)
        if total_cents is not None:
            connection.execute(sa.update(file).where(file.c.id == file_id).values(total_cents=total_cents))
    op.execute(
        "CREATE TRIGGER payment_file_never_updated BEFORE UPDATE ON payment_file "
        "BEGIN SELECT RAISE(ABORT, 'payment_file only grows'); END"
        if is_sqlite
        else "ALTER TABLE payment_file ENABLE TRIGGER payment_file_never_changed"
    )


def _total_cents(kind: str, content: bytes) -> int | None:
    if kind.startswith("pain.001"):
        for _, element in etree.iterparse(io.BytesIO(content), tag="{*}CtrlSum"):
            return int(Decimal(element.text) * 100)
    if kind == "liquidation_csv":
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
        return sum(_cents(row["Montant en euros"]) for row in rows)
    return None


def _cents(text: str) -> int:
    plain = "".join(mark for mark in text if not mark.isspace()).replace(",", ".")
    return int(Decimal(plain) * 100)
