"""What must be true of bank statements: each says what the kept file says, and none of the file's is missing.

The file is known by the SHA-256 of its bytes (`kept_files_are_whole`); it is read again here, by the reader that took it.
"""

import io
import zlib
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_statement import kept_statements
from voucher.settlement.formats_in.bank_stages import Statement
from voucher.settlement.formats_in.safe_xml import RefusedXml
from voucher.settlement.model.bank import IgnoredPart
from voucher.settlement.model.batches import BankFile, BankLine, BankStatement
from voucher.settlement.words.states import BankFileKind

ROWS_MAX = 100
_NAME = "statements_are_what_the_bank_said"
Said = tuple[UUID, object, int, int]
"""An account, the day of the closing balance, both balances in cents."""


def check_statements_are_what_the_bank_said(session: Session) -> list[Violation]:
    """Chaque relevé gardé dit les soldes de son fichier, et chaque relevé du fichier est gardé."""
    accounts = {one.iban: one.id for one in session.execute(select(PayingAccount.iban, PayingAccount.id))}
    rows = session.execute(
        select(BankStatement.bank_file, BankFile.name.label("file_name"), *_COLUMNS, PayingAccount.name)
        .join(BankFile, BankFile.sha256 == BankStatement.bank_file)
        .join(PayingAccount, PayingAccount.id == BankStatement.paying_account_id)
    ).all()
    stored: dict[str, dict[Said, str]] = {}
    everywhere = {_said(row) for row in rows}
    for row in rows:
        stored.setdefault(row.bank_file, {})[_said(row)] = f"relevé « {row.reference} » du compte {row.name}"
    files = session.execute(
        select(BankFile.sha256, BankFile.name, BankFile.content)
        .where(BankFile.kind == BankFileKind.STATEMENT)
        .execution_options(yield_per=10)
    )
    found = []
    for file in files:
        try:
            told = {
                (accounts[head.account_iban], head.closed_on, *_balances(head)): head
                for head in _heads(file.content, accounts)
            }
        except (RefusedXml, OSError, EOFError, zlib.error):
            found.append(Violation(_NAME, f"fichier {file.name}", "il ne se lit plus"))
            continue
        for said, words in stored.get(file.sha256, {}).items():
            if said not in told:
                near = [one for one in told if one[:2] == said[:2]] or list(told)
                detail = f"de {format_euros(said[2])} à {format_euros(said[3])} ; le fichier dit " + (
                    f"de {format_euros(near[0][2])} à {format_euros(near[0][3])}" if near else "autre chose"
                )
                found.append(Violation(_NAME, words, detail))
        missing = [said for said in told if said not in everywhere]
        ours = _accounts_taken(session, file.sha256, accounts) if missing else set()
        found += [
            Violation(
                _NAME,
                f"fichier {file.name}, « {told[said].name} »",
                f"manque : de {format_euros(said[2])} à {format_euros(said[3])} dans le fichier, aucun relevé gardé",
            )
            for said in missing
            if said[0] in ours
        ]
    return found[:ROWS_MAX]


_COLUMNS = (
    BankStatement.paying_account_id,
    BankStatement.reference,
    BankStatement.closed_on,
    BankStatement.opening_cents,
    BankStatement.closing_cents,
)


def _said(row: object) -> Said:
    return row.paying_account_id, row.closed_on, row.opening_cents, row.closing_cents  # type: ignore[attr-defined]


def _balances(statement: Statement) -> tuple[int, int]:
    assert statement.opening_cents is not None
    assert statement.closing_cents is not None
    return statement.opening_cents, statement.closing_cents


def _heads(content: bytes, accounts: dict[str, UUID]) -> Iterator[Statement]:
    """Give the statements with balances, of accounts of ours, of a kept file."""
    yield from (
        statement
        for statement in kept_statements(io.BytesIO(content), accounts.__contains__)
        if statement.has_balances and statement.closed_on is not None
    )


def _accounts_taken(session: Session, sha256: str, accounts: dict[str, UUID]) -> set[UUID]:
    """Return the accounts that the import took of a file: all of ours, unless a part was set aside (another's scope)."""
    if session.scalar(select(IgnoredPart.rank).where(IgnoredPart.bank_file == sha256).limit(1)) is None:
        return set(accounts.values())
    return set(session.scalars(select(BankLine.paying_account_id).where(BankLine.bank_file == sha256).distinct()))


CHECKS: tuple[Check, ...] = (check_statements_are_what_the_bank_said,)
