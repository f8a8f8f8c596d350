"""Staff, envelopes, agreements, structures and places."""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.append_only import append_only_statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and the triggers that keep what only grows."""
    op.create_table(
        "audit_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_line")),
    )
    op.create_index(op.f("ix_audit_line_account_id"), "audit_line", ["account_id"], unique=False)
    op.create_index(op.f("ix_audit_line_at"), "audit_line", ["at"], unique=False)
    op.create_table(
        "funder",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("siren", sa.String(length=9), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funder")),
        sa.UniqueConstraint("name", name=op.f("uq_funder_name")),
    )
    op.create_table(
        "issuer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("siren", sa.String(length=9), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("postcode", sa.String(length=5), nullable=False),
        sa.Column("city", sa.String(length=80), nullable=False),
        sa.Column("region_code", sa.String(length=3), nullable=True),
        sa.Column("contact_email", sa.String(length=200), nullable=False),
        sa.Column("contact_phone", sa.String(length=30), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer")),
        sa.UniqueConstraint("siren", name=op.f("uq_issuer_siren")),
    )
    op.create_table(
        "paying_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("holder_name", sa.String(length=70), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("bic", sa.String(length=11), nullable=True),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("siren", sa.String(length=9), nullable=True),
        sa.Column("transfer_schema", sa.String(length=20), nullable=False),
        sa.Column("transfers_per_file", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "transfer_schema IN ('pain.001.001.09', 'pain.001.001.03')", name=op.f("ck_paying_account_schema_is_known")
        ),
        sa.CheckConstraint("transfers_per_file BETWEEN 1 AND 100000", name=op.f("ck_paying_account_file_is_bounded")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paying_account")),
        sa.UniqueConstraint("iban", name=op.f("uq_paying_account_iban")),
    )
    op.create_table(
        "places_import",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("imported_by", sa.Uuid(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_count", sa.Integer(), nullable=False),
        sa.Column("unchanged_count", sa.Integer(), nullable=False),
        sa.Column("refused_count", sa.Integer(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places_import")),
    )
    op.create_table(
        "staff_account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_account")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_account_email")),
    )
    op.create_table(
        "structure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pivot", sa.String(length=14), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("contact_email", sa.String(length=200), nullable=False),
        sa.Column("vat_regime", sa.String(length=60), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint("state IN ('proposed', 'qualified', 'suspended')", name=op.f("ck_structure_state_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_structure")),
        sa.UniqueConstraint("pivot", name=op.f("uq_structure_pivot")),
    )
    op.create_table(
        "agreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("issuer_id", sa.Uuid(), nullable=False),
        sa.Column("paying_account_id", sa.Uuid(), nullable=False),
        sa.Column("settlement_channel", sa.String(length=20), nullable=False),
        sa.Column("commitment_number", sa.String(length=30), nullable=False),
        sa.Column("service_code", sa.String(length=30), nullable=False),
        sa.Column("settlement_rhythm", sa.String(length=10), nullable=False),
        sa.Column("minimum_payment_cents", sa.Integer(), nullable=False),
        sa.Column("payment_days", sa.Integer(), nullable=False),
        sa.Column("cash_floor_basis_points", sa.Integer(), nullable=False),
        sa.Column("ceiling_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("committed_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("face_value_cents", sa.Integer(), nullable=False),
        sa.Column("booklet_size", sa.Integer(), nullable=False),
        sa.Column("is_handover_required", sa.Boolean(), nullable=False),
        sa.Column("issued_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("share_set", sa.Integer(), nullable=False),
        sa.Column("kept_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("set_issued_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("use_by", sa.Date(), nullable=False),
        sa.Column("grace_until", sa.Date(), nullable=False),
        sa.Column("present_by", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("booklet_size BETWEEN 1 AND 31", name=op.f("ck_agreement_booklet_size_fits")),
        sa.CheckConstraint("ceiling_cents > 0", name=op.f("ck_agreement_ceiling_is_positive")),
        sa.CheckConstraint(
            "committed_cents BETWEEN 0 AND ceiling_cents", name=op.f("ck_agreement_committed_within_ceiling")
        ),
        sa.CheckConstraint("face_value_cents BETWEEN 100 AND 16777215", name=op.f("ck_agreement_face_value_fits")),
        sa.CheckConstraint("signed_on <= use_by", name=op.f("ck_agreement_signed_before_use_by")),
        sa.CheckConstraint("settlement_rhythm IN ('monthly', 'on_demand')", name=op.f("ck_agreement_rhythm_is_known")),
        sa.CheckConstraint("kept_cents BETWEEN 0 AND committed_cents", name=op.f("ck_agreement_kept_within_committed")),
        sa.CheckConstraint("set_issued_count BETWEEN 0 AND issued_count", name=op.f("ck_agreement_set_begins_before")),
        sa.CheckConstraint("minimum_payment_cents >= 0", name=op.f("ck_agreement_minimum_is_not_negative")),
        sa.CheckConstraint("payment_days BETWEEN 1 AND 60", name=op.f("ck_agreement_payment_days_fit")),
        sa.CheckConstraint(
            "cash_floor_basis_points BETWEEN 0 AND 10000", name=op.f("ck_agreement_cash_floor_is_a_part")
        ),
        sa.CheckConstraint(
            "use_by <= grace_until AND grace_until <= present_by", name=op.f("ck_agreement_dates_follow")
        ),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuer.id"], name=op.f("fk_agreement_issuer_id")),
        sa.ForeignKeyConstraint(
            ["paying_account_id"], ["paying_account.id"], name=op.f("fk_agreement_paying_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
        sa.UniqueConstraint("number", name=op.f("uq_agreement_number")),
    )
    op.create_index(op.f("ix_agreement_issuer_id"), "agreement", ["issuer_id"], unique=False)
    op.create_table(
        "bank_details",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("holder_name", sa.String(length=70), nullable=False),
        sa.Column("iban", sa.String(length=34), nullable=False),
        sa.Column("bic", sa.String(length=11), nullable=True),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_bank_details_structure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_details")),
    )
    op.create_index(
        "uq_bank_details_current",
        "bank_details",
        ["structure_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "envelope",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("fiscal_year", sa.Integer(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("allocated_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "allocated_cents BETWEEN 0 AND amount_cents", name=op.f("ck_envelope_allocated_within_amount")
        ),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_envelope_amount_is_positive")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_envelope_funder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope")),
        sa.UniqueConstraint("funder_id", "name", name=op.f("uq_envelope_funder_id_name")),
    )
    op.create_index(op.f("ix_envelope_funder_id"), "envelope", ["funder_id"], unique=False)
    op.create_table(
        "place",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("structure_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=150), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("address_complement", sa.String(length=200), nullable=False),
        sa.Column("postcode", sa.String(length=5), nullable=False),
        sa.Column("insee_code", sa.String(length=5), nullable=True),
        sa.Column("city", sa.String(length=80), nullable=False),
        sa.Column("department_code", sa.String(length=3), nullable=True),
        sa.Column("region_code", sa.String(length=3), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("phone", sa.String(length=30), nullable=False),
        sa.Column("email", sa.String(length=300), nullable=False),
        sa.Column("website", sa.String(length=500), nullable=False),
        sa.Column("opening_hours", sa.String(length=300), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("other_columns", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("updated_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["structure_id"], ["structure.id"], name=op.f("fk_place_structure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sa.UniqueConstraint("external_id", name=op.f("uq_place_external_id")),
    )
    op.create_index(op.f("ix_place_department_code"), "place", ["department_code"], unique=False)
    op.create_index(op.f("ix_place_region_code"), "place", ["region_code"], unique=False)
    op.create_index(op.f("ix_place_structure_id"), "place", ["structure_id"], unique=False)
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "CASE WHEN role IN ('issuer', 'prescriber', 'mediator', 'place_manager') THEN scope_id IS NOT NULL WHEN role IN ('programme', 'auditor') THEN scope_id IS NULL ELSE 1 = 1 END",
            name=op.f("ck_role_grant_scope_fits_role"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["staff_account.id"], name=op.f("fk_role_grant_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
    )
    op.create_index(
        "uq_role_grant_live",
        "role_grant",
        ["account_id", "role"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "staff_session",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["staff_account.id"], name=op.f("fk_staff_session_account_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_staff_session")),
    )
    op.create_index(op.f("ix_staff_session_account_id"), "staff_session", ["account_id"], unique=False)
    op.create_table(
        "agreement_share",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("envelope_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("share_basis_points", sa.Integer(), nullable=False),
        sa.CheckConstraint("share_basis_points BETWEEN 1 AND 10000", name=op.f("ck_agreement_share_share_is_a_part")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_agreement_share_agreement_id")),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelope.id"], name=op.f("fk_agreement_share_envelope_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_agreement_share_funder_id")),
        sa.PrimaryKeyConstraint("agreement_id", "rank", name=op.f("pk_agreement_share")),
        sa.UniqueConstraint("agreement_id", "funder_id", name=op.f("uq_agreement_share_agreement_id_funder_id")),
    )
    op.create_table(
        "commitment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("share_set", sa.Integer(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("committed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("amount_cents > 0", name=op.f("ck_commitment_amount_is_positive")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_commitment_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment")),
    )
    op.create_index(op.f("ix_commitment_agreement_id"), "commitment", ["agreement_id"], unique=False)
    op.create_table(
        "credit",
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("funder_id", sa.Uuid(), nullable=False),
        sa.Column("available_cents", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("available_cents >= 0", name=op.f("ck_credit_never_negative")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_credit_agreement_id")),
        sa.ForeignKeyConstraint(["funder_id"], ["funder.id"], name=op.f("fk_credit_funder_id")),
        sa.PrimaryKeyConstraint("agreement_id", "funder_id", name=op.f("pk_credit")),
    )

    for statement in append_only_statements("audit_line", op.get_bind().dialect.name):
        op.execute(statement)
