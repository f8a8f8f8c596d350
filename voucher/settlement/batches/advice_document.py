"""The payment advice of a structure on paper."""

from datetime import date

from voucher.kernel.calendar import paris_day
from voucher.settlement.batches.read_advice import AdvicePage
from voucher.settlement.formats_out.documents import Advice, AdviceAdjustment, Contact, advice_pdf
from voucher.settlement.formats_out.references import file_stem


def _period(page: AdvicePage) -> tuple[date, date] | None:
    if page.period_opened_at is None or page.period_closed_at is None:
        return None
    return paris_day(page.period_opened_at), paris_day(page.period_closed_at)


def advice_document(page: AdvicePage, contact: Contact) -> tuple[str, bytes]:
    """Return the name and the bytes of a payment advice as a PDF. Raises ValueError for one that pays nothing (held)."""
    if not page.has_document or page.holder_name is None or page.iban is None:
        raise ValueError("an advice that pays nothing has no document")
    content = advice_pdf(
        Advice(
            reference=page.reference,
            batch_number=page.batch_number,
            agreement_name=page.agreement_name,
            payer_name=page.payer_name,
            issued_on=paris_day(page.frozen_at),
            period=_period(page),
            situation=page.said.sentence,
            situation_on=page.facts.today,
            structure_name=page.structure_name,
            siret=page.pivot,
            account_holder=page.holder_name,
            iban=page.iban,
            receipts=page.receipts,
            adjustments=[
                AdviceAdjustment(f"Repris du lot {one.batch_number} (référence {one.reference})", one.amount_cents)
                for one in page.carried
            ]
            + [AdviceAdjustment(one.words, one.amount_cents) for one in page.adjusted],
            total_cents=page.amount_cents,
            contact=contact,
        )
    )
    return f"bordereau-{file_stem(page.batch_number)}-{page.reference}.pdf", content
