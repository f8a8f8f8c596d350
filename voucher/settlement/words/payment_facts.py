"""What is known of a payment on a day, as values: what the sentences about it are made from."""

from dataclasses import dataclass
from datetime import date

from voucher.settlement.words.causes import Cause, ReasonText
from voucher.settlement.words.states import AdviceState, LineOrigin
from voucher.settlement.words.transitions import PaymentWhy


@dataclass(frozen=True, slots=True)
class Past:
    """A change of a payment's state, in the order of its history: into which, why, and the day since when, None where nothing proves it."""

    state: AdviceState
    why: PaymentWhy
    on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """What is known of a payment on a day.

    `state` is None while no batch holds the money: then `is_month_running` says whether its month goes on. `past` are its changes
    since it was put in a batch, the last one into `state`, and `paid_on` the day of its last payment, even if it came back since. `reason` is what the bank or the accountant said of the failure,
    `cause` what keeps it from being paid now, `set_aside_because` what a person wrote who took it out of its batch,
    `changed` what changed since its batch was frozen, so that it cannot leave with it. `confirmed_by` says whose line proves the
    payment. `expected_on` is the latest day on which an
    executed transfer reaches the account; `taken_up_in` the number of the batch that carries the money now.
    """

    today: date
    state: AdviceState | None
    is_month_running: bool = False
    is_approved: bool = False
    is_by_bank: bool = True
    issuer_name: str = ""
    due_on: date | None = None
    sent_on: date | None = None
    execution_on: date | None = None
    expected_on: date | None = None
    past: tuple[Past, ...] = ()
    paid_on: date | None = None
    confirmed_by: LineOrigin | None = None
    reason: ReasonText | None = None
    cause: Cause | None = None
    set_aside_because: str = ""
    changed: str = ""
    taken_up_in: str = ""

    @property
    def payer(self) -> str:
        """Who pays: the bank, or the public accountant."""
        return "La banque" if self.is_by_bank else "Le comptable public"

    @property
    def by_payer(self) -> str:
        """Who pays, inside a sentence."""
        return "la banque" if self.is_by_bank else "le comptable public"

    @property
    def to_payer(self) -> str:
        """To whom a batch is sent, inside a sentence."""
        return "à la banque" if self.is_by_bank else "au comptable public"

    def last_on(self, state: AdviceState) -> date | None:
        """Return the day on which the payment was last put in a state, None when it never was or nothing proves the day."""
        return next((one.on for one in reversed(self.past) if one.state is state), None)

    def was(self, state: AdviceState) -> bool:
        """Say whether the payment was ever in a state."""
        return any(one.state is state for one in self.past)

    @property
    def last_why(self) -> PaymentWhy | None:
        """Why the payment is in its state, None where no history says it."""
        return self.past[-1].why if self.past else None
