"""What must be true of who is paid and who decides: the structure's own RIB, and two people wherever the rule asks for two."""

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.network.model import BankDetails, Structure
from voucher.settlement.model import PaymentAdvice
from voucher.settlement.model_overpayments import Dispute, Overpayment

ROWS_MAX = 100


def check_an_advice_pays_its_structures_account(session: Session) -> list[Violation]:
    """Un règlement va à un IBAN que la structure a donné, au nom du titulaire qu'elle a donné avec lui."""
    given = exists().where(
        BankDetails.structure_id == PaymentAdvice.structure_id,
        BankDetails.iban == PaymentAdvice.iban,
        BankDetails.holder_name == PaymentAdvice.holder_name,
        BankDetails.bic.is_not_distinct_from(PaymentAdvice.bic),
    )
    rows = session.execute(
        select(PaymentAdvice.reference, PaymentAdvice.iban, PaymentAdvice.holder_name, Structure.name)
        .outerjoin(Structure, Structure.id == PaymentAdvice.structure_id)
        .where(PaymentAdvice.iban.is_not(None), ~given)
        .order_by(PaymentAdvice.reference)
        .limit(ROWS_MAX)
    )
    return [
        Violation(
            "an_advice_pays_its_structures_account",
            f"règlement {row.reference}",
            f"vers {row.iban} au nom de {row.holder_name}, RIB que {row.name or 'sa structure'} n’a pas donné",
        )
        for row in rows
    ]


def check_two_people_decide(session: Session) -> list[Violation]:
    """Qui ouvre une contestation ne la tranche pas ; qui demande d'abandonner un trop-perçu ne l'accorde pas."""
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


CHECKS: tuple[Check, ...] = (check_an_advice_pays_its_structures_account, check_two_people_decide)
