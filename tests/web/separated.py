"""Two issuers with all that is their own, for tests of what one must never see of the other."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert, select, update

from tests.builders import SOMEONE, an_iban, entrusted_booklets
from tests.settlement.reports import status_report
from tests.settlement.stand_in import name
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib
from voucher.access.rules import Role
from voucher.accounting.produce import produce_account
from voucher.accounting.stock_count import NewCount, record_count
from voucher.demonstration.bank import BookedLine, statement
from voucher.distribution.hand_over import hand_over
from voucher.distribution.model import Prescriber
from voucher.funding.call import call_funds
from voucher.funding.model import FundingClose
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.mail.model import OutboxMessage
from voucher.network.model import Place, Structure
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.programme.model import Agreement, Issuer, PayingAccount
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.deputies import Person
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.model.batches import BankLine, PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Overpayment
from voucher.settlement.payable.hold_by_hand import NewHold, place_hold
from voucher.settlement.reconciliation.match_with_account import account_choices
from voucher.settlement.reconciliation.proposals import confirm_proposal, propose_account
from voucher.settlement.reconciliation.refund_line import NewRefund, propose_refund
from voucher.settlement.recoveries.dispute import NewDispute, decide_dispute, open_dispute
from voucher.settlement.recoveries.revenue_order import claim_overpayment
from voucher.settlement.reports.answer_duplicates import NewAnswer, answer_duplicates
from voucher.settlement.words.states import DisputeOutcome, DisputeReason, DuplicateOutcome

SCOPES = {
    Role.ISSUER: "issuer_id",
    Role.PRESCRIBER: "prescriber_id",
    Role.MEDIATOR: "structure_id",
    Role.PLACE_MANAGER: "structure_id",
    Role.FINANCE_PREPARER: "issuer_id",
    Role.FINANCE_APPROVER: "issuer_id",
}
"""Each role that is held for a part of the programme, and the part of a world it is held for."""

OPEN_TO_ALL_FINANCE = {"programme.structure", "programme.structures"}
"""Structures belong to no issuer: whoever pays them may look them up."""

WHOLE_PROGRAMME = {
    "ledger.account", "ledger.entry", "ledger.entry_proof", "books.auxiliary", "books.account", "books.fec_download",
    "books.propose", "books.withdraw", "books.close", "books.year",
}  # fmt: skip
"""Books that hold every issuer's accounts: closed to finance held for one."""

BACK_TO_THE_LIST = {"finance.confirm_rib", "finance.dismiss_rib"}
"""A RIB that waits no more, one of another's and one that never was are answered alike: the list of those that wait."""

SESSIONS_AND_TRACES = {"staff_session", "audit_line"}


@dataclass(frozen=True, slots=True)
class World:
    """One issuer with all that is its own, and one structure; names that may be read nowhere else."""

    town: Town
    issuer_id: UUID
    prescriber_id: UUID
    structure_id: UUID
    place_id: UUID
    agreement_id: UUID
    issue_batch_id: UUID
    stock_number: int  # a booklet entrusted and not handed over
    handover_id: UUID
    redemption_id: UUID
    settlement_batch_id: UUID
    advice_id: UUID
    line_id: UUID
    proposal_id: UUID
    refund_id: UUID
    message_id: UUID
    hold_id: UUID
    account_id: UUID
    dispute_id: UUID
    overpayment_id: UUID
    call_id: UUID
    funder_id: UUID
    count_id: UUID
    annual_account_id: UUID
    balance_id: UUID
    answer_id: UUID
    details_id: UUID
    deputyship_id: UUID
    agreement_number: str
    office_words: tuple[str, ...]
    counter_words: tuple[str, ...]

    def value(self, endpoint: str, name: str) -> object:
        """Return what an argument of a route is in this world."""
        if name == "batch_id":
            return self.issue_batch_id if endpoint.startswith("issuer.") else self.settlement_batch_id
        if endpoint in WHOLE_PROGRAMME:
            return {"account_id": 1, "entry_id": new_id(), "code": "4670", "siren": "123456782", "year": 2025}[name]
        if endpoint == "books.annual_pdf":
            return self.annual_account_id
        kinds = {"finance.order_file": "pdf", "funding.call_file": "call_pdf"}
        fixed: dict[str, object] = {
            "number": self.stock_number,
            "kind": kinds.get(endpoint, "pain.001.001.09"),
            "year": NOW.year,
            "day": NOW.date().isoformat(),
            "match_id": self.line_id,
        }
        if (endpoint, name) == ("finance.line_refund_file", "proposal_id"):
            return self.refund_id
        return fixed[name] if name in fixed else getattr(self, name)


def write_to(database: Database, structure_id: UUID, address: str) -> None:
    """Give a structure an address to write to."""
    with database.write() as session:
        session.execute(update(Structure).where(Structure.id == structure_id).values(contact_email=address))


def _a_balance(database: Database, agreement_id: UUID, funder_id: UUID) -> UUID:
    """Write a final balance of nothing: one that is drawn up would need an agreement that is over."""
    amounts = dict.fromkeys(
        ("used_cents", "received_cents", "due_cents", "carried_cents", "refund_cents", "refunded_cents"), 0
    )
    row = {"id": new_id(), "agreement_id": agreement_id, "funder_id": funder_id, "number": 1, **amounts}
    with database.write() as session:
        session.execute(insert(FundingClose).values(**row, closed_on=NOW.date(), closed_at=NOW, closed_by=PREPARER))
    return UUID(str(row["id"]))


def a_world(database: Database, rank: int) -> World:
    """Build an issuer, its stock, a structure with a redemption, a settled batch, a payment and a line to identify."""
    town = a_town(database, structure_count=1, with_rib=0)
    agreed, counter = town.agreed, town.counters[0]
    give_rib(database, counter.structure_id, rank)
    write_to(database, counter.structure_id, f"tresor{rank}@association.example")
    issued, prescriber_id = entrusted_booklets(database, 3, agreed=agreed)
    handover_id, redemption_id, contested_id = new_id(), town.redeem(0, 2), town.redeem(0, 1)
    hand_over(database, handover_id, issued.first_booklet_number, prescriber_id, by=SOMEONE, now=NOW)
    batch_id = new_id()
    freeze_batch(database, batch_id, agreed.agreement_id, by=PREPARER, now=NOW)
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    export_batch(database, batch_id, by=PREPARER, now=NOW)
    town.redeem(0, 1)
    dispute_id = new_id()
    open_dispute(
        database, NewDispute(dispute_id, contested_id, DisputeReason.CONTROL, "Lieu fermé"), by=PREPARER, now=NOW
    )
    decide_dispute(database, dispute_id, DisputeOutcome.UPHELD, "Le lieu était fermé", by=APPROVER, now=NOW)
    with database.read() as session:
        overpayment_id = session.execute(
            select(Overpayment.id).where(Overpayment.agreement_id == agreed.agreement_id)
        ).scalar_one()
    claim_overpayment(database, new_id(), overpayment_id, days=0, by=PREPARER, now=NOW)
    call_id, funder_id, count_id, annual_account_id = new_id(), agreed.funder_ids[0], new_id(), new_id()
    call_funds(database, call_id, agreed.agreement_id, funder_id, by=PREPARER, now=NOW)
    record_count(database, NewCount(count_id, agreed.issuer_id, None, NOW.date(), ""), by=SOMEONE, now=NOW)
    balance_id = _a_balance(database, agreed.agreement_id, funder_id)
    produce_account(database, annual_account_id, agreed.agreement_id, NOW.year - 1, by=PREPARER, now=NOW)
    with database.read() as session:
        agreement = session.get_one(Agreement, agreed.agreement_id)
        iban = session.get_one(PayingAccount, agreement.paying_account_id).iban
        advice = session.execute(
            select(PaymentAdvice.id, PaymentAdvice.reference).where(PaymentAdvice.batch_id == batch_id)
        ).one()
        agreement_number, account_id = agreement.number, agreement.paying_account_id
        office = (
            session.get_one(Issuer, agreed.issuer_id).name,
            agreement_number,
            session.get_one(Prescriber, prescriber_id).name,
            session.get_one(SettlementBatch, batch_id).number,
            advice.reference,
            f"Inconnue du relevé {rank}",
        )
        counter_words = (
            session.get_one(Structure, counter.structure_id).name,
            session.get_one(Place, counter.place_id).name,
            advice.reference,
            str(redemption_id),
        )
    lines = [BookedLine(reference=f"L{rank}", amount_cents=1_234, is_credit=True, counterparty=office[-1])]
    import_statement(database, "releve.xml", statement(f"R{rank}", iban, NOW.date(), 0, lines), by=PREPARER, now=NOW)
    with database.read() as session:
        line_id = session.execute(select(BankLine.id).where(BankLine.counterparty == office[-1])).scalar_one()
        message_id = session.execute(select(OutboxMessage.id).where(OutboxMessage.about_id == advice.id)).scalar_one()
        pivot = session.get_one(Structure, counter.structure_id).pivot
    proposal_id, (account,) = new_id(), account_choices(database, line_id)
    propose_account(database, proposal_id, line_id, account.account, 100, "Vu", by=PREPARER, now=NOW)
    refund_id = new_id()
    refund = NewRefund(
        id=refund_id, line_id=line_id, amount_cents=34, holder_name="Inconnue", iban=an_iban(800 + rank), reason="Vu"
    )
    propose_refund(database, refund, by=PREPARER, now=NOW)
    confirm_proposal(database, refund_id, by=APPROVER, now=NOW)
    report = status_report(batch_id, transfers={advice.reference: "DU03"})
    import_report(database, "rapport.xml", report, by=PREPARER, now=NOW)
    answer_id = new_id()
    answer = NewAnswer(answer_id, batch_id, advice.id, DuplicateOutcome.STANDS, "Vu au relevé", 1)
    answer_duplicates(database, answer, by=PREPARER, now=NOW)
    iban = an_iban(700 + rank)
    details_id = record_bank_details(
        database, NewBankDetails(new_id(), counter.structure_id, f"ASSOCIATION {rank}", iban, iban), by=SOMEONE, now=NOW
    )
    hold_id = new_id()
    place_hold(database, NewHold(hold_id, pivot, agreed.agreement_id, "Doute"), by=PREPARER, now=NOW)
    deputyship_id = name(
        database,
        issuer_id=agreed.issuer_id,
        approver=Person(new_id(), "Claire Morel", "c@lieu.example"),
        deputy=Person(new_id(), "Alice Roy", "a@lieu.example"),
    )
    return World(
        town, agreed.issuer_id, prescriber_id, counter.structure_id, counter.place_id, agreed.agreement_id,
        issued.batch_id, issued.first_booklet_number + 1, handover_id, redemption_id, batch_id, advice.id, line_id,
        proposal_id, refund_id, message_id, hold_id, account_id, dispute_id, overpayment_id, call_id, funder_id, count_id, annual_account_id,
        balance_id, answer_id, details_id, deputyship_id, agreement_number, office, counter_words,
    )  # fmt: skip
