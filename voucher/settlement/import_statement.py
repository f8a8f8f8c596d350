"""Importer un relevé: read a camt.053, store each booked line once, and let what it proves change the advices.

The whole file is checked before anything is written, then everything is one transaction of set-based statements. Imports
take turns. Each line has one entry: it pays (5115), returns (4670) or waits to be identified (4711); so the bank account of the
ledger (5120) always moves as the bank says.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.ledger.chart import AccountKey
from voucher.ledger.post import open_accounts
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement import camt053
from voucher.settlement.bank_files import RefusedBankFile, close_ended_batches, keep_file, take_bank_turn
from voucher.settlement.camt053 import FileError, ParsedFile, Statement, UnreadableBankFile, read_statements
from voucher.settlement.match_line import match_parked_returns
from voucher.settlement.matching import Expected, Verdict, decide
from voucher.settlement.model import AdviceState, BankLine, BankStatement, PaymentAdvice, SettlementBatch
from voucher.settlement.post_lines import pay_and_return, post_lines
from voucher.settlement.scope import account_in_scope
from voucher.settlement.withdraw_rejections import hold_rejected, withdraw_rejections

CHUNK = 5_000
_AFTER = {Verdict.PAYS: AdviceState.PAID, Verdict.RETURNS: AdviceState.RETURNED}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a statement file changed. `is_known` says that the same bytes were imported before: then nothing was."""

    is_known: bool
    statement_count: int
    line_count: int
    new_count: int
    paid_count: int
    returned_count: int
    unknown_count: int


@dataclass(frozen=True, slots=True)
class _Advice:
    id: UUID
    account_id: UUID
    expected: Expected


def import_statement(
    database: Database, name: str, content: bytes, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> Imported:
    """Import a bank's account statement; the same file again, or a line that another file brought, changes nothing.

    `content` is a camt.053 as XML, gzip or zip. Raises RefusedBankFile, with every reason and its line: then nothing of the
    file is kept. `issuer_id` is the scope of who imports: the account must serve that issuer alone.
    """
    try:
        parsed = read_statements(content)
    except UnreadableBankFile as unreadable:
        raise RefusedBankFile(unreadable.errors) from None
    lines = _lines_by_key(parsed)
    with database.write() as session:
        take_bank_turn(session)
        if not keep_file(session, parsed.sha256, name, parsed.xml, by, now):
            return Imported(True, len(parsed.statements), len(lines), 0, 0, 0, 0)
        accounts = _accounts(session, parsed, issuer_id)
        statements = _keep_statements(session, parsed, accounts)
        new = _new_lines(session, lines)
        references = [line.end_to_end_id for _, line in new if line.end_to_end_id is not None]
        for some in _parts(references, CHUNK):
            hold_rejected(session, some)
        advices = _advices(session, references)
        rejected = {advice.id for advice in advices.values() if advice.expected.state is AdviceState.REJECTED}
        rows, verdicts = _decided(new, statements, accounts, advices)
        for row in rows:
            row["bank_file"] = parsed.sha256
        for part in _parts(rows, CHUNK):
            session.connection().execute(insert(BankLine.__table__), part)  # type: ignore[arg-type]  # a table
        open_accounts(
            session, (AccountKey(code, bank_account_id=one) for one in accounts.values() for code in ("5120", "4711"))
        )
        debited = [row["advice_id"] for row in rows if row["advice_id"] in rejected]
        withdraw_rejections(session, debited, by=by, now=now)
        pay_and_return(session, parsed.sha256)
        post_lines(session, parsed.sha256, by=by, now=now)
        parked_count = match_parked_returns(session, by=by, now=now)
        close_ended_batches(session, now)
    return Imported(
        False,
        len(parsed.statements),
        len(lines),
        len(new),
        verdicts[Verdict.PAYS],
        verdicts[Verdict.RETURNS] + parked_count,
        verdicts[Verdict.UNKNOWN],
    )


def _lines_by_key(parsed: ParsedFile) -> dict[str, tuple[int, camt053.BankLine]]:
    """Return each line of the file once, with the rank of its statement; two statements of a file may overlap."""
    lines: dict[str, tuple[int, camt053.BankLine]] = {}
    for statement, line in parsed.lines():
        standing = lines.setdefault(line.key, (statement.rank, line))[1]
        if (standing.amount_cents, standing.booked_on) != (line.amount_cents, line.booked_on):
            raise RefusedBankFile([_contradiction(line, standing.amount_cents)])
    return lines


def _contradiction(line: camt053.BankLine, before_cents: int) -> FileError:
    return FileError(
        line.line,
        f"La ligne {line.bank_reference} est connue avec un autre montant ou un autre jour ({format_euros(before_cents)}, "
        f"ici {format_euros(line.amount_cents)}). Appelez votre banque.",
    )


def _accounts(session: Session, parsed: ParsedFile, issuer_id: UUID | None) -> dict[str, UUID]:
    ibans = {statement.account_iban for statement in parsed.statements}
    query = select(PayingAccount.iban, PayingAccount.id).where(
        PayingAccount.iban.in_(ibans), account_in_scope(issuer_id)
    )
    found = {row.iban: row.id for row in session.execute(query)}
    errors = [
        FileError(
            next((line.line for one, line in parsed.lines() if one.rank == statement.rank), 0),
            f"Le compte {statement.account_iban} n’est pas l’un de vos comptes payeurs. Choisissez le relevé d’un compte payeur.",
        )
        for statement in parsed.statements
        if statement.account_iban not in found
    ]
    if errors:
        raise RefusedBankFile(errors)
    return found


def _keep_statements(session: Session, parsed: ParsedFile, accounts: Mapping[str, UUID]) -> dict[int, UUID]:
    """Store the statements, and return the id of each by its rank; one that stands must say the same balances."""
    ids: dict[int, UUID] = {}
    for statement in parsed.statements:
        account_id, reference = accounts[statement.account_iban], _reference(statement)
        standing = session.execute(
            select(BankStatement.id, BankStatement.opening_cents, BankStatement.closing_cents).where(
                BankStatement.paying_account_id == account_id, BankStatement.reference == reference
            )
        ).one_or_none()
        if standing is not None:
            if (standing.opening_cents, standing.closing_cents) != (statement.opening_cents, statement.closing_cents):
                reason = f"Le relevé {statement.statement_id} est connu avec d’autres soldes. Appelez votre banque."
                raise RefusedBankFile([FileError(0, reason)])
            ids[statement.rank] = standing.id
            continue
        ids[statement.rank] = new_id()
        session.execute(
            insert(BankStatement).values(
                id=ids[statement.rank],
                bank_file=parsed.sha256,
                paying_account_id=account_id,
                reference=reference,
                closed_on=statement.closed_on,
                opening_cents=statement.opening_cents,
                closing_cents=statement.closing_cents,
            )
        )
    return ids


def _reference(statement: Statement) -> str:
    """Name a statement by the bank's identifier and its day: some banks number from 1 again each year."""
    return f"{statement.statement_id} {statement.closed_on.isoformat()}"


def _new_lines(
    session: Session, lines: Mapping[str, tuple[int, camt053.BankLine]]
) -> list[tuple[int, camt053.BankLine]]:
    """Return the lines that no file brought before, debits first: what a file pays and brings back is paid, then returned."""
    known: set[str] = set()
    for keys in _parts(list(lines), CHUNK):
        rows = session.execute(
            select(BankLine.key, BankLine.amount_cents, BankLine.booked_on).where(BankLine.key.in_(keys))
        )
        for row in rows:
            line = lines[row.key][1]
            if (row.amount_cents, row.booked_on) != (line.amount_cents, line.booked_on):
                raise RefusedBankFile([_contradiction(line, row.amount_cents)])
            known.add(row.key)
    return sorted((one for key, one in lines.items() if key not in known), key=lambda one: one[1].is_credit)


def _advices(session: Session, references: Sequence[str]) -> dict[str, _Advice]:
    found: dict[str, _Advice] = {}
    for part in _parts(sorted(set(references)), CHUNK):
        rows = session.execute(
            select(
                PaymentAdvice.reference,
                PaymentAdvice.id,
                Agreement.paying_account_id,
                PaymentAdvice.amount_cents,
                PaymentAdvice.state,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(PaymentAdvice.reference.in_(part))
        )
        for row in rows:
            expected = Expected(row.amount_cents, AdviceState(row.state))
            found[row.reference] = _Advice(row.id, row.paying_account_id, expected)
    return found


def _decided(
    new: Sequence[tuple[int, camt053.BankLine]],
    statements: Mapping[int, UUID],
    accounts: Mapping[str, UUID],
    advices: dict[str, _Advice],
) -> tuple[list[dict[str, Any]], Counter[Verdict]]:
    """Decide line by line, each seeing what those before it did; return the rows to store and the count of each verdict."""
    rows: list[dict[str, Any]] = []
    verdicts: Counter[Verdict] = Counter()
    for rank, line in new:
        account_id = accounts[line.account_iban]
        advice = advices.get(line.end_to_end_id or "")
        if advice is not None and advice.account_id != account_id:
            advice = None
        expected = None if advice is None else advice.expected
        verdict = decide(line.amount_cents, line.is_credit, line.end_to_end_id is not None, expected).verdict
        verdicts[verdict] += 1
        is_matched = advice is not None and verdict is not Verdict.UNKNOWN
        if advice is not None and is_matched:
            advices[line.end_to_end_id or ""] = replace(
                advice, expected=replace(advice.expected, state=_AFTER[verdict])
            )
        rows.append(
            {
                "id": new_id(),
                "key": line.key,
                "statement_id": statements[rank],
                "paying_account_id": account_id,
                "booked_on": line.booked_on,
                "amount_cents": line.amount_cents,
                "is_credit": line.is_credit,
                "end_to_end_id": line.end_to_end_id,
                "counterparty": line.counterparty_name or "",
                "counterparty_iban": line.counterparty_iban and line.counterparty_iban[:34],
                "remittance": line.remittance,
                "return_reason": line.return_reason,
                "note": line.note or "",
                "advice_id": advice.id if advice is not None and is_matched else None,
            }
        )
    return rows, verdicts


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
