"""What must be true of what two people did to a bank line: another person confirmed it, and it is what was proposed."""

import hashlib
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros, sum_cents
from voucher.settlement.checks.ledger_gaps import LINE_COLUMNS, ROWS_MAX, line_name
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine
from voucher.settlement.model.proposals import LineProposal
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.words.states import MatchKind, ProposalKind, RefundState

_BY_TWO_ALONE = (MatchKind.ADVANCE_RETURN, MatchKind.REFUND)


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
                        # What a bank refuses to send back is undone by its report alone.
                        and_(
                            LineProposal.kind != ProposalKind.REFUND,
                            (func.coalesce(made.c.undone, 0) > 0) != undo.id.is_not(None),
                        ),
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


@cache
def _query_a_refund_is_what_the_bank_said() -> Select[*tuple[Any, ...]]:
    taken, debit, line = aliased(BankMatch), aliased(BankMatch), aliased(BankLine)
    return (
        select(
            LineRefund.reference,
            LineRefund.amount_cents,
            debit.amount_cents.label("debited"),
            LineRefund.file_content,
            LineRefund.file_sha256,
            taken.amount_cents.label("taken"),
            LineRefund.state,
            line.is_credit,
            (line.paying_account_id != LineRefund.paying_account_id).label("is_elsewhere"),
            LineProposal.amount_cents.label("asked"),
        )
        .join(LineProposal, LineProposal.id == LineRefund.id)
        .outerjoin(taken, and_(taken.id == LineRefund.id, taken.undone_at.is_(None)))
        .outerjoin(debit, and_(debit.id == LineRefund.debit_match_id, debit.undone_at.is_(None)))
        .outerjoin(line, line.id == debit.line_id)
    )


def check_a_refund_is_what_the_bank_said(session: Session) -> list[Violation]:
    """Un renvoi transmis a son fichier, entier, et sa part de la ligne ; débité, il a sa ligne au débit, de son montant, sur son compte."""
    stands = (RefundState.IN_FILE, RefundState.PAID, RefundState.RETURNED)
    rows = session.execute(
        _query_a_refund_is_what_the_bank_said()
    )  # fmt: skip
    found = []
    for row in rows:
        is_debited = row.state in (RefundState.PAID, RefundState.RETURNED)
        is_right = (
            row.asked == row.amount_cents
            and row.taken == (row.amount_cents if row.state in stands else None)
            and row.debited == (row.amount_cents if is_debited else None)
            and not (is_debited and (row.is_credit or row.is_elsewhere))
            and (row.file_content is None or hashlib.sha256(row.file_content).hexdigest() == row.file_sha256)
        )
        if not is_right:
            detail = f"{format_euros(row.amount_cents)} à renvoyer, {format_euros(sum_cents(row.debited))} débités, ou un autre fichier"
            found.append(Violation("a_refund_is_what_the_bank_said", f"renvoi {row.reference}", detail))
    return found[:ROWS_MAX]


CHECKS: tuple[Check, ...] = (
    check_a_refund_is_what_the_bank_said,
    check_two_people_did_what_was_proposed,
)
