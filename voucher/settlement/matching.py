"""What a bank line says of a payment: pure decisions. Only an exact reference, amount and side decide; the rest is for a person."""

from dataclasses import dataclass
from enum import StrEnum

from voucher.kernel.money import format_euros
from voucher.settlement.model import AdviceState


class Verdict(StrEnum):
    """What a line does: it pays an advice, brings one back, or waits for someone to identify it."""

    PAYS = "pays"
    RETURNS = "returns"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Expected:
    """An advice as a line finds it; `is_debited` and `is_credited` say which lines it has already."""

    amount_cents: int
    state: AdviceState
    is_debited: bool
    is_credited: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, with its reason in French when a person must look."""

    verdict: Verdict
    why: str = ""


_LEFT = (AdviceState.IN_FILE, AdviceState.PAID, AdviceState.RETURNED, AdviceState.TAKEN_UP)
"""States an advice can be in once its transfer left (a rejected one never did)."""


def decide(amount_cents: int, is_credit: bool, is_reference_given: bool, expected: Expected | None) -> Decision:
    """Say what a booked line does, given the advice that bears its EndToEndId in the same account (None when none does).

    A return may come before its own debit (banks send files in any order): each is booked when it comes, once.
    """
    if expected is None:
        if not is_reference_given:
            return Decision(Verdict.UNKNOWN, "La banque ne donne pas de référence.")
        return Decision(Verdict.UNKNOWN, "Aucun règlement de ce compte ne porte cette référence.")
    has_left = expected.state in _LEFT and not (expected.state is AdviceState.TAKEN_UP and not expected.is_credited)
    if not has_left:
        return Decision(Verdict.UNKNOWN, _not_expected(expected.state, is_credit))
    if amount_cents != expected.amount_cents:
        return Decision(
            Verdict.UNKNOWN,
            f"La référence est la bonne, mais le montant attendu est {format_euros(expected.amount_cents)}.",
        )
    if is_credit:
        if expected.is_credited:
            return Decision(Verdict.UNKNOWN, "Ce règlement est déjà revenu une fois.")
        return Decision(Verdict.RETURNS)
    if expected.is_debited:
        return Decision(Verdict.UNKNOWN, "Ce règlement est déjà payé : la banque l’a peut-être payé deux fois.")
    return Decision(Verdict.PAYS)


def _not_expected(state: AdviceState, is_credit: bool) -> str:
    if state in (AdviceState.REJECTED, AdviceState.TAKEN_UP):
        if is_credit:
            return "Le virement a été rejeté : ce crédit est sans doute son retour, après un débit que rien n’explique."
        return "Le virement a été rejeté, et pourtant la banque l’a débité."
    return "Ce règlement n’est pas encore transmis : la banque ne devrait pas le connaître."
