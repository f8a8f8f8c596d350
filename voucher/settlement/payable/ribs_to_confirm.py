"""What pages ask of RIBs that wait for a confirmation: who recorded each, when, and what it changes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, true
from sqlalchemy.orm import Session, aliased

from voucher.kernel.database import Database
from voucher.kernel.number_labels import masked_iban
from voucher.network.model import BankDetails, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption

ROWS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RibToConfirm:
    """A RIB that waits; `changes` are French sentences, one for each thing that it changes."""

    id: UUID
    structure_id: UUID
    structure_name: str
    pivot: str
    holder_name: str
    masked_iban: str
    bic: str | None
    recorded_by: UUID
    recorded_at: datetime
    changes: tuple[str, ...]


def ribs_to_confirm(database: Database, *, issuer_id: UUID | None = None) -> list[RibToConfirm]:
    """Return the RIBs that wait, the oldest first; for finance of one issuer, those of structures where its vouchers were used."""
    with database.read() as session:
        return _waiting(session, _seen(issuer_id))


def rib_to_confirm(database: Database, details_id: UUID, *, issuer_id: UUID | None = None) -> RibToConfirm | None:
    """Return one RIB that waits, or None when it does not, or not for this scope."""
    with database.read() as session:
        return next(iter(_waiting(session, and_(BankDetails.id == details_id, _seen(issuer_id)))), None)


def rib_count(database: Database, *, issuer_id: UUID | None = None) -> int:
    """Return how many RIBs wait."""
    with database.read() as session:
        return session.scalar(select(func.count(BankDetails.id)).where(BankDetails.is_waiting(), _seen(issuer_id))) or 0


def _waiting(session: Session, which: ColumnElement[bool]) -> list[RibToConfirm]:
    before = aliased(BankDetails)
    rows = session.execute(
        select(BankDetails, Structure.name, Structure.pivot, before)
        .join(Structure, Structure.id == BankDetails.structure_id)
        .outerjoin(before, and_(before.structure_id == BankDetails.structure_id, before.is_in_use()))
        .where(BankDetails.is_waiting(), which)
        .order_by(BankDetails.recorded_at, BankDetails.id)
        .limit(ROWS_MAX)
    )
    return [
        RibToConfirm(
            id=new.id,
            structure_id=new.structure_id,
            structure_name=name,
            pivot=pivot,
            holder_name=new.holder_name,
            masked_iban=masked_iban(new.iban),
            bic=new.bic,
            recorded_by=new.recorded_by,
            recorded_at=new.recorded_at,
            changes=_changes(new, old),
        )
        for new, name, pivot, old in rows
    ]


def _changes(new: BankDetails, old: BankDetails | None) -> tuple[str, ...]:
    if old is None:
        return ("C’est son premier RIB. Sans lui, elle ne peut pas être payée.",)
    said = []
    if new.iban != old.iban:
        said.append(f"Le compte change : avant, {masked_iban(old.iban)}.")
    if new.holder_name != old.holder_name:
        said.append(f"Le titulaire change : avant, {old.holder_name}.")
    if new.bic != old.bic:
        said.append(f"Le BIC change : avant, {old.bic or 'aucun'}.")
    return tuple(said) or ("Rien ne change : le même RIB est enregistré de nouveau.",)


def _seen(issuer_id: UUID | None) -> ColumnElement[bool]:
    if issuer_id is None:
        return true()
    return exists().where(
        Redemption.structure_id == BankDetails.structure_id,
        Redemption.agreement_id == Agreement.id,
        Agreement.issuer_id == issuer_id,
    )
