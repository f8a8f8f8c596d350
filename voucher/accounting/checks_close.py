"""What must be true of the lists that two people sign before a year is closed (ADR 23)."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.accounting.close_items import ITEM_NAMES, CloseItem
from voucher.accounting.model import CloseCheck
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.model import FiscalYear
from voucher.ledger.rule_starts import CLOSE_CHECKS, written_under


def check_two_people_looked_before_a_close(session: Session) -> list[Violation]:
    """Chaque exercice clos porte la liste de fin d’exercice, signée par les deux personnes, avec la raison de ce qui restait."""
    years = session.scalars(
        select(FiscalYear).where(FiscalYear.closed_at.is_not(None), written_under(CLOSE_CHECKS, FiscalYear.closed_at))
    ).all()
    found = []
    for year in years:
        rows = session.scalars(
            select(CloseCheck).where(CloseCheck.year == year.year, CloseCheck.proposal_id == year.proposal_id)
        ).all()
        said: dict[tuple[UUID | None, str], CloseCheck] = {(row.said_by, row.item): row for row in rows}
        for item in CloseItem:
            subject = f"exercice {year.year}, « {ITEM_NAMES[item]} »"
            proposed, confirmed = (said.pop((one, item.value), None) for one in (year.proposed_by, year.closed_by))
            if proposed is None or confirmed is None:
                detail = "clos sans la liste signée des deux personnes"
            elif confirmed.found_count and _figures(confirmed) != _figures(proposed):
                detail = f"{_words(proposed)} acceptés par l’une, {_words(confirmed)} par l’autre"
            elif any(row.found_count and not row.reason.strip() for row in (proposed, confirmed)):
                detail = "ce qui restait est accepté sans raison"
            else:
                continue
            found.append(Violation("two_people_looked_before_a_close", subject, detail))
        found += [
            Violation("two_people_looked_before_a_close", f"exercice {year.year}", f"{one} a signé sans clore")
            for one in sorted({str(who) for who, _ in said})
        ]
    return found


def _figures(row: CloseCheck) -> tuple[int, int]:
    return row.found_count, row.found_cents


def _words(row: CloseCheck) -> str:
    return f"{row.found_count} pour {format_euros(row.found_cents)}"


CHECKS: tuple[Check, ...] = (check_two_people_looked_before_a_close,)
