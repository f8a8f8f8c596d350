"""Importer le retour du comptable: what a public accountant paid, rejected or got back of an état liquidatif.

A line that says *paid* is the accountant's evidence: it becomes a booked line of the paying account, with no statement behind it, and
pays its advice by the same entries as a bank's line (ADR 7: paid is a booked line, on both channels). A rejected or returned line
opens the debt again, with its reason; but one rejected as a duplicate, for which two people must answer (`duplicates`). The whole file is checked before anything is written; then it is one transaction.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select
from sqlalchemy.orm import Session

from voucher.kernel.bulk import copy_rows
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.chunks import chunks
from voucher.kernel.database import Database, among
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.ledger.chart import AccountKey, Code
from voucher.ledger.post import open_accounts
from voucher.programme.model import Agreement, SettlementChannel
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile, keep_file
from voucher.settlement.bank_in.post_bank_lines import pay_and_return, post_lines
from voucher.settlement.formats_in.accountant_file import (
    ERRORS_MAX,
    ReturnLine,
    ReturnStatus,
    UnreadableReturn,
    read_return,
)
from voucher.settlement.formats_in.bank_stages import FileError
from voucher.settlement.formats_in.iso_reasons import CODE_LENGTH, duplicate_code
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.bank_reports import TransferReport
from voucher.settlement.model.batches import BankLine, BankStatement, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.undecided_duplicates import open_duplicates
from voucher.settlement.reconciliation.bank_turn import close_ended_batches, take_bank_turn
from voucher.settlement.reconciliation.reject_payments import reject_advices, say_why_rejected
from voucher.settlement.reconciliation.withdraw_rejections import lock_rejected, withdraw_rejections
from voucher.settlement.words.payment_sentences import still_owed
from voucher.settlement.words.states import AdviceState, BankFileKind, LineOrigin, MatchKind, ReportKind, ReportLevel

_WHY = "Le fichier retour du comptable le dit."
_WAITS = (
    "Un fichier d’avant l’a déjà dit, et une personne a défait ce rapprochement. Rapprochez la ligne qui attend, puis retirez celle-ci "
    "du fichier."
)
_ANSWER_FIRST = (
    "Un doublon de ce règlement est annoncé. Deux personnes doivent d’abord dire si le premier envoi tient. Retirez cette ligne du "
    "fichier en attendant."
)
_DONE = {
    ReturnStatus.PAID: AdviceState.PAID,
    ReturnStatus.REJECTED: AdviceState.REJECTED,
    ReturnStatus.RETURNED: AdviceState.RETURNED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What a return file changed; `known_count` lines said what was known, `duplicate_count` are called duplicates.

    `is_known`: the same bytes were imported before.
    """

    is_known: bool
    line_count: int
    paid_count: int
    rejected_count: int
    returned_count: int
    known_count: int
    duplicate_count: int = 0


def import_accountant_return(
    database: Database, name: str, content: bytes, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> Returned:
    """Import an accountant's return file (CSV); the same file again, or a line that another brought, changes nothing.

    Raises RefusedBankFile with every reason and its line; then nothing of the file is kept. A file speaks of one agreement,
    settled by a public accountant, in the scope.
    """
    try:
        lines = read_return(content)
    except UnreadableReturn as unreadable:
        raise RefusedBankFile(unreadable.errors) from None
    sha256 = hashlib.sha256(content).hexdigest()
    with database.write() as session:
        take_bank_turn(session)
        if not keep_file(
            session, sha256, name=name, content=content, by=by, now=now, kind=BankFileKind.ACCOUNTANT_RETURN
        ):
            return Returned(
                is_known=True,
                line_count=len(lines),
                paid_count=0,
                rejected_count=0,
                returned_count=0,
                known_count=len(lines),
            )
        advices = _advices(session, [line.reference for line in lines], issuer_id)
        new = _checked(session, lines, advices, paris_day(now))
        doubled = [line for line in new if _is_duplicate(line)]
        rejected = [line for line in lines if line.status is ReturnStatus.REJECTED and not _is_duplicate(line)]
        counts = Counter(line.status for line in new if not _is_duplicate(line))
        _book(session, new, advices, sha256, by, now)
        _keep(session, doubled, ReportKind.DUPLICATE, advices, sha256)
        _keep(session, rejected, ReportKind.REJECTION, advices, sha256)
        _reject(session, [line for line in new if not _is_duplicate(line)], advices, sha256, by, now)
        said = {advices[line.reference].id: line.reason for line in rejected}
        say_why_rejected(session, said, bank_file=sha256, by=by, now=now)
        close_ended_batches(session, now)
    return Returned(
        is_known=False,
        line_count=len(lines),
        paid_count=counts[ReturnStatus.PAID],
        rejected_count=counts[ReturnStatus.REJECTED],
        returned_count=counts[ReturnStatus.RETURNED],
        known_count=len(lines) - len(new),
        duplicate_count=len(doubled),
    )


def _advices(session: Session, references: Sequence[str], issuer_id: UUID | None) -> dict[str, Row[*tuple[Any, ...]]]:
    found: dict[str, Row[*tuple[Any, ...]]] = {}
    for some in chunks(sorted(set(references))):
        lock_rejected(session, some)
        rows = session.execute(
            select(
                PaymentAdvice.reference,
                PaymentAdvice.id,
                PaymentAdvice.amount_cents,
                PaymentAdvice.state,
                PaymentAdvice.state_reason,
                PaymentAdvice.paid_on,
                SettlementBatch.channel,
                SettlementBatch.agreement_id,
                SettlementBatch.exported_at,
                Agreement.number.label("agreement_number"),
                Agreement.paying_account_id,
            )
            .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
            .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
            .where(PaymentAdvice.reference.in_(some), in_scope(Agreement.issuer_id, issuer_id))
        )
        found.update({row.reference: row for row in rows})
    return found


def _checked(
    session: Session, lines: Sequence[ReturnLine], advices: Mapping[str, Row[*tuple[Any, ...]]], today: date
) -> list[ReturnLine]:
    """Return the lines that say something new. Raises RefusedBankFile with every line that cannot be so."""
    ours = next((advices[line.reference] for line in lines if line.reference in advices), None)
    proved_until = None if ours is None else _proved_until(session, ours.paying_account_id)
    waiting = _waiting(session, lines)
    ids = [advice.id for advice in advices.values()]
    unanswered = open_duplicates(session, ids)
    errors: list[FileError] = []
    new: list[ReturnLine] = []
    states: dict[str, tuple[AdviceState, date | None]] = {}
    # What was paid comes before what came back, wherever the file says it.
    for line in sorted(lines, key=lambda one: (one.status is not ReturnStatus.PAID, one.line)):
        advice = advices.get(line.reference)
        standing = states.get(line.reference) or (None if advice is None else (advice.state, advice.paid_on))
        if advice is None or standing is None or ours is None:
            errors.append(
                FileError(
                    line.line,
                    f"Aucun règlement ne porte la référence « {line.reference[:40]} ». Recopiez celle de l’état liquidatif.",
                )
            )
        elif wrong := _wrong(line, advice, ours, standing, today, proved_until):
            errors.append(FileError(line.line, wrong))
        elif not _is_known(line, standing) and (line.reference, line.status is ReturnStatus.RETURNED) in waiting:
            errors.append(FileError(line.line, _WAITS))
        elif line.status is ReturnStatus.REJECTED and advice.id in unanswered and not _is_duplicate(line):
            errors.append(FileError(line.line, _ANSWER_FIRST))
        elif not _is_known(line, standing):
            new.append(line)
            states[line.reference] = (_DONE[line.status], line.on if line.status is ReturnStatus.PAID else standing[1])
    if errors:
        raise RefusedBankFile(sorted(errors, key=lambda one: one.line)[:ERRORS_MAX])
    return new


def _wrong(
    line: ReturnLine,
    advice: Row[*tuple[Any, ...]],
    ours: Row[*tuple[Any, ...]],
    standing: tuple[AdviceState, date | None],
    today: date,
    proved_until: date | None,
) -> str:
    """Return why a line cannot be so, with what to do; empty when it can."""
    state, paid_on = standing
    if advice.channel != SettlementChannel.PUBLIC_ACCOUNTANT:
        return "Ce règlement est payé par l’opérateur mandaté, pas par le comptable. Importez le relevé de sa banque."
    if advice.agreement_id != ours.agreement_id:
        return (
            f"Ce règlement est de la convention {advice.agreement_number}, les précédents de la convention {ours.agreement_number}. "
            "Faites un fichier pour chaque convention."
        )
    if advice.exported_at is None:
        return "Ce règlement n’est pas encore transmis au comptable. Vérifiez la référence."
    if line.amount_cents != advice.amount_cents:
        return (
            f"La ligne dit {format_euros(line.amount_cents)}, le règlement est de {format_euros(advice.amount_cents)}. "
            "Demandez au comptable ce qui a été payé."
        )
    if line.on > today:
        return f"Le {french_date(line.on)} n’est pas encore venu. Corrigez la date."
    if line.on < paris_day(advice.exported_at):
        return f"Le lot a été transmis le {french_date(paris_day(advice.exported_at))}, après le {french_date(line.on)}. Corrigez la date."
    if _is_known(line, standing):
        return ""
    return _unexpected(line, state, paid_on, proved_until)


def _unexpected(line: ReturnLine, state: AdviceState, paid_on: date | None, proved_until: date | None) -> str:
    """Return why an advice does not expect what a line says of it; empty when it does."""
    if line.status is not ReturnStatus.REJECTED and proved_until is not None and line.on <= proved_until:
        return f"Le relevé de la banque couvre déjà le {french_date(line.on)}. Rapprochez plutôt la ligne du relevé avec ce règlement."
    if state is AdviceState.PAID and line.status is ReturnStatus.RETURNED:
        is_before = paid_on is not None and line.on < paid_on
        return (
            f"Le règlement a été payé le {french_date(paid_on)}, après ce retour. Corrigez la date."
            if is_before and paid_on
            else ""
        )
    if state is AdviceState.PAID:
        when = f" le {french_date(paid_on)}" if paid_on else ""
        return f"Ce règlement est déjà payé{when}. S’il est revenu depuis, écrivez « retourné »."
    if state is AdviceState.TAKEN_UP:
        return "Un lot suivant a repris ce règlement. Vérifiez auprès du comptable qu’il n’est pas payé deux fois."
    if state is AdviceState.RETURNED:
        return f"Ce règlement est déjà revenu. {still_owed(1)}"
    if line.status is ReturnStatus.RETURNED:
        return "Ce règlement n’est pas payé : il ne peut pas revenir. Écrivez « rejeté »."
    # In transit; or rejected, then paid all the same.
    may_be = state is AdviceState.IN_FILE or (state is AdviceState.REJECTED and line.status is ReturnStatus.PAID)
    return "" if may_be else "Ce règlement n’attend rien du comptable. Vérifiez la référence."


def _is_known(line: ReturnLine, standing: tuple[AdviceState, date | None]) -> bool:
    """Whether what a line says is what stands already: accountants send the same lines again, with new ones."""
    state, paid_on = standing
    if line.status is ReturnStatus.PAID:
        return state in (AdviceState.PAID, AdviceState.RETURNED, AdviceState.TAKEN_UP) and paid_on == line.on
    if state == AdviceState.TAKEN_UP:
        # A later batch took up what was rejected, or what was paid and came back.
        return line.status is ReturnStatus.REJECTED or paid_on is not None
    return state == _DONE[line.status]


def _waiting(session: Session, lines: Sequence[ReturnLine]) -> set[tuple[str, bool]]:
    """Return the reference and side (a return is a credit) of what an earlier file booked, and a person undid since."""
    found: set[tuple[str, bool]] = set()
    for some in chunks(lines):
        rows = session.execute(
            select(BankLine.end_to_end_id, BankLine.is_credit).where(
                among(session, BankLine.end_to_end_id, [line.reference for line in some]),
                BankLine.origin == LineOrigin.ACCOUNTANT,
                BankLine.matched_cents < BankLine.amount_cents,
            )
        )
        found |= {(str(row.end_to_end_id), row.is_credit) for row in rows}
    return found


def _proved_until(session: Session, account_id: UUID) -> date | None:
    """Return the last day that a bank's statement proves: what moved until then is on it, and is not booked twice."""
    return session.scalar(
        select(func.max(BankStatement.closed_on)).where(BankStatement.paying_account_id == account_id)
    )


def _book(
    session: Session,
    new: Sequence[ReturnLine],
    advices: Mapping[str, Row[*tuple[Any, ...]]],
    sha256: str,
    by: UUID,
    now: datetime,
) -> None:
    """Book what was paid and what came back, each as a line of the account, matched with its advice."""
    booked = [line for line in new if line.status is not ReturnStatus.REJECTED]
    rows, matches = [], []
    for line in booked:
        advice, line_id = advices[line.reference], new_id()
        is_credit = line.status is ReturnStatus.RETURNED
        rows.append(
            {
                "id": line_id,
                "key": f"{advice.paying_account_id}|comptable|{line.reference}|{'C' if is_credit else 'D'}",
                "statement_id": None,
                "bank_file": sha256,
                "paying_account_id": advice.paying_account_id,
                "bank_reference": f"~{line.reference}",
                "origin": LineOrigin.ACCOUNTANT,
                "booked_on": line.on,
                "amount_cents": line.amount_cents,
                "entry_cents": line.amount_cents,
                "matched_cents": line.amount_cents,
                "is_credit": is_credit,
                "end_to_end_id": line.reference,
                "counterparty": "",
                "remittance": line.reason or "Fichier retour du comptable",
                "note": _WHY,
            }
        )
        matches.append(
            {
                "id": line_id,
                "part": 1,
                "line_id": line_id,
                "kind": MatchKind.RETURN if is_credit else MatchKind.PAYMENT,
                "advice_id": advice.id,
                "amount_cents": line.amount_cents,
                "why": _WHY,
                "made_at": now,
                "made_by": by,
                "is_automatic": True,
            }
        )
    if not rows:
        return
    for some in chunks(rows):
        session.execute(insert(BankLine), some)
    for some in chunks(matches):
        session.execute(insert(BankMatch), some)
    accounts = {advices[line.reference].paying_account_id for line in booked}
    open_accounts(
        session,
        (AccountKey(code, bank_account_id=account) for account in accounts for code in (Code.BANK, Code.UNIDENTIFIED)),
    )
    paid = {advices[line.reference].id: line.on for line in booked if line.status is ReturnStatus.PAID}
    for ids in chunks(paid):
        withdraw_rejections(session, {each_id: paid[each_id] for each_id in ids}, by=by, now=now)
    reasons = {advices[line.reference].id: line.reason for line in booked if line.status is ReturnStatus.RETURNED}
    pay_and_return(session, sha256, by=by, now=now, reasons=reasons)
    post_lines(session, sha256, by=by, now=now)


def _is_duplicate(line: ReturnLine) -> bool:
    """Whether a line says that the payment was sent before, and is no rejection of the first sending."""
    return line.status is ReturnStatus.REJECTED and duplicate_code(line.reason) != ""


def _keep(
    session: Session,
    lines: Sequence[ReturnLine],
    kind: ReportKind,
    advices: Mapping[str, Row[*tuple[Any, ...]]],
    sha256: str,
) -> None:
    """Keep what the accountant calls duplicates, which stay in transit until two people answer, and what it rejects."""
    said = {advices[line.reference].id: line.reason for line in lines}
    level = ReportLevel.TRANSFER.value
    rows = ((sha256, one, kind.value, level, _code_of(reason), reason) for one, reason in said.items())
    copy_rows(session, TransferReport, rows)


def _code_of(reason: str) -> str:
    """Return the code that an accountant's reason is or says; empty for words alone."""
    return duplicate_code(reason) or (reason if len(reason) == CODE_LENGTH else "")


def _reject(
    session: Session,
    new: Sequence[ReturnLine],
    advices: Mapping[str, Row[*tuple[Any, ...]]],
    sha256: str,
    by: UUID,
    now: datetime,
) -> None:
    days: dict[date, dict[UUID, str]] = {}
    for line in new:
        if line.status is ReturnStatus.REJECTED:
            days.setdefault(line.on, {})[advices[line.reference].id] = line.reason
    for on, reasons in sorted(days.items()):
        rejected = reject_advices(session, reasons, on=on, by=by, now=now, bank_file=sha256)
        assert len(rejected) == len(reasons), "each was read in transit, under the bank's turn"
