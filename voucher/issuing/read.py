"""What pages and the command line ask of issuing: agreements one may order on, orders, keys."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, select

from voucher.issuing.model import IssueBatch, IssuerKey, KeyState
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement, Credit, Issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderableAgreement:
    """An agreement as its issuer sees it. `available_cents` is what may still be ordered, all funders together."""

    id: UUID
    number: str
    name: str
    issuer_id: UUID
    issuer_name: str
    face_value_cents: int
    booklet_size: int
    is_handover_required: bool
    ceiling_cents: int
    committed_cents: int
    available_cents: int
    issued_count: int
    signed_on: date
    use_by: date
    grace_until: date
    present_by: date

    @property
    def orderable_booklet_count(self) -> int:
        """Count the booklets that the credit still pays."""
        return self.available_cents // (self.face_value_cents * self.booklet_size)

    def value_cents(self, booklet_count: int) -> int:
        """Return what `booklet_count` booklets are worth, in cents."""
        return booklet_count * self.booklet_size * self.face_value_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An order: its numbers and how far its making went."""

    id: UUID
    agreement_id: UUID
    agreement_number: str
    issuer_id: UUID
    key_state: str
    first_serial: int
    voucher_count: int
    first_booklet_number: int
    booklet_count: int
    booklet_size: int
    made_booklet_count: int
    face_value_cents: int
    use_by: date
    present_by: date
    ordered_at: datetime
    finished_at: datetime | None
    lapsed_at: datetime | None

    @property
    def is_key_revoked(self) -> bool:
        """Whether the key that signed it was stolen: its codes are refused."""
        return self.key_state == KeyState.REVOKED

    @property
    def last_booklet_number(self) -> int:
        """The number of its last booklet."""
        return self.first_booklet_number + self.booklet_count - 1

    @property
    def value_cents(self) -> int:
        """What its vouchers are worth, in cents."""
        return self.voucher_count * self.face_value_cents


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key, its public side."""

    id: int
    issuer_id: UUID
    state: str
    created_at: datetime
    retired_at: datetime | None
    revoked_at: datetime | None


def agreements(database: Database, issuer_id: UUID | None = None) -> list[OrderableAgreement]:
    """Return the agreements of an issuer (of all, without one), the newest first."""
    statement = _agreements().order_by(Agreement.signed_on.desc(), Agreement.number)
    if issuer_id is not None:
        statement = statement.where(Agreement.issuer_id == issuer_id)
    with database.read() as session:
        return [OrderableAgreement(**row._asdict()) for row in session.execute(statement)]


def agreement(database: Database, agreement_id: UUID, issuer_id: UUID | None = None) -> OrderableAgreement | None:
    """Return one agreement; None when there is none or it is another issuer's."""
    with database.read() as session:
        row = session.execute(_agreements().where(Agreement.id == agreement_id)).one_or_none()
    found = OrderableAgreement(**row._asdict()) if row else None
    return found if found and issuer_id in (None, found.issuer_id) else None


def agreement_by_number(database: Database, number: str) -> OrderableAgreement:
    """Return the agreement of this number. Raises Refused when there is none."""
    with database.read() as session:
        row = session.execute(_agreements().where(Agreement.number == number)).one_or_none()
    if row is None:
        raise Refused("agreement_unknown", f"Aucune convention ne porte le numéro {number}. Vérifiez-le.")
    return OrderableAgreement(**row._asdict())


def batches(database: Database, *, issuer_id: UUID | None = None, agreement_id: UUID | None = None) -> list[Batch]:
    """Return orders, the newest first."""
    statement = _batches().order_by(IssueBatch.first_serial.desc())
    if issuer_id is not None:
        statement = statement.where(Agreement.issuer_id == issuer_id)
    if agreement_id is not None:
        statement = statement.where(IssueBatch.agreement_id == agreement_id)
    with database.read() as session:
        return [Batch(**row._asdict()) for row in session.execute(statement)]


def batch(database: Database, batch_id: UUID, issuer_id: UUID | None = None) -> Batch | None:
    """Return one order; None when there is none or it is another issuer's."""
    with database.read() as session:
        row = session.execute(_batches().where(IssueBatch.id == batch_id)).one_or_none()
    found = Batch(**row._asdict()) if row else None
    return found if found and issuer_id in (None, found.issuer_id) else None


def keys(database: Database, issuer_id: UUID) -> list[Key]:
    """Return the keys of an issuer, the newest first."""
    columns = (IssuerKey.id, IssuerKey.issuer_id, IssuerKey.state, IssuerKey.created_at, IssuerKey.retired_at)
    with database.read() as session:
        rows = session.execute(
            select(*columns, IssuerKey.revoked_at).where(IssuerKey.issuer_id == issuer_id).order_by(IssuerKey.id.desc())
        )
        return [Key(**row._asdict()) for row in rows]


def _agreements() -> Any:
    available = (
        select(cast(func.coalesce(func.sum(Credit.available_cents), 0), BigInteger))
        .where(Credit.agreement_id == Agreement.id)
        .scalar_subquery()
    )
    return select(
        Agreement.id,
        Agreement.number,
        Agreement.name,
        Agreement.issuer_id,
        Issuer.name.label("issuer_name"),
        Agreement.face_value_cents,
        Agreement.booklet_size,
        Agreement.is_handover_required,
        Agreement.ceiling_cents,
        Agreement.committed_cents,
        available.label("available_cents"),
        Agreement.issued_count,
        Agreement.signed_on,
        Agreement.use_by,
        Agreement.grace_until,
        Agreement.present_by,
    ).join(Issuer, Issuer.id == Agreement.issuer_id)


def _batches() -> Any:
    return (
        select(
            IssueBatch.id,
            IssueBatch.agreement_id,
            Agreement.number.label("agreement_number"),
            Agreement.issuer_id,
            IssuerKey.state.label("key_state"),
            IssueBatch.first_serial,
            IssueBatch.voucher_count,
            IssueBatch.first_booklet_number,
            IssueBatch.booklet_count,
            IssueBatch.booklet_size,
            IssueBatch.made_booklet_count,
            IssueBatch.face_value_cents,
            IssueBatch.use_by,
            IssueBatch.present_by,
            IssueBatch.ordered_at,
            IssueBatch.finished_at,
            IssueBatch.lapsed_at,
        )
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
        .join(IssuerKey, IssuerKey.id == IssueBatch.key_id)
    )
