"""What a bank's status report says of each of our transfers: pure. Whether it changes anything is for the import."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from voucher.settlement.formats_in.pain002 import Status, StatusReport
from voucher.settlement.words.states import ReportKind, ReportLevel


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said of one transfer, at which level, by which code, in which words; `line` of the file, 0 for the whole."""

    kind: ReportKind
    level: ReportLevel
    code: str
    words: str
    line: int


def fates(report: StatusReport, advices: Mapping[str, UUID], block_id: str) -> dict[UUID, Said]:
    """Return, of the advices (by reference) of a file, those that the bank refuses or calls duplicates.

    A file or a block that it has had before says it of all its transfers, whatever it says of each: the first sending stands.
    """
    whole = _whole(report, block_id)
    found = {} if whole is None else dict.fromkeys(advices.values(), whole)
    if whole is not None and whole.kind is ReportKind.DUPLICATE:
        return found
    for transfer in report.transfers:
        if transfer.end_to_end_id in advices and (transfer.is_rejected or transfer.is_duplicate):
            said = _said(transfer, ReportLevel.TRANSFER, line=transfer.line, otherwise=whole.code if whole else "")
            found[advices[transfer.end_to_end_id]] = said
    return found


def payees(report: StatusReport, advices: Mapping[str, UUID], block_id: str) -> dict[UUID, Said]:
    """Return what the bank says of payees' names; said of the whole file or block, it counts when no transfer is named."""
    named = [transfer for transfer in report.transfers if transfer.payee]
    if not named:
        wholes = [(report, ReportLevel.FILE), (report.blocks.get(block_id, report), ReportLevel.BLOCK)]
        said = next((_payee(one, level, 0) for one, level in wholes if one.payee), None)
        return {} if said is None else dict.fromkeys(advices.values(), said)
    return {
        advices[one.end_to_end_id]: _payee(one, ReportLevel.TRANSFER, one.line)
        for one in named
        if one.end_to_end_id in advices
    }


def _whole(report: StatusReport, block_id: str) -> Said | None:
    block = report.blocks.get(block_id)
    if report.is_duplicate:
        return _said(report, ReportLevel.FILE)
    if block is not None and (block.is_duplicate or block.is_rejected):
        return _said(block, ReportLevel.BLOCK, otherwise=report.reason or "")
    if report.is_rejected and not report.transfers:
        return _said(report, ReportLevel.FILE)
    return None


def _said(one: Status, level: ReportLevel, *, line: int = 0, otherwise: str = "") -> Said:
    kind = ReportKind.DUPLICATE if one.is_duplicate else ReportKind.REJECTION
    return Said(kind, level, one.reason or otherwise, one.additional or "", line)


def _payee(one: Status, level: ReportLevel, line: int) -> Said:
    return Said(ReportKind.PAYEE, level, one.payee or "", one.additional or "", line)
