"""Changer les conditions de paiement: when an agreement's structures are paid, from how much, and within how many days."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from voucher.kernel.calendar import LAST_DAY
from voucher.kernel.clean_input import member
from voucher.kernel.database import Database, changed
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement, SettlementRhythm

PAYMENT_DAYS_MAX = 60
MINIMUM_CENTS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """A rhythm (`monthly` or `on_demand`), a minimum in cents (0: none), a number of days after the period's end.

    `cut_off_day` is the last day of the month that a monthly period takes, 1 to 31; 31 is the month's last.
    """

    settlement_rhythm: str
    minimum_payment_cents: int
    payment_days: int
    cut_off_day: int = LAST_DAY


def change_payment_terms(
    database: Database,
    agreement_id: UUID,
    terms: PaymentTerms,
    *,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,  # noqa: ARG001 - and when
) -> None:
    """Set an agreement's payment terms; the same again changes nothing. Raises Refused.

    The minimum and the days hold for what is frozen from now on; the rhythm and the cut-off for the period that opens next.
    """
    if not 0 <= terms.minimum_payment_cents <= MINIMUM_CENTS_MAX:
        raise Refused(
            "minimum_out_of_range",
            f"Écrivez un minimum de 0 à {MINIMUM_CENTS_MAX // 100} €. Au-dessus, une structure attendrait trop.",
            "minimum_payment_cents",
        )
    if not 1 <= terms.payment_days <= PAYMENT_DAYS_MAX:
        raise Refused("days_out_of_range", f"Écrivez un délai de 1 à {PAYMENT_DAYS_MAX} jours.", "payment_days")
    if not 1 <= terms.cut_off_day <= LAST_DAY:
        raise Refused(
            "cut_off_out_of_range", "Écrivez un jour de 1 à 31. 31 veut dire le dernier du mois.", "cut_off_day"
        )
    values = {
        "settlement_rhythm": member(SettlementRhythm, terms.settlement_rhythm, "settlement_rhythm"),
        "minimum_payment_cents": terms.minimum_payment_cents,
        "payment_days": terms.payment_days,
        "cut_off_day": terms.cut_off_day,
    }
    with database.write() as session:
        if changed(session, update(Agreement).where(Agreement.id == agreement_id).values(**values)) == 0:
            raise Refused("unknown_agreement", "Cette convention n’existe pas. Choisissez-la dans la liste.")
