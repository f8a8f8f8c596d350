"""Every French sentence about where a payment stands, from one pure function: no database, no clock, facts in and words out.

Pages, papers, e-mails and files all ask `said`, so that one payment is told in one way. `what` and `when` are the same whoever
reads them; what to do next has words for the structure (« vous ») and words for the office. A sentence states what is known on
`today`: nothing of a day to come is promised, but the day that was asked of the bank or is the latest one.
"""

from dataclasses import dataclass, replace
from datetime import date

from voucher.kernel.calendar import french_date
from voucher.settlement.words.causes import NEVER_CAME, PREPARER, Cause, Held, Holder, ended
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.states import AdviceState, LineOrigin
from voucher.settlement.words.transitions import PaymentWhy


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Where a payment stands, in French.

    `what` says it with its day and its reason, `when` what is known of the day to come or the one that passed; both are the same
    for all. Who must act and what they do: `who` and `act` for the structure, `office_who` and `office_act` for the office; empty
    acts where nobody has anything to do. `title` gathers like payments in a list, `short` heads a message.
    """

    title: str
    short: str
    what: str
    when: str = ""
    holder: Holder = Holder.NOBODY
    who: str = ""
    act: str = ""
    office_who: str = "Personne"
    office_act: str = ""

    @property
    def sentence(self) -> str:
        """Where it stands and when, as one text."""
        return f"{self.what} {self.when}".strip()

    @property
    def is_for_structure(self) -> bool:
        """Whether the structure itself must act."""
        return self.holder is Holder.STRUCTURE

    @property
    def next_for_structure(self) -> str:
        """Who must act and what they do, as the structure reads it."""
        return f"{self.who} doit agir. {self.act}" if self.who else self.act

    @property
    def next_for_office(self) -> str:
        """Who must act and what they do, as the office reads it."""
        return self.office_act if self.holder is Holder.NOBODY else f"{self.office_who} doit agir. {self.office_act}"


def said(facts: PaymentFacts) -> Said:
    """Say where a payment stands."""
    match facts.state:
        case None:
            return _in_no_batch(facts)
        case AdviceState.DUE:
            return _in_a_batch(facts)
        case AdviceState.IN_FILE:
            return _in_transit(facts)
        case AdviceState.PAID:
            return _paid(facts)
        case AdviceState.SETTLED:
            day = _on(facts.paid_on)
            what = f"Soldé{day}, sans virement : la somme a rendu un trop-perçu."
            return Said(title="Soldé", short="soldé sans virement", what=what)
        case AdviceState.HELD:
            return _held(facts)
        case AdviceState.REJECTED | AdviceState.RETURNED:
            return _failed(facts)
        case AdviceState.TAKEN_UP:
            return _taken_up(facts)


def execution_sentence(execution_on: date | None, *, is_by_bank: bool, is_sent: bool, is_empty: bool) -> str:
    """Say on which day a batch is executed, or when that day is fixed."""
    if execution_on is not None:
        return french_date(execution_on)
    if is_empty:
        return "Aucune : rien n’est parti"
    if not is_by_bank:
        return "Fixée par le comptable public"
    return (
        "Aucune" if is_sent else "Pas encore fixée : le jour de la transmission, ou le jour ouvré bancaire qui la suit"
    )


def due_sentence(due_on: date, on: date | None, *, is_paid: bool) -> str:
    """Say by which day money had to be paid, as of today or of the day it was; empty when it was in time."""
    if on is not None and on > due_on:
        return f"C’était à payer au plus tard le {french_date(due_on)}."
    return "" if is_paid else f"À payer au plus tard le {french_date(due_on)}."


def still_owed(count: int) -> str:
    """Say what becomes of the money of payments that failed, whatever keeps each of them: their own sentences say it."""
    return (
        "La somme reste due. Son règlement dit ce qu’elle attend."
        if count == 1
        else "Ces sommes restent dues. Chaque règlement dit ce qu’il attend."
    )


def _in_no_batch(facts: PaymentFacts) -> Said:
    what = "Le mois n’est pas fini." if facts.is_month_running else "Dans aucun lot de règlement pour le moment."
    if facts.cause is not None:
        return _caused(facts, facts.cause, f"{what} {facts.cause.fact}", "pas encore dans un lot")
    if facts.is_month_running:
        return Said(
            title="Mois en cours",
            short="pas encore dans un lot",
            what=what,
            when=_deadline(facts),
            act="Le service des finances arrête le lot une fois le mois fini.",
            office_who="Personne : le mois n’est pas fini",
            office_act="Attendre la fin du mois.",
        )
    return _finance(facts, "À arrêter", "pas encore dans un lot", what, "Il doit arrêter le lot.", "Arrêter le lot.")


def _in_a_batch(facts: PaymentFacts) -> Said:
    stopped, aside = "Ce règlement ne peut pas partir avec son lot.", "Mettre ce règlement de côté."
    if facts.cause is not None:
        found = _caused(facts, facts.cause, f"{stopped} {facts.cause.fact}", "arrêté")
        return replace(found, office_who=PREPARER, office_act=aside)
    if facts.changed:
        what = f"{stopped} {facts.changed}"
        return _finance(facts, "Changé depuis l’arrêt", "arrêté", what, "Il doit le retirer de ce lot.", aside)
    if facts.is_approved:
        act = "Il doit transmettre le lot."
        return _finance(facts, "À transmettre", "prêt à partir", "Prêt à partir.", act, "Transmettre le lot.")
    return Said(
        title="À valider",
        short="à valider",
        what="En attente de validation.",
        when=_deadline(facts),
        holder=Holder.APPROVER,
        who=finance_of(facts.issuer_name),
        act="Une deuxième personne doit valider le lot.",
        office_who="La personne qui valide les lots",
        office_act="Valider le lot.",
    )


def _in_transit(facts: PaymentFacts) -> Said:
    what = f"Transmis {facts.to_payer}{_on(facts.sent_on)}."
    if facts.cause is not None and facts.cause.held is Held.DUPLICATE:
        return _caused(facts, facts.cause, f"{what} {facts.cause.fact}", "transmis, doublon annoncé")
    if facts.last_why is PaymentWhy.PAYMENT_UNDONE:
        what += f" Il avait été noté payé{_on(facts.last_on(AdviceState.PAID))}, à tort."
    elif facts.last_why in (PaymentWhy.DEBITED_AFTER_ALL, PaymentWhy.ANSWER_WITHDRAWN):
        what += f" Son rejet{_of(facts.last_on(AdviceState.REJECTED))} est retiré : il est de nouveau en cours."
    return Said(
        title="Transmis",
        short=f"transmis {facts.to_payer}",
        what=what,
        when=_arrival(facts),
        holder=Holder.BANK if facts.is_by_bank else Holder.ACCOUNTANT,
        who=facts.payer,
        act="Le virement doit paraître sur votre compte.",
        office_who=facts.payer,
        office_act="Payer. Importer les relevés pour le savoir.",
    )


def _paid(facts: PaymentFacts) -> Said:
    what = f"Payé{_on(facts.paid_on)}."
    if facts.confirmed_by is not None:
        is_accountant = facts.confirmed_by is LineOrigin.ACCOUNTANT
        what += f" {'Le comptable public' if is_accountant else 'La banque'} l’a confirmé."
    if facts.last_why is PaymentWhy.RETURN_UNDONE:
        what += f" Un retour noté{_on(facts.last_on(AdviceState.RETURNED))} ne l’était pas."
    elif facts.was(AdviceState.REJECTED):
        what += f" Son rejet{_of(facts.last_on(AdviceState.REJECTED))} n’a pas tenu."
    return Said(title="Payé", short="payé", what=what, when=_deadline(facts))


def _held(facts: PaymentFacts) -> Said:
    if facts.cause is not None:
        aside = f" Mis de côté : {ended(facts.set_aside_because)}" if facts.set_aside_because else ""
        return _caused(facts, facts.cause, f"En attente.{aside} {facts.cause.fact} La somme reste due.", "en attente")
    if facts.set_aside_because:
        return _ready(facts, "Mis de côté", f"Mis de côté : {ended(facts.set_aside_because)}")
    return _ready(facts, "Prêt à repartir", "En attente. Plus rien ne retient cette somme.")


def _failed(facts: PaymentFacts) -> Said:
    reason = facts.reason
    what = _failure(facts)
    if reason is None or reason.code != NEVER_CAME:
        what += f" {facts.payer} n’a pas donné de raison." if reason is None else f" {reason.sentence}"
    if facts.cause is not None:
        # What is wrong with the account was said by the bank's reason.
        is_said = (
            facts.cause.held is Held.REFUSED_ACCOUNT and reason is not None and reason.account == facts.cause.title
        )
        return _caused(
            facts,
            facts.cause,
            f"{what} La somme reste due.{'' if is_said else f' {facts.cause.fact}'}",
            _failed_short(facts),
        )
    if reason is not None and reason.account:
        return _ready(facts, "Prêt à repartir", f"{what} Un nouveau RIB est enregistré.")
    return _ready(facts, "Virement refusé", what, "" if reason is None else reason.what_to_do)


def _failed_short(facts: PaymentFacts) -> str:
    return "virement renvoyé" if facts.state is AdviceState.RETURNED else "virement rejeté"


def _failure(facts: PaymentFacts) -> str:
    """Say how a payment failed, the last time it did; money that came back is never headed « payé »."""
    if facts.state is AdviceState.RETURNED or (
        facts.state is not AdviceState.REJECTED and facts.was(AdviceState.RETURNED)
    ):
        before = "" if facts.paid_on is None else f", après un paiement{_on(facts.paid_on)}"
        return f"Renvoyé par {facts.by_payer}{_on(facts.last_on(AdviceState.RETURNED))}{before}."
    if facts.reason is not None and facts.reason.code == NEVER_CAME:
        return f"{facts.payer} n’a jamais reçu ce virement. Deux personnes l’ont vérifié."
    times = sum(one.state is AdviceState.REJECTED and one.why in _REJECTIONS for one in facts.past)
    day = _on(facts.last_on(AdviceState.REJECTED))
    return (
        f"Rejeté {times} fois par {facts.by_payer}, la dernière{day}."
        if times > 1
        else f"Rejeté par {facts.by_payer}{day}."
    )


_REJECTIONS = (PaymentWhy.REJECTED, PaymentWhy.NEVER_CAME, PaymentWhy.RESUMED)
"""The changes that are a rejection of their own: others give its reason, or let it stand again."""


def _taken_up(facts: PaymentFacts) -> Said:
    failed = facts.was(AdviceState.REJECTED) or facts.was(AdviceState.RETURNED)
    before = (
        _failure(facts) if failed else "Resté en attente." if facts.sent_on is None else "Ce virement n’a pas abouti."
    )
    where = f"dans le lot {facts.taken_up_in}" if facts.taken_up_in else "dans un autre lot"
    return Said(title="Repris", short="repris dans un autre lot", what=f"{before} La somme est {where}.")


def _caused(facts: PaymentFacts, cause: Cause, what: str, short: str) -> Said:
    """Say that a cause keeps a payment here: who can lift it and how; no batch is promised."""
    lift = cause.lift
    who = {
        Holder.STRUCTURE: "Votre structure",
        Holder.NOBODY: "",
        Holder.PROGRAMME: lift.office_who,
    }.get(lift.holder, finance_of(facts.issuer_name))
    return Said(
        title=cause.title,
        short=short,
        what=what,
        when=_deadline(facts),
        holder=lift.holder,
        who=who,
        act=cause.act_of_structure,
        office_who=lift.office_who,
        office_act=lift.office_act,
    )


def _ready(facts: PaymentFacts, title: str, what: str, office_act: str = "") -> Said:
    """Say that nothing keeps a payment here: a batch can take it, which nobody promises."""
    return _finance(
        facts,
        title,
        "en attente" if facts.state is AdviceState.HELD else _failed_short(facts),
        f"{what} La somme reste due.",
        "Il peut la payer dans un autre lot.",
        office_act or "Arrêter le lot suivant, ou payer sans attendre.",
    )


def _finance(facts: PaymentFacts, title: str, short: str, what: str, act: str, office_act: str) -> Said:
    return Said(
        title=title,
        short=short,
        what=what,
        when=_deadline(facts),
        holder=Holder.FINANCE,
        who=finance_of(facts.issuer_name),
        act=act,
        office_who=PREPARER,
        office_act=office_act,
    )


def finance_of(issuer_name: str) -> str:
    """Name the finance people of an issuer, as its structures know them."""
    return f"Le service des finances, {issuer_name}" if issuer_name else "Le service des finances"


def _arrival(facts: PaymentFacts) -> str:
    """Say when a transfer that left reaches the account; of a day that passed, that it did."""
    if not facts.is_by_bank or facts.execution_on is None or facts.expected_on is None:
        return _deadline(facts)
    if facts.today > facts.expected_on:
        return f"Il était attendu pour le {french_date(facts.expected_on)}. {facts.payer} ne l’a pas encore confirmé."
    leaves = f"Le virement part le {french_date(facts.execution_on)}. " if facts.today <= facts.execution_on else ""
    return f"{leaves}Il est attendu sur le compte pour le {french_date(facts.expected_on)}."


def _deadline(facts: PaymentFacts) -> str:
    if facts.due_on is None:
        return ""
    is_paid = facts.state is AdviceState.PAID
    return due_sentence(facts.due_on, facts.paid_on if is_paid else facts.today, is_paid=is_paid)


def _on(day: date | None) -> str:
    return "" if day is None else f" le {french_date(day)}"


def _of(day: date | None) -> str:
    return "" if day is None else f" du {french_date(day)}"
