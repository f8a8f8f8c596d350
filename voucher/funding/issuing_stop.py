"""Whether an agreement may issue more: the vouchers that exist must be covered first, and the bank hold what was agreed.

An order brings its own promises with its vouchers, so it would dilute what lacks: coverage is judged without it. What the bank
must hold before an order (`cash_floor_basis_points`) is judged with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.funding.backing import Backing, FunderBacking, Whole, backings, overdue_cents, whole
from voucher.kernel.database import Database
from voucher.kernel.money import BASIS_POINTS, format_euros
from voucher.ledger.chart import Code
from voucher.ledger.model import Account, Movement
from voucher.programme.model import Agreement, Funder, Issuer

STOP_PERCENT = 95
"""The coverage under which nothing is issued, where the installation says no other (`PASS_BACKING_STOP_PERCENT`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementBacking:
    """An agreement with its backing, and why it may not issue (empty when it may)."""

    agreement_id: UUID
    number: str
    name: str
    issuer_name: str
    backing: Backing
    stop_reason: str
    is_near: bool


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A funder with its part of an agreement's backing."""

    funder_id: UUID
    name: str
    part: FunderBacking


def stop_reason(
    session: Session, agreement_id: UUID, order_cents: int, *, on: date, stop_percent: int = STOP_PERCENT
) -> str | None:
    """Return why an order of an amount may not be issued, in French with its figures and what to do; None when it may.

    Call it where the agreement's row is held: the credit that another order takes meanwhile is then seen.
    """
    floor_basis_points = session.execute(
        select(Agreement.cash_floor_basis_points).where(Agreement.id == agreement_id)
    ).scalar_one()
    if not floor_basis_points and not _may_lack(session, agreement_id, on):
        return None
    backing = backings(session, on=on, agreement_ids=[agreement_id]).get(agreement_id, Backing())
    return reason_of(backing, floor_basis_points, order_cents, stop_percent)


def reason_of(
    backing: Backing, floor_basis_points: int, order_cents: int, stop_percent: int = STOP_PERCENT
) -> str | None:
    """Return why a backing does not carry an order; None when it does."""
    if backing.lacking_cents > 0 and backing.covered_cents * 100 < backing.due_cents * stop_percent:
        what_next = (
            f"Des financeurs ont {format_euros(backing.overdue_cents)} de retard : relancez-les."
            if backing.overdue_cents
            else "Demandez aux financeurs de verser ce qui manque."
        )
        return (
            f"{format_euros(backing.due_cents)} sont en circulation ou dus aux structures, et il manque "
            f"{format_euros(backing.lacking_cents)} pour les payer. Sous {stop_percent}\u00a0% de couverture, aucun chèque "
            f"n’est émis. {what_next}"
        )
    due_cents = backing.due_cents + order_cents
    floor_cents = -(-due_cents * floor_basis_points // BASIS_POINTS)
    if floor_basis_points and backing.held_cents < floor_cents:
        return (
            f"La convention demande {format_euros(floor_cents)} en banque avant d’émettre, elle en a "
            f"{format_euros(backing.held_cents)}. Appelez une avance de "
            f"{format_euros(floor_cents - backing.held_cents)}, ou commandez moins."
        )
    return None


def agreement_backings(
    database: Database,
    *,
    on: date,
    alert_percent: int,
    stop_percent: int = STOP_PERCENT,
    issuer_id: UUID | None = None,
    before: datetime | None = None,
) -> list[AgreementBacking]:
    """Return the backing of every agreement that has one, by number; an alert where one is stopped or near it.

    `before` is the instant of the figures (now where none is given), `on` the civil day that says which calls are late.

    It is stopped when not even one booklet may be ordered; near when its coverage is under `alert_percent`. An agreement that
    has nothing left to issue is neither.
    """
    with database.read() as session:
        query = select(Agreement, Issuer.name).join(Issuer, Issuer.id == Agreement.issuer_id)
        if issuer_id is not None:
            query = query.where(Agreement.issuer_id == issuer_id)
        known = session.execute(query.order_by(Agreement.number)).all()
        ids = None if issuer_id is None else [row.Agreement.id for row in known]
        found: Mapping[UUID, Backing] = backings(session, before=before, on=on, agreement_ids=ids)
        return [_with_alert(row.Agreement, row.name, found[row.Agreement.id], on, alert_percent, stop_percent)
                for row in known if row.Agreement.id in found]  # fmt: skip


def programme_backing(database: Database, parts: Iterable[Backing], before: datetime | None = None) -> Whole:
    """Return the backing of the whole programme from that of all its agreements, beside what the bank's accounts say."""
    with database.read() as session:
        return whole(session, parts, before)


def named_parts(database: Database, backing: Backing) -> list[NamedPart]:
    """Return each funder's part of an agreement's backing, by name."""
    with database.read() as session:
        rows = session.execute(select(Funder.id, Funder.name).where(Funder.id.in_(list(backing.by_funder))))
        names = {row.id: row.name for row in rows}
    parts = [NamedPart(funder_id, names[funder_id], part) for funder_id, part in backing.by_funder.items()]
    return sorted(parts, key=lambda one: one.name)


def _with_alert(
    agreement: Agreement, issuer_name: str, backing: Backing, on: date, alert_percent: int, stop_percent: int
) -> AgreementBacking:
    booklet_cents = agreement.face_value_cents * agreement.booklet_size
    may_issue = on <= agreement.use_by and backing.free_cents >= booklet_cents
    reason = reason_of(backing, agreement.cash_floor_basis_points, booklet_cents, stop_percent) if may_issue else None
    coverage = backing.coverage_basis_points
    is_near = may_issue and coverage is not None and coverage * 100 < alert_percent * BASIS_POINTS
    return AgreementBacking(
        agreement_id=agreement.id,
        number=agreement.number,
        name=agreement.name,
        issuer_name=issuer_name,
        backing=backing,
        stop_reason=reason or "",
        is_near=is_near and not reason,
    )


def _may_lack(session: Session, agreement_id: UUID, on: date) -> bool:
    """Say whether anything can make the backing fall short: without a write-off nor a late call it never does (`backing`)."""
    if overdue_cents(session, on=on, agreement_id=agreement_id):
        return True
    written_off = (
        select(func.count())
        .select_from(Account)
        .join(Movement, Movement.debit_account_id == Account.id)
        .where(Account.agreement_id == agreement_id, Account.code == Code.WRITTEN_OFF)
    )
    return bool(session.scalar(written_off))
