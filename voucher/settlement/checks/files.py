"""What must be true of the files that were kept: their bytes, and what they pay."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

from lxml import etree
from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.programme.model import Agreement, PayingAccount, SettlementChannel
from voucher.settlement.formats_in.bank_content import sha256_of
from voucher.settlement.formats_out.files_read_back import (
    PAYING_KINDS,
    TRANSFER_KINDS,
    amount_of,
    liquidation_rows,
    read_back,
)
from voucher.settlement.formats_out.pain001 import namespace_of
from voucher.settlement.model.batches import BankFile, PaymentAdvice, PaymentFile, SettlementBatch
from voucher.settlement.words.labels import FILE_KINDS
from voucher.settlement.words.states import PaymentFileKind

_FOR_AN_ACCOUNTANT = frozenset(PaymentFileKind) - frozenset(TRANSFER_KINDS)


def check_kept_files_are_whole(session: Session) -> list[Violation]:
    """Chaque fichier gardé, parti ou reçu, a encore les octets de son empreinte SHA-256."""
    sent = session.execute(select(PaymentFile.name, PaymentFile.sha256, PaymentFile.content))
    received = session.execute(select(BankFile.name, BankFile.sha256, BankFile.content))
    changed = [row.name for row in sent if hashlib.sha256(row.content).hexdigest() != row.sha256]
    changed += [row.name for row in received if sha256_of(row.content) != row.sha256]
    return [Violation("kept_files_are_whole", f"fichier {name}", "ses octets ont changé") for name in changed]


def check_files_fit_their_channel(session: Session) -> list[Violation]:
    """Un lot transmis a les fichiers de son circuit, toutes les parties : jamais un fichier bancaire pour le comptable public."""
    kinds: defaultdict[UUID, set[PaymentFileKind]] = defaultdict(set)
    parts: defaultdict[UUID, list[int]] = defaultdict(list)
    for row in session.execute(select(PaymentFile.batch_id, PaymentFile.kind, PaymentFile.part)):
        kinds[row.batch_id].add(row.kind)
        parts[row.batch_id].append(row.part)
    batches = session.execute(
        select(SettlementBatch.id, SettlementBatch.number, SettlementBatch.channel, SettlementBatch.exported_at)
    )
    return [
        Violation(
            "files_fit_their_channel",
            f"lot {row.number}",
            f"fichiers : {', '.join(FILE_KINDS[kind][0] for kind in sorted(kinds[row.id])) or 'aucun'} ; "
            f"parties : {', '.join(str(part) for part in sorted(parts[row.id])) or 'aucune'}",
        )
        for row in batches
        if not _fit(row, kinds[row.id], sorted(parts[row.id]))
    ]


def _fit(batch: Row[*tuple[Any, ...]], kinds: set[PaymentFileKind], parts: list[int]) -> bool:
    if batch.exported_at is None:
        return not kinds
    if batch.channel == SettlementChannel.PUBLIC_ACCOUNTANT:
        return kinds == _FOR_AN_ACCOUNTANT and set(parts) == {1}
    # One version of the schema in a batch, its parts numbered without a gap.
    return len(kinds) == 1 and kinds <= set(TRANSFER_KINDS) and parts == list(range(1, len(parts) + 1))


def check_files_pay_their_batch(session: Session) -> list[Violation]:
    """Les fichiers d’un lot paient ses bordereaux, chacun une fois, dans sa partie, pour son montant ; leur total est celui du lot."""
    violations = []
    for batch, files in _batches_with_files(session):
        advices = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.iban, PaymentAdvice.amount_cents, PaymentAdvice.part).where(
                PaymentAdvice.batch_id == batch.id, PaymentAdvice.is_payable
            )
        ).all()
        announced, is_right = 0, True
        for file in files:
            cents, payments = read_back(file.kind, file.content)
            expected = sorted(
                (row.reference, row.iban or "", row.amount_cents) for row in advices if row.part == file.part
            )
            is_right = is_right and payments == expected and cents == sum(payment[2] for payment in payments)
            is_right = is_right and cents == file.total_cents
            announced += cents
        if (
            announced != batch.total_cents
            or not is_right
            or not {row.part for row in advices} <= {file.part for file in files}
        ):
            detail = f"total des fichiers {format_euros(announced)}, du lot {format_euros(batch.total_cents)}"
            violations.append(Violation("files_pay_their_batch", f"lot {batch.number}", detail))
    return violations


@cache
def _query_a_file_debits_one_account() -> Select[*tuple[Any, ...]]:
    return (
        select(PaymentFile.name, PaymentFile.kind, PaymentFile.content, PayingAccount.iban)
        .join(SettlementBatch, SettlementBatch.id == PaymentFile.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(PayingAccount, PayingAccount.id == Agreement.paying_account_id)
        .where(PaymentFile.kind.in_(TRANSFER_KINDS))
    )


def check_a_file_debits_one_account(session: Session) -> list[Violation]:
    """Un fichier de virements débite un seul compte : un compte payeur connu, celui de sa convention."""
    files = session.execute(_query_a_file_debits_one_account())
    violations = []
    for file in files:
        tag = f"{{{namespace_of(file.kind)}}}"
        root = etree.fromstring(file.content)
        debited = [one.findtext(f"{tag}Id/{tag}IBAN") for one in root.iter(f"{tag}DbtrAcct")]
        if debited != [file.iban]:
            violations.append(
                Violation(
                    "a_file_debits_one_account",
                    f"fichier {file.name}",
                    f"débite {', '.join(str(one) for one in debited) or 'rien'}, le compte payeur est {file.iban}",
                )
            )
    return violations


def check_the_supporting_list_supports(session: Session) -> list[Violation]:
    """La pièce justificative d’un état liquidatif donne, ligne à ligne, chaque somme de cet état."""
    violations = []
    for batch, files in _batches_with_files(session, (PaymentFileKind.LIQUIDATION_CSV, PaymentFileKind.SUPPORTING_CSV)):
        content = {file.kind: file.content for file in files}
        if len(content) < 2:
            continue
        sums: defaultdict[str, int] = defaultdict(int)
        for row in liquidation_rows(content[PaymentFileKind.SUPPORTING_CSV]):
            sums[row.get("Référence du règlement", "")] += amount_of(row)
        state = {row["Référence"]: amount_of(row) for row in liquidation_rows(content[PaymentFileKind.LIQUIDATION_CSV])}
        if state != dict(sums):
            detail = f"pièce de {format_euros(sum(sums.values()))}, état de {format_euros(sum(state.values()))}"
            violations.append(Violation("the_supporting_list_supports", f"lot {batch.number}", detail))
    return violations


def _batches_with_files(
    session: Session, kinds: tuple[PaymentFileKind, ...] = PAYING_KINDS
) -> Iterator[tuple[Row[*tuple[Any, ...]], list[Row[*tuple[Any, ...]]]]]:
    batches = session.execute(
        select(SettlementBatch.id, SettlementBatch.number, SettlementBatch.total_cents).where(
            SettlementBatch.exported_at.is_not(None)
        )
    ).all()
    for batch in batches:
        files = session.execute(
            select(PaymentFile.kind, PaymentFile.part, PaymentFile.content, PaymentFile.total_cents).where(
                PaymentFile.batch_id == batch.id, PaymentFile.kind.in_(kinds)
            )
        ).all()
        yield batch, list(files)


CHECKS: tuple[Check, ...] = (
    check_kept_files_are_whole,
    check_files_fit_their_channel,
    check_files_pay_their_batch,
    check_a_file_debits_one_account,
    check_the_supporting_list_supports,
)
