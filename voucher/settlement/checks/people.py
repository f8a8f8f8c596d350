"""What must be true of who decides of disputes and overpayments: two people."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.settlement.model.recoveries import Dispute, Overpayment

ROWS_MAX = 100


def check_two_people_decide(session: Session) -> list[Violation]:
    """Qui ouvre une contestation ne la tranche pas ; qui demande d’abandonner un trop-perçu ne l’accorde pas."""
    disputes = session.execute(
        select(Dispute.id, Dispute.amount_cents).where(Dispute.decided_by == Dispute.opened_by).limit(ROWS_MAX)
    )
    given_up = session.execute(
        select(Overpayment.id, Overpayment.amount_cents)
        .where(
            Overpayment.written_off_by.is_not(None),
            or_(Overpayment.written_off_by == Overpayment.write_off_asked_by, Overpayment.write_off_asked_by.is_(None)),
        )
        .limit(ROWS_MAX)
    )
    return [
        *(
            Violation(
                "two_people_decide",
                f"contestation {row.id}",
                f"de {format_euros(row.amount_cents)}, tranchée par la personne qui l’a ouverte",
            )
            for row in disputes
        ),
        *(
            Violation(
                "two_people_decide",
                f"trop-perçu {row.id}",
                f"de {format_euros(row.amount_cents)}, abandonné par une personne seule",
            )
            for row in given_up
        ),
    ]


CHECKS: tuple[Check, ...] = (check_two_people_decide,)
