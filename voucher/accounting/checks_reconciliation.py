"""What must be true of états de rapprochement bancaire: at each day of statement, every cent of difference has its name."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.accounting.account_books import account_books
from voucher.accounting.reconciliation import unexplained_by_day
from voucher.kernel.calendar import french_date
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.programme.model import PayingAccount
from voucher.settlement.model import BankStatement

ROWS_MAX = 100


def check_reconciliations_explain_every_cent(session: Session) -> list[Violation]:
    """À chaque jour de relevé, l'état de rapprochement de chaque compte tombe juste au centime."""
    accounts = session.execute(
        select(PayingAccount.id, PayingAccount.name)
        .where(PayingAccount.id.in_(select(BankStatement.paying_account_id)))
        .order_by(PayingAccount.name)
    ).all()
    return [
        Violation(
            "reconciliations_explain_every_cent",
            f"compte {account.name}, au {french_date(day)}",
            f"écart non expliqué de {format_euros(cents)} entre le relevé et le registre",
        )
        for account in accounts
        for day, cents in unexplained_by_day(account_books(session, account.id, is_summed=True)).items()
        if cents
    ][:ROWS_MAX]


CHECKS: tuple[Check, ...] = (check_reconciliations_explain_every_cent,)
