"""What the bank says of a file we sent, before any money moves: ISO 20022 pain.002, versions 001.03 to 001.15.

An acceptance here never means paid (domain.md §3): only a booked statement line does. A rejection is final for the
transfer it names, or for the whole file when the group says RJCT and no transfer is named. A code that says « duplicate » is no
rejection. What the bank found of the payee's name (from 001.10, Regulation (EU) 2024/886) is neither.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from voucher.settlement.formats_in.camt_fields import Fields
from voucher.settlement.formats_in.iso_reasons import DUPLICATES
from voucher.settlement.formats_in.safe_xml import RefusedXml, elements, line_of, root_of, unpacked

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.(0[3-9]|1[0-5])")
PAYEE_CODES = frozenset({"RCVC", "RVMC", "RVNM", "RVNA", "RVCM", "RVNC"})
"""What a bank says of payees' names (ExternalPaymentTransactionStatus1Code and ExternalPaymentGroupStatus1Code).

They match; nearly; do not; it cannot tell. Of a file: some do not match; it has not looked at all of them yet.
"""
_QUOTES = re.compile(r"^[“”\"«»\s]+|[“”\"«»\s]+$")  # around a name: some banks write them
_ADDITIONAL_LENGTH_MAX = 105  # of one AddtlInf in the schema: a longer text goes on in the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The bank's word on a file, a block or a transfer. `reason` is a code; of several, the one that says « duplicate »."""

    status: str | None
    reason: str | None
    additional: str | None

    @property
    def is_rejected(self) -> bool:
        """Whether the bank will not carry it out, or has had it before."""
        return self.status == "RJCT"

    @property
    def is_duplicate(self) -> bool:
        """Whether the bank says that it has had it before: the first sending may stand."""
        return self.reason in DUPLICATES and not (self.status or "").startswith("AC")

    @property
    def payee(self) -> str | None:
        """What it says of payees' names, a code of `PAYEE_CODES`."""
        return next((one for one in (self.status, self.reason) if one in PAYEE_CODES), None)


@dataclass(frozen=True, slots=True)
class TransferStatus(Status):
    """The bank's word on one transfer: `RJCT` refuses it; `ACCP`, `ACSP`, `ACSC`, `PDNG`… do not pay it yet.

    `additional` is, of a payee whose name nearly matches (RVMC), the name that its bank knows. `line` is where the file says it.
    """

    end_to_end_id: str
    payment_information_id: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport(Status):
    """One pain.002: the file it answers (`original_message_id`), the status of the whole, and that of each transfer named.

    `status` is `ACCP`, `PART`, `RJCT`…, or None when the report adds only the fate of single transfers. `blocks` are the
    payment blocks by their PmtInfId.
    """

    sha256: str
    message_id: str
    original_message_id: str
    transfers: tuple[TransferStatus, ...]
    blocks: Mapping[str, Status]


def read_status_report(data: bytes) -> StatusReport:
    """Return a bank's status report given as XML, gzip or zip. Raises `xml_guard.RefusedXml` with a French reason."""
    xml = unpacked(data)
    root = root_of(xml)
    if not _NAMESPACE.fullmatch(root.namespace) or root.name != "Document":
        kind = root.namespace.rpartition(":")[2] or root.name
        raise RefusedXml(
            f"Ce fichier n’est pas un compte rendu pain.002 : c’est « {kind[:60]} ». Choisissez un autre fichier."
        )
    namespace = f"{{{root.namespace}}}"
    head, group = Fields.empty(), Fields.empty()
    transfers: list[TransferStatus] = []
    blocks: dict[str, Status] = {}
    names = ("GrpHdr", "OrgnlGrpInfAndSts", "OrgnlPmtInfAndSts")
    for event, element in elements(xml, [namespace + name for name in names]):
        if event == "start":
            continue
        name = element.tag[len(namespace) :]
        if name == "GrpHdr":
            head = Fields(element)
        elif name == "OrgnlGrpInfAndSts":
            group = Fields(element)
        else:
            block = Fields(element, nested_name="TxInfAndSts")
            block_id = block.first("OrgnlPmtInfId")
            if block_id is not None:
                blocks[block_id] = _status(block, "PmtInfSts")
            told = (_transfer(Fields(one), block_id, line_of(one)) for one in block.nested)
            transfers += [one for one in told if one is not None]
            element.clear()
    original_message_id = group.first("OrgnlMsgId")
    if original_message_id is None:
        raise RefusedXml("Ce compte rendu ne dit pas à quel fichier il répond. Demandez un autre fichier à la banque.")
    return StatusReport(
        **asdict(_status(group, "GrpSts")),
        sha256=hashlib.sha256(xml).hexdigest(),
        message_id=head.first("MsgId") or "",
        original_message_id=original_message_id,
        transfers=tuple(transfers),
        blocks=blocks,
    )


def _transfer(fields: Fields, block_id: str | None, line: int) -> TransferStatus | None:
    """Return what is said of a transfer; None when it is not named and nothing follows from its status."""
    end_to_end_id, status = fields.reference("OrgnlEndToEndId"), _status(fields, "TxSts")
    if end_to_end_id is not None:
        return TransferStatus(**asdict(status), end_to_end_id=end_to_end_id, payment_information_id=block_id, line=line)
    if status.status != "RJCT":
        return None
    raise RefusedXml(
        "Ce compte rendu rejette un virement sans dire lequel. Demandez un autre fichier à la banque.", line
    )


def _status(fields: Fields, name: str) -> Status:
    """Return a status, its reason and the bank's words."""
    reasons = fields.every("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")
    reason = next((one for one in reasons if one in DUPLICATES), next(iter(reasons), None))
    words = ""
    for piece in fields.every("StsRsnInf/AddtlInf"):
        is_cut = len(words) % _ADDITIONAL_LENGTH_MAX == 0
        words += piece if is_cut else f" {piece}"
    return Status(status=fields.first(name), reason=reason, additional=_QUOTES.sub("", words) or None)
