"""The chart of accounts and the one table that says which movements an event makes (ledger.md §2).

Two books that no movement crosses. *Budget* follows an envelope's euros through the stages of a voucher's life, so that
the programme's funnel in money is a list of balances. *General* holds what is owed, to whom, and what the bank did.
What a freeze nets of an overpayment (4670 to 4671) stands in the batch's own
entry. The mapping to a public accountant's own chart is to be validated by that accountant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class AccountClass:
    """A line of the chart: one account exists for each combination of its dimensions."""

    code: str
    name: str
    book: Book
    normal_side: Side
    dimensions: tuple[Dimension, ...]


_F, _A, _S, _B = Dimension.FUNDER, Dimension.AGREEMENT, Dimension.STRUCTURE, Dimension.BANK_ACCOUNT
CHART: Mapping[str, AccountClass] = {
    line.code: line
    for line in (
        AccountClass("8010", "Enveloppes ouvertes", Book.BUDGET, Side.CREDIT, (_F,)),
        AccountClass("8020", "Crédits disponibles, à affecter", Book.BUDGET, Side.DEBIT, (_F,)),
        AccountClass("8030", "Crédits engagés sur convention, à émettre", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass("8040", "Chèques émis, à remettre", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass("8045", "Chèques remis, à utiliser", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass("8050", "Chèques utilisés", Book.BUDGET, Side.DEBIT, (_F, _A)),
        AccountClass("4430", "Financeurs, à appeler", Book.GENERAL, Side.DEBIT, (_F, _A)),
        AccountClass("4431", "Financeurs, appelés à recevoir", Book.GENERAL, Side.DEBIT, (_F, _A)),
        AccountClass("4432", "Financeurs, avances", Book.GENERAL, Side.CREDIT, (_F, _A)),
        AccountClass("4670", "Structures, chèques à régler", Book.GENERAL, Side.CREDIT, (_A, _S)),
        AccountClass("4671", "Structures, trop-perçus à récupérer", Book.GENERAL, Side.DEBIT, (_A, _S)),
        AccountClass("4675", "Structures, règlements ordonnancés", Book.GENERAL, Side.CREDIT, (_A, _S)),
        AccountClass("4678", "Structures, règlements suspendus", Book.GENERAL, Side.CREDIT, (_A, _S)),
        AccountClass("5115", "Virements transmis, non confirmés", Book.GENERAL, Side.CREDIT, (_A,)),
        AccountClass("5120", "Banque ou Trésor", Book.GENERAL, Side.DEBIT, (_B,)),
        AccountClass("4711", "Opérations bancaires à identifier", Book.GENERAL, Side.CREDIT, (_B,)),
        AccountClass("6270", "Frais bancaires", Book.GENERAL, Side.DEBIT, (_B,)),
        AccountClass("6540", "Trop-perçus non recouvrés", Book.GENERAL, Side.DEBIT, (_A, _S)),
    )
}


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


@dataclass(frozen=True, slots=True)
class EventRule:
    """One line of the table: the journal of an event and the (debit, credit) pairs it moves.

    `may_move` are pairs that some of these events move too, in the place of others or beside them; their verb writes them.
    """

    journal: Journal
    name: str
    moves: tuple[tuple[str, str], ...]
    may_move: tuple[tuple[str, str], ...] = ()


# Vouchers of a reversed redemption go back to stock if they were never handed over; stopped or lapsed since, their credit is free.
_GIVEN_BACK = (("8040", "8050"), ("8030", "8050"))

RULES: Mapping[EventType, EventRule] = {
    EventType.ENVELOPE_OPENED: EventRule(Journal.BUDGET, "Ouverture d'enveloppe", (("8020", "8010"),)),
    EventType.CREDITS_COMMITTED: EventRule(Journal.BUDGET, "Engagement sur convention", (("8030", "8020"),)),
    EventType.VOUCHERS_ISSUED: EventRule(Journal.VOUCHERS, "Émission de chèques", (("8040", "8030"),)),
    EventType.BOOKLET_HANDED_OVER: EventRule(Journal.VOUCHERS, "Remise d'un carnet", (("8045", "8040"),)),
    EventType.VOUCHERS_REDEEMED: EventRule(
        Journal.VOUCHERS, "Encaissement de chèques", (("8050", "8045"), ("4430", "4670"))
    ),
    EventType.VOUCHERS_REDEEMED_FROM_STOCK: EventRule(
        Journal.VOUCHERS, "Encaissement de chèques sans remise", (("8050", "8040"), ("4430", "4670"))
    ),
    # A reversal: its movements are those of the entry it undoes, the other way round.
    EventType.REDEMPTION_UNDONE: EventRule(Journal.VOUCHERS, "Annulation d'un encaissement", ()),
    EventType.STOCK_VOIDED: EventRule(Journal.VOUCHERS, "Destruction de carnets non remis", (("8030", "8040"),)),
    EventType.STOCK_STOPPED: EventRule(Journal.VOUCHERS, "Opposition avant remise", (("8030", "8040"),)),
    EventType.VOUCHERS_STOPPED: EventRule(Journal.VOUCHERS, "Opposition après remise", (("8030", "8045"),)),
    EventType.STOCK_LAPSED: EventRule(Journal.VOUCHERS, "Caducité de chèques non remis", (("8030", "8040"),)),
    EventType.VOUCHERS_LAPSED: EventRule(Journal.VOUCHERS, "Caducité de chèques remis", (("8030", "8045"),)),
    # What a structure owes back is netted in the batch's own entry, and restored when its advice is set aside.
    EventType.BATCH_FROZEN: EventRule(
        Journal.SETTLEMENT, "Lot de règlement arrêté", (("4670", "4675"),), (("4670", "4671"),)
    ),
    EventType.ADVICE_SET_ASIDE: EventRule(
        Journal.SETTLEMENT, "Règlement mis de côté", (("4675", "4670"),), (("4671", "4670"),)
    ),
    EventType.BATCH_EXPORTED: EventRule(Journal.SETTLEMENT, "Lot de règlement transmis", (("4675", "5115"),)),
    EventType.TRANSFER_BOOKED: EventRule(Journal.BANK, "Virement exécuté", (("5115", "5120"),)),
    EventType.TRANSFER_REJECTED: EventRule(Journal.BANK, "Virement rejeté", (("5115", "4670"),)),
    EventType.REJECTION_WITHDRAWN: EventRule(Journal.BANK, "Rejet démenti : virement débité", (("4670", "5115"),)),
    EventType.TRANSFER_RETURNED: EventRule(Journal.BANK, "Virement retourné", (("5120", "4670"),)),
    EventType.UNKNOWN_CREDIT_BOOKED: EventRule(Journal.BANK, "Crédit à identifier", (("5120", "4711"),)),
    EventType.UNKNOWN_DEBIT_BOOKED: EventRule(Journal.BANK, "Débit à identifier", (("4711", "5120"),)),
    EventType.DEBIT_IDENTIFIED: EventRule(Journal.BANK, "Débit identifié : virement exécuté", (("5115", "4711"),)),
    EventType.CREDIT_IDENTIFIED: EventRule(Journal.BANK, "Crédit identifié : virement retourné", (("4711", "4670"),)),
    # A reversal of what a match had posted: the line's money waits in 4711 again.
    EventType.MATCH_UNDONE: EventRule(Journal.BANK, "Rapprochement défait", ()),
    EventType.BANK_CHARGED: EventRule(Journal.BANK, "Frais bancaires", (("6270", "5120"),)),
    EventType.BANK_CHARGE_REFUNDED: EventRule(Journal.BANK, "Frais bancaires remboursés", (("5120", "6270"),)),
    EventType.CHARGE_IDENTIFIED: EventRule(Journal.BANK, "Débit identifié : frais bancaires", (("6270", "4711"),)),
    EventType.CHARGE_REFUND_IDENTIFIED: EventRule(
        Journal.BANK, "Crédit identifié : frais bancaires remboursés", (("4711", "6270"),)
    ),
    EventType.CREDITS_RELEASED: EventRule(Journal.BUDGET, "Crédits rendus à l'enveloppe", (("8020", "8030"),)),
    EventType.FUNDS_CALLED: EventRule(Journal.FUNDING, "Appel de fonds sur l'utilisé", (("4431", "4430"),)),
    EventType.ADVANCE_CALLED: EventRule(Journal.FUNDING, "Appel d'une avance", (("4431", "4432"),)),
    EventType.ADVANCE_USED: EventRule(Journal.FUNDING, "Avance imputée sur l'utilisé", (("4432", "4430"),)),
    # A reversal of the call.
    EventType.CALL_CANCELLED: EventRule(Journal.FUNDING, "Appel de fonds annulé", ()),
    # At the final balance: what was clawed back after it was called is the funder's, as what remains of an advance is.
    EventType.OVERCALL_CARRIED: EventRule(Journal.FUNDING, "Trop appelé porté en avance", (("4430", "4432"),)),
    # Money received first waits in 4711, as any unknown credit; a match says whose it is.
    EventType.FUNDS_IDENTIFIED: EventRule(Journal.FUNDING, "Fonds reçus d'un financeur", (("4711", "4431"),)),
    EventType.ADVANCE_REFUNDED: EventRule(Journal.FUNDING, "Avance rendue à un financeur", (("4432", "4711"),)),
    EventType.ADVANCE_RETURNED: EventRule(Journal.FUNDING, "Avance rendue avant le décompte", (("4432", "4711"),)),
    EventType.REDEMPTION_CLAWED_BACK: EventRule(
        Journal.SETTLEMENT, "Encaissement repris après règlement", (("8045", "8050"), ("4671", "4430")), _GIVEN_BACK
    ),
    EventType.REDEMPTION_DISPUTED: EventRule(Journal.SETTLEMENT, "Encaissement contesté", (("4670", "4678"),)),
    EventType.DISPUTE_DISMISSED: EventRule(Journal.SETTLEMENT, "Contestation levée", (("4678", "4670"),)),
    EventType.DISPUTE_UPHELD: EventRule(
        Journal.SETTLEMENT, "Contestation fondée", (("8045", "8050"), ("4678", "4430")), _GIVEN_BACK
    ),
    EventType.OVERPAYMENT_REPAID: EventRule(Journal.BANK, "Trop-perçu remboursé", (("4711", "4671"),)),
    EventType.OVERPAYMENT_WRITTEN_OFF: EventRule(Journal.SETTLEMENT, "Trop-perçu non recouvré", (("6540", "4671"),)),
}


@dataclass(frozen=True, slots=True)
class AccountKey:
    """An account of the chart with its dimensions filled in. Its id follows from it, so posting never looks one up."""

    code: str
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


def account_of(code: str, dimensions: Mapping[Dimension, UUID]) -> AccountKey:
    """Return the account of `code`, taking from `dimensions` what the chart keeps it by. Raises KeyError if one lacks."""
    return AccountKey(code, **{f"{d}_id": dimensions[d] for d in CHART[code].dimensions})


@dataclass(frozen=True, slots=True)
class Movement:
    """One debit account, one credit account, an amount in cents above zero."""

    debit: AccountKey
    credit: AccountKey
    amount_cents: int


def movements_of(
    event_type: EventType, dimensions: Mapping[Dimension, UUID], amounts_cents: Mapping[UUID, int]
) -> list[Movement]:
    """Return the movements an event makes. `amounts_cents` gives each funder's part, in cents.

    A pair with a funder on either side moves once for each funder that pays something; another pair moves the total once.
    """
    movements = []
    for debit, credit in RULES[event_type].moves:
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
