"""What must be true of the files that were kept: their bytes, and what a payment file pays."""

import csv
import hashlib
import io

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.programme.model import SettlementChannel
from voucher.settlement.camt_entry import cents_of
from voucher.settlement.model import BankFile, PaymentAdvice, PaymentFile, SettlementBatch
from voucher.settlement.pain001 import NAMESPACE, SCHEMA_NAME

_KINDS = {
    SettlementChannel.MANDATED_OPERATOR: {SCHEMA_NAME},
    SettlementChannel.PUBLIC_ACCOUNTANT: {"liquidation_csv", "liquidation_pdf"},
}
_TX = f"{{{NAMESPACE}}}"


def check_kept_files_are_whole(session: Session) -> list[Violation]:
    """Chaque fichier gardé, parti ou reçu, a encore les octets de son empreinte SHA-256."""
    sent = session.execute(select(PaymentFile.name, PaymentFile.sha256, PaymentFile.content))
    received = session.execute(select(BankFile.name, BankFile.sha256, BankFile.content))
    return [
        Violation("kept_files_are_whole", f"fichier {row.name}", "ses octets ont changé")
        for rows in (sent, received)
        for row in rows
        if hashlib.sha256(row.content).hexdigest() != row.sha256
    ]


def check_files_fit_their_channel(session: Session) -> list[Violation]:
    """Un lot transmis a les fichiers de son circuit : jamais un fichier bancaire pour le comptable public."""
    kinds: dict[object, set[str]] = {}
    for row in session.execute(select(PaymentFile.batch_id, PaymentFile.kind)):
        kinds.setdefault(row.batch_id, set()).add(row.kind)
    batches = session.execute(
        select(SettlementBatch.id, SettlementBatch.number, SettlementBatch.channel, SettlementBatch.exported_at)
    )
    return [
        Violation("files_fit_their_channel", f"lot {row.number}", f"fichiers {sorted(kinds.get(row.id, ()))}")
        for row in batches
        if kinds.get(row.id, set()) != (_KINDS[SettlementChannel(row.channel)] if row.exported_at else set())
    ]


def check_files_pay_their_batch(session: Session) -> list[Violation]:
    """Le fichier d'un lot paie ses bordereaux, chacun pour son montant, et son total de contrôle est celui du lot."""
    files = session.execute(
        select(
            PaymentFile.batch_id,
            PaymentFile.kind,
            PaymentFile.content,
            SettlementBatch.number,
            SettlementBatch.total_cents,
        )
        .join(SettlementBatch, SettlementBatch.id == PaymentFile.batch_id)
        .where(PaymentFile.kind.in_((SCHEMA_NAME, "liquidation_csv")))
    )
    violations = []
    for file in files:
        advices = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.iban, PaymentAdvice.amount_cents).where(
                PaymentAdvice.batch_id == file.batch_id, PaymentAdvice.is_payable
            )
        ).all()
        if file.kind == SCHEMA_NAME:
            announced, payments = _of_transfers(file.content)
            expected = sorted((row.reference, row.iban or "", row.amount_cents) for row in advices)
        else:
            announced, payments = _of_liquidation(file.content)
            expected = sorted(("", row.iban or "", row.amount_cents) for row in advices)
        if announced != file.total_cents or payments != expected:
            detail = f"total du fichier {format_euros(announced)}, du lot {format_euros(file.total_cents)}"
            violations.append(Violation("files_pay_their_batch", f"lot {file.number}", detail))
    return violations


def file_total_cents(kind: str, content: bytes) -> int | None:
    """Return the control sum that a kept file carries, or None for a kind that is only read by people (PDF)."""
    if kind == SCHEMA_NAME:
        return _of_transfers(content)[0]
    return _of_liquidation(content)[0] if kind == "liquidation_csv" else None


def _of_transfers(content: bytes) -> tuple[int, list[tuple[str, str, int]]]:
    """Return the control sum of a payment file, and (reference, IBAN, cents) of each transfer, sorted."""
    # Our own bytes, whose SHA-256 is checked beside: nothing foreign is parsed here.
    root = etree.fromstring(content)
    announced = cents_of(root.findtext(f".//{_TX}GrpHdr/{_TX}CtrlSum", ""), "EUR")
    payments = [
        (
            one.findtext(f"{_TX}PmtId/{_TX}EndToEndId", ""),
            one.findtext(f"{_TX}CdtrAcct/{_TX}Id/{_TX}IBAN", ""),
            cents_of(one.findtext(f"{_TX}Amt/{_TX}InstdAmt", ""), "EUR"),
        )
        for one in root.iter(f"{_TX}CdtTrfTxInf")
    ]
    return announced, sorted(payments)


def _of_liquidation(content: bytes) -> tuple[int, list[tuple[str, str, int]]]:
    """Return the sum of an état liquidatif, and ("", IBAN, cents) of each line, sorted."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))[1:]
    payments = sorted(("", row[6], int(row[8].replace(",", ""))) for row in rows)
    return sum(cents for _, _, cents in payments), payments


CHECKS: tuple[Check, ...] = (check_kept_files_are_whole, check_files_fit_their_channel, check_files_pay_their_batch)
