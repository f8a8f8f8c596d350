"""One advice, whole: its lines, the redemptions behind it by place and day, its bank lines."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import null, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database
from voucher.network.model import Place, Structure
from voucher.programme.model import Agreement, Issuer, PayingAccount, SettlementChannel
from voucher.redemption.model import Period, Redemption
from voucher.settlement.formats_out.documents import AdviceReceipt
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import AdviceLine, BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery
from voucher.settlement.payable.read_payment_facts import payment_facts
from voucher.settlement.recoveries.net_overpayments import in_period_line
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.payment_sentences import Said, said
from voucher.settlement.words.states import AdviceState, LineNature


@dataclass(frozen=True, slots=True)
class CarriedLine:
    """A part of an advice that an earlier one could not pay."""

    advice_id: UUID
    reference: str
    batch_number: str
    amount_cents: int
    voucher_count: int


@dataclass(frozen=True, slots=True)
class AdjustedLine:
    """A part of an advice that a dispute made: freed, netted (below zero) or given back; `redeemed_at` is of its redemption."""

    nature: LineNature
    dispute_id: UUID
    overpayment_id: UUID | None
    redeemed_at: datetime
    amount_cents: int

    @property
    def words(self) -> str:
        """What it is, in French."""
        return {
            LineNature.RELEASED: "Contestation levée : encaissement du",
            LineNature.NETTED: "Trop-perçu retenu : encaissement du",
        }.get(self.nature, "Retenue annulée : encaissement du") + f" {french_date(paris_day(self.redeemed_at))}"


@dataclass(frozen=True, slots=True)
class BookedLine:
    """A bank line of an advice."""

    booked_on: date
    amount_cents: int
    is_credit: bool
    return_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvicePage:
    """One advice, whole. `taken_up_by` is the advice that carries its amount now, once it failed; `facts` say where it stands."""

    id: UUID
    reference: str
    structure_id: UUID
    structure_name: str
    pivot: str
    holder_name: str | None
    iban: str | None
    bic: str | None
    state: AdviceState
    amount_cents: int
    voucher_count: int
    paid_on: date | None
    batch_id: UUID
    batch_number: str
    agreement_id: UUID
    channel: str
    agreement_name: str
    issuer_name: str
    payer_name: str
    period_opened_at: datetime | None  # None: an urgent batch has no period
    period_closed_at: datetime | None
    frozen_at: datetime
    approved_at: datetime | None
    exported_at: datetime | None
    execution_on: date | None
    receipts: tuple[AdviceReceipt, ...]
    carried: tuple[CarriedLine, ...]
    bank_lines: tuple[BookedLine, ...]
    taken_up_by: CarriedLine | None
    has_document: bool  # what was held pays nothing: it has no advice on paper
    adjusted: tuple[AdjustedLine, ...]
    facts: PaymentFacts

    @property
    def said(self) -> Said:
        """Where it stands, in French."""
        return said(self.facts)

    @property
    def is_due(self) -> bool:
        """Whether its batch is still to be sent."""
        return self.state is AdviceState.DUE

    @property
    def is_in_file(self) -> bool:
        """Whether it was sent, and the bank is to book it."""
        return self.state is AdviceState.IN_FILE

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is awaited: it is paid, or needs no transfer."""
        return self.state in (AdviceState.PAID, AdviceState.SETTLED)

    @property
    def is_on_its_way(self) -> bool:
        """Whether it goes its way, or another advice carries it, and nothing keeps it back."""
        return self.state in (AdviceState.DUE, AdviceState.IN_FILE, AdviceState.TAKEN_UP) and not self.facts.cause

    @property
    def gross_cents(self) -> int:
        """What was owed before anything was netted."""
        return self.amount_cents - sum(one.amount_cents for one in self.adjusted if one.nature != LineNature.RELEASED)


def advice(
    database: Database,
    advice_id: UUID,
    *,
    now: datetime,
    issuer_id: UUID | None = None,
    structure_id: UUID | None = None,
) -> AdvicePage | None:
    """Return one advice, or None when it is not in the scope (an issuer's, or a structure's)."""
    query = (
        select(
            *PaymentAdvice.__table__.columns,
            Structure.name.label("structure_name"),
            Structure.pivot,
            SettlementBatch.number,
            SettlementBatch.agreement_id,
            SettlementBatch.channel,
            SettlementBatch.period_id,
            SettlementBatch.frozen_at,
            SettlementBatch.approved_at,
            SettlementBatch.exported_at,
            SettlementBatch.execution_on,
            Agreement.name.label("agreement_name"),
            Issuer.name.label("issuer_name"),
            PayingAccount.holder_name.label("payer_name"),
            Period.opened_at,
            Period.closed_at,
        )
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .outerjoin(Period, Period.id == SettlementBatch.period_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .join(PayingAccount, PayingAccount.id == Agreement.paying_account_id)
        .where(PaymentAdvice.id == advice_id, in_scope(Agreement.issuer_id, issuer_id))
    )
    if structure_id is not None:
        query = query.where(PaymentAdvice.structure_id == structure_id)
    with database.read() as session:
        row = session.execute(query).one_or_none()
        if row is None:
            return None
        bank_lines = session.execute(
            select(BankLine.booked_on, BankMatch.amount_cents, BankLine.is_credit, BankLine.return_reason)
            .join(BankMatch, BankMatch.line_id == BankLine.id)
            .where(BankMatch.advice_id == advice_id, BankMatch.undone_at.is_(None))
            .order_by(BankLine.is_credit, BankLine.booked_on)
        ).all()
        return AdvicePage(
            id=row.id,
            reference=row.reference,
            structure_id=row.structure_id,
            structure_name=row.structure_name,
            pivot=row.pivot,
            holder_name=row.holder_name,
            iban=row.iban,
            bic=row.bic,
            state=row.state,
            amount_cents=row.amount_cents,
            voucher_count=row.voucher_count,
            paid_on=row.paid_on if row.state in (AdviceState.PAID, AdviceState.SETTLED) else None,
            batch_id=row.batch_id,
            agreement_id=row.agreement_id,
            batch_number=row.number,
            channel=row.channel,
            agreement_name=row.agreement_name,
            issuer_name=row.issuer_name,
            payer_name=row.payer_name if row.channel == SettlementChannel.MANDATED_OPERATOR else row.issuer_name,
            period_opened_at=row.opened_at,
            period_closed_at=row.closed_at,
            frozen_at=row.frozen_at,
            approved_at=row.approved_at,
            exported_at=row.exported_at,
            execution_on=row.execution_on,
            receipts=_receipts(session, row.period_id, row.structure_id),
            carried=_carried(session, advice_id),
            bank_lines=tuple(BookedLine(*line) for line in bank_lines),
            taken_up_by=_taken_up_by(session, advice_id),
            has_document=row.is_payable or row.state == AdviceState.SETTLED,
            adjusted=_adjusted(session, advice_id),
            facts=payment_facts(session, [advice_id], now)[advice_id],
        )


def _receipts(session: Session, period_id: UUID | None, structure_id: UUID) -> tuple[AdviceReceipt, ...]:
    """Gather the redemptions of a structure in a period by place and Paris day."""
    rows = session.execute(
        select(Place.name, Redemption.redeemed_at, Redemption.voucher_count, Redemption.amount_cents)
        .join(Place, Place.id == Redemption.place_id)
        .where(
            Redemption.period_id == period_id,
            Redemption.structure_id == structure_id,
            in_period_line(),
        )
    )
    sums: defaultdict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for name, redeemed_at, voucher_count, amount_cents in rows:
        one = sums[name, paris_day(redeemed_at)]
        one[0] += voucher_count
        one[1] += amount_cents
    return tuple(AdviceReceipt(name, day, *one) for (name, day), one in sorted(sums.items()))


def _carried(session: Session, advice_id: UUID) -> tuple[CarriedLine, ...]:
    source = aliased(PaymentAdvice)
    rows = session.execute(
        select(source.id, source.reference, SettlementBatch.number, AdviceLine.amount_cents, AdviceLine.voucher_count)
        .join(source, source.id == AdviceLine.source_id)
        .join(SettlementBatch, SettlementBatch.id == source.batch_id)
        .where(AdviceLine.advice_id == advice_id, AdviceLine.nature == LineNature.CARRIED_OVER)
        .order_by(SettlementBatch.frozen_at)
    )
    return tuple(CarriedLine(*row) for row in rows)


def _adjusted(session: Session, advice_id: UUID) -> tuple[AdjustedLine, ...]:
    from_recovery = (
        select(
            AdviceLine.nature, Overpayment.dispute_id, Overpayment.id, Redemption.redeemed_at, AdviceLine.amount_cents
        )
        .join(Recovery, Recovery.id == AdviceLine.source_id)
        .join(Overpayment, Overpayment.id == Recovery.overpayment_id)
        .join(Redemption, Redemption.id == Overpayment.redemption_id)
        .where(AdviceLine.nature.in_((LineNature.NETTED, LineNature.RESTORED)))
    )
    from_dispute = (
        select(AdviceLine.nature, Dispute.id, null(), Redemption.redeemed_at, AdviceLine.amount_cents)
        .join(Dispute, Dispute.id == AdviceLine.source_id)
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .where(AdviceLine.nature == LineNature.RELEASED)
    )
    rows = [
        row
        for query in (from_dispute, from_recovery)
        for row in session.execute(query.where(AdviceLine.advice_id == advice_id).order_by(Redemption.redeemed_at))
    ]
    return tuple(AdjustedLine(row[0], *row[1:]) for row in rows)


def _taken_up_by(session: Session, advice_id: UUID) -> CarriedLine | None:
    row = session.execute(
        select(
            PaymentAdvice.id,
            PaymentAdvice.reference,
            SettlementBatch.number,
            PaymentAdvice.amount_cents,
            PaymentAdvice.voucher_count,
        )
        .join(AdviceLine, AdviceLine.advice_id == PaymentAdvice.id)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(AdviceLine.source_id == advice_id, AdviceLine.nature == LineNature.CARRIED_OVER)
    ).one_or_none()
    return None if row is None else CarriedLine(*row)
