"""What a bank found of the names that we pay (verification of payee, Regulation (EU) 2024/886), as pages show it.

It changes no state: a name that does not match is no rejection. But the bank may wait for somebody's authorisation, and the right name
is the structure's to give.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.programme.model import Agreement
from voucher.settlement.model.bank_reports import TransferReport
from voucher.settlement.model.batches import BankFile, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.words.states import AdviceState, ReportKind

PAYEE_WORDS: dict[str, str] = {
    "RCVC": "Nom vérifié",
    "RVMC": "Nom presque juste",
    "RVNM": "Autre nom",
    "RVNA": "Nom non vérifié",
    "RVCM": "Noms à regarder",
    "RVNC": "Noms en cours de vérification",
}
"""The word of each answer of a bank on a payee's name."""

_SENTENCES = {
    "RCVC": "La banque confirme le nom du titulaire du compte.",
    "RVMC": "Le nom est presque celui du titulaire du compte.",
    "RVNM": "Le nom n’est pas celui du titulaire du compte.",
    "RVNA": "La banque n’a pas pu vérifier le nom du titulaire du compte.",
    "RVCM": "La banque a trouvé des écarts de nom dans ce fichier, sans dire lesquels.",
    "RVNC": "La banque n’a pas fini de vérifier les noms de ce fichier.",
}
_DOUBTFUL = ("RVMC", "RVNM", "RVCM")

MAY_WAIT = "Le virement n’est pas rejeté, mais le fichier peut attendre une autorisation à la banque."
"""What a name in doubt means for the money."""
ASK_NAME = "Demandez à la structure le nom exact du titulaire du compte, celui de son RIB."
"""What a person does about it."""


@dataclass(frozen=True, slots=True)
class PayeeCheck:
    """What the bank said last of the name of one transfer; `words` are its own: the name that it knows, when ours nearly matches.

    `may_wait`: the transfer is in transit and its name is in doubt, so that the bank may wait for an authorisation.
    """

    code: str
    words: str
    said_at: datetime
    may_wait: bool

    @property
    def is_match(self) -> bool:
        """Whether the bank confirms the name."""
        return self.code == "RCVC"

    @property
    def bank_name(self) -> str:
        """The name that the bank knows, empty when it gives none."""
        return self.words if self.code == "RVMC" else ""

    @property
    def sentence(self) -> str:
        """What the bank says, with the name that it knows or its reason."""
        said = _SENTENCES[self.code]
        if self.bank_name:
            return f"{said} La banque connaît «\u00a0{self.bank_name}\u00a0»."
        return f"{said} Elle ajoute : «\u00a0{self.words}\u00a0»." if self.words else said


@dataclass(frozen=True, slots=True)
class PayeeBatch:
    """A batch in transit of which the bank doubts names: how many transfers, how many cents."""

    batch_id: UUID
    batch_number: str
    transfer_count: int
    amount_cents: int


def is_doubtful(code: str) -> bool:
    """Whether a bank's answer on a name may make it wait for an authorisation."""
    return code in _DOUBTFUL


def payee_checks(database: Database, batch_id: UUID, *, advice_id: UUID | None = None) -> dict[UUID, PayeeCheck]:
    """Return what the bank said last of each name of a batch, or of one transfer; the caller has checked the scope."""
    conditions = [PaymentAdvice.batch_id == batch_id]
    if advice_id is not None:
        conditions.append(PaymentAdvice.id == advice_id)
    with database.read() as session:
        return {row.id: check for row, check in _last(session, conditions)}


def doubtful_names(found: Iterable[PayeeCheck]) -> list[tuple[str, int]]:
    """Return in how many transfers in transit a name is in doubt, by what the bank says, in words."""
    codes = [one.code for one in found if one.may_wait]
    return [(PAYEE_WORDS[code], codes.count(code)) for code in _DOUBTFUL if code in codes]


def payee_batches(database: Database, *, issuer_id: UUID | None = None) -> list[PayeeBatch]:
    """Return the batches of the scope of which transfers in transit bear a name that the bank doubts."""
    with database.read() as session:
        in_transit = PaymentAdvice.state == AdviceState.IN_FILE
        rows = [
            row
            for row, check in _last(session, [in_transit, in_scope(Agreement.issuer_id, issuer_id)])
            if check.may_wait
        ]
    batches = {row.batch_id: row.number for row in rows}
    return [
        PayeeBatch(one, number, len(same), sum(row.amount_cents for row in same))
        for one, number in sorted(batches.items(), key=lambda batch: batch[1])
        if (same := [row for row in rows if row.batch_id == one])
    ]


def _last(session: Session, conditions: Iterable[ColumnElement[bool]]) -> list[tuple[Any, PayeeCheck]]:
    """Return each advice with what the bank said last of its name."""
    rows = session.execute(
        select(
            PaymentAdvice.id,
            PaymentAdvice.state,
            PaymentAdvice.batch_id,
            PaymentAdvice.amount_cents,
            SettlementBatch.number,
            TransferReport.code,
            TransferReport.words,
            BankFile.imported_at,
        )
        .join(TransferReport, TransferReport.advice_id == PaymentAdvice.id)
        .join(BankFile, BankFile.sha256 == TransferReport.bank_file)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(TransferReport.kind == ReportKind.PAYEE, *conditions)
        .order_by(PaymentAdvice.reference, BankFile.sha256)
    )
    # Of two files imported together, the one that doubts.
    in_order = sorted(rows, key=lambda row: (row.imported_at, row.code in _DOUBTFUL))
    last = {row.id: row for row in in_order}
    return [
        (
            row,
            PayeeCheck(
                row.code, row.words, row.imported_at, row.code in _DOUBTFUL and row.state == AdviceState.IN_FILE
            ),
        )
        for row in last.values()
    ]
