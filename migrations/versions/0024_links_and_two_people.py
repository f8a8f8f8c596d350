"""One-time links with which a person chooses a password, and what takes two people: roles that count among two, addresses.

An account has no password until its person chose one. Roles given before two people were asked keep a change that says so.
"""

import sqlalchemy as sa
from alembic import op

from voucher.kernel.identifiers import new_id

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TWO_PEOPLE_ROLES = ("programme", "issuer", "finance_preparer", "finance_approver")


def upgrade() -> None:
    """Make the tables; let an account wait for its first password; say of each role that counts who gave it."""
    with op.batch_alter_table("staff_account") as table:
        table.alter_column("password_hash", existing_type=sa.String(length=200), nullable=True)
    op.create_table(
        "account_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("asked_from", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_how", sa.String(length=10), nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'reset')", name=op.f("ck_account_link_purpose_is_known")),
        sa.CheckConstraint("asked_from IN ('office', 'person', 'host')", name=op.f("ck_account_link_origin_is_known")),
        sa.CheckConstraint(
            "(asked_from = 'office') = (asked_by IS NOT NULL)", name=op.f("ck_account_link_office_says_who")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_account_link_end_says_how")),
        sa.ForeignKeyConstraint(["account_id"], ["staff_account.id"], name=op.f("fk_account_link_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_link")),
    )
    op.create_index(op.f("ix_account_link_account_id"), "account_link", ["account_id"], unique=False)
    op.create_table(
        "link_secret",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ends_at > made_at", name=op.f("ck_link_secret_lives_a_while")),
        sa.ForeignKeyConstraint(["link_id"], ["account_link.id"], name=op.f("fk_link_secret_link_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_link_secret")),
    )
    op.create_index(op.f("ix_link_secret_link_id"), "link_secret", ["link_id"], unique=False)
    op.create_table(
        "account_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=True),
        sa.Column("new_email", sa.String(length=200), nullable=False),
        sa.Column("known_email", sa.String(length=200), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("decided_from", sa.String(length=10), nullable=True),
        sa.CheckConstraint("kind IN ('role', 'address')", name=op.f("ck_account_change_kind_is_known")),
        sa.CheckConstraint(
            "(kind = 'role') = (role <> '') AND (kind = 'address') = (new_email <> '')",
            name=op.f("ck_account_change_kind_says_what"),
        ),
        sa.CheckConstraint(
            "outcome IN ('confirmed', 'refused', 'dropped', 'before', 'alone')",
            name=op.f("ck_account_change_outcome_is_known"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (outcome IS NULL)", name=op.f("ck_account_change_decided_or_waiting")
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (decided_from IS NULL)", name=op.f("ck_account_change_decision_says_from")
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome <> 'confirmed' OR decided_by IS NULL OR asked_by IS NULL OR decided_by <> asked_by",
            name=op.f("ck_account_change_two_people"),
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome <> 'confirmed' OR (decided_from = 'office') = (decided_by IS NOT NULL)",
            name=op.f("ck_account_change_confirmed_by_somebody"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["staff_account.id"], name=op.f("fk_account_change_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_change")),
    )
    op.create_index(op.f("ix_account_change_account_id"), "account_change", ["account_id"], unique=False)
    op.create_index(
        "uq_account_change_waiting",
        "account_change",
        ["account_id", "kind", "role"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    with op.batch_alter_table("role_grant") as table:
        table.add_column(sa.Column("change_id", sa.Uuid(), nullable=True))
        table.create_foreign_key(op.f("fk_role_grant_change_id"), "account_change", ["change_id"], ["id"])
    _say_who_gave_them()
    with op.batch_alter_table("role_grant") as table:
        table.create_check_constraint(
            op.f("ck_role_grant_two_people_gave_it"),
            "role NOT IN ('programme', 'issuer', 'finance_preparer', 'finance_approver') OR change_id IS NOT NULL",
        )


def _say_who_gave_them() -> None:
    """Write a change for each role given when one person still could: it says « before », and who."""
    connection = op.get_bind()
    grant = sa.table("role_grant", *(sa.column(name) for name in ("role", "granted_at")),
                     *(sa.column(name, sa.Uuid()) for name in ("id", "account_id", "scope_id", "granted_by", "change_id")))  # fmt: skip
    account = sa.table("staff_account", sa.column("id", sa.Uuid()), sa.column("email"))
    change = sa.table(
        "account_change",
        *(
            sa.column(name)
            for name in ("kind", "role", "new_email", "known_email", "asked_at", "decided_at", "outcome")
        ),
        *(sa.column(name, sa.Uuid()) for name in ("id", "account_id", "scope_id", "asked_by")),
        sa.column("decided_from"),
    )
    rows = connection.execute(
        sa.select(*grant.c, account.c.email)
        .join(account, account.c.id == grant.c.account_id)
        .where(grant.c.role.in_(TWO_PEOPLE_ROLES))
    ).all()
    for row in rows:
        change_id = new_id()
        connection.execute(
            sa.insert(change).values(
                id=change_id,
                account_id=row.account_id,
                kind="role",
                role=row.role,
                scope_id=row.scope_id,
                new_email="",
                known_email=row.email,
                asked_by=row.granted_by,
                asked_at=row.granted_at,
                decided_at=row.granted_at,
                outcome="before",
                decided_from="host",
            )
        )
        connection.execute(sa.update(grant).where(grant.c.id == row.id).values(change_id=change_id))
