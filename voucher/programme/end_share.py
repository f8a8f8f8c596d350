"""End a funder's share before the others' (ADR 11): from a day on, new orders are split among those who remain.

What was ordered before keeps its parts: the funder pays its part of these vouchers whenever they are used. Its credit that is not
issued goes back to its envelope; so does, later, what vouchers of its time give back when they lapse or are stopped.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay, is_same
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import Settings
from voucher.kernel.share_rounding import shares_of
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.model import (
    Agreement,
    AgreementShare,
    Credit,
    CreditRelease,
    Envelope,
    KeptPart,
    PastShare,
    ShareEnding,
    ShareEndingPart,
)
from voucher.programme.rules import refuse_bad_shares
from voucher.programme.shares import covered_count, present_parts, present_shares


def end_share(
    database: Database,
    ending_id: UUID,
    agreement_id: UUID,
    funder_id: UUID,
    ends_on: date,
    shares: Mapping[UUID, int],
    *,
    by: UUID,
    now: datetime,
) -> None:
    """Decide that a funder's share ends on a day; `shares` are the others' from then on, in basis points, 10,000 in all.

    It takes effect at once when the day is today, else at the first order of that day or by the job `share_endings`, whoever comes first. The
    same command again changes nothing. Raises Refused (unknown parties, a day that is past, shares that do not make a whole).
    """
    row: dict[str, object] = {
        "id": ending_id,
        "agreement_id": agreement_id,
        "funder_id": funder_id,
        "ends_on": ends_on,
    }
    with database.write() as session:
        agreement = _locked(session, agreement_id)
        if agreement is None:
            raise Refused("unknown_agreement", "Cette convention n’existe pas. Choisissez-en une dans la liste.")
        if is_replay(session, ShareEnding, row):
            is_same(_parts_of_ending(session, ending_id), dict(shares))
            return
        apply_endings(session, agreement, now)
        _refuse_bad_ending(session, agreement, funder_id, ends_on, shares, now)
        session.execute(insert(ShareEnding).values(**row, released_cents=0, decided_at=now, decided_by=by))
        session.execute(
            insert(ShareEndingPart),
            [
                {"ending_id": ending_id, "funder_id": one, "share_basis_points": basis_points}
                for one, basis_points in shares.items()
            ],
        )
        apply_endings(session, agreement, now)


def apply_endings(session: Session, agreement: Agreement, now: datetime) -> None:
    """Let the share endings whose day has come take effect; the caller holds the agreement's row."""
    due = session.scalars(
        select(ShareEnding).where(
            ShareEnding.agreement_id == agreement.id,
            ShareEnding.applied_at.is_(None),
            ShareEnding.ends_on <= paris_day(now),
        )
    ).all()
    for ending in due:
        _apply(session, agreement, ending, now)


def run_share_endings(database: Database, settings: Settings, now: datetime) -> str:  # noqa: ARG001 - a job takes settings
    """Apply the endings whose day has come, and give back the credit that ended funders got since; return a line that says so."""
    with database.read() as session:
        due = select(ShareEnding.agreement_id).where(
            ShareEnding.applied_at.is_(None), ShareEnding.ends_on <= paris_day(now)
        )
        back = (
            select(ShareEnding.agreement_id)
            .join(
                Credit,
                (Credit.agreement_id == ShareEnding.agreement_id) & (Credit.funder_id == ShareEnding.funder_id),
            )
            .where(ShareEnding.applied_at.is_not(None), Credit.available_cents > 0)
        )
        agreement_ids = set(session.scalars(due)) | set(session.scalars(back))
    for agreement_id in sorted(agreement_ids):
        with database.write() as session:
            agreement = _locked(session, agreement_id)
            assert agreement is not None
            apply_endings(session, agreement, now)
            _release_ended(session, agreement, now)
    return f"Parts de financeurs terminées : {len(agreement_ids)} conventions" if agreement_ids else ""


def _apply(session: Session, agreement: Agreement, ending: ShareEnding, now: datetime) -> None:
    shares = present_shares(session, agreement.id)
    _hold_money(session, agreement.id, [share.envelope_id for share in shares])
    basis_points = [share.share_basis_points for share in shares]
    committed = present_parts(agreement, agreement.committed_cents, basis_points)
    ceilings = present_parts(agreement, agreement.ceiling_cents, basis_points)
    remaining = _parts_of_ending(session, ending.id)
    spare = {share.funder_id: up_to - part for share, up_to, part in zip(shares, ceilings, committed, strict=True)}
    rows = [share for share in shares if share.funder_id in remaining]
    # As much of the ceiling as the others' own parts of it, which their envelopes hold, can carry at their new shares.
    new_basis_points = [remaining[row.funder_id] for row in rows]
    spare_count = covered_count(agreement.face_value_cents, new_basis_points, 0, [spare[row.funder_id] for row in rows])
    spare_cents = spare_count * agreement.face_value_cents
    kept_spare = dict(
        zip(
            (row.funder_id for row in rows),
            shares_of(agreement.face_value_cents, new_basis_points, 0, spare_count),
            strict=True,
        )
    )
    _keep_past(session, agreement, shares, committed)
    for share in sorted(shares, key=lambda one: one.envelope_id):
        back_cents = spare[share.funder_id] - kept_spare.get(share.funder_id, 0)
        _give_to_envelope(session, share.envelope_id, back_cents)
    session.execute(delete(AgreementShare).where(AgreementShare.agreement_id == agreement.id))
    session.execute(
        insert(AgreementShare),
        [
            {
                "agreement_id": agreement.id,
                "rank": row.rank,
                "envelope_id": row.envelope_id,
                "funder_id": row.funder_id,
                "share_basis_points": remaining[row.funder_id],
            }
            for row in rows
        ],
    )
    agreement.kept_cents = agreement.committed_cents
    agreement.ceiling_cents = agreement.committed_cents + spare_cents
    agreement.share_set += 1
    agreement.set_issued_count = agreement.issued_count
    ending.applied_at = now
    session.flush()
    ending.released_cents = _release(session, agreement, ending.funder_id, ending.decided_by, now)
    session.flush()


def _keep_past(
    session: Session, agreement: Agreement, shares: Sequence[Row[*tuple[Any, ...]]], committed_cents: Sequence[int]
) -> None:
    """Write down the set that ends, and add what was committed under it to what each funder keeps."""
    session.execute(
        insert(PastShare),
        [
            {
                "agreement_id": agreement.id,
                "share_set": agreement.share_set,
                "rank": share.rank,
                "envelope_id": share.envelope_id,
                "funder_id": share.funder_id,
                "share_basis_points": share.share_basis_points,
            }
            for share in shares
        ],
    )
    for share, cents in zip(shares, committed_cents, strict=True):
        kept = session.get(KeptPart, (agreement.id, share.funder_id))
        if kept is None:
            session.add(
                KeptPart(
                    agreement_id=agreement.id,
                    funder_id=share.funder_id,
                    envelope_id=share.envelope_id,
                    amount_cents=cents,
                )
            )
        else:
            kept.amount_cents += cents
    session.flush()


def _release_ended(session: Session, agreement: Agreement, now: datetime) -> None:
    """Give back the credit that funders whose share ended got since, from vouchers that lapsed or were stopped."""
    ended = session.scalars(
        select(ShareEnding.funder_id)
        .where(ShareEnding.agreement_id == agreement.id, ShareEnding.applied_at.is_not(None))
        .order_by(ShareEnding.funder_id)
    ).all()
    envelopes = session.scalars(select(KeptPart.envelope_id).where(KeptPart.agreement_id == agreement.id)).all()
    _hold_money(session, agreement.id, envelopes)
    for funder_id in ended:
        _release(session, agreement, funder_id, None, now)


def _release(session: Session, agreement: Agreement, funder_id: UUID, by: UUID | None, now: datetime) -> int:
    """Give a funder's whole credit back to its envelope: neither committed nor under the ceiling any more. Return it, in cents."""
    credit = session.get_one(Credit, (agreement.id, funder_id), populate_existing=True)
    cents = credit.available_cents
    if cents == 0:
        return 0
    kept = session.get_one(KeptPart, (agreement.id, funder_id))
    credit.available_cents = 0
    kept.amount_cents -= cents
    agreement.committed_cents -= cents
    agreement.kept_cents -= cents
    agreement.ceiling_cents -= cents
    release_id = new_id()
    session.add(
        CreditRelease(
            id=release_id,
            agreement_id=agreement.id,
            funder_id=funder_id,
            amount_cents=cents,
            released_at=now,
            released_by=by,
        )
    )
    session.flush()
    _give_to_envelope(session, kept.envelope_id, cents)
    narration = f"Crédit rendu, part terminée, convention {agreement.number}"
    event = Event(EventType.CREDITS_RELEASED, release_id, now, narration, by)
    post_event(session, event, {Dimension.AGREEMENT: agreement.id}, {funder_id: cents})
    return cents


def _hold_money(session: Session, agreement_id: UUID, envelope_ids: Sequence[UUID]) -> None:
    """Hold the agreement's credits and the envelopes, in the order in which everybody takes them."""
    session.execute(
        select(Credit.funder_id).where(Credit.agreement_id == agreement_id).order_by(Credit.funder_id).with_for_update()
    )
    session.execute(select(Envelope.id).where(Envelope.id.in_(envelope_ids)).order_by(Envelope.id).with_for_update())


def _give_to_envelope(session: Session, envelope_id: UUID, cents: int) -> None:
    session.execute(
        update(Envelope)
        .where(Envelope.id == envelope_id)
        .values(allocated_cents=Envelope.allocated_cents - cents)
        .execution_options(synchronize_session=False)
    )


def _locked(session: Session, agreement_id: UUID) -> Agreement | None:
    return session.get(Agreement, agreement_id, with_for_update={"key_share": True})


def _parts_of_ending(session: Session, ending_id: UUID) -> dict[UUID, int]:
    rows = session.execute(
        select(ShareEndingPart.funder_id, ShareEndingPart.share_basis_points).where(
            ShareEndingPart.ending_id == ending_id
        )
    )
    return {row.funder_id: row.share_basis_points for row in rows}


def _refuse_bad_ending(
    session: Session,
    agreement: Agreement,
    funder_id: UUID,
    ends_on: date,
    shares: Mapping[UUID, int],
    now: datetime,
) -> None:
    present = [share.funder_id for share in present_shares(session, agreement.id)]
    if funder_id not in present:
        raise Refused("funder_unknown", "Ce financeur ne paie pas les nouvelles commandes. Choisissez-en un autre.")
    if len(present) == 1:
        raise Refused(
            "last_funder",
            "C’est le seul financeur : sans lui, rien ne peut être commandé. Signez une autre convention.",
        )
    if not paris_day(now) <= ends_on <= agreement.use_by:
        raise Refused(
            "day_out_of_range",
            f"Choisissez un jour entre aujourd’hui et le {french_date(agreement.use_by)}, fin d’usage des chèques.",
            "ends_on",
        )
    pending = session.scalar(
        select(ShareEnding.ends_on).where(ShareEnding.agreement_id == agreement.id, ShareEnding.applied_at.is_(None))
    )
    if pending is not None:
        raise Refused(
            "ending_pending",
            f"Une autre part finit déjà le {french_date(pending)}. Attendez ce jour, puis recommencez.",
        )
    if set(shares) != set(present) - {funder_id}:
        raise Refused("shares_not_all", "Donnez la part de chaque financeur qui reste.", "shares")
    refuse_bad_shares(agreement.face_value_cents, list(shares.values()))
