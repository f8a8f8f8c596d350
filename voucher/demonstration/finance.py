"""The months of finance: batches frozen by one person and approved by another, paid by the bank or by the accountant, funds called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from voucher.access.rules import Role
from voucher.demonstration.agreements import Signed
from voucher.demonstration.bank import BookedLine, statement
from voucher.demonstration.story import Story, invented_iban
from voucher.funding.call import Called, call_advance, call_funds
from voucher.funding.close import close_funding
from voucher.kernel.refusals import Refused
from voucher.programme.model import AgreementShare
from voucher.redemption.answers import Counter, Redeemed
from voucher.redemption.model import Redemption, RedemptionState
from voucher.redemption.period import close_ended_periods
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.formats_out.references import refund_reference
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.reconciliation.match_opposite_lines import match_with_opposite
from voucher.settlement.reconciliation.match_other_money import match_with_refund
from voucher.settlement.reconciliation.proposals import confirm_proposal
from voucher.settlement.reconciliation.refund_line import NewRefund, propose_refund
from voucher.settlement.reconciliation.split_over_calls import CallPart, match_with_calls
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute

CHARGE_CENTS = 180
MANDATE = "VIR DRFIP 34 MANDAT 004512"
STATE = 0
LOCAL = -1  # the place of the local funder among an agreement's


@dataclass(frozen=True, slots=True)
class Month:
    """What is odd about a month: transfers that come back, one that the bank refuses, how far its batch has gone."""

    returned_count: int = 0
    rejected_count: int = 0
    is_approved: bool = True


class DemonstrationBank:
    """One account at the demonstration's bank: its statements follow each other."""

    def __init__(self, story: Story, signed: Signed) -> None:
        self.story = story
        self.signed = signed
        self.balance_cents = 0
        self.statement_count = 0
        self.left_by_state: list[Called] = []  # calls that the State pays with the next one

    def book(self, day: date, lines: list[BookedLine]) -> None:
        """Send a statement with these lines, and let the preparer import it."""
        self.statement_count += 1
        reference = f"{self.signed.number}-R{self.statement_count:02d}"
        content = statement(reference, self.signed.iban, day, self.balance_cents, lines)
        self.balance_cents += sum(line.amount_cents if line.is_credit else -line.amount_cents for line in lines)
        self.send(f"{reference}.xml", content, day)

    def send(self, name: str, content: bytes, day: date) -> None:
        """Let the preparer import a file on the morning after."""
        now = self.story.hour_of(day + timedelta(days=1))
        import_bank_file(self.story.database, name, content, by=self.story.by[Role.FINANCE_PREPARER], now=now)


def fund(bank: DemonstrationBank, day: date, amount_cents: int, payer: str) -> None:
    """Let a payment arrive that nothing explains, so that it shows among the lines to identify."""
    line = BookedLine(
        reference=f"V{bank.statement_count}",
        amount_cents=amount_cents,
        is_credit=True,
        counterparty=payer,
        remittance="Versement Pass",
    )
    bank.book(day, [line])


def send_back(story: Story, bank: DemonstrationBank, day: date, amount_cents: int, payer: str) -> None:
    """Let a payment arrive that was not for this account: the preparer asks to send it back, the approver confirms, the bank debits it."""
    fund(bank, day, amount_cents, payer)
    line_id = _line_of(story, bank, f"V{bank.statement_count - 1}")
    new = NewRefund(
        id=story.some_id(),
        line_id=line_id,
        amount_cents=amount_cents,
        holder_name=payer,
        iban=invented_iban(3000),
        reason="Loyer versé par erreur, vu avec la mairie.",
    )
    propose_refund(story.database, new, by=story.by[Role.FINANCE_PREPARER], now=story.hour_of(day + timedelta(days=2)))
    now = story.hour_of(day + timedelta(days=3))
    confirm_proposal(story.database, new.id, by=story.by[Role.FINANCE_APPROVER], now=now)
    label = f"V{bank.statement_count}"
    reference = refund_reference(new.id)
    line = BookedLine(
        reference=label, amount_cents=amount_cents, is_credit=False, end_to_end_id=reference, counterparty=payer
    )
    bank.book(day + timedelta(days=5), [line])


def mistake(bank: DemonstrationBank, day: date, amount_cents: int) -> None:
    """Let the bank credit by mistake what it will take back once the year is closed."""
    bank.book(
        day,
        [
            BookedLine(
                reference=f"E{bank.statement_count}",
                amount_cents=amount_cents,
                is_credit=True,
                remittance="Virement sans référence",
            )
        ],
    )


def correct_mistake(story: Story, bank: DemonstrationBank, day: date, amount_cents: int) -> None:
    """Let the bank take back what it credited by mistake; the preparer says that both lines undo each other."""
    if day + timedelta(days=1) >= story.today:
        return  # the bank has not seen it yet
    words = "Extourne de notre crédit de fin décembre"
    bank.book(
        day,
        [
            BookedLine(
                reference=f"E{bank.statement_count}", amount_cents=amount_cents, is_credit=False, remittance=words
            )
        ],
    )
    with story.database.read() as session:
        of_bank = BankLine.paying_account_id == bank.signed.paying_account_id
        alike = select(BankLine.id).where(of_bank, BankLine.amount_cents == amount_cents, BankLine.matched_cents == 0)
        line_id, other_id = session.scalars(alike.order_by(BankLine.booked_on)).all()
    by, now = story.by[Role.FINANCE_PREPARER], story.evening_of(day + timedelta(days=1))
    match_with_opposite(story.database, story.some_id(), line_id, other_id, by=by, now=now)


def settle(story: Story, bank: DemonstrationBank, first: date, month: Month) -> None:
    """Settle the month that ended the day before `first`; pay its batch, unless it still waits for its approval."""
    database, preparer = story.database, story.by[Role.FINANCE_PREPARER]
    batch_id, day = story.some_id(), first + timedelta(days=2)
    close_ended_periods(database, story.hour_of(first))
    freeze_batch(database, batch_id, bank.signed.agreement_id, by=preparer, now=story.hour_of(day))
    if not month.is_approved:
        return
    approver = story.by[Role.FINANCE_APPROVER]
    approve_batch(database, batch_id, by=approver, now=story.hour_of(day + timedelta(days=1)))
    files = export_batch(database, batch_id, by=preparer, now=story.hour_of(day + timedelta(days=2)))
    with database.read() as session:
        advices = session.execute(
            select(PaymentAdvice.reference, PaymentAdvice.amount_cents, PaymentAdvice.holder_name)
            .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == "in_file")
            .order_by(PaymentAdvice.holder_name, PaymentAdvice.amount_cents)
        ).all()
    if any(file.kind.startswith("pain") for file in files):
        _pay_by_bank(bank, advices, day + timedelta(days=4), month)
    else:
        _pay_by_accountant(bank, advices, day + timedelta(days=4), month)


def _pay_by_bank(bank: DemonstrationBank, advices: Sequence[Row[*tuple[Any, ...]]], day: date, month: Month) -> None:
    lines = _transfers(bank, advices)
    lines.append(
        BookedLine(
            reference=f"F{bank.statement_count}",
            amount_cents=CHARGE_CENTS,
            is_credit=False,
            remittance="Frais de tenue",
            kind="CHRG",
        )
    )
    bank.book(day, lines)
    back = [
        BookedLine(
            reference=f"B{bank.statement_count}-{rank}",
            amount_cents=one.amount_cents,
            is_credit=True,
            end_to_end_id=one.reference,
            counterparty=one.holder_name,
            return_reason="AC04",
        )
        for rank, one in enumerate(advices[-month.returned_count :] if month.returned_count else [])
    ]
    if back:
        bank.book(day + timedelta(days=2), back)


def _transfers(bank: DemonstrationBank, advices: Sequence[Row[*tuple[Any, ...]]]) -> list[BookedLine]:
    """Return the debits of a statement that pays these advices."""
    return [
        BookedLine(
            reference=f"T{bank.statement_count}-{rank}",
            amount_cents=one.amount_cents,
            is_credit=False,
            end_to_end_id=one.reference,
            counterparty=one.holder_name,
        )
        for rank, one in enumerate(advices)
    ]


def _pay_by_accountant(
    bank: DemonstrationBank, advices: Sequence[Row[*tuple[Any, ...]]], day: date, month: Month
) -> None:
    """Let the accountant's software say what it paid; a rejected payment has its reason in its words."""
    rows = ["Référence;Montant;Statut;Date de paiement;Motif"]
    for rank, one in enumerate(advices):
        is_rejected = rank < month.rejected_count
        said = f"{one.amount_cents // 100},{one.amount_cents % 100:02d};{'Rejeté' if is_rejected else 'Payé'}"
        why = "Compte clôturé : RIB à redemander" if is_rejected else ""
        rows.append(f"{one.reference};{said};{day:%d/%m/%Y};{why}")
    bank.send(f"retour-{bank.signed.number}-{day}.csv", "\r\n".join(rows).encode(), day)
    # The account's own statement shows the same payments: the ledger then agrees with the Treasury, day by day.
    bank.book(day, _transfers(bank, advices[month.rejected_count :]))


def call_and_receive(
    story: Story, bank: DemonstrationBank, day: date, *, is_paid: bool = True, is_state_late: bool = False
) -> None:
    """Call from each funder its part of what was used; a week later the money arrives, with the call's reference.

    Where the State is late, it pays this call with the next one, by one transfer that names neither.
    """
    lines, together = [], []
    for rank, funder_id in enumerate(_funders(story, bank.signed)):
        called = _call(story, bank.signed, funder_id, day)
        if called is None:
            continue
        is_state = rank == STATE
        if is_state and (is_state_late or bank.left_by_state):
            bank.left_by_state.append(called)
            if is_state_late:
                continue
            together, bank.left_by_state = bank.left_by_state, []
        label = f"C{bank.statement_count}-{rank}"
        cents = sum(one.called_cents for one in together) if is_state and together else called.called_cents
        words = MANDATE if is_state and together else f"Appel {called.reference}"
        lines.append(
            BookedLine(reference=label, amount_cents=cents, is_credit=True, counterparty="FINANCEUR", remittance=words)
        )
    if is_paid and lines:
        bank.book(day + timedelta(days=7), lines)
        if together:
            _share_out(story, bank, lines[0].reference, together, day + timedelta(days=8))


def _share_out(story: Story, bank: DemonstrationBank, reference: str, together: Sequence[Called], day: date) -> None:
    """Let the preparer say which calls one transfer of the State pays."""
    line_id = _line_of(story, bank, reference)
    parts = [CallPart(story.some_id(), one.call_id, one.called_cents) for one in together]
    by, now = story.by[Role.FINANCE_PREPARER], story.evening_of(day)
    match_with_calls(story.database, line_id, parts, by=by, now=now)


def _line_of(story: Story, bank: DemonstrationBank, reference: str) -> UUID:
    """Return the line of an account that the bank names so."""
    of_bank = BankLine.paying_account_id == bank.signed.paying_account_id
    with story.database.read() as session:
        return session.execute(select(BankLine.id).where(BankLine.bank_reference == reference, of_bank)).scalar_one()


def receive_advance(story: Story, bank: DemonstrationBank, day: date, amount_cents: int) -> None:
    """Ask the agreement's local funder for money in advance; it arrives a week later."""
    funder_id = _funders(story, bank.signed)[LOCAL]
    by, now = story.by[Role.FINANCE_PREPARER], story.hour_of(day)
    called = call_advance(
        story.database, story.some_id(), bank.signed.agreement_id, funder_id, amount_cents, by=by, now=now
    )
    words = f"Avance {called.reference}"
    line = BookedLine(
        reference=f"A{bank.statement_count}",
        amount_cents=amount_cents,
        is_credit=True,
        counterparty="FINANCEUR",
        remittance=words,
    )
    bank.book(day + timedelta(days=7), [line])


def _funders(story: Story, signed: Signed) -> Sequence[UUID]:
    """Return an agreement's funders: the State first, the local one last."""
    with story.database.read() as session:
        return session.scalars(
            select(AgreementShare.funder_id)
            .where(AgreementShare.agreement_id == signed.agreement_id)
            .order_by(AgreementShare.rank)
        ).all()


def _call(story: Story, signed: Signed, funder_id: UUID, day: date) -> Called | None:
    """Call a funder; None where an advance pays it all, or nothing was used since the last call."""
    by, now = story.by[Role.FINANCE_PREPARER], story.hour_of(day)
    try:
        called = call_funds(story.database, story.some_id(), signed.agreement_id, funder_id, by=by, now=now)
    except Refused:
        return None
    return called if called.called_cents else None


def close_funder(story: Story, bank: DemonstrationBank, day: date) -> None:
    """Draw up the final balance of an agreement's local funder, and give back what remains of its advance a week later."""
    database, by = story.database, story.by[Role.FINANCE_PREPARER]
    agreement_id, funder_id = bank.signed.agreement_id, _funders(story, bank.signed)[LOCAL]
    done = close_funding(database, story.some_id(), agreement_id, funder_id, by=by, now=story.hour_of(day))
    reference, paid_on = f"A{bank.statement_count}", day + timedelta(days=7)
    if paid_on >= story.today:
        return  # the bank has not paid it yet
    words = f"Avance rendue, convention {bank.signed.number}"
    bank.book(
        paid_on,
        [
            BookedLine(
                reference=reference,
                amount_cents=done.refund_cents,
                is_credit=False,
                counterparty="REGION GRAND LITTORAL",
                remittance=words,
            )
        ],
    )
    line_id = _line_of(story, bank, reference)
    now = story.evening_of(paid_on + timedelta(days=1))
    match_with_refund(database, story.some_id(), line_id, done.close_id, by=by, now=now)


def last_at(story: Story, receipts: Sequence[Redeemed], counter: Counter) -> UUID | None:
    """Return the last of these redemptions that was made at a counter's structure, or None."""
    with story.database.read() as session:
        return session.scalar(
            select(Redemption.id)
            .where(
                Redemption.id.in_([receipt.id for receipt in receipts]), Redemption.structure_id == counter.structure_id
            )
            .where(Redemption.state == RedemptionState.CONFIRMED)
            .order_by(Redemption.redeemed_at.desc())
            .limit(1)
        )


def contest(story: Story, redemption_id: UUID, day: date, outcome: str = "") -> None:
    """Contest a redemption; another person decides four days later, when an outcome is given."""
    database, dispute_id = story.database, story.some_id()
    dispute = NewDispute(dispute_id, redemption_id, "not_rendered", "L’atelier prévu ce jour-là a été annulé.")
    open_dispute(database, dispute, by=story.by[Role.FINANCE_PREPARER], now=story.hour_of(day))
    if outcome:
        decide_dispute(
            database,
            dispute_id,
            outcome,
            "Le lieu confirme que l’atelier n’a pas eu lieu.",
            by=story.by[Role.FINANCE_APPROVER],
            now=story.hour_of(day + timedelta(days=4)),
        )
