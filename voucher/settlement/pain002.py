"""What the bank says of a file we sent, before any money moves: ISO 20022 pain.002, versions 001.03 to 001.15.

An acceptance here never means paid (architecture.md, trap 8): only a booked statement line does. A rejection is final for the
transfer it names, or for the whole file when the group says RJCT and no transfer is named.
"""

import hashlib
import re
from dataclasses import dataclass

from voucher.settlement.camt_fields import Fields
from voucher.settlement.xml_guard import RefusedXml, elements, line_of, root_of, unpacked

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.(0[3-9]|1[0-5])")


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """The bank's word on one transfer: `RJCT` refuses it; `ACCP`, `ACSP`, `ACSC`, `PDNG`… do not pay it yet.

    `line` is where the file says it.
    """

    end_to_end_id: str
    payment_information_id: str | None
    status: str | None
    reason: str | None
    additional: str | None
    line: int

    @property
    def is_rejected(self) -> bool:
        """Whether the bank will not carry out this transfer."""
        return self.status == "RJCT"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One pain.002: the file it answers (`original_message_id`), the status of the whole, and that of each transfer named.

    `status` is `ACCP`, `PART`, `RJCT`…, or None when the report adds only the fate of single transfers. `rejected_blocks` are the
    payment blocks (PmtInfId) refused as a whole, with their reason.
    """

    sha256: str
    message_id: str
    original_message_id: str
    status: str | None
    reason: str | None
    additional: str | None
    transfers: tuple[TransferStatus, ...]
    rejected_blocks: tuple[tuple[str, str | None], ...]

    @property
    def is_rejected(self) -> bool:
        """Whether the bank refuses the whole file."""
        return self.status == "RJCT"


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
    rejected_blocks: list[tuple[str, str | None]] = []
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
            if block.first("PmtInfSts") == "RJCT" and block_id is not None:
                rejected_blocks.append((block_id, _reason(block)))
            transfers += [_transfer(Fields(one), block_id, line_of(one)) for one in block.nested]
            element.clear()
    original_message_id = group.first("OrgnlMsgId")
    if original_message_id is None:
        raise RefusedXml("Ce compte rendu ne dit pas à quel fichier il répond. Demandez un autre fichier à la banque.")
    return StatusReport(
        sha256=hashlib.sha256(xml).hexdigest(),
        message_id=head.first("MsgId") or "",
        original_message_id=original_message_id,
        status=group.first("GrpSts"),
        reason=_reason(group),
        additional=_additional(group),
        transfers=tuple(transfers),
        rejected_blocks=tuple(rejected_blocks),
    )


def _transfer(fields: Fields, block_id: str | None, line: int) -> TransferStatus:
    end_to_end_id = fields.reference("OrgnlEndToEndId")
    if end_to_end_id is None:
        raise RefusedXml("Ce compte rendu parle d’un virement sans dire lequel. Demandez un autre fichier à la banque.")
    return TransferStatus(end_to_end_id, block_id, fields.first("TxSts"), _reason(fields), _additional(fields), line)


def _reason(fields: Fields) -> str | None:
    return fields.first("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry")


def _additional(fields: Fields) -> str | None:
    return " ".join(fields.every("StsRsnInf/AddtlInf")) or None
