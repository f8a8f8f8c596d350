"""What pages ask of the programme: its key figures, agreements and their stages. Amounts in cents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.ledger.chart import Code
from voucher.ledger.model import Account
from voucher.programme.funders import funder_parts
from voucher.programme.model import (
    Agreement,
    Commitment,
    Envelope,
    Funder,
    Issuer,
    PayingAccount,
    SettlementChannel,
    SettlementRhythm,
    ShareEnding,
)
from voucher.programme.shares import every_share
from voucher.programme.stages import balances_of

CHANNELS: Mapping[str, str] = {
    SettlementChannel.PUBLIC_ACCOUNTANT: "Comptable public",
    SettlementChannel.MANDATED_OPERATOR: "Opérateur mandaté",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    """The programme in a few amounts, in cents, and counts."""

    envelope_count: int
    amount_cents: int
    allocated_cents: int
    agreement_count: int
    ceiling_cents: int
    committed_cents: int
    issued_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementLine:
    """An agreement in a list."""

    id: UUID
    number: str
    name: str
    issuer_id: UUID
    issuer_name: str
    settlement_channel: str
    ceiling_cents: int
    committed_cents: int
    issued_cents: int
    signed_on: date
    use_by: date


RHYTHMS: dict[str, str] = {
    SettlementRhythm.MONTHLY: "Chaque mois, à la fin du mois",
    SettlementRhythm.ON_DEMAND: "À la demande, quand les finances le décident",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareStages:
    """A funder's part of an agreement, and where its euros are: the stages are balances of the ledger."""

    funder_name: str
    envelope_name: str
    share_basis_points: int
    ceiling_cents: int
    committed_cents: int
    available_cents: int
    issued_cents: int
    handed_over_cents: int
    redeemed_cents: int
    funder_id: UUID

    @property
    def is_ended(self) -> bool:
        """Say whether the funder pays nothing of new orders any more."""
        return self.share_basis_points == 0


@dataclass(frozen=True, slots=True)
class EndingLine:
    """A funder's share that ends before the others': on which day, and what went back to its envelope once it did."""

    funder_name: str
    ends_on: date
    applied_at: datetime | None
    released_cents: int


@dataclass(frozen=True, slots=True)
class CommitmentLine:
    """An amount committed."""

    id: UUID
    reference: str
    amount_cents: int
    committed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementPage:
    """An agreement whole. Structures are paid by `settlement_rhythm`, from `minimum_payment_cents`, `payment_days` after."""

    line: AgreementLine
    paying_account_name: str
    commitment_number: str
    service_code: str
    face_value_cents: int
    booklet_size: int
    is_handover_required: bool
    grace_until: date
    present_by: date
    settlement_rhythm: str
    minimum_payment_cents: int
    payment_days: int
    cut_off_day: int
    shares: tuple[ShareStages, ...]
    commitments: tuple[CommitmentLine, ...]
    endings: tuple[EndingLine, ...]
    kept_cents: int  # of what is committed, the part of share sets that ended

    @property
    def is_monthly(self) -> bool:
        """Whether its periods are months; else it settles when asked."""
        return self.settlement_rhythm == SettlementRhythm.MONTHLY

    @property
    def set_committed_cents(self) -> int:
        """What is committed under the present shares."""
        return self.line.committed_cents - self.kept_cents

    @property
    def left_cents(self) -> int:
        """What may still be committed under the ceiling."""
        return self.line.ceiling_cents - self.line.committed_cents


def key_figures(database: Database) -> KeyFigures:
    """Return the programme's sums."""
    with database.read() as session:
        envelopes = session.execute(
            select(
                func.count().label("envelope_count"),
                func.sum(Envelope.amount_cents).label("amount_cents"),
                func.sum(Envelope.allocated_cents).label("allocated_cents"),
            )
        ).one()
        agreements = session.execute(
            select(
                func.count().label("agreement_count"),
                func.sum(Agreement.ceiling_cents).label("ceiling_cents"),
                func.sum(Agreement.committed_cents).label("committed_cents"),
                func.sum(Agreement.issued_count * Agreement.face_value_cents).label("issued_cents"),
            )
        ).one()
    figures = envelopes._asdict() | agreements._asdict()
    return KeyFigures(**{name: int(value or 0) for name, value in figures.items()})


def agreements(database: Database, asked: Asked, *, issuer_id: UUID | None = None) -> Page[AgreementLine]:
    """Return a page of agreements; with an `issuer_id`, only that issuer's.

    Sorts: number, issuer, ceiling, committed. Filters: `name` (number, name or issuer), `channel` (channel).
    """
    query = _agreements(issuer_id)
    if text := asked.filters.get("name"):
        query = query.where(
            or_(*(contains(column, text) for column in (Agreement.number, Agreement.name, Issuer.name)))
        )
    if channel := asked.filters.get("channel"):
        query = query.where(Agreement.settlement_channel == channel)
    sorts = {
        "number": Agreement.number,
        "issuer": Issuer.name,
        "ceiling": Agreement.ceiling_cents,
        "committed": Agreement.committed_cents,
    }
    with database.read() as session:
        page = page_of(session, query, sorts, [Agreement.id], asked)
    return page.of(AgreementLine(**row._asdict()) for row in page.rows)


def agreement(database: Database, agreement_id: UUID, issuer_id: UUID | None = None) -> AgreementPage | None:
    """Return an agreement with its stages by funder, or None; with an `issuer_id`, only one of that issuer."""
    with database.read() as session:
        line = session.execute(_agreements(issuer_id).where(Agreement.id == agreement_id)).one_or_none()
        if line is None:
            return None
        whole = session.get_one(Agreement, agreement_id)
        account_name = session.execute(
            select(PayingAccount.name).where(PayingAccount.id == whole.paying_account_id)
        ).scalar_one()
        committed = session.execute(
            select(Commitment.id, Commitment.reference, Commitment.amount_cents, Commitment.committed_at)
            .where(Commitment.agreement_id == agreement_id)
            .order_by(Commitment.committed_at.desc(), Commitment.id.desc())
        )
        return AgreementPage(
            line=AgreementLine(**line._asdict()),
            paying_account_name=account_name,
            commitment_number=whole.commitment_number,
            service_code=whole.service_code,
            face_value_cents=whole.face_value_cents,
            booklet_size=whole.booklet_size,
            is_handover_required=whole.is_handover_required,
            grace_until=whole.grace_until,
            present_by=whole.present_by,
            settlement_rhythm=whole.settlement_rhythm,
            minimum_payment_cents=whole.minimum_payment_cents,
            payment_days=whole.payment_days,
            cut_off_day=whole.cut_off_day,
            shares=_stages(session, whole),
            commitments=tuple(CommitmentLine(*row) for row in committed),
            endings=_endings(session, agreement_id),
            kept_cents=whole.kept_cents,
        )


def _agreements(issuer_id: UUID | None) -> Select[*tuple[Any, ...]]:
    query = select(
        Agreement.id,
        Agreement.number,
        Agreement.name,
        Agreement.issuer_id,
        Issuer.name.label("issuer_name"),
        Agreement.settlement_channel,
        Agreement.ceiling_cents,
        Agreement.committed_cents,
        (Agreement.issued_count * Agreement.face_value_cents).label("issued_cents"),
        Agreement.signed_on,
        Agreement.use_by,
    ).join(Issuer, Issuer.id == Agreement.issuer_id)
    return query if issuer_id is None else query.where(Agreement.issuer_id == issuer_id)


def _stages(session: Session, agreement: Agreement) -> tuple[ShareStages, ...]:
    share = every_share()
    names = {
        row.funder_id: row
        for row in session.execute(
            select(share.c.funder_id, Funder.name.label("funder_name"), Envelope.name.label("envelope_name"))
            .join(Funder, Funder.id == share.c.funder_id)
            .join(Envelope, Envelope.id == share.c.envelope_id)
            .where(share.c.agreement_id == agreement.id)
        )
    }
    held = {
        (balance.code, balance.funder_id): balance.cents
        for balance in balances_of(session, Account.agreement_id == agreement.id)
    }
    return tuple(
        ShareStages(
            funder_name=names[funder_id].funder_name,
            envelope_name=names[funder_id].envelope_name,
            share_basis_points=part.share_basis_points,
            ceiling_cents=part.ceiling_cents,
            committed_cents=part.committed_cents,
            available_cents=held.get((Code.COMMITTED, funder_id), 0),
            issued_cents=held.get((Code.ISSUED, funder_id), 0),
            handed_over_cents=held.get((Code.HANDED_OVER, funder_id), 0),
            redeemed_cents=held.get((Code.USED, funder_id), 0),
            funder_id=funder_id,
        )
        for funder_id, part in funder_parts(session, agreement.id).items()
    )


def _endings(session: Session, agreement_id: UUID) -> tuple[EndingLine, ...]:
    rows = session.execute(
        select(Funder.name, ShareEnding.ends_on, ShareEnding.applied_at, ShareEnding.released_cents)
        .join(Funder, Funder.id == ShareEnding.funder_id)
        .where(ShareEnding.agreement_id == agreement_id)
        .order_by(ShareEnding.decided_at, ShareEnding.id)
    )
    return tuple(EndingLine(*row) for row in rows)
