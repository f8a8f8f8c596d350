"""Two lines that undo each other: what the bank took by mistake and gave back, or the other way round.

Both wait in the same account 4711, one on each side: nothing is left to post, only to say that they belong together.
"""

from datetime import datetime
from uuid import UUID

from voucher.kernel.database import Database
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.settlement.reconciliation.apply_match import (
    Match,
    MatchOf,
    is_made,
    line_to_use,
    take,
    unknown_line,
    write_match,
)
from voucher.settlement.reconciliation.bank_turn import take_bank_turn
from voucher.settlement.words.states import MatchKind


def match_with_opposite(
    database: Database,
    match_id: UUID,
    line_id: UUID,
    other_id: UUID,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> int:
    """Say that two lines of an account undo each other, for all that waits of both; return those cents. Again, it changes nothing.

    Raises Refused: unknown lines, of two accounts, of the same side, or of which not the same amount waits.
    """
    match = Match(match_id, by, now)
    with database.write() as session:
        take_bank_turn(session)
        line, other = (line_to_use(session, one, issuer_id) for one in (line_id, other_id))
        if is_made(session, match_id, [MatchOf(one, MatchKind.OFFSET) for one in (line_id, other_id)]):
            return 0
        if line.paying_account_id != other.paying_account_id or line.is_credit == other.is_credit:
            raise unknown_line()
        left_cents: int = line.amount_cents - line.matched_cents
        other_cents: int = other.amount_cents - other.matched_cents
        if left_cents != other_cents or not left_cents:
            raise Refused(
                "amounts_differ",
                f"Il reste {format_euros(left_cents)} d’une ligne et {format_euros(other_cents)} de l’autre : elles ne s’annulent "
                "pas. Choisissez deux lignes de même reste.",
            )
        for part, one in enumerate(sorted((line, other), key=lambda found: found.id), 1):
            take(session, one, left_cents)
            write_match(session, match, one, MatchKind.OFFSET, left_cents, part=part)
    return left_cents
