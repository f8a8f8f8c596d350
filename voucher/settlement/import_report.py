"""Importer un compte rendu: what the bank says of our file before money moves (pain.002). It can only reject, never pay.

A file that the bank calls a duplicate is not rejected: its first sending stands. An advice already paid is left as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.settlement.bank_files import (
    RefusedBankFile,
    close_ended_batches,
    keep_file,
    keep_set_aside,
    take_bank_turn,
)
from voucher.settlement.bank_stages import FileError, SetAside
from voucher.settlement.find import batch_row
from voucher.settlement.model import AdviceState, BankFileKind, PaymentAdvice
from voucher.settlement.pain002 import StatusReport, read_status_report
from voucher.settlement.references import part_of_message, payment_information_id
from voucher.settlement.reject_advices import reject_advices
from voucher.settlement.xml_guard import RefusedXml, unpacked

_DUPLICATE = frozenset({"DUPL", "AM05"})


@dataclass(frozen=True, slots=True)
class Reported:
    """What a status report changed: the batch it speaks of, how many transfers it rejects. `is_known`: read before.

    `set_aside` are the rejections that change nothing, each with its line and what to do.
    """

    is_known: bool
    batch_id: UUID
    batch_number: str
    rejected_count: int
    set_aside: tuple[SetAside, ...] = ()


def import_report(
    database: Database, name: str, content: bytes, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> Reported:
    """Import a bank's status report on one of our files; again, it changes nothing. Raises RefusedBankFile.

    Each rejected transfer leaves transit and is owed again (5115 to 4670); the next batch takes it up.
    """
    try:
        report = read_status_report(content)
        xml = unpacked(content)
    except RefusedXml as refused:
        raise RefusedBankFile([FileError(refused.line, refused.reason)]) from None
    batch_id, part = part_of_message(report.original_message_id) or (None, 1)
    with database.write() as session:
        take_bank_turn(session)
        batch = None if batch_id is None else batch_row(session, batch_id, issuer_id)
        if batch is None or batch.exported_at is None:
            reason = (
                f"Ce compte rendu répond au fichier « {report.original_message_id} », qui n’est pas l’un de vos lots."
            )
            raise RefusedBankFile([FileError(0, f"{reason} Choisissez un autre fichier.")])
        if not keep_file(session, report.sha256, name, xml, by, now, BankFileKind.REPORT):
            return Reported(True, batch.id, batch.number, 0)
        reasons = _reasons(session, batch.id, part, report)
        aside = _without_effect(session, batch.id, part, report, reasons)
        reasons = {advice_id: reason for advice_id, reason in reasons.items() if advice_id not in aside}
        rejected = reject_advices(session, reasons, on=paris_day(now), by=by, now=now)
        keep_set_aside(session, report.sha256, sorted(aside.values(), key=lambda one: one.line))
        close_ended_batches(session, now)
    return Reported(False, batch.id, batch.number, len(rejected), tuple(aside.values()))


def _reasons(session: Session, batch_id: UUID, part: int, report: StatusReport) -> dict[UUID, str]:
    """Return why the report refuses each advice of a part of a batch that it refuses."""
    blocks, ours = dict(report.rejected_blocks), payment_information_id(batch_id, part)
    # The bank speaks of a second sending: whatever it says of its transfers, the first stands.
    if report.reason in _DUPLICATE or blocks.get(ours) in _DUPLICATE:
        return {}
    rows = session.execute(
        select(PaymentAdvice.reference, PaymentAdvice.id).where(
            PaymentAdvice.batch_id == batch_id, PaymentAdvice.part == part
        )
    )
    advices = {row.reference: row.id for row in rows}
    reasons: dict[UUID, str] = {}
    if ours in blocks or (report.is_rejected and not report.transfers):
        reasons = dict.fromkeys(advices.values(), blocks.get(ours) or report.reason or "")
    for transfer in report.transfers:
        is_refused = transfer.is_rejected and transfer.reason not in _DUPLICATE
        if is_refused and transfer.end_to_end_id in advices:
            reasons[advices[transfer.end_to_end_id]] = transfer.reason or ""
    return reasons


def _without_effect(
    session: Session, batch_id: UUID, part: int, report: StatusReport, reasons: Mapping[UUID, str]
) -> dict[UUID | str, SetAside]:
    """Return the rejections that change nothing, by advice or unknown reference: a person must know, and ask the bank.

    One that says again what is known (rejected, come back, taken up) tells nothing new.
    """
    advices = session.execute(
        select(PaymentAdvice.id, PaymentAdvice.reference, PaymentAdvice.state, PaymentAdvice.paid_on)
        .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.part == part)
        .order_by(PaymentAdvice.reference)
    ).all()
    lines = {
        one.end_to_end_id: one.line for one in report.transfers if one.is_rejected and one.reason not in _DUPLICATE
    }
    found: dict[UUID | str, SetAside] = {}
    for reference in lines.keys() - {advice.reference for advice in advices}:
        why = f"La banque rejette le virement {reference}, qui n’est pas dans ce fichier. Demandez-lui de quoi elle parle."
        found[reference] = SetAside(lines[reference], why)
    for advice in advices:
        if advice.id not in reasons:
            continue
        name, line = f"le virement {advice.reference}", lines.get(advice.reference, 0)
        if advice.state == AdviceState.PAID:
            why = (
                f"La banque rejette {name}, que son relevé a débité le {french_date(advice.paid_on)}. Il reste payé. "
                "Demandez-lui si elle le rend : son retour rouvrira la dette."
            )
            found[advice.id] = SetAside(line, why)
    return found
