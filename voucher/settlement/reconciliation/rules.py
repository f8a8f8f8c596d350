"""What a bank line says of a payment: pure decisions. Only an exact reference, amount and side decide; the rest is for a person."""

from dataclasses import dataclass
from enum import StrEnum

from voucher.kernel.money import format_euros
from voucher.settlement.words.states import AdviceState, MatchKind, RefundState


class Verdict(StrEnum):
    """What a line does: it pays an advice, brings one back, is the bank's charges, or waits for someone to identify it."""

    PAYS = "pays"
    RETURNS = "returns"
    CHARGES = "charges"
    UNKNOWN = "unknown"


AFTER = {Verdict.PAYS: AdviceState.PAID, Verdict.RETURNS: AdviceState.RETURNED}
"""The state of the advice after such a line."""

KIND = {Verdict.PAYS: MatchKind.PAYMENT, Verdict.RETURNS: MatchKind.RETURN, Verdict.CHARGES: MatchKind.CHARGE}
"""The match that such a line makes by itself."""

WHY = {
    Verdict.PAYS: "Même référence, même montant.",
    Verdict.RETURNS: "Même référence, même montant.",
    Verdict.CHARGES: "La banque dit que ce sont ses frais.",
}
"""What makes it sure, in French."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The advice that bears a line's reference, as the line finds it; `is_debited_again`: a second debit, of it or of its file, waits."""

    amount_cents: int
    state: AdviceState
    is_debited_again: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, with its reason in French when a person must look."""

    verdict: Verdict
    why: str = ""


MAY_BE_PAID = (AdviceState.IN_FILE, AdviceState.REJECTED)
"""States in which a debit pays an advice: it is in transit, or the bank said that it was not and debited it all the same."""

_WHY_NOT_DEBIT = {
    AdviceState.PAID: "Ce règlement est déjà payé : la banque l’a peut-être payé deux fois.",
    AdviceState.RETURNED: "Ce virement est déjà revenu : la banque l’a peut-être payé deux fois.",
}
_WHY_NOT_CREDIT = {
    AdviceState.IN_FILE: "Un retour arrivé avant son débit : il sera rapproché quand le débit viendra.",
    AdviceState.REJECTED: "Le virement a été rejeté : ce crédit est sans doute son retour. Il sera rapproché si le débit vient.",
    AdviceState.RETURNED: "Ce règlement est déjà revenu une fois.",
}
_WHICH_COMES_BACK = (
    "La banque a débité ce virement deux fois. Si ce crédit rend le second débit, rapprochez ces deux lignes. S’il rend le premier, "
    "choisissez le retour du virement."
)
_ENDED = "Ce règlement n’attend rien de la banque : il n’est pas transmis, ou un autre lot l’a repris."


_WHY_NOT_REFUND_DEBIT = {
    RefundState.IN_FILE: "C’est sans doute le débit de ce renvoi : rapprochez-les.",
    RefundState.PAID: "Ce renvoi est déjà débité : la banque l’a peut-être fait deux fois. Demandez-lui de rendre ce débit.",
    RefundState.RETURNED: "Ce renvoi est déjà revenu : la banque l’a peut-être fait deux fois. Demandez-lui de rendre ce débit.",
    RefundState.REJECTED: (
        "Ce renvoi était refusé ou repris, et la banque l’a débité : l’argent est parti. Ne le renvoyez pas une seconde fois. "
        "Demandez à la banque de le rendre, ou rapprochez ce débit de la ligne qu’il renvoyait."
    ),
}
_WHY_NOT_REFUND_CREDIT = {
    RefundState.IN_FILE: "Ce renvoi revient, et son débit n’est pas encore venu. Attendez-le, puis rapprochez ces deux lignes.",
    RefundState.REJECTED: "Ce renvoi était refusé ou repris : si la banque l’a débité, ce crédit le rend. Rapprochez ces deux lignes.",
}
_CAME_BACK = "C’est l’argent d’un renvoi, qui revient. Trouvez de qui il est, ou renvoyez-le ailleurs."


def why_refund_waits(amount_cents: int, refund_cents: int, state: RefundState, *, is_credit: bool) -> str:
    """Say in French why a line waits that bears the reference of money sent back (`refund_cents`), from where that stands."""
    if amount_cents != refund_cents:
        return f"La référence est celle d’un renvoi, mais son montant est {format_euros(refund_cents)}."
    words = _WHY_NOT_REFUND_CREDIT if is_credit else _WHY_NOT_REFUND_DEBIT
    return words.get(
        state, _CAME_BACK if is_credit else "Ce renvoi n’est pas parti. Demandez à la banque d’où vient ce débit."
    )


def decide(amount_cents: int, is_credit: bool, is_reference_given: bool, expected: Expected | None) -> Decision:
    """Say what a booked line does, given the advice that bears its EndToEndId in the same account (None when none does).

    A debit pays what was sent, even if the bank had said that it refused it; a credit brings back what was paid,
    unless a second debit of it waits, which this may correct. Anything else waits, its money in 4711.
    """
    if expected is None:
        if not is_reference_given:
            return Decision(Verdict.UNKNOWN, "La banque ne donne pas de référence.")
        return Decision(Verdict.UNKNOWN, "Aucun règlement de ce compte ne porte cette référence.")
    if amount_cents != expected.amount_cents:
        return Decision(
            Verdict.UNKNOWN,
            f"La référence est la bonne, mais le montant attendu est {format_euros(expected.amount_cents)}.",
        )
    if is_credit:
        if expected.state is AdviceState.PAID and expected.is_debited_again:
            return Decision(Verdict.UNKNOWN, _WHICH_COMES_BACK)
        if expected.state is AdviceState.PAID:
            return Decision(Verdict.RETURNS)
        return Decision(Verdict.UNKNOWN, _WHY_NOT_CREDIT.get(expected.state, _ENDED))
    if expected.state in MAY_BE_PAID:
        return Decision(Verdict.PAYS)
    return Decision(Verdict.UNKNOWN, _WHY_NOT_DEBIT.get(expected.state, _ENDED))
