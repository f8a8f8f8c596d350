"""What must be true of états de rapprochement bancaire: whatever the books hold of an account has its line or its transfer."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.accounting.account_books import account_books
from voucher.accounting.reconciliation import untold_by_day
from voucher.kernel.calendar import french_date
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.programme.model import PayingAccount

ROWS_MAX = 100


def check_reconciliations_tell_every_cent(session: Session) -> list[Violation]:
    """À chaque jour, chaque centime que les livres tiennent d’un compte (5120, 5115) a sa ligne de banque ou son virement en route."""
    accounts = session.execute(select(PayingAccount.id, PayingAccount.name).order_by(PayingAccount.name)).all()
    return [
        Violation(
            "reconciliations_tell_every_cent",
            f"compte {account.name}, au {french_date(day)}",
            f"{format_euros(held)} au registre ce jour-là, {format_euros(told)} de lignes et de virements",
        )
        for account in accounts
        for day, (held, told) in untold_by_day(account_books(session, account.id, is_summed=True)).items()
    ][:ROWS_MAX]


CHECKS: tuple[Check, ...] = (check_reconciliations_tell_every_cent,)
