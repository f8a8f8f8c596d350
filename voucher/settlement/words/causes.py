"""Why a payment is not made now, as values: what keeps it here, who can lift that, and what the office and the structure do about it.

Each has words of its own for the two who read it: the office says « la structure », the structure is told « vous ».
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from voucher.kernel.calendar import french_date
from voucher.kernel.money import format_euros

SENTENCE_CHARACTERS_MAX = 200

NEVER_CAME = "NOOR"
"""The reason of a transfer offered again because two people found that its first sending never reached the bank."""


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


class Holder(StrEnum):
    """Who a payment waits for."""

    FINANCE = "finance"
    APPROVER = "approver"
    BANK = "bank"
    ACCOUNTANT = "accountant"
    STRUCTURE = "structure"
    PROGRAMME = "programme"
    NOBODY = "nobody"


PREPARER = "La personne qui prépare les lots"


@dataclass(frozen=True, slots=True)
class Lift:
    """Who can lift a cause. `office_who` and `office_act` are read by finance, `act` by the structure."""

    holder: Holder
    office_who: str
    office_act: str
    act: str


LIFTS: dict[Held, Lift] = {
    Held.SUSPENDED: Lift(
        Holder.PROGRAMME,
        "Le programme",
        "Demandez au programme si la suspension peut être levée.",
        "Appelez le programme pour lever la suspension.",
    ),
    Held.BLOCKED: Lift(
        Holder.FINANCE,
        PREPARER,
        "Levez le blocage quand sa raison n’est plus.",
        "Appelez le service des finances pour en parler.",
    ),
    Held.NO_RIB: Lift(
        Holder.STRUCTURE,
        "La structure",
        "Écrivez à la structure pour avoir son RIB.",
        "Donnez votre RIB à jour. Sans lui, rien ne peut partir.",
    ),
    Held.TO_CONFIRM: Lift(
        Holder.PROGRAMME,
        "Le programme ou les finances",
        "Ouvrez « RIB à confirmer ». Qui l’a enregistré ne peut pas le confirmer.",
        "Une personne doit confirmer votre RIB.",
    ),
    Held.BAD_RIB: Lift(
        Holder.STRUCTURE,
        "La structure",
        "Demandez-lui un RIB à jour.",
        "Donnez votre RIB à jour. Sans lui, rien ne peut partir.",
    ),
    Held.REFUSED_ACCOUNT: Lift(
        Holder.STRUCTURE,
        "La structure",
        "Demandez-lui un nouveau RIB.",
        "Donnez un nouveau RIB. Rien ne repart vers ce compte.",
    ),
    Held.MAYBE_PAID: Lift(
        Holder.FINANCE,
        PREPARER,
        "Rapprochez d’abord cette ligne.",
        "Il doit d’abord comprendre une ligne de sa banque.",
    ),
    Held.DUPLICATE: Lift(
        Holder.FINANCE,
        "Le service des finances",
        "Deux personnes doivent dire si le premier envoi tient. Cherchez-le auprès de la banque.",
        "Il doit vérifier que le premier envoi est arrivé.",
    ),
    Held.BELOW_MINIMUM: Lift(
        Holder.NOBODY,
        "Personne",
        "Il n’y a rien à faire.",
        "Il n’y a rien à faire.",
    ),
}
"""Who can make the money leave, and what to do."""

_SAY_WHAT_TO_DO = {Held.NO_RIB, Held.REFUSED_ACCOUNT, Held.BELOW_MINIMUM}  # their sentences do already


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a structure is not paid now: `title` names it in a few words, `fact` says it to anyone, `sentence` to the office,
    which it may tell what to do.
    """

    held: Held
    title: str
    fact: str
    sentence: str
    structure_act: str = ""  # empty: what its kind says

    @property
    def lift(self) -> Lift:
        """Who can lift it, and how."""
        return LIFTS[self.held]

    @property
    def holder(self) -> str:
        """Who can lift it, as the office reads it."""
        return self.lift.office_who

    @property
    def what_to_do(self) -> str:
        """What a person of the office does about it."""
        return self.lift.office_act

    @property
    def act(self) -> str:
        """The sentence and what the office does, said once."""
        return ended(self.sentence) if self.held in _SAY_WHAT_TO_DO else f"{ended(self.sentence)} {self.what_to_do}"

    @property
    def act_of_structure(self) -> str:
        """What the structure does, or sees done, about it."""
        return self.structure_act or self.lift.act


@dataclass(frozen=True, slots=True)
class ReasonText:
    """What a reason code of a bank means and what a person does about it; `is_known` is False for a code outside the table.

    `account` names in two or three words what is wrong with the account, or its holder, that the money went to; empty when the
    failure is not of the account. `needs_another`: no transfer will ever reach that account; else the same one may be confirmed.
    """

    code: str
    sentence: str
    what_to_do: str
    is_known: bool = True
    account: str = ""
    needs_another: bool = False


def ended(sentence: str) -> str:
    """Return a sentence that ends as one, whoever wrote it."""
    said = sentence.rstrip()
    return said if said.endswith((".", "!", "?", "…")) else f"{said}."


def suspended(reason: str) -> Cause:
    """Return the cause of a structure that the programme suspended."""
    return _cause(Held.SUSPENDED, f"{Held.SUSPENDED} : {reason}")


def blocked(reason: str) -> Cause:
    """Return the cause of a structure whose payments finance blocked."""
    return _cause(Held.BLOCKED, f"{Held.BLOCKED} : {reason}")


def no_rib() -> Cause:
    """Return the cause of a structure without a RIB."""
    return _cause(Held.NO_RIB, f"{Held.NO_RIB} : demandez-le à la structure.", fact=Held.NO_RIB)


def bad_rib(why: str) -> Cause:
    """Return the cause of a RIB that no bank would take; `why` is a sentence."""
    return _cause(Held.BAD_RIB, f"{Held.BAD_RIB} : {why}")


def to_confirm(recorded_on: date, in_use: Cause) -> Cause:
    """Return the cause of a RIB that waits for a second person; `in_use` is why the one before, if any, cannot serve."""
    since = f"{Held.TO_CONFIRM} : celui enregistré le {french_date(recorded_on)} n’est pas encore confirmé."
    before = f" L’ancien ne peut pas servir ({in_use.title[:1].lower()}{in_use.title[1:]})."
    return _cause(Held.TO_CONFIRM, since if in_use.held is Held.NO_RIB else since + before)


def refused_account(refused: ReasonText) -> Cause:
    """Return the cause of an account that a bank or an accountant refused, and that is still the one in use."""
    again = "" if refused.needs_another else ", ou enregistrez de nouveau le même s’il est bon"
    return _cause(
        Held.REFUSED_ACCOUNT,
        f"{refused.account} : demandez un nouveau RIB à la structure{again}.",
        title=refused.account,
        fact=refused.account,
        structure_act=f"Donnez un nouveau RIB{again}." if again else "",
    )


def maybe_paid_already() -> Cause:
    """Return the cause of an amount that a debit to identify may have paid."""
    return _cause(
        Held.MAYBE_PAID, f"{Held.MAYBE_PAID} : une ligne de la banque qui nomme ce virement attend d’être rapprochée."
    )


def duplicate_announced(*, is_by_bank: bool) -> Cause:
    """Return the cause of a transfer that the bank or the accountant calls a duplicate of a first sending."""
    who = "la banque" if is_by_bank else "le comptable public"
    return _cause(
        Held.DUPLICATE, f"{Held.DUPLICATE} : {who} dit avoir déjà reçu ce virement. Rien n’est à payer de nouveau."
    )


def below_minimum(minimum_cents: int, present_by: date) -> Cause:
    """Return the cause of an amount that is too small for a transfer, until nothing can be added to it any more."""
    least = f"{Held.BELOW_MINIMUM} de {format_euros(minimum_cents)}"
    ends = f"la somme attend de l’atteindre, ou que le {french_date(present_by)} soit passé."
    return _cause(Held.BELOW_MINIMUM, f"{least} : {ends}")


def _cause(held: Held, sentence: str, *, title: str = "", fact: str = "", structure_act: str = "") -> Cause:
    said = sentence[:SENTENCE_CHARACTERS_MAX]
    return Cause(held, title or str(held), ended(fact or said), said, structure_act)
