"""Every French sentence about what a dispute makes of a payment: one pure function, facts in and words out.

Whose money it is is said the same to the office, to the structure and in e-mails. What becomes of the payment itself is said by
`payment_sentences`.
"""

from dataclasses import dataclass

from voucher.kernel.money import format_euros


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFacts:
    """What is known of a dispute: `outcome` is None until it is decided.

    `is_suspending`: its redemption was in no batch, and is kept out of all. `is_released`: dismissed once its period was settled.
    `left_cents` is what the structure still owes back, None when it owes nothing back; `is_claimed`: by a revenue order.
    """

    is_upheld: bool | None
    is_suspending: bool
    is_released: bool = False
    left_cents: int | None = None
    is_claimed: bool = False


@dataclass(frozen=True, slots=True)
class DisputeSaid:
    """Where a dispute stands: `what` heads it, `money` says what becomes of the money, `act` what the structure does."""

    what: str
    money: str
    act: str


def dispute_said(facts: DisputeFacts) -> DisputeSaid:
    """Say where a dispute stands, and what it makes of the money."""
    if facts.is_upheld is None:
        money = (
            "Le paiement est suspendu jusqu’à une décision."
            if facts.is_suspending
            else "Rien n’est retiré des règlements avant une décision."
        )
        return DisputeSaid(
            "Encaissement contesté.", money, "Une deuxième personne des finances doit décider. Lisez le motif."
        )
    if not facts.is_upheld:
        return DisputeSaid("La contestation est levée.", _kept(facts), "Vous n’avez rien à faire.")
    return DisputeSaid("Encaissement repris, il n’est plus dû.", *_taken_back(facts))


def _kept(facts: DisputeFacts) -> str:
    if not facts.is_suspending:
        return "Rien n’a été retiré des règlements."
    if facts.is_released:
        return "La somme est due de nouveau, sur une ligne à part. Le suivi des paiements dit où elle en est."
    return "La somme est due, comme les autres. Le suivi des paiements dit où elle en est."


def _taken_back(facts: DisputeFacts) -> tuple[str, str]:
    if facts.left_cents is None:
        return "Il n’est pas payé, et rien n’est à rendre.", "Vous n’avez rien à faire."
    if facts.left_cents == 0:
        return "Il ne reste rien à rendre.", "Vous n’avez rien à faire."
    left = f"Il reste à rendre {format_euros(facts.left_cents)}."
    if facts.is_claimed:
        return (
            f"{left} Un titre de recette est demandé : rien n’est plus retenu.",
            "Payez le titre quand vous le recevez.",
        )
    return (
        f"{left} La somme est retenue sur les règlements suivants. Sinon, un titre de recette pourra la réclamer.",
        "Vous n’avez rien à faire.",
    )
