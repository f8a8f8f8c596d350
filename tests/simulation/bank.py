"""The bank of the simulation: it reads the transfer files that left, refuses some, books the others, brings a few back.

It keeps books of its own, so that its sums can be set against ours: it shares nothing with the product but the files.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from lxml import etree

from voucher.demonstration.bank import BookedLine, statement

REJECTS = ("AC01", "AG01", "RR03")
RETURNS = ("AC04", "MS03", "BE04")


@dataclass
class Transfer:
    """A transfer that the bank was asked to make."""

    end_to_end_id: str
    amount_cents: int
    name: str


@dataclass
class Account:
    """One account at the bank: what was asked, what was booked, each statement it sent."""

    iban: str
    dice: random.Random
    balance_cents: int = 0
    paid_cents: int = 0  # transfers debited, less those that came back
    charged_cents: int = 0
    received_cents: int = 0  # from funders and strangers
    sent_count: int = 0
    statements: list[bytes] = field(default_factory=list)
    abroad: list[Transfer] = field(default_factory=list)  # paid, and to be returned next month
    lines: list[BookedLine] = field(default_factory=list)

    def take(self, content: bytes) -> bytes | None:
        """Take a transfer file; return the report that refuses some of its transfers, None when all are accepted."""
        root = etree.fromstring(content)
        space = {"p": str(etree.QName(root).namespace)}
        assert root.findtext(".//p:DbtrAcct/p:Id/p:IBAN", namespaces=space) == self.iban
        refused = {}
        for one in root.iterfind(".//p:CdtTrfTxInf", space):
            transfer = Transfer(
                one.findtext("p:PmtId/p:EndToEndId", "", space),
                _cents(one.findtext("p:Amt/p:InstdAmt", "", space)),
                one.findtext("p:Cdtr/p:Nm", "", space),
            )
            luck = self.dice.random()
            if luck < 0.04:
                refused[transfer.end_to_end_id] = self.dice.choice(REJECTS)
                continue
            self._book(transfer.amount_cents, False, transfer.end_to_end_id, transfer.name)
            self.paid_cents += transfer.amount_cents
            if luck > 0.95:
                self.abroad.append(transfer)
        return _report(root, space, refused) if refused else None

    def bring_back(self) -> list[str]:
        """Return last month's transfers whose account was closed; give their references."""
        for transfer in self.abroad:
            self._book(transfer.amount_cents, True, transfer.end_to_end_id, transfer.name, self.dice.choice(RETURNS))
            self.paid_cents -= transfer.amount_cents
        back = [transfer.end_to_end_id for transfer in self.abroad]
        self.abroad = []
        return back

    def receive(self, amount_cents: int, payer: str, words: str) -> None:
        """Let somebody pay in."""
        self._book(amount_cents, True, "NOTPROVIDED", payer, words=words)
        self.received_cents += amount_cents

    def charge(self, amount_cents: int) -> None:
        """Take the bank's own price."""
        self.sent_count += 1
        line = BookedLine(
            reference=f"{self.iban[-4:]}-{self.sent_count:06d}", amount_cents=amount_cents, is_credit=False, kind="CHRG"
        )
        self.lines.append(line)
        self.charged_cents += amount_cents

    def _book(
        self, amount_cents: int, is_credit: bool, end_to_end_id: str, name: str, back: str = "", words: str = ""
    ) -> None:
        self.sent_count += 1
        reference = f"{self.iban[-4:]}-{self.sent_count:06d}"
        self.lines.append(
            BookedLine(
                reference=reference,
                amount_cents=amount_cents,
                is_credit=is_credit,
                end_to_end_id=end_to_end_id,
                counterparty=name,
                remittance=words,
                return_reason=back,
            )
        )

    def close_day(self, day: date) -> bytes | None:
        """Send the statement of a day: None when nothing was booked."""
        if not self.lines:
            return None
        content = statement(f"{self.iban[-4:]}-{day:%y%m%d}", self.iban, day, self.balance_cents, self.lines)
        self.balance_cents += sum(one.amount_cents if one.is_credit else -one.amount_cents for one in self.lines)
        self.lines = []
        self.statements.append(content)
        return content


def accountant_return(lines: Sequence[tuple[str, int, date, str]]) -> bytes:
    """Return the accountant's file: for each (reference, cents, day, reason), paid when there is no reason."""
    rows = ["reference;montant;statut;date_paiement;motif"]
    rows += [
        f"{reference};{cents // 100},{cents % 100:02d};{'rejete' if reason else 'paye'};{day:%d/%m/%Y};{reason}"
        for reference, cents, day, reason in lines
    ]
    return "\r\n".join(rows).encode()


def _report(root: etree._Element, space: dict[str, str], refused: dict[str, str]) -> bytes:
    message = root.findtext(".//p:GrpHdr/p:MsgId", "", space)
    block = root.findtext(".//p:PmtInf/p:PmtInfId", "", space)
    single = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>RJCT</TxSts>"
        f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf></TxInfAndSts>"
        for reference, reason in refused.items()
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>R{message[:30]}</MsgId></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId></OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{block}</OrgnlPmtInfId>{single}</OrgnlPmtInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    ).encode()


def _cents(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))
