"""Keys, batches, booklets, vouchers, prescribers and their stock."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep what only grows."""
    op.create_table(
        "serial_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("next_booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_serial_counter_single_row")),
        sa.CheckConstraint(
            "next_serial BETWEEN 1 AND 1073741824", name=op.f("ck_serial_counter_serial_fits_thirty_bits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_serial_counter")),
    )
    op.create_table(
        "issuer_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("algorithm", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id BETWEEN 1 AND 65535", name=op.f("ck_issuer_key_id_fits_two_bytes")),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_issuer_key_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer_key")),
    )
    op.create_index(
        "uq_issuer_key_active",
        "issuer_key",
        ["issuer_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "prescriber",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("postcode", sa.String(length=5), nullable=False),
        sa.Column("city", sa.String(length=80), nullable=False),
        sa.Column("contact_email", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_prescriber_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prescriber")),
        sa.UniqueConstraint("issuer_id", "name", name=op.f("uq_prescriber_issuer_id_name")),
    )
    op.create_index(op.f("ix_prescriber_issuer_id"), "prescriber", ["issuer_id"], unique=False)
    op.create_table(
        "stock_void",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("first_booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("booklet_count", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("released_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_stock_void_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_void")),
    )
    op.create_index(op.f("ix_stock_void_issuer_id"), "stock_void", ["issuer_id"], unique=False)
    op.create_table(
        "issue_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("first_serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("voucher_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("booklet_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("booklet_size", sa.Integer(), nullable=False),
        sa.Column("made_booklet_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("face_value_cents", sa.Integer(), nullable=False),
        sa.Column("use_by", sa.Date(), nullable=False),
        sa.Column("grace_until", sa.Date(), nullable=False),
        sa.Column("present_by", sa.Date(), nullable=False),
        sa.Column("is_handover_required", sa.Boolean(), nullable=False),
        sa.Column("share_set", sa.Integer(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ordered_by", sa.Uuid(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "made_booklet_count BETWEEN 0 AND booklet_count", name=op.f("ck_issue_batch_made_within_ordered")
        ),
        sa.CheckConstraint(
            "voucher_count = booklet_count * booklet_size AND booklet_count > 0",
            name=op.f("ck_issue_batch_whole_booklets"),
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_issue_batch_agreement_id")),
        sa.ForeignKeyConstraint(["key_id"], ["issuer_key.id"], name=op.f("fk_issue_batch_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_batch")),
        sa.UniqueConstraint("first_booklet_number", name=op.f("uq_issue_batch_first_booklet_number")),
        sa.UniqueConstraint("first_serial", name=op.f("uq_issue_batch_first_serial")),
    )
    op.create_index(op.f("ix_issue_batch_agreement_id"), "issue_batch", ["agreement_id"], unique=False)
    op.create_table(
        "stock_slip",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("from_prescriber_id", sa.Uuid(), nullable=True),
        sa.Column("to_prescriber_id", sa.Uuid(), nullable=True),
        sa.Column("first_booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("booklet_count", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("booklet_count > 0", name=op.f("ck_stock_slip_moves_something")),
        sa.ForeignKeyConstraint(
            ["from_prescriber_id"], ["prescriber.id"], name=op.f("fk_stock_slip_from_prescriber_id")
        ),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_stock_slip_issuer_id")),
        sa.ForeignKeyConstraint(["to_prescriber_id"], ["prescriber.id"], name=op.f("fk_stock_slip_to_prescriber_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_slip")),
    )
    op.create_index(op.f("ix_stock_slip_issuer_id"), "stock_slip", ["issuer_id"], unique=False)
    op.create_index(op.f("ix_stock_slip_to_prescriber_id"), "stock_slip", ["to_prescriber_id"], unique=False)
    op.create_table(
        "batch_share",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("amount_cents >= 0", name=op.f("ck_batch_share_amount_is_not_negative")),
        sa.ForeignKeyConstraint(["batch_id"], ["issue_batch.id"], name=op.f("fk_batch_share_batch_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_batch_share_funder_id")),
        sa.PrimaryKeyConstraint("batch_id", "rank", name=op.f("pk_batch_share")),
        sa.UniqueConstraint("batch_id", "funder_id", name=op.f("uq_batch_share_batch_id_funder_id")),
    )
    op.create_table(
        "booklet",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("first_serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Integer(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("prescriber_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["issue_batch.id"], name=op.f("fk_booklet_batch_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_booklet")),
        sa.UniqueConstraint("first_serial", name=op.f("uq_booklet_first_serial")),
    )
    op.create_index(op.f("ix_booklet_batch_id"), "booklet", ["batch_id"], unique=False)
    op.create_index(op.f("ix_booklet_prescriber_id"), "booklet", ["prescriber_id"], unique=False)
    op.create_table(
        "lapse",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("present_by", sa.Date(), nullable=False),
        sa.Column("stock_count", sa.Integer(), nullable=False),
        sa.Column("held_count", sa.Integer(), nullable=False),
        sa.Column("released_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapsed_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["issue_batch.id"], name=op.f("fk_lapse_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_lapse")),
    )
    op.create_table(
        "handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("prescriber_id", sa.Uuid(), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_over_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["booklet_number"], ["booklet.number"], name=op.f("fk_handover_booklet_number")),
        sa.ForeignKeyConstraint(["prescriber_id"], ["prescriber.id"], name=op.f("fk_handover_prescriber_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
        sa.UniqueConstraint("booklet_number", name=op.f("uq_handover_booklet_number")),
    )
    op.create_index(
        op.f("ix_handover_prescriber_id_handed_over_at"), "handover", ["prescriber_id", "handed_over_at"], unique=False
    )
    op.create_table(
        "stop_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(length=12), nullable=False),
        sa.Column("stopped_count", sa.Integer(), nullable=False),
        sa.Column("released_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["booklet_number"], ["booklet.number"], name=op.f("fk_stop_order_booklet_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop_order")),
        sa.UniqueConstraint("booklet_number", name=op.f("uq_stop_order_booklet_number")),
    )
    op.create_table(
        "voucher",
        sa.Column("serial", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("booklet_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tag", sa.Integer(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state IN ('issued', 'handed_over', 'redeemed', 'stopped', 'lapsed', 'void')",
            name=op.f("ck_voucher_state_is_known"),
        ),
        sa.ForeignKeyConstraint(["booklet_number"], ["booklet.number"], name=op.f("fk_voucher_booklet_number")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_voucher")),
    )

    op.execute("INSERT INTO serial_counter (id, next_serial, next_booklet_number) VALUES (1, 1, 1)")
    for table in ("batch_share", "handover", "stop_order", "stock_slip", "stock_void", "lapse"):
        for statement in append_only_statements(table, op.get_bind().dialect.name):
            op.execute(statement)
