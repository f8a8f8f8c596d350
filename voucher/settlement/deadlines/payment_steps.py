"""The steps of a payment as its structure reads them: what happened, who holds it now, what they must do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from voucher.programme.model import SettlementChannel
from voucher.settlement.deadlines.payment_deadlines import Stage
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.payable.why_not_paid import Held
from voucher.settlement.payable.why_waiting import Waiting
from voucher.settlement.words.states import AdviceState, BatchState


class Holder(StrEnum):
    """Who a payment waits for."""

    FINANCE = "finance"
    APPROVER = "approver"
    BANK = "bank"
    ACCOUNTANT = "accountant"
    STRUCTURE = "structure"
    PROGRAMME = "programme"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class PaymentStep:
    """Where a payment stands: what happened last, who holds it now, what they must do."""

    what: str
    at: datetime | None
    holder: Holder
    who: str
    next: str


def finance_of(issuer_name: str) -> str:
    """Name the finance people of an issuer, as its structures know them."""
    return f"Le service des finances, {issuer_name}"


def waiting_step(
    stage: Stage, issuer_name: str, *, channel: str | None = None, reason: str = "", waiting: Waiting | None = None
) -> PaymentStep:
    """Return the step where money that is owed stands.

    `channel` is its batch's; `reason` what the bank said of an advice that failed; `waiting` why one that waits is not paid now.
    """
    finance = (Holder.FINANCE, finance_of(issuer_name))
    bank = _payer(channel)
    match stage:
        case Stage.RUNNING:
            return _now("Le mois n’est pas fini", _NOBODY, "Le lot sera arrêté une fois le mois fini.")
        case Stage.NOT_FROZEN:
            return _now("Dans aucun lot de règlement pour le moment", finance, "Il doit arrêter le prochain lot.")
        case Stage.NOT_APPROVED:
            act = "Une deuxième personne doit valider le lot."
            return _now("En attente de validation", (Holder.APPROVER, finance[1]), act)
        case Stage.NOT_SENT:
            return _now("Prêt à partir", finance, "Il doit transmettre le lot.")
        case Stage.LEFT if waiting is not None and waiting.held is Held.DUPLICATE:
            return _waits(f"{bank[1]} dit avoir déjà reçu ce virement", waiting, finance)
        case Stage.LEFT:
            return _now("En cours de paiement", bank, "Le virement doit paraître sur votre compte.")
        case Stage.FAILED:
            why = explain(reason).sentence
            return _waits(f"Virement refusé par {bank[1].lower()}. {why}", waiting, finance)
        case Stage.HELD:
            return _waits(_why_held(waiting), waiting, finance)


def advice_steps(row: Any, issuer_name: str, waiting: Waiting | None) -> list[PaymentStep]:
    """Return what happened to one advice (its columns and its batch's), the last step saying who holds it.

    `waiting` is why it is not paid now, where it waits.
    """
    bank = _payer(row.channel)
    done = [_done(f"Mis dans le lot {row.number}", row.frozen_at)]
    if row.is_payable and row.approved_at:
        done.append(_done("Lot validé par une deuxième personne", row.approved_at))
    if row.is_payable and row.exported_at:
        done.append(_done(f"Transmis : {bank[1].lower()} doit payer", row.exported_at))
    match row.state:
        case AdviceState.PAID:
            done.append(_done(f"Payé, confirmé par {bank[1].lower()}"))
        case AdviceState.SETTLED:
            done.append(_done("Soldé sans virement : la somme a rendu un trop-perçu"))
        case AdviceState.TAKEN_UP:
            done.append(_done("Le paiement n’a pas abouti : un lot suivant l’a repris"))
        case AdviceState() as state:
            stage = _STAGES.get(state) or (
                Stage.NOT_APPROVED if row.batch_state == BatchState.FROZEN else Stage.NOT_SENT
            )
            done.append(
                waiting_step(stage, issuer_name, channel=row.channel, reason=row.state_reason or "", waiting=waiting)
            )
    return done


_NOBODY = (Holder.NOBODY, "")
_YOU = (Holder.STRUCTURE, "Votre structure")
_OF_THE_STRUCTURE = (Held.NO_RIB, Held.TO_CONFIRM, Held.BAD_RIB, Held.REFUSED_ACCOUNT)
_STAGES = {
    AdviceState.HELD: Stage.HELD,
    AdviceState.IN_FILE: Stage.LEFT,
    AdviceState.REJECTED: Stage.FAILED,
    AdviceState.RETURNED: Stage.FAILED,
}


def _payer(channel: str | None) -> tuple[Holder, str]:
    if channel == SettlementChannel.MANDATED_OPERATOR:
        return Holder.BANK, "La banque"
    return Holder.ACCOUNTANT, "Le comptable public"


def _why_held(waiting: Waiting | None) -> str:
    if waiting is None:
        return "En attente."
    # Its own page does not tell a structure to ask itself for its RIB, nor what finance reads of it.
    is_own = waiting.held in _OF_THE_STRUCTURE
    return f"En attente. {f'{waiting.title}.' if is_own else waiting.sentence}"


def _waits(what: str, waiting: Waiting | None, finance: tuple[Holder, str]) -> PaymentStep:
    """Say who can make a payment that waits leave, and what they must do."""
    match None if waiting is None else waiting.held:
        case Held.SUSPENDED:
            return _now(what, (Holder.PROGRAMME, "Le programme"), "Appelez le programme pour lever la suspension.")
        case Held.MAYBE_PAID:
            return _now(what, finance, "Il doit d’abord comprendre une ligne de sa banque.")
        case Held.DUPLICATE:
            return _now(what, finance, "Il doit vérifier que le premier envoi tient, puis vous paie s’il manque.")
        case Held.BLOCKED:
            return _now(what, finance, "Appelez le service des finances pour en parler.")
        case Held.BELOW_MINIMUM:
            return _now(what, _NOBODY, "Le lot qui atteint le minimum vous paiera.")
        case Held.TO_CONFIRM:
            who = (Holder.PROGRAMME, "Le programme ou les finances")
            return _now(what, who, "Une personne doit confirmer votre RIB. Le lot suivant vous paiera.")
        case Held.NO_RIB | Held.BAD_RIB | Held.REFUSED_ACCOUNT:
            return _now(what, _YOU, "Donnez votre RIB à jour. Le lot suivant vous paiera.")
        case None:
            return _now(what, finance, "Il doit le reprendre dans le prochain lot.")


def _now(what: str, who: tuple[Holder, str], act: str) -> PaymentStep:
    return PaymentStep(what, None, *who, act)


def _done(what: str, at: datetime | None = None) -> PaymentStep:
    return PaymentStep(what, at, *_NOBODY, "")
