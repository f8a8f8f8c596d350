"""Why what is owed to a structure is not paid now: the one place that tells it, for every batch and every page.

A cause is read when it is asked for, never from what an earlier batch wrote: a RIB may have come since, or a suspension.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel import sepa
from voucher.kernel.calendar import paris_day
from voucher.kernel.chunks import chunks
from voucher.network.model import BankDetails, Structure, StructureState
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.model.batches import PaymentAdvice, PaymentHold, SettlementBatch
from voucher.settlement.words.causes import (
    Cause,
    ReasonText,
    bad_rib,
    blocked,
    no_rib,
    refused_account,
    suspended,
    to_confirm,
)
from voucher.settlement.words.states import AdviceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """A structure that is owed something, and all that may keep it from being paid.

    `holder_name` to `confirmed_by` are of the RIB in use, None without one; `waiting_since` is when a RIB was recorded that nobody
    confirmed yet. `blocks` are the decisions not to pay it: the agreement (None: all of them) and the reason. `refused` is why a
    bank or an accountant said that its account, still the same, cannot be paid.
    """

    structure_id: UUID
    name: str
    pivot: str
    state: str
    state_reason: str
    holder_name: str | None
    iban: str | None
    bic: str | None
    recorded_at: datetime | None
    confirmed_by: UUID | None
    waiting_since: datetime | None
    blocks: tuple[tuple[UUID | None, str], ...]
    refused: ReasonText | None

    def cause(self, agreement_id: UUID) -> Cause | None:
        """Return why an agreement cannot pay the structure now, or None when it can."""
        if self.state == StructureState.SUSPENDED:
            return suspended(self.state_reason)
        for blocked_id, reason in self.blocks:
            if blocked_id in (None, agreement_id):
                return blocked(reason)
        why = self._rib_cause()
        if why is not None and self.waiting_since is not None:
            # Whatever is wrong with the RIB in use, the one that waits may mend it: that is what a person does first.
            return to_confirm(paris_day(self.waiting_since), why)
        return why

    def _rib_cause(self) -> Cause | None:
        """Return why the RIB in use cannot be paid, or None when it can."""
        if self.iban is None or self.holder_name is None:
            return no_rib()
        try:
            sepa.checked_name(self.holder_name, "Le nom du titulaire du compte")
            if self.bic is not None:
                sepa.checked_bic_of(self.bic, sepa.checked_iban(self.iban))
            else:
                sepa.checked_iban(self.iban)
        except sepa.WrongPayment as wrong:
            return bad_rib(wrong.sentence)
        if self.refused is not None:
            return refused_account(self.refused)
        return None


def payees(session: Session, structure_ids: Collection[UUID]) -> dict[UUID, Payee]:
    """Return these structures as payments see them now, in the order of their ids; a few questions, whatever their number."""
    found: dict[UUID, Payee] = {}
    waiting = aliased(BankDetails)
    for ids in chunks(sorted(set(structure_ids))):
        blocks: dict[UUID, list[tuple[UUID | None, str]]] = {}
        for hold in session.execute(
            select(PaymentHold.structure_id, PaymentHold.agreement_id, PaymentHold.reason)
            .where(PaymentHold.lifted_at.is_(None), PaymentHold.structure_id.in_(ids))
            .order_by(PaymentHold.placed_at.desc())
        ):
            blocks.setdefault(hold.structure_id, []).append((hold.agreement_id, hold.reason))
        refused = _refused_accounts(session, ids)
        for row in session.execute(
            select(
                Structure.id.label("structure_id"),
                Structure.name,
                Structure.pivot,
                Structure.state,
                Structure.state_reason,
                BankDetails.holder_name,
                BankDetails.iban,
                BankDetails.bic,
                BankDetails.recorded_at,
                BankDetails.confirmed_by,
                waiting.recorded_at.label("waiting_since"),
            )
            .outerjoin(BankDetails, and_(BankDetails.structure_id == Structure.id, BankDetails.is_in_use()))
            .outerjoin(waiting, and_(waiting.structure_id == Structure.id, waiting.is_waiting()))
            .where(Structure.id.in_(ids))
            .order_by(Structure.id)
        ):
            structure_id = row.structure_id
            found[structure_id] = Payee(
                **row._asdict(), blocks=tuple(blocks.get(structure_id, ())), refused=refused.get(structure_id)
            )
    return found


def _refused_accounts(session: Session, structure_ids: Collection[UUID]) -> dict[UUID, ReasonText]:
    """Return the structures whose account of now a transfer could not reach, with why: by any agreement.

    What is closed or wrong stays so, however often it is recorded; a name, or an account that was blocked, may be confirmed by
    recording it again.
    """
    rows = session.execute(
        select(
            PaymentAdvice.structure_id,
            PaymentAdvice.state_reason,
            (BankDetails.recorded_at > SettlementBatch.exported_at).label("is_confirmed"),
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(
            BankDetails,
            and_(
                BankDetails.structure_id == PaymentAdvice.structure_id,
                BankDetails.is_in_use(),
                BankDetails.iban == PaymentAdvice.iban,
            ),
        )
        .where(
            PaymentAdvice.structure_id.in_(structure_ids),
            or_(
                PaymentAdvice.state.in_((AdviceState.REJECTED, AdviceState.RETURNED)),
                # Once it is taken up, what came back keeps its reason; what was only held was never payable.
                and_(PaymentAdvice.state == AdviceState.TAKEN_UP, PaymentAdvice.is_payable),
            ),
        )
        .order_by(SettlementBatch.exported_at)
    )
    found: dict[UUID, ReasonText] = {}
    for structure_id, said, is_confirmed in rows:
        reason = explain(said)
        if reason.account and (reason.needs_another or not is_confirmed):
            found[structure_id] = reason
    return found
