"""An issuer and its funders sign an agreement: each funder's part of the ceiling is taken from one of its envelopes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.clean_input import member, optional_text, required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import insert_once, is_same
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.programme.model import (
    Agreement,
    AgreementShare,
    Credit,
    Envelope,
    Funder,
    FunderKind,
    Issuer,
    PayingAccount,
    SettlementChannel,
)
from voucher.programme.rules import AgreementTerms, parts_of, refuse_bad_terms


@dataclass(frozen=True, slots=True)
class FunderShare:
    """A funder's share of each voucher, in basis points, paid from one of its envelopes."""

    envelope_id: UUID
    share_basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgreement:
    """What is signed. Amounts in cents; `shares` in the order of the paper (the State is put first in any case)."""

    id: UUID
    number: str
    name: str
    issuer_id: UUID
    paying_account_id: UUID
    settlement_channel: str
    ceiling_cents: int
    face_value_cents: int
    booklet_size: int
    is_handover_required: bool
    signed_on: date
    use_by: date
    grace_until: date
    present_by: date
    shares: tuple[FunderShare, ...]
    commitment_number: str = ""
    service_code: str = ""


@dataclass(frozen=True, slots=True)
class _RankedShare:
    envelope_id: UUID
    funder_id: UUID
    share_basis_points: int


def sign_agreement(database: Database, agreement: NewAgreement, *, by: UUID, now: datetime) -> UUID:  # noqa: ARG001 - a use case says who acts
    """Sign an agreement and return its id; the same command again changes nothing.

    Takes each funder's part of the ceiling from its envelope, whole or not at all. Raises Refused.
    """
    refuse_bad_terms(terms_of(agreement))
    row = _row(agreement)
    number_taken = Refused(
        "agreement_exists", "Une convention porte déjà ce numéro. Écrivez le numéro de celle-ci.", "number"
    )
    with database.write() as session:
        _refuse_unknown_parties(session, agreement)
        shares = _ranked(session, agreement.shares)
        if insert_once(
            session, Agreement, row, {"committed_cents": 0, "issued_count": 0, "created_at": now}, number_taken
        ):
            _allocate(session, agreement, shares)
            _store_shares(session, agreement.id, shares)
        else:
            is_same(_stored_shares(session, agreement.id), shares)
    return agreement.id


def terms_of(agreement: NewAgreement) -> AgreementTerms:
    """Return what the rules judge of an agreement."""
    return AgreementTerms(
        ceiling_cents=agreement.ceiling_cents,
        face_value_cents=agreement.face_value_cents,
        booklet_size=agreement.booklet_size,
        signed_on=agreement.signed_on,
        use_by=agreement.use_by,
        grace_until=agreement.grace_until,
        present_by=agreement.present_by,
        share_basis_points=tuple(share.share_basis_points for share in agreement.shares),
    )


def _row(agreement: NewAgreement) -> dict[str, object]:
    return {
        "id": agreement.id,
        "number": required_text(agreement.number, "number", 30),
        "name": required_text(agreement.name, "name", 120),
        "issuer_id": agreement.issuer_id,
        "paying_account_id": agreement.paying_account_id,
        "settlement_channel": member(SettlementChannel, agreement.settlement_channel, "settlement_channel"),
        "commitment_number": optional_text(agreement.commitment_number, "commitment_number", 30),
        "service_code": optional_text(agreement.service_code, "service_code", 30),
        "ceiling_cents": agreement.ceiling_cents,
        "face_value_cents": agreement.face_value_cents,
        "booklet_size": agreement.booklet_size,
        "is_handover_required": agreement.is_handover_required,
        "signed_on": agreement.signed_on,
        "use_by": agreement.use_by,
        "grace_until": agreement.grace_until,
        "present_by": agreement.present_by,
    }


def _refuse_unknown_parties(session: Session, agreement: NewAgreement) -> None:
    if session.get(Issuer, agreement.issuer_id) is None:
        raise Refused("unknown_issuer", "Choisissez une collectivité de la liste.", "issuer_id")
    account = session.get(PayingAccount, agreement.paying_account_id)
    if account is None:
        raise Refused("unknown_account", "Choisissez un compte payeur de la liste.", "paying_account_id")
    # A third party may not handle public money without a mandate (gestion de fait): the account says who pays.
    if account.channel != agreement.settlement_channel:
        raise Refused(
            "channel_differs",
            "Ce compte ne paie pas par ce circuit. Choisissez un compte du même circuit que la convention.",
            "paying_account_id",
        )


def _ranked(session: Session, shares: Sequence[FunderShare]) -> list[_RankedShare]:
    """Order shares by rank: the State first (its part is exact to the cent), then as the paper says."""
    rows = session.execute(
        select(Envelope.id, Envelope.funder_id, Funder.kind)
        .join(Funder, Funder.id == Envelope.funder_id)
        .where(Envelope.id.in_([share.envelope_id for share in shares]))
    ).all()
    known = {row.id: row for row in rows}
    if any(share.envelope_id not in known for share in shares):
        raise Refused("unknown_envelope", "Choisissez une enveloppe de la liste.", "shares")
    ordered = sorted(shares, key=lambda share: known[share.envelope_id].kind != FunderKind.STATE)
    ranked = [
        _RankedShare(share.envelope_id, known[share.envelope_id].funder_id, share.share_basis_points)
        for share in ordered
    ]
    if len({share.funder_id for share in ranked}) < len(ranked):
        raise Refused(
            "funder_twice",
            "Un financeur paraît deux fois. Gardez une seule ligne par financeur, avec sa part totale.",
            "shares",
        )
    return ranked


def _allocate(session: Session, agreement: NewAgreement, shares: Sequence[_RankedShare]) -> None:
    parts = parts_of(
        agreement.ceiling_cents, agreement.face_value_cents, [share.share_basis_points for share in shares]
    )
    # In the order of ids, so that two agreements never wait for each other.
    for envelope_id, part_cents in sorted(zip((share.envelope_id for share in shares), parts, strict=True)):
        allocation = (
            update(Envelope)
            .where(Envelope.id == envelope_id, Envelope.allocated_cents + part_cents <= Envelope.amount_cents)
            .values(allocated_cents=Envelope.allocated_cents + part_cents)
        )
        if changed(session, allocation) == 0:
            _refuse_beyond_envelope(session, envelope_id, part_cents)


def _refuse_beyond_envelope(session: Session, envelope_id: UUID, part_cents: int) -> None:
    envelope = session.execute(
        select(Envelope.name, Envelope.amount_cents - Envelope.allocated_cents).where(Envelope.id == envelope_id)
    ).one()
    raise Refused(
        "envelope_exceeded",
        f"Il reste {format_euros(envelope[1])} dans l’enveloppe « {envelope[0]} ». Cette convention en demande "
        f"{format_euros(part_cents)}. Baissez le plafond ou la part, ou choisissez une autre enveloppe.",
        "ceiling_cents",
    )


def _stored_shares(session: Session, agreement_id: UUID) -> list[_RankedShare]:
    rows = session.execute(
        select(AgreementShare.envelope_id, AgreementShare.funder_id, AgreementShare.share_basis_points)
        .where(AgreementShare.agreement_id == agreement_id)
        .order_by(AgreementShare.rank)
    )
    return [_RankedShare(*row) for row in rows]


def _store_shares(session: Session, agreement_id: UUID, shares: Sequence[_RankedShare]) -> None:
    session.execute(
        insert(AgreementShare),
        [
            {
                "agreement_id": agreement_id,
                "rank": rank,
                "envelope_id": share.envelope_id,
                "funder_id": share.funder_id,
                "share_basis_points": share.share_basis_points,
            }
            for rank, share in enumerate(shares, 1)
        ],
    )
    session.execute(
        insert(Credit),
        [{"agreement_id": agreement_id, "funder_id": share.funder_id, "available_cents": 0} for share in shares],
    )
