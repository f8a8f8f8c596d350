"""Importer un compte rendu: what the bank says of our file before money moves (pain.002). It can only reject, never pay.

What the bank calls a duplicate is not rejected: its first sending may stand, and two people must say so (`duplicates`). An advice
already paid is left as it is. What the bank found of payees' names is kept and shown, and changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from voucher.kernel.bulk import copy_rows
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile, keep_file, keep_ignored
from voucher.settlement.batches.find_batch import batch_row
from voucher.settlement.formats_in.bank_stages import FileError, Ignored
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.formats_in.pain002 import StatusReport, read_status_report
from voucher.settlement.formats_in.safe_xml import RefusedXml, unpacked
from voucher.settlement.formats_out.references import part_of_message, payment_information_id
from voucher.settlement.model.bank_reports import TransferReport
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.model.refunds import LineRefund
from voucher.settlement.payable.undecided_duplicates import open_duplicates
from voucher.settlement.reconciliation.bank_turn import close_ended_batches, take_bank_turn
from voucher.settlement.reconciliation.refund_line import sent_refund
from voucher.settlement.reconciliation.reject_payments import reject_advices, say_why_rejected
from voucher.settlement.reconciliation.undo_match import REASON_LENGTH_MAX, undo_in
from voucher.settlement.reports.said_of_transfers import Said, fates, payees
from voucher.settlement.words.states import AdviceState, BankFileKind, RefundState, ReportKind

_CODE_LENGTH_MAX, _WORDS_LENGTH_MAX = 35, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a status report changed: the batch it speaks of, how many transfers it rejects. `is_known`: read before.

    `duplicate_count` transfers now wait for two people's answer; `payee_counts` says how many names matched, nearly, not, or could
    not be looked at, by code. `ignored` are the rejections that change nothing, each with its line and what to do.
    """

    is_known: bool
    batch_id: UUID
    batch_number: str
    rejected_count: int
    duplicate_count: int
    payee_counts: Mapping[str, int]
    ignored: tuple[Ignored, ...] = ()
    is_refund: bool = False  # it speaks of money sent back to its sender, whose reference stands for the number


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
        refund = None if batch_id is None or batch else sent_refund(session, batch_id, issuer_id)
        if refund is not None:
            is_new = keep_file(session, report.sha256, name=name, content=xml, by=by, now=now, kind=BankFileKind.REPORT)
            return _of_refund(session, report, refund, is_new=is_new, by=by, now=now)
        if batch is None or batch.exported_at is None:
            reason = (
                f"Ce compte rendu répond au fichier « {report.original_message_id} », qui n’est pas l’un de vos lots."
            )
            raise RefusedBankFile([FileError(0, f"{reason} Choisissez un autre fichier.")])
        if not keep_file(session, report.sha256, name=name, content=xml, by=by, now=now, kind=BankFileKind.REPORT):
            return Reported(
                is_known=True,
                batch_id=batch.id,
                batch_number=batch.number,
                rejected_count=0,
                duplicate_count=0,
                payee_counts={},
            )
        advices = _advices(session, batch.id, part)
        by_reference, ours = {row.reference: row.id for row in advices}, payment_information_id(batch.id, part)
        said, names = fates(report, by_reference, ours), payees(report, by_reference, ours)
        rejections = {one: said[one] for one in said if said[one].kind is ReportKind.REJECTION}
        aside = _without_effect(session, advices, rejections) + _of_no_transfer(report, by_reference)
        idle = {advice_id for advice_id, _ in aside}
        _keep(session, report.sha256, said, names)
        reasons = {advice_id: one.code for advice_id, one in rejections.items() if advice_id not in idle}
        rejected = reject_advices(session, reasons, on=paris_day(now), by=by, now=now, bank_file=report.sha256)
        say_why_rejected(session, reasons, bank_file=report.sha256, by=by, now=now)
        doubled = open_duplicates(session, said.keys() - rejections.keys())
        ignored = tuple(sorted((one for _, one in aside), key=lambda one: one.line))
        keep_ignored(session, report.sha256, ignored)
        close_ended_batches(session, now)
    codes = [one.code for one in names.values()]
    payee_counts = {code: codes.count(code) for code in sorted(set(codes))}
    return Reported(
        is_known=False,
        batch_id=batch.id,
        batch_number=batch.number,
        rejected_count=len(rejected),
        duplicate_count=len(doubled),
        payee_counts=payee_counts,
        ignored=ignored,
    )


def _of_refund(
    session: Session, report: StatusReport, refund: LineRefund, *, is_new: bool, by: UUID, now: datetime
) -> Reported:
    """Let the line of a refund that the bank refuses wait again; what it says too late changes nothing, and a person must know."""
    said = fates(report, {refund.reference: refund.id}, payment_information_id(refund.id)).get(refund.id)
    is_rejected = (
        is_new and said is not None and said.kind is ReportKind.REJECTION and refund.state == RefundState.IN_FILE
    )
    if is_rejected and said is not None:
        undo_in(
            session,
            refund.id,
            f"Refusé par la banque : {explain(said.code).sentence}"[:REASON_LENGTH_MAX],
            by=by,
            now=now,
        )
    ignored = () if said is None or is_rejected or not is_new else (_without_effect_on_refund(refund, said),)
    if is_new:
        keep_ignored(session, report.sha256, ignored)
    return Reported(
        is_known=not is_new,
        batch_id=refund.id,
        batch_number=refund.reference,
        rejected_count=int(is_rejected),
        duplicate_count=0,
        payee_counts={},
        ignored=ignored,
        is_refund=True,
    )


def _without_effect_on_refund(refund: LineRefund, said: Said) -> Ignored:
    """Return what the bank says of a refund and that changes nothing: a person must ask it."""
    if said.kind is not ReportKind.REJECTION:
        sentence = (
            f"La banque annonce un doublon du renvoi {refund.reference}. Demandez-lui s’il est parti une seule fois."
        )
    elif refund.state == RefundState.PAID:
        sentence = (
            f"La banque refuse le renvoi {refund.reference}, que son relevé a débité. Il reste débité. "
            "Demandez-lui si elle le rend : l’argent attendra alors sur une nouvelle ligne."
        )
    else:
        sentence = f"La banque refuse le renvoi {refund.reference}, dont l’argent attend déjà d’être identifié. Rien ne change."
    return Ignored(said.line, sentence)


def _advices(session: Session, batch_id: UUID, part: int) -> list[Row[*tuple[Any, ...]]]:
    query = (
        select(PaymentAdvice.id, PaymentAdvice.reference, PaymentAdvice.state, PaymentAdvice.paid_on)
        .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.part == part)
        .order_by(PaymentAdvice.reference)
    )
    return list(session.execute(query).all())


def _keep(session: Session, bank_file: str, *said: Mapping[UUID, Said]) -> None:
    """Keep what a file says of each transfer."""
    rows = (
        (
            bank_file,
            advice_id,
            one.kind.value,
            one.level.value,
            one.code[:_CODE_LENGTH_MAX],
            one.words[:_WORDS_LENGTH_MAX],
        )
        for of_one_kind in said
        for advice_id, one in of_one_kind.items()
    )
    copy_rows(session, TransferReport, rows)


def _of_no_transfer(report: StatusReport, by_reference: Mapping[str, UUID]) -> list[tuple[UUID | None, Ignored]]:
    """Return what is said of transfers that are not in the file: a person must ask the bank."""
    return [
        (
            None,
            Ignored(
                transfer.line,
                f"La banque {'annonce un doublon du' if transfer.is_duplicate else 'rejette le'} virement {transfer.end_to_end_id}, "
                "qui n’est pas dans ce fichier. Demandez-lui de quoi elle parle.",
            ),
        )
        for transfer in report.transfers
        if (transfer.is_rejected or transfer.is_duplicate) and transfer.end_to_end_id not in by_reference
    ]


def _without_effect(
    session: Session, advices: Iterable[Row[*tuple[Any, ...]]], rejections: Mapping[UUID, Said]
) -> list[tuple[UUID | None, Ignored]]:
    """Return the rejections that change nothing, by advice: a person must know, and ask the bank or answer first.

    One that says again what is known (rejected, come back, taken up) tells nothing new.
    """
    doubled = open_duplicates(session, rejections)
    found: list[tuple[UUID | None, Ignored]] = []
    for advice in advices:
        if advice.id not in rejections:
            continue
        why = ""
        if advice.state == AdviceState.PAID:
            why = (
                f"que son relevé a débité le {french_date(advice.paid_on)}. Il reste payé. "
                "Demandez-lui si elle le rend : son retour rouvrira la dette."
            )
        elif advice.id in doubled:
            why = "dont elle avait annoncé un doublon. Deux personnes doivent d’abord dire si le premier envoi tient."
        if why:
            line = rejections[advice.id].line
            found.append((advice.id, Ignored(line, f"La banque rejette le virement {advice.reference}, {why}")))
    return found
