"""Why what is owed to a structure is not paid now: the one place that tells it, for every batch and every page.

A cause is read when it is asked for, never from what an earlier batch wrote: a RIB may have come since, or a suspension.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel import sepa
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.money import format_euros
from voucher.network.model import BankDetails, Structure, StructureState
from voucher.settlement.formats_in.iso_reasons import ReasonText, explain
from voucher.settlement.model.batches import PaymentAdvice, PaymentHold, SettlementBatch
from voucher.settlement.words.states import AdviceState

_IDS_MAX = 1000
SENTENCE_CHARACTERS_MAX = 200


class Held(StrEnum):
    """What keeps a structure from being paid."""

    SUSPENDED = "Structure suspendue"
    BLOCKED = "Paiement bloqué"
    NO_RIB = "RIB manquant"
    TO_CONFIRM = "RIB à confirmer"
    BAD_RIB = "RIB inutilisable"
    REFUSED_ACCOUNT = "Compte refusé"
    MAYBE_PAID = "Peut-être déjà payé"
    DUPLICATE = "Doublon annoncé"
    BELOW_MINIMUM = "Sous le minimum"


PREPARER = "La personne qui prépare les lots"

WHO_LIFTS: dict[Held, tuple[str, str]] = {
    Held.SUSPENDED: ("Le programme", "Demandez au programme si la suspension peut être levée."),
    Held.BLOCKED: (PREPARER, "Levez le blocage quand sa raison n’est plus."),
    Held.NO_RIB: ("La structure", "Écrivez à la structure pour avoir son RIB."),
    Held.TO_CONFIRM: (
        "Le programme ou les finances",
        "Ouvrez « RIB à confirmer ». Qui l’a enregistré ne peut pas le confirmer.",
    ),
    Held.BAD_RIB: ("La structure", "Demandez-lui un RIB à jour."),
    Held.REFUSED_ACCOUNT: ("La structure", "Demandez-lui un nouveau RIB."),
    Held.MAYBE_PAID: (PREPARER, "Rapprochez d’abord cette ligne."),
    Held.DUPLICATE: (
        "Le service des finances",
        "Deux personnes doivent dire si le premier envoi tient. Cherchez-le auprès de la banque.",
    ),
    Held.BELOW_MINIMUM: ("Personne", "Il n’y a rien à faire : la somme ira dans le lot qui atteint le minimum."),
}
"""Who can make the money leave, and what to do."""

_SAY_WHAT_TO_DO = {Held.NO_RIB, Held.REFUSED_ACCOUNT, Held.BELOW_MINIMUM}  # their sentences do already


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a structure is not paid now: `title` names it in a few words, `sentence` says it whole, with what to do."""

    held: Held
    title: str
    sentence: str

    @property
    def holder(self) -> str:
        """Who can lift it."""
        return WHO_LIFTS[self.held][0]

    @property
    def what_to_do(self) -> str:
        """What a person does about it."""
        return WHO_LIFTS[self.held][1]

    @property
    def act(self) -> str:
        """The sentence and what to do, said once."""
        ended = self.sentence if self.sentence.endswith((".", "!", "?", "…")) else f"{self.sentence}."
        return ended if self.held in _SAY_WHAT_TO_DO else f"{ended} {self.what_to_do}"


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
            return _cause(Held.SUSPENDED, f"{Held.SUSPENDED} : {self.state_reason}")
        for blocked_id, reason in self.blocks:
            if blocked_id in (None, agreement_id):
                return _cause(Held.BLOCKED, f"{Held.BLOCKED} : {reason}")
        why = self._rib_cause()
        if why is not None and self.waiting_since is not None:
            # Whatever is wrong with the RIB in use, the one that waits may mend it: that is what a person does first.
            since = f"{Held.TO_CONFIRM} : celui enregistré le {french_date(paris_day(self.waiting_since))} n’est pas encore confirmé."
            before = (
                ""
                if why.held is Held.NO_RIB
                else f" L’ancien ne peut pas servir ({why.title[:1].lower()}{why.title[1:]})."
            )
            return _cause(Held.TO_CONFIRM, since + before)
        return why

    def _rib_cause(self) -> Cause | None:
        """Return why the RIB in use cannot be paid, or None when it can."""
        if self.iban is None or self.holder_name is None:
            return _cause(Held.NO_RIB, f"{Held.NO_RIB} : demandez-le à la structure.")
        try:
            sepa.checked_name(self.holder_name, "Le nom du titulaire du compte")
            if self.bic is not None:
                sepa.checked_bic_of(self.bic, sepa.checked_iban(self.iban))
            else:
                sepa.checked_iban(self.iban)
        except sepa.WrongPayment as wrong:
            return _cause(Held.BAD_RIB, f"{Held.BAD_RIB} : {wrong.sentence}")
        if self.refused is not None:
            again = "" if self.refused.needs_another else ", ou enregistrez de nouveau le même s’il est bon"
            title = self.refused.account
            return _cause(Held.REFUSED_ACCOUNT, f"{title} : demandez un nouveau RIB à la structure{again}.", title)
        return None


def maybe_paid_already() -> Cause:
    """Return the cause of an amount that a debit to identify may have paid."""
    return _cause(
        Held.MAYBE_PAID, f"{Held.MAYBE_PAID} : une ligne de la banque qui nomme ce virement attend d’être rapprochée."
    )


def duplicate_announced() -> Cause:
    """Return the cause of a transfer that the bank calls a duplicate of a first sending."""
    return _cause(
        Held.DUPLICATE, f"{Held.DUPLICATE} : la banque dit avoir déjà reçu ce virement. Rien n’est à payer de nouveau."
    )


def below_minimum(minimum_cents: int) -> Cause:
    """Return the cause of an amount that is too small for a transfer."""
    words = f"{Held.BELOW_MINIMUM} de {format_euros(minimum_cents)} : la somme ira dans le lot qui l’atteint."
    return _cause(Held.BELOW_MINIMUM, words)


def _cause(held: Held, sentence: str, title: str = "") -> Cause:
    return Cause(held, title or str(held), sentence[:SENTENCE_CHARACTERS_MAX])


def payees(session: Session, structure_ids: Collection[UUID]) -> dict[UUID, Payee]:
    """Return these structures as payments see them now, in the order of their ids; a few questions, whatever their number."""
    found: dict[UUID, Payee] = {}
    waiting = aliased(BankDetails)
    for ids in _parts(sorted(set(structure_ids))):
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


def _parts(ids: list[UUID]) -> Iterator[list[UUID]]:
    return (ids[start : start + _IDS_MAX] for start in range(0, len(ids), _IDS_MAX))
