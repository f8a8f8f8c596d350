"""What must be true of what two people did to a bank line: another person confirmed it, and it is what was proposed."""

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros, sum_cents
from voucher.settlement.checks.ledger_gaps import LINE_COLUMNS, ROWS_MAX, line_name
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.words.states import MatchKind, ProposalKind

_BY_TWO_ALONE = (MatchKind.ADVANCE_RETURN,)


def check_two_people_did_what_was_proposed(session: Session) -> list[Violation]:
    """Ce qui demande deux personnes sur une ligne de banque est fait par deux personnes, pour la somme proposée, et défait de même."""
    made = (
        select(
            BankMatch.id,
            func.sum(BankMatch.amount_cents).label("cents"),
            func.max(case((BankMatch.line_id != LineProposal.line_id, 1), else_=0)).label("is_elsewhere"),
            func.max(case((BankMatch.made_by != LineProposal.confirmed_by, 1), else_=0)).label("is_other"),
            func.count(BankMatch.undone_at).label("undone"),
        )
        .join(LineProposal, LineProposal.id == BankMatch.id)
        .group_by(BankMatch.id)
        .subquery()
    )
    undo = aliased(LineProposal)
    is_done = LineProposal.confirmed_at.is_not(None)
    rows = session.execute(
        select(*LINE_COLUMNS, LineProposal.amount_cents, made.c.cents)
        .join(LineProposal, LineProposal.line_id == BankLine.id)
        .outerjoin(made, made.c.id == LineProposal.id)
        .outerjoin(undo, and_(undo.undoes_id == LineProposal.id, undo.confirmed_at.is_not(None)))
        .where(
            or_(
                LineProposal.confirmed_by == LineProposal.proposed_by,
                and_(
                    LineProposal.kind != ProposalKind.UNDO,
                    or_(
                        is_done != made.c.id.is_not(None),
                        made.c.cents != LineProposal.amount_cents,
                        made.c.is_elsewhere == 1,
                        made.c.is_other == 1,
                        (func.coalesce(made.c.undone, 0) > 0) != undo.id.is_not(None),
                    ),
                ),
            )
        )
        .limit(ROWS_MAX)
    )
    alone = session.execute(
        select(*LINE_COLUMNS, BankMatch.amount_cents, BankLine.amount_cents.label("line_cents"))
        .join(BankMatch, BankMatch.line_id == BankLine.id)
        .outerjoin(LineProposal, LineProposal.id == BankMatch.id)
        .where(BankMatch.kind.in_(_BY_TWO_ALONE), LineProposal.id.is_(None))
        .limit(ROWS_MAX)
    )
    return [
        *(
            Violation(
                "two_people_did_what_was_proposed",
                line_name(row),
                f"{format_euros(row.amount_cents)} proposés, {format_euros(sum_cents(row.cents))} rapprochés, ou par une personne seule",
            )
            for row in rows
        ),
        *(
            Violation(
                "two_people_did_what_was_proposed",
                line_name(row),
                f"{format_euros(row.amount_cents)} d’une ligne de {format_euros(row.line_cents)}, que personne n’a proposés",
            )
            for row in alone
        ),
    ]


CHECKS: tuple[Check, ...] = (check_two_people_did_what_was_proposed,)
