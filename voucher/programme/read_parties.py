"""What pages ask of the parties: funders and their envelopes, issuers, paying accounts. Amounts in cents."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.characters import compact
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.number_labels import iban_end
from voucher.kernel.rows import columns_of
from voucher.kernel.search import contains
from voucher.kernel.typed_numbers import rank_number
from voucher.programme.model import (
    Agreement,
    AgreementShare,
    Envelope,
    Funder,
    FunderKind,
    Issuer,
    IssuerKind,
    KeptPart,
    PayingAccount,
)
from voucher.programme.rules import parts_of

FUNDER_KINDS: Mapping[str, str] = {
    FunderKind.STATE: "État",
    FunderKind.EUROPE: "Union européenne",
    FunderKind.REGION: "Région",
    FunderKind.DEPARTMENT: "Département",
    FunderKind.INTERCOMMUNAL: "Intercommunalité",
    FunderKind.OTHER: "Autre financeur",
}
ISSUER_KINDS: Mapping[str, str] = {
    IssuerKind.REGION: "Région",
    IssuerKind.DEPARTMENT: "Département",
    IssuerKind.EPCI: "EPCI (communauté de communes ou d’agglomération)",
    IssuerKind.METROPOLE: "Métropole",
    IssuerKind.SYNDICAT_MIXTE: "Syndicat mixte",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunderLine:
    """A funder with the sum of its envelopes."""

    id: UUID
    name: str
    kind: str
    siren: str | None
    envelope_count: int
    amount_cents: int
    allocated_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeLine:
    """An envelope: what it holds, what ceilings took of it, what is committed out of it."""

    id: UUID
    name: str
    funder_id: UUID
    funder_name: str
    fiscal_year: int
    amount_cents: int
    allocated_cents: int
    committed_cents: int

    @property
    def left_cents(self) -> int:
        """What a new agreement may still take."""
        return self.amount_cents - self.allocated_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerLine:
    """A collectivité with the sums of its agreements."""

    id: UUID
    siren: str
    name: str
    kind: str
    city: str
    contact_email: str
    agreement_count: int
    ceiling_cents: int
    committed_cents: int


@dataclass(frozen=True, slots=True)
class PayingAccountLine:
    """A paying account; only the end of its IBAN is given."""

    id: UUID
    name: str
    holder_name: str
    iban_end: str
    bic: str | None
    channel: str


def funders(database: Database, asked: Asked) -> Page[FunderLine]:
    """Return a page of funders. Sorts: name, amount. Filters: `name`, `kind`."""
    sums = (
        select(
            Envelope.funder_id,
            func.count(Envelope.id).label("envelopes"),
            func.sum(Envelope.amount_cents).label("amount"),
            func.sum(Envelope.allocated_cents).label("allocated"),
        )
        .group_by(Envelope.funder_id)
        .subquery()
    )
    amount = func.coalesce(sums.c.amount, 0)
    query = select(
        Funder.id,
        Funder.name,
        Funder.kind,
        Funder.siren,
        func.coalesce(sums.c.envelopes, 0).label("envelope_count"),
        amount.label("amount_cents"),
        func.coalesce(sums.c.allocated, 0).label("allocated_cents"),
    ).outerjoin(sums, sums.c.funder_id == Funder.id)
    if text := asked.filters.get("name"):
        query = query.where(contains(Funder.name, text))
    if kind := asked.filters.get("kind"):
        query = query.where(Funder.kind == kind)
    with database.read() as session:
        page = page_of(session, query, {"name": Funder.name, "amount": amount}, [Funder.id], asked)
    return page.of(FunderLine(**columns_of(row, "amount_cents", "allocated_cents")) for row in page.rows)


def envelopes(database: Database, asked: Asked) -> Page[EnvelopeLine]:
    """Return a page of envelopes. Sorts: name, amount, year. Filters: `name` (its own or its funder's), `year`."""
    query = select(
        Envelope.id,
        Envelope.name,
        Envelope.funder_id,
        Funder.name.label("funder_name"),
        Envelope.fiscal_year,
        Envelope.amount_cents,
        Envelope.allocated_cents,
    ).join(Funder, Funder.id == Envelope.funder_id)
    if text := asked.filters.get("name"):
        query = query.where(or_(contains(Envelope.name, text), contains(Funder.name, text)))
    if year := asked.filters.get("year"):
        query = query.where(Envelope.fiscal_year == (rank_number(year) or 0))
    sorts = {"name": Envelope.name, "amount": Envelope.amount_cents, "year": Envelope.fiscal_year}
    with database.read() as session:
        page = page_of(session, query, sorts, [Envelope.id], asked)
        committed = _committed_by_envelope(session, [row.id for row in page.rows])
    return page.of(EnvelopeLine(**row._asdict(), committed_cents=committed[row.id]) for row in page.rows)


def issuers(database: Database, asked: Asked) -> Page[IssuerLine]:
    """Return a page of issuers. Sorts: name, ceiling. Filters: `name` (name or SIREN), `kind`."""
    sums = (
        select(
            Agreement.issuer_id,
            func.count(Agreement.id).label("agreements"),
            func.sum(Agreement.ceiling_cents).label("ceiling"),
            func.sum(Agreement.committed_cents).label("committed"),
        )
        .group_by(Agreement.issuer_id)
        .subquery()
    )
    ceiling = func.coalesce(sums.c.ceiling, 0)
    query = select(
        Issuer.id,
        Issuer.siren,
        Issuer.name,
        Issuer.kind,
        Issuer.city,
        Issuer.contact_email,
        func.coalesce(sums.c.agreements, 0).label("agreement_count"),
        ceiling.label("ceiling_cents"),
        func.coalesce(sums.c.committed, 0).label("committed_cents"),
    ).outerjoin(sums, sums.c.issuer_id == Issuer.id)
    if text := asked.filters.get("name"):
        plain = compact(text) or text
        query = query.where(or_(contains(Issuer.name, text), Issuer.siren == plain))
    if kind := asked.filters.get("kind"):
        query = query.where(Issuer.kind == kind)
    with database.read() as session:
        page = page_of(session, query, {"name": Issuer.name, "ceiling": ceiling}, [Issuer.id], asked)
    return page.of(IssuerLine(**columns_of(row, "ceiling_cents", "committed_cents")) for row in page.rows)


def paying_accounts(database: Database) -> list[PayingAccountLine]:
    """Return the paying accounts by name."""
    with database.read() as session:
        rows = session.scalars(select(PayingAccount).order_by(PayingAccount.name, PayingAccount.id))
        return [
            PayingAccountLine(row.id, row.name, row.holder_name, iban_end(row.iban), row.bic, row.channel)
            for row in rows
        ]


def _committed_by_envelope(session: Session, envelope_ids: Iterable[UUID]) -> Mapping[UUID, int]:
    touched = select(AgreementShare.agreement_id).where(AgreementShare.envelope_id.in_(list(envelope_ids)))
    rows = session.execute(
        select(
            AgreementShare.agreement_id,
            AgreementShare.envelope_id,
            AgreementShare.share_basis_points,
            Agreement.committed_cents,
            Agreement.kept_cents,
            Agreement.face_value_cents,
        )
        .join(Agreement, Agreement.id == AgreementShare.agreement_id)
        .where(AgreementShare.agreement_id.in_(touched))
        .order_by(AgreementShare.agreement_id, AgreementShare.rank)
    )
    by_agreement: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_agreement[row.agreement_id].append(row)
    committed: dict[UUID, int] = defaultdict(int)
    for shares in by_agreement.values():
        basis_points = [share.share_basis_points for share in shares]
        committed_cents = shares[0].committed_cents - shares[0].kept_cents
        parts = parts_of(committed_cents, shares[0].face_value_cents, basis_points)
        for share, part_cents in zip(shares, parts, strict=True):
            committed[share.envelope_id] += part_cents
    for kept in session.execute(select(KeptPart.envelope_id, KeptPart.amount_cents)):
        committed[kept.envelope_id] += kept.amount_cents
    return committed
