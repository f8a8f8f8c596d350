"""What happened to a payment before where it stands now, in a few words each, from its history."""

from collections.abc import Mapping
from datetime import date

from voucher.settlement.words.payment_facts import Past, PaymentFacts
from voucher.settlement.words.states import AdviceState
from voucher.settlement.words.transitions import PaymentWhy

_S, _W = AdviceState, PaymentWhy

_AS_EVER: Mapping[AdviceState, str] = {
    _S.IN_FILE: "Transmis {to}",
    _S.PAID: "Noté payé",
    _S.REJECTED: "Rejeté par {by}",
    _S.RETURNED: "Renvoyé par {by}",
    _S.HELD: "Mis en attente",
}
"""What a change into a state says, whatever brought it; states that a batch or another payment tells are left out."""

_BECAUSE: Mapping[tuple[AdviceState, PaymentWhy], str] = {
    (_S.IN_FILE, _W.DEBITED_AFTER_ALL): "Rejet retiré, de nouveau en cours",
    (_S.IN_FILE, _W.ANSWER_WITHDRAWN): "Rejet retiré, de nouveau en cours",
    (_S.IN_FILE, _W.PAYMENT_UNDONE): "Noté payé à tort, de nouveau en cours",
    (_S.PAID, _W.RETURN_UNDONE): "Retour noté à tort, de nouveau payé",
    (_S.REJECTED, _W.NEVER_CAME): "Jamais reçu par {by}, selon deux personnes",
    (_S.REJECTED, _W.REASON_GIVEN): "",
    (_S.REJECTED, _W.REJECTED_AGAIN): "Rejet rétabli",
    (_S.HELD, _W.SET_ASIDE): "Mis de côté",
}
"""Changes whose reason matters to who reads; an empty one says nothing that the one before does not."""


def past_sentences(facts: PaymentFacts) -> list[tuple[str, date | None]]:
    """Return what happened to a payment before where it stands now, each with its day."""
    found = ((_words(one).format(to=facts.to_payer, by=facts.by_payer), one.on) for one in facts.past[:-1])
    return [(words, on) for words, on in found if words]


def _words(past: Past) -> str:
    return _BECAUSE.get((past.state, past.why), _AS_EVER.get(past.state, ""))
