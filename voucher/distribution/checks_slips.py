"""What `voucher verify` proves of stock: every booklet is where its slips, followed one after the other, have led it."""

from itertools import groupby
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from voucher.distribution.model import Prescriber, StockSlip
from voucher.issuing.model import Booklet, IssueBatch
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.checks import Check, Violation
from voucher.kernel.number_labels import booklet_label
from voucher.programme.model import Agreement

ROWS_MAX = 100
_NAME = "booklets_are_where_slips_led_them"


def check_booklets_are_where_slips_led_them(session: Session) -> list[Violation]:
    """Chaque carnet est chez qui ses bordereaux de stock, suivis l’un après l’autre, l’ont confié ; chaque bordereau part d’où il dit."""
    names = {row.id: row.name for row in session.execute(select(Prescriber.id, Prescriber.name))}

    def named(prescriber_id: UUID | None) -> str:
        return "l’émetteur" if prescriber_id is None else names.get(prescriber_id, "un prescripteur inconnu")

    last = session.scalar(select(func.max(Booklet.number))) or 0
    holders: list[UUID | None] = [None] * (last + 1)
    found = []
    slips = session.execute(
        select(
            StockSlip.first_booklet_number,
            StockSlip.booklet_count,
            StockSlip.from_prescriber_id,
            StockSlip.to_prescriber_id,
            StockSlip.made_at,
        ).order_by(StockSlip.made_at, StockSlip.id)
    )
    for _, group in groupby(slips, lambda slip: slip.made_at):
        # Of one instant, the one that leaves from where booklets are comes first.
        waiting = list(group)
        while waiting:
            slip = next((one for one in waiting if _leaves_from_here(holders, one)), waiting[0])
            waiting.remove(slip)
            first, end = slip.first_booklet_number, slip.first_booklet_number + slip.booklet_count
            if not _leaves_from_here(holders, slip):
                here = sorted({named(holder) for holder in holders[first:end]})
                detail = f"il part de chez {named(slip.from_prescriber_id)}, les carnets étaient chez {', '.join(here) or 'personne'}"
                subject = f"bordereau de stock du {french_date(paris_day(slip.made_at))}, carnets {first} à {end - 1}"
                found.append(Violation(_NAME, subject, detail))
            holders[first:end] = [slip.to_prescriber_id] * min(slip.booklet_count, max(last + 1 - first, 0))
    rows = session.execute(
        select(Booklet.number, Booklet.prescriber_id, Prescriber.issuer_id, Agreement.issuer_id.label("owner_id"))
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(Agreement, Agreement.id == IssueBatch.agreement_id)
        .outerjoin(Prescriber, Prescriber.id == Booklet.prescriber_id)
        .order_by(Booklet.number)
        .execution_options(yield_per=10_000)
    )
    for number, prescriber_id, issuer_id, owner_id in rows:
        if prescriber_id != holders[number]:
            detail = f"chez {named(prescriber_id)}, ses bordereaux le disent chez {named(holders[number])}"
            found.append(Violation(_NAME, f"carnet {booklet_label(number)}", detail))
        elif prescriber_id is not None and issuer_id != owner_id:
            found.append(
                Violation(
                    _NAME,
                    f"carnet {booklet_label(number)}",
                    f"confié à {named(prescriber_id)}, qui est d’un autre émetteur",
                )
            )
    return found[:ROWS_MAX]


def _leaves_from_here(holders: list[UUID | None], slip: Row[int, int, UUID | None, UUID | None, object]) -> bool:
    here = holders[slip.first_booklet_number : slip.first_booklet_number + slip.booklet_count]
    return here == [slip.from_prescriber_id] * slip.booklet_count


CHECKS: tuple[Check, ...] = (check_booklets_are_where_slips_led_them,)
