"""For whom an account is kept, in words: its funder, agreement, structure or bank account."""

from collections.abc import Sequence

from sqlalchemy import select

from voucher.kernel.database import Database
from voucher.ledger.read import AccountBalance
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Funder, PayingAccount


def account_names(database: Database, accounts: Sequence[AccountBalance]) -> dict[int, str]:
    """Return « État, convention 2026-33-01 », or « Convention 2026-33-01 », for each account, by its id."""
    with database.read() as session:
        words = {row.id: row.name for row in session.execute(select(Funder.id, Funder.name))}
        words |= {row.id: f"convention {row.number}" for row in session.execute(select(Agreement.id, Agreement.number))}
        words |= {row.id: row.name for row in session.execute(select(PayingAccount.id, PayingAccount.name))}
        wanted = {account.structure_id for account in accounts if account.structure_id is not None}
        if wanted:
            words |= {
                row.id: row.name for row in session.execute(select(Structure.id, Structure.name)) if row.id in wanted
            }
    names = {
        account.id: ", ".join(
            words.get(dimension, str(dimension))
            for dimension in (account.funder_id, account.agreement_id, account.structure_id, account.bank_account_id)
            if dimension is not None
        )
        for account in accounts
    }
    return {account_id: name[:1].upper() + name[1:] for account_id, name in names.items()}
