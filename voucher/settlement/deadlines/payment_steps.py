"""The steps of a payment as its structure reads them: what happened, then where it stands now and who must act."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from voucher.settlement.words.causes import Holder
from voucher.settlement.words.past_sentences import past_sentences
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.payment_sentences import Said, said


@dataclass(frozen=True, slots=True)
class PaymentStep:
    """A step of a payment: `at` or `on` says when, where that is known; the last one says who holds it now and what they must do."""

    what: str
    at: datetime | None
    holder: Holder
    who: str
    next: str
    on: date | None = None


def step_of(told: Said) -> PaymentStep:
    """Return where a payment stands as the last of its steps."""
    following = " ".join(one for one in (told.act, told.when) if one)
    return PaymentStep(told.what, None, told.holder, told.who, following)


def advice_steps(
    facts: PaymentFacts, batch_number: str, frozen_at: datetime, approved_at: datetime | None
) -> list[PaymentStep]:
    """Return what happened to one payment, the last step saying where it stands.

    `approved_at` is None for a payment that was set aside: nobody approved it.
    """
    done = [done_step(f"Mis dans le lot {batch_number}", frozen_at)]
    if approved_at is not None:
        done.append(done_step("Lot validé par une deuxième personne", approved_at))
    done += [PaymentStep(what, None, Holder.NOBODY, "", "", on) for what, on in past_sentences(facts)]
    # Each redemption has a day of its own, which is told beside it.
    return [*done, step_of(said(replace(facts, due_on=None)))]


def done_step(what: str, at: datetime | None) -> PaymentStep:
    """Return a step that is over."""
    return PaymentStep(what, at, Holder.NOBODY, "", "")
