"""The files of a batch as they leave: for the bank of a mandated operator, or for a public accountant. Never both."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.refusals import Refused
from voucher.kernel.sepa import WrongPayment
from voucher.programme.model import Agreement, Issuer, PayingAccount
from voucher.redemption.model import Period
from voucher.settlement.batches.even_parts import even_parts, part_count_of
from voucher.settlement.batches.supporting_lines import supporting_lines
from voucher.settlement.formats_out.liquidation import (
    KeptList,
    Liquidation,
    Payee,
    liquidation_csv,
    liquidation_json,
    liquidation_pdf,
    supporting_csv,
)
from voucher.settlement.formats_out.pain001 import Debtor, Transfer, write_credit_transfers
from voucher.settlement.formats_out.references import PARTS_MAX, file_stem, message_id, payment_information_id
from voucher.settlement.words.labels import SIGNATORIES
from voucher.settlement.words.states import PaymentFileKind


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A kept file: its kind, its name, its bytes, and its rank among those of its kind, from 1."""

    kind: PaymentFileKind
    name: str
    content: bytes
    part: int = 1


def files_of(
    session: Session, batch: Row[Any], advices: Sequence[Row[*tuple[Any, ...]]], execution_on: date | None
) -> tuple[ExportedFile, ...]:
    """Return the files that a batch leaves in, from what is stored: the same bytes each time.

    `execution_on` is given for a bank and None for an accountant. Raises Refused for a payment that banks would refuse.
    """
    agreement = session.execute(
        select(
            Agreement.name,
            Agreement.commitment_number,
            Agreement.service_code,
            Agreement.paying_account_id,
            Issuer.name.label("issuer_name"),
            Issuer.kind,
        )
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(Agreement.id == batch.agreement_id)
    ).one()
    if execution_on is None:
        return _for_an_accountant(session, batch, agreement, advices)
    # A batch is one agreement's and an agreement has one account: no file ever debits two.
    account = session.execute(
        select(*PayingAccount.__table__.columns).where(PayingAccount.id == agreement.paying_account_id)
    ).one()
    return _for_a_bank(batch, account, advices, execution_on)


def _for_a_bank(
    batch: Row[Any], account: Row[Any], advices: Sequence[Row[*tuple[Any, ...]]], execution_on: date
) -> tuple[ExportedFile, ...]:
    part_count = part_count_of(len(advices), account.transfers_per_file)
    if part_count > PARTS_MAX:
        raise Refused(
            "too_many_files",
            f"Ce lot ferait {part_count} fichiers ; {PARTS_MAX} au plus. Demandez au programme d’augmenter le nombre de "
            "virements par fichier de ce compte payeur.",
        )
    stem = file_stem(batch.number)
    files = []
    for part, some in enumerate(even_parts(advices, part_count), 1):
        rank = "" if part_count == 1 else f"-{part}-sur-{part_count}"
        content = _credit_transfers(batch, account, some, execution_on, part)
        files.append(
            ExportedFile(PaymentFileKind(account.transfer_schema), f"virements-{stem}{rank}.xml", content, part)
        )
    return tuple(files)


def _credit_transfers(
    batch: Row[Any], account: Row[Any], advices: Sequence[Row[*tuple[Any, ...]]], execution_on: date, part: int
) -> bytes:
    # No address: the network knows those of places, not that of who holds an account.
    transfers = [
        Transfer(
            end_to_end_id=advice.reference,
            creditor_name=advice.holder_name,
            creditor_iban=advice.iban,
            creditor_bic=advice.bic,
            amount_cents=advice.amount_cents,
            remittance=f"Pass numerique, lot {batch.number}, {advice.voucher_count} cheques",
        )
        for advice in advices
    ]
    try:
        return write_credit_transfers(
            message_id(batch.id, part),
            payment_information_id(batch.id, part),
            batch.approved_at,
            execution_on,
            Debtor(account.holder_name, account.iban, account.bic),
            transfers,
            schema_name=account.transfer_schema,
            is_urgent=batch.period_id is None,
        )
    except WrongPayment as wrong:
        raise Refused("wrong_payment", f"{wrong} Rien n’est parti. Mettez ce règlement de côté.") from None


def _for_an_accountant(
    session: Session, batch: Row[Any], agreement: Row[*tuple[Any, ...]], advices: Sequence[Row[*tuple[Any, ...]]]
) -> tuple[ExportedFile, ...]:
    period = session.execute(
        select(Period.opened_at, Period.closed_at).where(Period.id == batch.period_id)
    ).one_or_none()
    in_order = sorted(advices, key=lambda one: (one.name, one.pivot))
    liquidation = Liquidation(
        batch_number=batch.number,
        agreement_name=agreement.name,
        authority_name=agreement.issuer_name,
        signatory=SIGNATORIES[agreement.kind],
        commitment_number=agreement.commitment_number or None,
        service_code=agreement.service_code or None,
        drawn_up_on=paris_day(batch.approved_at),
        period=period and (paris_day(period.opened_at), paris_day(period.closed_at)),
        payees=[
            Payee(
                reference=one.reference,
                siret=one.pivot,
                name=one.name,
                account_holder=one.holder_name,
                iban=one.iban,
                voucher_count=one.voucher_count,
                amount_cents=one.amount_cents,
            )
            for one in in_order
        ],
    )
    stem = file_stem(batch.number)
    lines = supporting_lines(session, batch.id)
    content = supporting_csv(batch.number, lines)
    supporting = KeptList(f"piece-justificative-{stem}.csv", hashlib.sha256(content).hexdigest(), len(lines))
    kind = PaymentFileKind
    return (
        ExportedFile(kind.LIQUIDATION_CSV, f"etat-liquidatif-{stem}.csv", liquidation_csv(liquidation)),
        ExportedFile(kind.LIQUIDATION_JSON, f"etat-liquidatif-{stem}.json", liquidation_json(liquidation, supporting)),
        ExportedFile(
            kind.LIQUIDATION_PDF, f"etat-liquidatif-{stem}.pdf", liquidation_pdf(liquidation, lines, supporting)
        ),
        ExportedFile(kind.SUPPORTING_CSV, supporting.name, content),
    )
