"""The chart of accounts and the one table that says which movements an event makes (ledger.md §1).

Two books that no movement crosses. *Budget* follows an envelope's euros through the stages of a voucher's life, so that
the programme's funnel in money is a list of balances. *General* holds what is owed, to whom, and what the bank did.
The mapping to a public accountant's own chart is to be validated by that accountant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from voucher.kernel.identifiers import derived_number


class Book(StrEnum):
    """The two books."""

    BUDGET = "budget"
    GENERAL = "general"


class Side(StrEnum):
    """On which side an account's balance is expected."""

    DEBIT = "debit"
    CREDIT = "credit"


class Dimension(StrEnum):
    """What an account is kept by."""

    FUNDER = "funder"
    AGREEMENT = "agreement"
    STRUCTURE = "structure"
    BANK_ACCOUNT = "bank_account"


class Code(StrEnum):
    """The accounts by what they hold. The books and the archives write the four digits."""

    ENVELOPES = "8010"
    AVAILABLE = "8020"
    COMMITTED = "8030"
    ISSUED = "8040"
    HANDED_OVER = "8045"
    USED = "8050"
    TO_CALL = "4430"
    CALLED = "4431"
    ADVANCES = "4432"
    OWED = "4670"
    OVERPAID = "4671"
    ORDERED = "4675"
    SUSPENDED = "4678"
    IN_TRANSIT = "5115"
    BANK = "5120"
    UNIDENTIFIED = "4711"
    CHARGES = "6270"
    WRITTEN_OFF = "6540"
    CARRIED_FORWARD = "1100"
    """Nothing is posted to it: no line of the chart opens it; books show there the charges of closed years (ADR 12)."""


@dataclass(frozen=True, slots=True)
class AccountClass:
    """A line of the chart: one account exists for each combination of its dimensions."""

    code: Code
    name: str
    book: Book
    normal_side: Side
    dimensions: tuple[Dimension, ...]

    @property
    def is_budget(self) -> bool:
        """Whether it stands in the book of the budget, off the balance sheet."""
        return self.book is Book.BUDGET


_F, _A, _S, _B = Dimension.FUNDER, Dimension.AGREEMENT, Dimension.STRUCTURE, Dimension.BANK_ACCOUNT
CHART: Mapping[str, AccountClass] = {
    line.code: line
    for line in (
        AccountClass(Code.ENVELOPES, "Enveloppes ouvertes", Book.BUDGET, Side.CREDIT, (_F,)),
        AccountClass(Code.AVAILABLE, "Crédits disponibles, à affecter", Book.BUDGET, Side.DEBIT, (_F,)),
        AccountClass(Code.COMMITTED, "Crédits engagés sur convention, à émettre", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass(Code.ISSUED, "Chèques émis, à remettre", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass(Code.HANDED_OVER, "Chèques remis, à utiliser", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass(Code.USED, "Chèques utilisés", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass(Code.TO_CALL, "Financeurs, à appeler", Book.GENERAL, Side.DEBIT, (_F, _A)),
        AccountClass(Code.CALLED, "Financeurs, appelés à recevoir", Book.GENERAL, Side.DEBIT, (_F, _A)),
        AccountClass(Code.ADVANCES, "Financeurs, avances", Book.GENERAL, Side.CREDIT, (_F, _A)),
        AccountClass(Code.OWED, "Structures, chèques à régler", Book.GENERAL, Side.CREDIT, (_A, _S)),
        AccountClass(Code.OVERPAID, "Structures, trop-perçus à récupérer", Book.GENERAL, Side.DEBIT, (_A, _S)),
        AccountClass(Code.ORDERED, "Structures, règlements ordonnancés", Book.GENERAL, Side.CREDIT, (_A, _S)),
        AccountClass(Code.SUSPENDED, "Structures, règlements suspendus", Book.GENERAL, Side.CREDIT, (_A, _S)),
        AccountClass(Code.IN_TRANSIT, "Virements transmis, non confirmés", Book.GENERAL, Side.CREDIT, (_A,)),
        AccountClass(Code.BANK, "Banque ou Trésor", Book.GENERAL, Side.DEBIT, (_B,)),
        AccountClass(Code.UNIDENTIFIED, "Opérations bancaires à identifier", Book.GENERAL, Side.CREDIT, (_B,)),
        AccountClass(Code.CHARGES, "Frais bancaires", Book.GENERAL, Side.DEBIT, (_B,)),
        AccountClass(Code.WRITTEN_OFF, "Trop-perçus non recouvrés", Book.GENERAL, Side.DEBIT, (_A, _S)),
    )
}


OUTSTANDING = (Code.ISSUED, Code.HANDED_OVER)
"""Vouchers that may still be used: in stock and in people's hands."""
OWED_TO_STRUCTURES = (Code.OWED, Code.ORDERED, Code.SUSPENDED, Code.IN_TRANSIT)
"""What structures are owed, at each step before it is paid."""


class EventType(StrEnum):
    """What can happen to money; an event is posted once."""

    ENVELOPE_OPENED = "envelope_opened"
    CREDITS_COMMITTED = "credits_committed"
    VOUCHERS_ISSUED = "vouchers_issued"
    BOOKLET_HANDED_OVER = "booklet_handed_over"
    VOUCHERS_REDEEMED = "vouchers_redeemed"
    VOUCHERS_REDEEMED_FROM_STOCK = "vouchers_redeemed_from_stock"
    REDEMPTION_UNDONE = "redemption_undone"
    STOCK_VOIDED = "stock_voided"
    STOCK_STOPPED = "stock_stopped"
    VOUCHERS_STOPPED = "vouchers_stopped"
    STOCK_LAPSED = "stock_lapsed"
    VOUCHERS_LAPSED = "vouchers_lapsed"
    BATCH_FROZEN = "batch_frozen"
    ADVICE_SET_ASIDE = "advice_set_aside"
    BATCH_EXPORTED = "batch_exported"
    TRANSFER_BOOKED = "transfer_booked"
    TRANSFER_REJECTED = "transfer_rejected"
    REJECTION_WITHDRAWN = "rejection_withdrawn"
    TRANSFER_RETURNED = "transfer_returned"
    UNKNOWN_CREDIT_BOOKED = "unknown_credit_booked"
    UNKNOWN_DEBIT_BOOKED = "unknown_debit_booked"
    DEBIT_IDENTIFIED = "debit_identified"
    CREDIT_IDENTIFIED = "credit_identified"
    MATCH_UNDONE = "match_undone"
    BANK_CHARGED = "bank_charged"
    BANK_CHARGE_REFUNDED = "bank_charge_refunded"
    CHARGE_IDENTIFIED = "charge_identified"
    CHARGE_REFUND_IDENTIFIED = "charge_refund_identified"
    CREDITS_RELEASED = "credits_released"
    FUNDS_CALLED = "funds_called"
    ADVANCE_CALLED = "advance_called"
    ADVANCE_USED = "advance_used"
    CALL_CANCELLED = "call_cancelled"
    OVERCALL_CARRIED = "overcall_carried"
    FUNDS_IDENTIFIED = "funds_identified"
    ADVANCE_REFUNDED = "advance_refunded"
    ADVANCE_RETURNED = "advance_returned"
    REDEMPTION_CLAWED_BACK = "redemption_clawed_back"
    REDEMPTION_DISPUTED = "redemption_disputed"
    DISPUTE_DISMISSED = "dispute_dismissed"
    DISPUTE_UPHELD = "dispute_upheld"
    OVERPAYMENT_REPAID = "overpayment_repaid"
    OVERPAYMENT_WRITTEN_OFF = "overpayment_written_off"


class Journal(StrEnum):
    """Journals, by the person who answers for them."""

    BUDGET = "BU"
    VOUCHERS = "CH"
    SETTLEMENT = "RG"
    FUNDING = "FI"
    BANK = "BQ"


class Case(StrEnum):
    """What makes an event move other pairs than it does by itself."""

    NETTED = "netted"
    """What the structure owes back is settled in the same entry; beside what the event moves by itself."""
    BACK_IN_STOCK = "back_in_stock"
    """The vouchers of a reversed redemption had never been handed over."""
    CREDIT_FREED = "credit_freed"
    """They were stopped, destroyed or lapsed since: their credit is free again."""


Moves = tuple[tuple[Code, Code], ...]


@dataclass(frozen=True, slots=True)
class EventRule:
    """One line of the table: the journal of an event and the (debit, credit) pairs it moves, by itself and in some cases."""

    journal: Journal
    name: str
    moves: Moves
    in_case: Mapping[Case, Moves] = field(default_factory=dict)

    @property
    def all_moves(self) -> Moves:
        """Every pair that an entry of this event may hold, each once; none where it reverses another entry."""
        return tuple(dict.fromkeys((*self.moves, *(pair for pairs in self.in_case.values() for pair in pairs))))


def _reversed(claimed: Code) -> tuple[Moves, Mapping[Case, Moves]]:
    """Return what a reversed redemption moves: its vouchers' stage, and what funders owed against `claimed`."""
    funders = (claimed, Code.TO_CALL)
    return ((Code.HANDED_OVER, Code.USED), funders), {
        Case.BACK_IN_STOCK: ((Code.ISSUED, Code.USED), funders),
        Case.CREDIT_FREED: ((Code.COMMITTED, Code.USED), funders),
    }


RULES: Mapping[EventType, EventRule] = {
    EventType.ENVELOPE_OPENED: EventRule(Journal.BUDGET, "Ouverture d’enveloppe", ((Code.AVAILABLE, Code.ENVELOPES),)),
    EventType.CREDITS_COMMITTED: EventRule(
        Journal.BUDGET, "Engagement sur convention", ((Code.COMMITTED, Code.AVAILABLE),)
    ),
    EventType.VOUCHERS_ISSUED: EventRule(Journal.VOUCHERS, "Émission de chèques", ((Code.ISSUED, Code.COMMITTED),)),
    EventType.BOOKLET_HANDED_OVER: EventRule(
        Journal.VOUCHERS, "Remise d’un carnet", ((Code.HANDED_OVER, Code.ISSUED),)
    ),
    EventType.VOUCHERS_REDEEMED: EventRule(
        Journal.VOUCHERS, "Encaissement de chèques", ((Code.USED, Code.HANDED_OVER), (Code.TO_CALL, Code.OWED))
    ),
    EventType.VOUCHERS_REDEEMED_FROM_STOCK: EventRule(
        Journal.VOUCHERS, "Encaissement de chèques sans remise", ((Code.USED, Code.ISSUED), (Code.TO_CALL, Code.OWED))
    ),
    # A reversal: its movements are those of the entry it undoes, the other way round.
    EventType.REDEMPTION_UNDONE: EventRule(Journal.VOUCHERS, "Annulation d’un encaissement", ()),
    EventType.STOCK_VOIDED: EventRule(
        Journal.VOUCHERS, "Destruction de carnets non remis", ((Code.COMMITTED, Code.ISSUED),)
    ),
    EventType.STOCK_STOPPED: EventRule(Journal.VOUCHERS, "Opposition avant remise", ((Code.COMMITTED, Code.ISSUED),)),
    EventType.VOUCHERS_STOPPED: EventRule(
        Journal.VOUCHERS, "Opposition après remise", ((Code.COMMITTED, Code.HANDED_OVER),)
    ),
    EventType.STOCK_LAPSED: EventRule(
        Journal.VOUCHERS, "Caducité de chèques non remis", ((Code.COMMITTED, Code.ISSUED),)
    ),
    EventType.VOUCHERS_LAPSED: EventRule(
        Journal.VOUCHERS, "Caducité de chèques remis", ((Code.COMMITTED, Code.HANDED_OVER),)
    ),
    # What a structure owes back is netted in the batch's own entry, and restored when its advice is set aside.
    EventType.BATCH_FROZEN: EventRule(
        Journal.SETTLEMENT,
        "Lot de règlement arrêté",
        ((Code.OWED, Code.ORDERED),),
        {Case.NETTED: ((Code.OWED, Code.OVERPAID),)},
    ),
    EventType.ADVICE_SET_ASIDE: EventRule(
        Journal.SETTLEMENT,
        "Règlement mis de côté",
        ((Code.ORDERED, Code.OWED),),
        {Case.NETTED: ((Code.OVERPAID, Code.OWED),)},
    ),
    EventType.BATCH_EXPORTED: EventRule(
        Journal.SETTLEMENT, "Lot de règlement transmis", ((Code.ORDERED, Code.IN_TRANSIT),)
    ),
    EventType.TRANSFER_BOOKED: EventRule(Journal.BANK, "Virement exécuté", ((Code.IN_TRANSIT, Code.BANK),)),
    EventType.TRANSFER_REJECTED: EventRule(Journal.BANK, "Virement rejeté", ((Code.IN_TRANSIT, Code.OWED),)),
    EventType.REJECTION_WITHDRAWN: EventRule(
        Journal.BANK, "Rejet démenti : virement débité", ((Code.OWED, Code.IN_TRANSIT),)
    ),
    EventType.TRANSFER_RETURNED: EventRule(Journal.BANK, "Virement retourné", ((Code.BANK, Code.OWED),)),
    EventType.UNKNOWN_CREDIT_BOOKED: EventRule(Journal.BANK, "Crédit à identifier", ((Code.BANK, Code.UNIDENTIFIED),)),
    EventType.UNKNOWN_DEBIT_BOOKED: EventRule(Journal.BANK, "Débit à identifier", ((Code.UNIDENTIFIED, Code.BANK),)),
    EventType.DEBIT_IDENTIFIED: EventRule(
        Journal.BANK, "Débit identifié : virement exécuté", ((Code.IN_TRANSIT, Code.UNIDENTIFIED),)
    ),
    EventType.CREDIT_IDENTIFIED: EventRule(
        Journal.BANK, "Crédit identifié : virement retourné", ((Code.UNIDENTIFIED, Code.OWED),)
    ),
    # A reversal of what a match had posted: the line's money waits in 4711 again.
    EventType.MATCH_UNDONE: EventRule(Journal.BANK, "Rapprochement défait", ()),
    EventType.BANK_CHARGED: EventRule(Journal.BANK, "Frais bancaires", ((Code.CHARGES, Code.BANK),)),
    EventType.BANK_CHARGE_REFUNDED: EventRule(Journal.BANK, "Frais bancaires remboursés", ((Code.BANK, Code.CHARGES),)),
    EventType.CHARGE_IDENTIFIED: EventRule(
        Journal.BANK, "Débit identifié : frais bancaires", ((Code.CHARGES, Code.UNIDENTIFIED),)
    ),
    EventType.CHARGE_REFUND_IDENTIFIED: EventRule(
        Journal.BANK, "Crédit identifié : frais bancaires remboursés", ((Code.UNIDENTIFIED, Code.CHARGES),)
    ),
    EventType.CREDITS_RELEASED: EventRule(
        Journal.BUDGET, "Crédits rendus à l’enveloppe", ((Code.AVAILABLE, Code.COMMITTED),)
    ),
    EventType.FUNDS_CALLED: EventRule(Journal.FUNDING, "Appel de fonds sur l’utilisé", ((Code.CALLED, Code.TO_CALL),)),
    EventType.ADVANCE_CALLED: EventRule(Journal.FUNDING, "Appel d’une avance", ((Code.CALLED, Code.ADVANCES),)),
    EventType.ADVANCE_USED: EventRule(
        Journal.FUNDING, "Avance imputée sur l’utilisé", ((Code.ADVANCES, Code.TO_CALL),)
    ),
    # A reversal of the call.
    EventType.CALL_CANCELLED: EventRule(Journal.FUNDING, "Appel de fonds annulé", ()),
    # At the final balance: what was clawed back after it was called is the funder's, as what remains of an advance is.
    EventType.OVERCALL_CARRIED: EventRule(
        Journal.FUNDING, "Trop appelé porté en avance", ((Code.TO_CALL, Code.ADVANCES),)
    ),
    # Money received first waits in 4711, as any unknown credit; a match says whose it is.
    EventType.FUNDS_IDENTIFIED: EventRule(
        Journal.FUNDING, "Fonds reçus d’un financeur", ((Code.UNIDENTIFIED, Code.CALLED),)
    ),
    EventType.ADVANCE_REFUNDED: EventRule(
        Journal.FUNDING, "Avance rendue à un financeur", ((Code.ADVANCES, Code.UNIDENTIFIED),)
    ),
    EventType.ADVANCE_RETURNED: EventRule(
        Journal.FUNDING, "Avance rendue avant le décompte", ((Code.ADVANCES, Code.UNIDENTIFIED),)
    ),
    EventType.REDEMPTION_CLAWED_BACK: EventRule(
        Journal.SETTLEMENT, "Encaissement repris après règlement", *_reversed(Code.OVERPAID)
    ),
    EventType.REDEMPTION_DISPUTED: EventRule(
        Journal.SETTLEMENT, "Encaissement contesté", ((Code.OWED, Code.SUSPENDED),)
    ),
    EventType.DISPUTE_DISMISSED: EventRule(Journal.SETTLEMENT, "Contestation levée", ((Code.SUSPENDED, Code.OWED),)),
    EventType.DISPUTE_UPHELD: EventRule(Journal.SETTLEMENT, "Contestation fondée", *_reversed(Code.SUSPENDED)),
    EventType.OVERPAYMENT_REPAID: EventRule(
        Journal.BANK, "Trop-perçu remboursé", ((Code.UNIDENTIFIED, Code.OVERPAID),)
    ),
    EventType.OVERPAYMENT_WRITTEN_OFF: EventRule(
        Journal.SETTLEMENT, "Trop-perçu non recouvré", ((Code.WRITTEN_OFF, Code.OVERPAID),)
    ),
}


@dataclass(frozen=True, slots=True)
class AccountKey:
    """An account of the chart with its dimensions filled in. Its id follows from it, so posting never looks one up."""

    code: Code
    funder_id: UUID | None = None
    agreement_id: UUID | None = None
    structure_id: UUID | None = None
    bank_account_id: UUID | None = None

    def __post_init__(self) -> None:
        filled = {d for d in Dimension if getattr(self, f"{d}_id") is not None}
        if filled != set(CHART[self.code].dimensions):
            raise ValueError(f"account {self.code} is kept by {CHART[self.code].dimensions}, not by {sorted(filled)}")

    @property
    def key(self) -> str:
        """The unique text of the account: its code, then each dimension in the chart's order."""
        parts = [f"{d}={getattr(self, f'{d}_id')}" for d in CHART[self.code].dimensions]
        return " ".join([self.code, *parts])

    @property
    def id(self) -> int:
        """The account's id, derived from its key."""
        return _id_of(self)


@lru_cache(maxsize=1 << 16)
def _id_of(account: AccountKey) -> int:
    return derived_number(account.key)


def account_of(code: Code, dimensions: Mapping[Dimension, UUID]) -> AccountKey:
    """Return the account of `code`, taking from `dimensions` what the chart keeps it by. Raises KeyError if one lacks."""
    return AccountKey(code, **{f"{d}_id": dimensions[d] for d in CHART[code].dimensions})


@dataclass(frozen=True, slots=True)
class Movement:
    """One debit account, one credit account, an amount in cents above zero. Made by `movements_of` alone: a test holds it."""

    debit: AccountKey
    credit: AccountKey
    amount_cents: int


def movements_of(
    event_type: EventType,
    dimensions: Mapping[Dimension, UUID],
    amounts_cents: Mapping[UUID, int],
    case: Case | None = None,
) -> list[Movement]:
    """Return the movements an event makes, by itself or in a case of its line. `amounts_cents` gives each funder's part, in cents.

    A pair with a funder on either side moves once for each funder that pays something; another pair moves the total once.
    Raises KeyError for a case that the line does not know, or a dimension that lacks.
    """
    rule = RULES[event_type]
    movements = []
    for debit, credit in rule.moves if case is None else rule.in_case[case]:
        by_funder = _F in CHART[debit].dimensions or _F in CHART[credit].dimensions
        parts: list[tuple[UUID | None, int]] = (
            [*amounts_cents.items()] if by_funder else [(None, sum(amounts_cents.values()))]
        )
        for funder_id, amount_cents in parts:
            if amount_cents == 0:
                continue
            of = dict(dimensions) if funder_id is None else {**dimensions, _F: funder_id}
            movements.append(Movement(account_of(debit, of), account_of(credit, of), amount_cents))
    return movements
