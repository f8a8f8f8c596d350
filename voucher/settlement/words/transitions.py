"""The life of a payment as a table: from which state to which, and why. What is not in it cannot happen."""

from enum import StrEnum

from voucher.settlement.words.states import AdviceState, LineOrigin


class PaymentWhy(StrEnum):
    """Why a payment changes state. A line of the bank may also be the accountant's word (`LineOrigin`)."""

    FROZEN = "frozen"
    SET_ASIDE = "set_aside"
    EXPORTED = "exported"
    DEBITED = "debited"
    CAME_BACK = "came_back"
    REJECTED = "rejected"  # by the bank or the accountant
    NEVER_CAME = "never_came"  # two people said so of the first sending of a duplicate
    REASON_GIVEN = "reason_given"  # the bank says why it refuses what people had offered again
    DEBITED_AFTER_ALL = "debited_after_all"  # a debit denies the rejection; the payment follows
    ANSWER_WITHDRAWN = "answer_withdrawn"  # people took back that the first sending never came
    PAYMENT_UNDONE = "payment_undone"
    RETURN_UNDONE = "return_undone"
    REJECTED_AGAIN = "rejected_again"  # the debit that denied the rejection was not this payment's
    TAKEN_UP = "taken_up"
    RESUMED = "resumed"  # the state as it stood when histories began


_S, _W = AdviceState, PaymentWhy

TRANSITIONS: frozenset[tuple[AdviceState | None, AdviceState, PaymentWhy]] = frozenset(
    {
        (None, _S.DUE, _W.FROZEN),
        (None, _S.HELD, _W.FROZEN),
        (None, _S.SETTLED, _W.FROZEN),
        (_S.DUE, _S.HELD, _W.SET_ASIDE),
        (_S.DUE, _S.IN_FILE, _W.EXPORTED),
        (_S.IN_FILE, _S.PAID, _W.DEBITED),
        (_S.PAID, _S.RETURNED, _W.CAME_BACK),
        (_S.IN_FILE, _S.REJECTED, _W.REJECTED),
        (_S.IN_FILE, _S.REJECTED, _W.NEVER_CAME),
        (_S.REJECTED, _S.REJECTED, _W.REASON_GIVEN),
        (_S.REJECTED, _S.IN_FILE, _W.DEBITED_AFTER_ALL),
        (_S.REJECTED, _S.IN_FILE, _W.ANSWER_WITHDRAWN),
        (_S.PAID, _S.IN_FILE, _W.PAYMENT_UNDONE),
        (_S.RETURNED, _S.PAID, _W.RETURN_UNDONE),
        (_S.IN_FILE, _S.REJECTED, _W.REJECTED_AGAIN),
        (_S.HELD, _S.TAKEN_UP, _W.TAKEN_UP),
        (_S.REJECTED, _S.TAKEN_UP, _W.TAKEN_UP),
        (_S.RETURNED, _S.TAKEN_UP, _W.TAKEN_UP),
        *((None, state, _W.RESUMED) for state in AdviceState),
    }
)
"""From (None: the payment is made), to, why."""

PAYMENT_WHYS: dict[PaymentWhy, str] = {
    PaymentWhy.FROZEN: "Arrêté dans un lot",
    PaymentWhy.SET_ASIDE: "Mis de côté",
    PaymentWhy.EXPORTED: "Transmis",
    PaymentWhy.DEBITED: "Débité par la banque",
    PaymentWhy.CAME_BACK: "Revenu sur le compte payeur",
    PaymentWhy.REJECTED: "Rejeté avant débit",
    PaymentWhy.NEVER_CAME: "Premier envoi jamais reçu, selon deux personnes",
    PaymentWhy.REASON_GIVEN: "Motif du rejet précisé",
    PaymentWhy.DEBITED_AFTER_ALL: "Rejet démenti par un débit : de nouveau transmis",
    PaymentWhy.ANSWER_WITHDRAWN: "Réponse sur le doublon retirée : de nouveau transmis",
    PaymentWhy.PAYMENT_UNDONE: "Rapprochement du débit défait : de nouveau transmis",
    PaymentWhy.RETURN_UNDONE: "Rapprochement du retour défait : de nouveau payé",
    PaymentWhy.REJECTED_AGAIN: "Rejet rétabli",
    PaymentWhy.TAKEN_UP: "Repris par un autre lot",
    PaymentWhy.RESUMED: "Repris de l’état",
}
"""What happened to a payment, in French."""


def happened(why: PaymentWhy, after: AdviceState, origin: LineOrigin | None = None) -> str:
    """Return what happened to a payment in a few words; `origin` is that of the line that says it."""
    if origin is LineOrigin.ACCOUNTANT and why is PaymentWhy.DEBITED:
        return "Payé, selon le comptable"
    if origin is LineOrigin.ACCOUNTANT and why is PaymentWhy.CAME_BACK:
        return "Revenu, selon le comptable"
    if why is PaymentWhy.FROZEN and after is AdviceState.HELD:
        return "Laissé en attente par un lot"
    return PAYMENT_WHYS[why]
