"""What a bank says of our file before any money moves: pain.002 of our own making."""

from collections.abc import Mapping
from uuid import UUID

from voucher.kernel.identifiers import new_id
from voucher.settlement.formats_out.references import message_id, payment_information_id

_REASON = "<StsRsnInf><Rsn><Cd>{}</Cd></Rsn></StsRsnInf>"


def status_report(
    batch_id: UUID,
    *,
    part: int = 1,
    group: str = "",
    block: str = "",
    transfers: Mapping[str, str] | None = None,
    status: str = "RJCT",
) -> bytes:
    """Return a report on a part of a batch; `group`, `block` and each transfer are refused for a reason, when one is given.

    `status` is said in place of a refusal.
    """
    single = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
        f"{_REASON.format(reason) if reason else ''}</TxInfAndSts>"
        for reference, reason in (transfers or {}).items()
    )
    whole = f"<GrpSts>{status}</GrpSts>{_REASON.format(group)}" if group else ""
    of_block = f"<PmtInfSts>{status}</PmtInfSts>{_REASON.format(block)}" if block else ""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{new_id().hex}</MsgId></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id(batch_id, part)}</OrgnlMsgId>{whole}</OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{payment_information_id(batch_id, part)}</OrgnlPmtInfId>{of_block}{single}"
        "</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    ).encode()
