"""The bank's own mistakes: two lines that undo each other, a file debited with what another batch has paid since."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, credit, debit
from tests.settlement.test_paid_once import batch_id, freeze, report
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, wrong_books
from voucher.demonstration.bank import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.read import balances
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.formats_out.references import message_id
from voucher.settlement.model.batches import BankLine
from voucher.settlement.payable.owed import owed_by
from voucher.settlement.reconciliation.match_by_hand import match_with_file
from voucher.settlement.reconciliation.match_opposite_lines import match_with_opposite
from voucher.settlement.reconciliation.suggest import matches, suggestions
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.causes import Held
from voucher.settlement.words.states import MatchKind

WRONG = "Je me suis trompée de ligne."


@pytest.fixture
def paid(database: Database) -> Paid:
    return Paid(database)


def ids(paid: Paid) -> dict[int, UUID]:
    """Return each line by its signed cents."""
    with paid.database.read() as session:
        rows = session.execute(select(BankLine.id, BankLine.amount_cents, BankLine.is_credit))
        return {row.amount_cents if row.is_credit else -row.amount_cents: row.id for row in rows}


def unidentified_cents(paid: Paid) -> int:
    return sum(one.balance_cents for one in balances(paid.database) if one.code == "4711")


def test_a_line_that_the_bank_corrects_waits_with_its_correction_until_a_person_joins_them(paid: Paid) -> None:
    paid.take(debit("X1", 900), credit("X2", 900), credit("X3", 500))
    lines = ids(paid)
    kinds = {one.target_id: one.kind for one in suggestions(paid.database, lines[-900])}
    assert kinds[lines[900]] == MatchKind.OFFSET
    match_id = new_id()
    for again in (900, 0):
        cents = match_with_opposite(paid.database, match_id, lines[900], lines[-900], by=PREPARER, now=NOW)
        assert cents == again
    with pytest.raises(Refused, match="same_id_other_content"):
        match_with_opposite(paid.database, match_id, lines[900], lines[500], by=PREPARER, now=NOW)
    assert set(paid.waiting()) == {500}
    assert wrong_books(paid.database) == []
    for line_id in (lines[900], lines[-900]):
        (match,) = matches(paid.database, line_id)
        assert (match.id, match.kind, match.amount_cents) == (match_id, MatchKind.OFFSET, 900)
    undo_match(paid.database, match_id, WRONG, by=PREPARER, now=NOW)
    undo_match(paid.database, match_id, WRONG, by=PREPARER, now=NOW)
    assert set(paid.waiting()) == {-900, 900, 500}
    assert wrong_books(paid.database) == []


def test_two_lines_undo_each_other_only_with_the_same_rest_on_two_sides_of_one_account(paid: Paid) -> None:
    paid.take(debit("X1", 900), credit("X2", 800), credit("X3", 700))
    lines = ids(paid)
    with pytest.raises(Refused, match="ne s’annulent pas"):
        match_with_opposite(paid.database, new_id(), lines[-900], lines[800], by=PREPARER, now=NOW)
    with pytest.raises(Refused, match="unknown_line"):
        match_with_opposite(paid.database, new_id(), lines[700], lines[800], by=PREPARER, now=NOW)
    with pytest.raises(Refused, match="unknown_line"):
        match_with_opposite(paid.database, new_id(), lines[-900], lines[800], by=PREPARER, now=NOW, issuer_id=new_id())
    elsewhere = a_town(paid.database)
    with paid.database.read() as session:
        account_id = session.get_one(Agreement, elsewhere.agreement_id).paying_account_id
        iban = session.get_one(PayingAccount, account_id).iban
    content = statement("R9", iban, TODAY, OPENING_CENTS, [credit("Y1", 900)])
    import_statement(paid.database, "R9.xml", content, by=PREPARER, now=NOW)
    with pytest.raises(Refused, match="unknown_line"):
        match_with_opposite(paid.database, new_id(), lines[-900], ids(paid)[900], by=PREPARER, now=NOW)


@pytest.mark.parametrize("is_one_file", [True, False])
def test_a_transfer_debited_twice_then_given_back_once_is_not_paid_again(paid: Paid, is_one_file: bool) -> None:
    debits = [debit("T1", 3_000, paid.first), debit("T1-BIS", 3_000, paid.first)]
    back = credit("B1", 3_000, paid.first)
    if is_one_file:
        assert paid.take(*debits, back).unknown_count == 2
    else:
        paid.take(*debits)
        paid.take(back, name="R2", day=TODAY + timedelta(days=1), opening_cents=OPENING_CENTS - 6_000)
    assert paid.states() == ["paid", "in_file"]
    assert "deux fois" in paid.waiting()[3_000]
    # Another file comes: still nobody decides in the person's place.
    paid.take(debit("Z1", 100), name="R3", day=TODAY + timedelta(days=2), opening_cents=OPENING_CENTS - 3_000)
    assert paid.states() == ["paid", "in_file"]
    with paid.database.read() as session:
        rows = session.execute(select(BankLine.id, BankLine.is_credit).where(BankLine.matched_cents == 0))
        waiting = {row.is_credit: row.id for row in rows.all() if row.id != ids(paid)[-100]}
    best = suggestions(paid.database, waiting[True])[0]
    assert (best.kind, best.target_id) == (MatchKind.OFFSET, waiting[False])
    match_with_opposite(paid.database, new_id(), waiting[True], waiting[False], by=PREPARER, now=NOW)
    assert set(paid.waiting()) == {-100}
    assert wrong_books(paid.database) == []
    # Its true return, weeks later, still reopens the debt.
    paid.take(
        credit("B2", 3_000, paid.first, return_reason="AC04"), name="R4", day=TODAY + timedelta(days=30),
        opening_cents=OPENING_CENTS - 3_100,
    )  # fmt: skip
    assert paid.states() == ["returned", "in_file"]
    assert wrong_books(paid.database) == []


def test_a_file_debited_whole_pays_all_but_what_another_batch_took_up_and_the_rest_comes_back(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    first_batch = batch_id(paid)
    freeze(paid)
    account = Account(paid.iban, TODAY, [Booked(-7_000, "G1", message=message_id(first_batch))])
    import_statement(paid.database, "releve.xml", camt("053", "08", account), by=PREPARER, now=NOW)
    line_id = ids(paid)[-7_000]
    best = suggestions(paid.database, line_id)[0]
    assert (best.kind, best.target_id, best.taken_cents) == (MatchKind.PAYMENT, first_batch, 4_000)
    assert "30,00" in best.reasons[-1]
    match_id = new_id()
    assert match_with_file(paid.database, match_id, line_id, first_batch, 1, by=PREPARER, now=NOW) == 1
    assert sorted(paid.states()) == ["due", "paid", "taken_up"]
    assert unidentified_cents(paid) == 3_000
    assert wrong_books(paid.database) == []

    undo_match(paid.database, match_id, WRONG, by=PREPARER, now=NOW)
    assert unidentified_cents(paid) == 7_000
    assert match_with_file(paid.database, new_id(), line_id, first_batch, 1, by=PREPARER, now=NOW) == 1

    back = credit("B1", 3_000, paid.first)
    day = TODAY + timedelta(days=2)
    done = paid.take(back, name="R2", day=day, opening_cents=OPENING_CENTS - 7_000)
    assert (done.returned_count, done.unknown_count) == (0, 1)
    (best, *_) = suggestions(paid.database, ids(paid)[3_000])
    assert (best.kind, best.target_id) == (MatchKind.OFFSET, line_id)
    match_with_opposite(paid.database, new_id(), ids(paid)[3_000], line_id, by=PREPARER, now=NOW)
    assert unidentified_cents(paid) == 0
    assert paid.waiting() == {}
    assert wrong_books(paid.database) == []


def whole(paid: Paid, batch: UUID, reference: str, cents: int, *transactions: Transaction) -> Booked:
    return Booked(cents, reference, transactions, message=message_id(batch) if cents < 0 else "")


def bank_says(paid: Paid, name: str, opening_cents: int, *entries: Booked, days: int = 0, kind: str = "053") -> None:
    account = Account(paid.iban, TODAY + timedelta(days=days), entries, name, opening_cents)
    import_statement(
        paid.database, f"{name}.xml", camt(kind, "08", account), by=PREPARER, now=NOW + timedelta(days=days)
    )


@pytest.mark.parametrize("is_one_file", [True, False])
def test_a_file_debited_twice_then_given_back_in_detail_is_not_paid_again(paid: Paid, is_one_file: bool) -> None:
    batch = batch_id(paid)
    first, second = whole(paid, batch, "G1", -7_000), whole(paid, batch, "G2", -7_000)
    back = Booked(7_000, "B1", (Transaction(3_000, paid.first), Transaction(4_000, paid.second)))
    if is_one_file:
        bank_says(paid, "R1", OPENING_CENTS, first, second, back)
    else:
        bank_says(paid, "R1", OPENING_CENTS, first)
        bank_says(paid, "R2", OPENING_CENTS - 7_000, second, back, days=1)
    assert paid.states() == ["paid", "paid"]
    assert sorted(paid.waiting()) == [-7_000, 3_000, 4_000]
    with pytest.raises(Refused, match="Rien n’est à régler"):
        freeze(paid)
    assert wrong_books(paid.database) == []


def test_a_credit_told_before_the_second_debit_holds_the_debt_until_a_person_looks(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), debit("T2", 4_000, paid.second))
    back = Booked(3_000, "B1", (Transaction(3_000, paid.first),))
    bank_says(paid, "N1", 0, back, kind="054")
    assert paid.states() == ["returned", "paid"]
    paid.take(
        debit("T9", 3_000, paid.first), credit("B1", 3_000, paid.first), name="R2", opening_cents=OPENING_CENTS - 7_000
    )
    with paid.database.read() as session:
        (owed,) = owed_by(session, paid.town.agreement_id, None, now=NOW)
    assert owed.cause is not None
    assert owed.cause.held is Held.MAYBE_PAID
    # The person parts the return from its payment, then joins the two lines.
    lines = ids(paid)
    undo_match(paid.database, lines[3_000], WRONG, by=PREPARER, now=NOW)
    match_with_opposite(paid.database, new_id(), lines[3_000], lines[-3_000], by=PREPARER, now=NOW)
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []


def test_what_another_batch_took_up_does_not_leave_while_its_debit_waits(paid: Paid) -> None:
    report(paid, transfers={paid.first: "MS03"})
    taken_up = freeze(paid)
    paid.take(debit("T1", 3_000, paid.first))
    later = NOW + timedelta(hours=2)
    with pytest.raises(Refused, match="peut-être déjà payé"):
        approve_batch(paid.database, taken_up.batch_id, by=APPROVER, now=later)
    # The bank takes it back: nothing stands in the way any more.
    paid.take(credit("T1R", 3_000), name="R2", day=TODAY + timedelta(days=1), opening_cents=OPENING_CENTS - 3_000)
    match_with_opposite(paid.database, new_id(), ids(paid)[3_000], ids(paid)[-3_000], by=PREPARER, now=later)
    approve_batch(paid.database, taken_up.batch_id, by=APPROVER, now=later)
    assert wrong_books(paid.database) == []
