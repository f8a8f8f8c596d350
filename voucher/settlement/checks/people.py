"""What must be true of who decides of disputes and overpayments: two people; and of who approves in somebody's place: three."""

from functools import cache
from typing import Any

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, french_instant, paris_day
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.programme.model import Agreement
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.model.deputies import ApproverDeputy
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


@cache
def _query_deputies_approve_in_their_days() -> Select[*tuple[Any, ...]]:
    return (
        select(
            SettlementBatch.number,
            SettlementBatch.approved_by,
            SettlementBatch.approved_at,
            SettlementBatch.frozen_by,
            SettlementBatch.exported_by,
            Agreement.issuer_id.label("paid_for"),
            *ApproverDeputy.__table__.columns,
        )
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(ApproverDeputy, ApproverDeputy.id == SettlementBatch.approved_as_id)
    )


def check_deputies_approve_in_their_days(session: Session) -> list[Violation]:
    """Un lot validé en remplacement l’est par la personne nommée, acceptée par une troisième, un de ses jours, et jamais par qui l’a préparé."""
    rows = session.execute(_query_deputies_approve_in_their_days())
    return [
        Violation("deputies_approve_in_their_days", f"lot {row.number}", why)
        for row in rows
        if (why := _not_as_deputy(row))
    ][:ROWS_MAX]


def _not_as_deputy(row: Row[*tuple[Any, ...]]) -> str:
    if row.approved_by != row.deputy_id or row.issuer_id not in (None, row.paid_for):
        return "validé par une autre personne que celle nommée, ou pour une autre collectivité"
    if len({row.approver_id, row.deputy_id, row.decided_by}) < 3:
        return "le remplacement n’a pas été demandé, tenu et accepté par trois personnes"
    if not row.is_accepted or row.decided_at > row.approved_at:
        return "le remplacement n’était pas accepté"
    if row.ended_at is not None and row.ended_at < row.approved_at:
        return f"le remplacement avait pris fin le {french_instant(row.ended_at)}"
    if not row.from_on <= paris_day(row.approved_at) <= row.until_on:
        return f"le remplacement allait du {french_date(row.from_on)} au {french_date(row.until_on)}"
    if row.deputy_id in (row.frozen_by, row.exported_by):
        return "la personne qui l’a validé en remplacement l’a aussi arrêté ou transmis"
    return ""


CHECKS: tuple[Check, ...] = (check_two_people_decide, check_deputies_approve_in_their_days)
