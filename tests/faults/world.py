"""A programme with something in every table: the demonstration, beside it a town with disputes of every kind, and some more.

Faults are planted in it one after the other, each rolled back. Whoever adds a table gives it a row here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.builders import (
    SOMEONE,
    an_agreement,
    an_iban,
    entrusted_booklets,
    handed_over_booklets,
    issued_booklets,
    scanned_codes,
)
from tests.clients import PASSWORD, a_person, settings_for
from tests.factors import MASTER_SECRET, add_totp, strong
from tests.settlement.reports import status_report
from tests.settlement.stand_in import ALICE, accepted, standing
from tests.settlement.test_disputes import claw_back, contest, decide, freeze, sent
from tests.settlement.test_overpayments import LATER, a_credit, a_debit, claim, overpaid
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town
from tests.web.separated import write_to
from voucher.access import accounts, links, steps
from voucher.access.changes import ask_reset, confirm_change
from voucher.access.factors.recovery import new_codes
from voucher.access.factors.totp import begin_totp
from voucher.access.model import Passkey
from voucher.access.provider.identities import link_identity
from voucher.access.provider.rules import Identity
from voucher.access.rules import Role, StepPurpose
from voucher.access.sessions import sign_in
from voucher.access.tokens import token_hash
from voucher.access.visits import Visit
from voucher.accounting.stock_count import NewCount, record_count, sign_count
from voucher.distribution.entrust import StockMove, entrust
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.funding.call import call_advance
from voucher.funding.documents import keep_balance_document, keep_call_documents
from voucher.funding.model import CallKind, FundingClose, FundsCall
from voucher.issuing.doors import Door
from voucher.issuing.wrong_code_alarm import count_wrong_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import Code
from voucher.ledger.checks_seals import Witness
from voucher.ledger.read_seals import latest_checkpoint, proof_of
from voucher.ledger.seal_model import Seal
from voucher.network.model import Structure
from voucher.programme.end_share import end_share
from voucher.proof.sealing import journal_key, seal_now
from voucher.redemption.redeem import redeem
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.write_letter import NewLetter, write_letter
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.hold_by_hand import NewHold, lift_hold, place_hold
from voucher.settlement.reconciliation.line_notes import write_note
from voucher.settlement.reconciliation.match_other_money import match_with_call, match_with_overpayment
from voucher.settlement.reconciliation.match_with_account import ChartAccount
from voucher.settlement.reconciliation.proposals import (
    confirm_proposal,
    propose_account,
    propose_undo,
    withdraw_proposal,
)
from voucher.settlement.reconciliation.refund_line import NewRefund, match_with_sent_refund, propose_refund
from voucher.settlement.recoveries.repay_or_write_off import ask_write_off, write_off
from voucher.settlement.reports.answer_duplicates import NewAnswer, answer_duplicates
from voucher.settlement.words.states import BatchState, DuplicateOutcome

PROVEN_LEAF = 4  # the entry whose proof somebody kept


def a_full_world(database: Database) -> Witness:
    """Fill a database that holds the demonstration with the rest; return what left the house: the programme's key, a checkpoint, and the proof of an entry."""
    # Signed after the days whose figures the demonstration published.
    town = a_town(database, structure_count=2, agreed=an_agreement(database, now=NOW - timedelta(days=1)))
    _contest_and_recover(town)
    _stand_in(town)
    _doubt(a_town(database, agreed=an_agreement(database, now=NOW - timedelta(days=1))))
    _hold(town)
    _decide_by_two(town)
    _refuse(town)
    _count_stock(database)
    _end_a_share(database)
    _lose_a_phone(database)
    _come_by_a_provider(database)
    with database.read() as session:
        call_id = session.scalars(
            select(FundsCall.id).where(FundsCall.kind == CallKind.USE).order_by(FundsCall.reference).limit(1)
        ).one()
        close_id = session.scalars(select(FundingClose.id).limit(1)).one()
    keep_call_documents(database, call_id, now=NOW)
    keep_balance_document(database, close_id, now=NOW)
    settings = settings_for(database)
    seal_now(database, settings, LATER)
    return _what_left_the_house(database)


def _come_by_a_provider(database: Database) -> None:
    """Let an identity at a provider open an account that was opened for it; another person is on the way there."""
    newcomer = accounts.NewAccount(new_id(), "iris@pass.example", "Iris Exemple")
    accounts.open_account(database, newcomer, by=None, now=NOW)
    token = links.print_link(database, newcomer.email, now=NOW).rpartition("/")[2]
    with database.write() as session:
        link_identity(session, token_hash(token), Identity("https://fournisseur.example", "un-fi", "iris"), NOW)
        steps.begin(session, StepPurpose.PROVIDER_SIGN_IN, None, {}, LATER)


def _contest_and_recover(town: Town) -> None:
    database = town.database
    freed = contest(town, town.redeem(0, 2))
    decide(town, contest(town, town.redeem(0, 1)), "upheld")
    netted = town.redeem(0, 2)
    sent(town)
    decide(town, freed, "dismissed")
    claw_back(town, netted)
    town.redeem(0, 5)
    sent(town)
    claimed = overpaid(town, 3)
    claim(town, claimed)
    match_with_overpayment(database, new_id(), a_credit(town, 1_001), claimed, by=PREPARER, now=LATER)
    ask_write_off(database, claimed, "Structure liquidée", by=PREPARER, now=LATER)
    write_off(database, claimed, by=APPROVER, now=LATER)
    restored = town.redeem(1, 2)
    sent(town)
    claw_back(town, restored)
    town.redeem(1, 3)
    batch_id = freeze(town).batch_id
    with database.read() as session:
        advice_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id)).one()
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=NOW)
    overpaid_id = town.redeem(1, 1)
    freeze(town)  # what was set aside is carried over, what was overpaid is netted
    claw_back(town, overpaid_id)
    contest(town, town.redeem(0, 4))


def _doubt(town: Town) -> None:
    """Let a bank call a transfer a duplicate, and two people say that its first sending never came."""
    town.redeem(0, 3)
    town.redeem(1, 4)
    batch_id = sent(town).batch_id
    with town.database.read() as session:
        of_batch = select(PaymentAdvice.reference).where(PaymentAdvice.batch_id == batch_id)
        reference = session.scalars(of_batch.order_by(PaymentAdvice.amount_cents).limit(1)).one()
    content = status_report(batch_id, transfers={reference: "DU03"})
    import_report(town.database, "doublon.xml", content, by=PREPARER, now=NOW)
    for person in (PREPARER, APPROVER):
        answer = NewAnswer(new_id(), batch_id, None, DuplicateOutcome.NEVER_CAME, "La banque ne trouve rien.", 1)
        answer_duplicates(town.database, answer, by=person, now=NOW)


def _hold(town: Town) -> None:
    with town.database.read() as session:
        pivot = session.scalars(select(Structure.pivot).where(Structure.id == town.structure_ids[1])).one()
    lifted, standing = new_id(), new_id()
    place_hold(town.database, NewHold(lifted, pivot, None, "Contrôle en cours"), by=PREPARER, now=NOW)
    _write(town)
    lift_hold(town.database, lifted, "Contrôle terminé", by=APPROVER, now=NOW)
    place_hold(town.database, NewHold(standing, pivot, town.agreement_id, "Contrôle en cours"), by=PREPARER, now=NOW)


def _write(town: Town) -> None:
    """Write to a structure about a payment."""
    write_to(town.database, town.structure_ids[1], "tresor@association.example")
    with town.database.read() as session:
        of_structure = select(PaymentAdvice.id).where(PaymentAdvice.structure_id == town.structure_ids[1])
        advice_id = session.scalars(of_structure.order_by(PaymentAdvice.reference).limit(1)).one()
    write_letter(town.database, NewLetter(new_id(), advice_id, "votre règlement", "Bonjour."), by=PREPARER, now=NOW)


def _decide_by_two(town: Town) -> None:
    """Give a part of an advance back before any final balance, by two people, once it was undone; put another on the charges."""
    database, act = town.database, {"now": LATER}
    funder_id = town.agreed.funder_ids[0]
    call = call_advance(database, new_id(), town.agreement_id, funder_id, 9_000, by=PREPARER, now=NOW)
    match_with_call(database, new_id(), a_credit(town, 9_000), call.call_id, by=PREPARER, **act)
    debit_id = a_debit(town, 7_007)
    advance = ChartAccount(Code.ADVANCES, town.agreement_id, funder_id=funder_id)
    given_back, undone, asked, charged, dropped = (new_id() for _ in range(5))
    for proposal_id, account, cents in (
        (undone, advance, 7_000),
        (given_back, advance, 6_000),
        (charged, ChartAccount(Code.CHARGES), 1_007),
    ):
        propose_account(database, proposal_id, debit_id, account, cents, "Convenu", by=PREPARER, **act)
        confirm_proposal(database, proposal_id, by=APPROVER, **act)
        if proposal_id == undone:
            propose_undo(database, asked, undone, "Une partie seule", by=PREPARER, **act)
            confirm_proposal(database, asked, by=APPROVER, **act)
    credit_id = a_credit(town, 707)
    propose_account(database, dropped, credit_id, ChartAccount(Code.CHARGES), 7, "Doute", by=PREPARER, **act)
    withdraw_proposal(database, dropped, by=PREPARER, **act)
    sent_back = NewRefund(
        id=new_id(),
        line_id=credit_id,
        amount_cents=600,
        holder_name="Mairie",
        iban=an_iban(4242),
        reason="Versé deux fois",
    )
    propose_refund(database, sent_back, by=PREPARER, **act)
    confirm_proposal(database, sent_back.id, by=APPROVER, **act)
    match_with_sent_refund(database, new_id(), a_debit(town, 600), sent_back.id, by=PREPARER, **act)
    write_note(database, new_id(), credit_id, "Le reste est à chercher", APPROVER, by=PREPARER, **act)


def _refuse(town: Town) -> None:
    """Refuse a voucher whose first use stands: the attempt is kept. Count a wrong code."""
    issued = handed_over_booklets(town.database, agreed=town.agreed, now=NOW)
    code = scanned_codes(town.database, issued.first_booklet_number)[:1]
    for _ in range(2):
        redeem(town.database, new_id(), code, "everyday_digital_tools", town.counters[0], by=SOMEONE, now=NOW)
    with town.database.write() as session:
        count_wrong_code(session, Door.DESK, NOW)


def _stand_in(town: Town) -> None:
    """Let a deputy approve the batch that waits."""
    waits = select(SettlementBatch.id).where(
        SettlementBatch.agreement_id == town.agreement_id, SettlementBatch.state == BatchState.FROZEN
    )
    with town.database.read() as session:
        batch_id = session.scalars(waits).one()
    approve_batch(town.database, batch_id, by=ALICE.id, now=NOW, standing=standing(accepted(town.database)))


def _count_stock(database: Database) -> None:
    """Count a prescriber's booklets, of which one lacks; take one back, destroy another."""
    issued, prescriber_id = entrusted_booklets(database, 5, now=NOW)
    issuer_id, first = issued.agreed.issuer_id, issued.first_booklet_number
    day = date(2026, 12, 31)
    partial, whole = (
        NewCount(new_id(), issuer_id, prescriber_id, counted_on=day, ranges=f"{first}-{first + last}")
        for last in (3, 4)
    )
    record_count(database, partial, by=PREPARER, now=LATER)
    record_count(database, whole, by=SOMEONE, now=LATER)
    sign_count(database, whole.id, issuer_id, by=APPROVER, now=LATER)
    entrust(database, StockMove(new_id(), issuer_id, first, 2, None, prescriber_id), by=SOMEONE, now=LATER)
    void = NewStockVoid(new_id(), issuer_id, first, 1, "Carnet mouillé")
    void_stock(database, void, by=SOMEONE, now=LATER)


def _end_a_share(database: Database) -> None:
    """Let a funder stop paying for new orders of an agreement that has issued some."""
    agreed = an_agreement(database, shares=(5000, 5000), committed_cents=100_000, ceiling_cents=200_000, now=NOW)
    issued_booklets(database, 4, agreed=agreed, now=NOW)
    leaving, other = agreed.funder_ids
    end_share(database, new_id(), agreed.agreement_id, leaving, NOW.date(), {other: 10_000}, by=SOMEONE, now=NOW)
    issued_booklets(database, 3, agreed=agreed, now=NOW)


def _lose_a_phone(database: Database) -> None:
    """Let somebody lose a phone, be reset by two people and come back with another, with recovery codes and a passkey."""
    luce, marc, pat, quentin = (
        a_person(database, role, now=NOW, email=f"{name}@pass.example")
        for name, role in (
            ("luce", Role.AUDITOR),
            ("marc", Role.AUDITOR),
            ("pat", Role.PROGRAMME),
            ("quentin", Role.PROGRAMME),
        )
    )
    add_totp(database, luce, NOW)
    reset = ask_reset(database, luce, by=pat, now=NOW)
    assert reset is not None
    confirm_change(database, reset, by=quentin, now=NOW + timedelta(minutes=1))
    later = NOW + timedelta(minutes=5)
    who = strong(database, luce, add_totp(database, luce, later), later + timedelta(minutes=1))
    new_codes(database, who, now=later)
    begin_totp(database, who, programme_name="Pass numérique", master_secret=MASTER_SECRET, now=later)
    key = {
        "credential_id": b"k" * 32,
        "public_key": b"p" * 77,
        "sign_count": 1,
        "label": "Ordinateur",
        "is_synced": False,
    }
    with database.write() as session:
        session.add(Passkey(id=new_id(), account_id=marc, created_at=later, **key))
    visit = Visit(new_browser_token="n" * 43, network="203.0.x.x", agent="Firefox sur Windows")
    sign_in(database, "pat@pass.example", PASSWORD, now=later, visit=visit)


def _what_left_the_house(database: Database) -> Witness:
    with database.read() as session:
        entry_id = session.scalars(select(Seal.entry_id).where(Seal.leaf == PROVEN_LEAF)).one()
    proof, last = proof_of(database, entry_id), latest_checkpoint(database)
    assert proof is not None
    assert last is not None
    _, key = journal_key(settings_for(database))
    public_key = key.public_key().public_bytes_raw()
    return Witness(public_key, (("point de contrôle gardé", last.note),), (("preuve gardée", proof),))


@contextmanager
def unguarded(database: Database) -> Iterator[Session]:
    """Give a transaction in which everything can be changed, as who owns the database could: no trigger, foreign key or check.

    It is rolled back at the end, unless it was committed: then, on SQLite, the triggers are gone for good.
    """
    with Session(database.engine) as session:
        if database.is_postgresql:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            constraints = "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0"
            for table, name in session.execute(text(constraints)).all():
                session.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
            yield session
            session.rollback()
            return
        session.execute(text("BEGIN IMMEDIATE"))
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
        for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            session.execute(text(f"DROP TRIGGER {name}"))
        try:
            yield session
        finally:
            session.rollback()
            session.execute(text("PRAGMA ignore_check_constraints = OFF"))


@contextmanager
def planted(database: Database, statements: str) -> Iterator[Session]:
    """Change what statements (separated by `;`) say; all of it is rolled back at the end."""
    with unguarded(database) as session:
        for statement in statements.split(";"):
            assert session.execute(text(statement)).rowcount != 0, f"nothing was changed by {statement}"  # type: ignore[attr-defined]
        yield session
