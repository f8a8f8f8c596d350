"""Lines matched and matches undone: whole files, charges, notices before statements, funders' money, and second thoughts."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Row, select

from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, Paid, counts, credit, debit
from tests.settlement.town import NOW, OUR_IBAN, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.read import balances
from voucher.settlement.bank_in.import_statement import Imported, import_statement
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.formats_out.references import message_id, payment_information_id
from voucher.settlement.model.batches import BankLine, SettlementBatch
from voucher.settlement.reconciliation import daily_balances as bank_days
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.match_by_hand import match_line, match_with_file
from voucher.settlement.reconciliation.match_other_money import match_with_charges, mentions
from voucher.settlement.reconciliation.suggest import matches, suggestions
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.states import MatchKind

WRONG = "Je me suis trompée de ligne."


@pytest.fixture
def paid(database: Database) -> Paid:
    return Paid(database)


def take(paid: Paid, *entries: Booked, kind: str = "053", name: str = "R1", opening_cents: int = OPENING_CENTS, message: str = "M1", days: int = 0) -> Imported:  # fmt: skip
    account = Account(paid.iban, TODAY + timedelta(days=days), entries, name, opening_cents)
    content = camt(kind, "08", account, message=message)
    return import_statement(paid.database, f"{name}.xml", content, by=PREPARER, now=NOW + timedelta(days=days))


def one(cents: int, reference: str, end_to_end_id: str = "NOTPROVIDED", **more: str) -> Booked:
    return Booked(cents, reference, (Transaction(cents, end_to_end_id, **more),))


def line_ids(paid: Paid) -> list[UUID]:
    with paid.database.read() as session:
        return list(session.scalars(select(BankLine.id).order_by(BankLine.amount_cents, BankLine.is_credit)))


def batch_of(paid: Paid) -> Row[UUID, str]:
    with paid.database.read() as session:
        return session.execute(select(SettlementBatch.id, SettlementBatch.state)).one()


def balance(paid: Paid, code: str) -> int:
    return sum(one.balance_cents for one in balances(paid.database) if one.code == code)


def test_what_a_notification_a_report_and_a_statement_tell_counts_once(paid: Paid) -> None:
    entries = (one(-3_000, "T1", paid.first), one(-4_000, "T2", paid.second), Booked(-300, words="Sans reference"))
    assert take(paid, *entries, kind="054").paid_count == 2
    assert take(paid, *entries, kind="052", name="R2").new_count == 0
    (announced,) = bank_days_of(paid, [])
    assert announced == 0
    done = take(paid, *entries, name="R3")
    assert (done.line_count, done.new_count, done.is_known) == (3, 0, False)
    assert take(paid, *entries, name="R3", message="AGAIN").new_count == 0
    assert take(paid, *entries, name="R3-BIS", message="AGAIN").new_count == 0
    assert counts(paid.database)["bank_statement"] == 1
    (day,) = bank_days.days(paid.database)
    assert (day.is_equal, day.is_following, day.announced_cents) == (True, True, 0)
    assert wrong_books(paid.database) == []


def bank_days_of(paid: Paid, wanted: list[int]) -> list[int]:
    return [day.announced_cents for day in bank_days.days(paid.database)] or [sum(wanted)]


def test_a_line_that_no_statement_proves_explains_the_difference(paid: Paid) -> None:
    take(paid, one(-3_000, "T1", paid.first))
    take(paid, one(700, "N1"), kind="054", name="N")
    (day,) = bank_days.days(paid.database)
    assert (day.gap_cents, day.announced_cents) == (-700, 700)
    (line,) = bank_days.announced_lines(paid.database, day.account_id, TODAY)
    assert line.signed_cents == 700


def test_two_lines_alike_without_reference_both_count_and_the_same_statement_again_adds_none(paid: Paid) -> None:
    fee = Booked(-300, words="Virement permanent")
    assert take(paid, fee, fee).new_count == 2
    assert take(paid, fee, fee, name="R1-BIS", message="AGAIN").new_count == 0
    # A second statement of the same day begins where the first ended: its line is a third one.
    assert take(paid, fee, name="R2", opening_cents=OPENING_CENTS - 600).new_count == 1
    assert take(paid, fee, kind="054", name="N").new_count == 0
    week = Account(paid.iban, TODAY + timedelta(days=2), [Booked(-300, words="Virement permanent", day=TODAY)] * 2, "S", OPENING_CENTS, first_day=TODAY)  # fmt: skip
    later = NOW + timedelta(days=2)
    done = import_statement(paid.database, "s.xml", camt("053", "08", week), by=PREPARER, now=later)
    assert done.new_count == 0
    assert wrong_books(paid.database) == []


@pytest.mark.parametrize("named", ["message", "payment_information", "count"])
def test_one_debit_for_a_whole_file_pays_each_of_its_advices(paid: Paid, named: str) -> None:
    batch = batch_of(paid)
    given: dict[str, dict[str, object]] = {
        "message": {"message": message_id(batch.id)},
        "payment_information": {"payment_information": payment_information_id(batch.id)},
        "count": {"count": 2},
    }
    done = take(paid, Booked(-7_000, "G1", **given[named]))  # type: ignore[arg-type]  # one of three
    assert (done.new_count, done.paid_count, done.unknown_count) == (1, 2, 0)
    assert paid.states() == ["paid", "paid"]
    assert batch_of(paid).state == "closed"
    assert wrong_books(paid.database) == []
    (line_id,) = line_ids(paid)
    (match,) = matches(paid.database, line_id)
    assert (match.part_count, match.is_automatic) == (2, True)
    undo_match(paid.database, match.id, WRONG, by=PREPARER, now=NOW)
    assert paid.states() == ["in_file", "in_file"]
    assert batch_of(paid).state == "exported"
    assert wrong_books(paid.database) == []


def test_one_debit_of_another_amount_waits_and_a_person_may_choose_the_file(paid: Paid) -> None:
    batch = batch_of(paid)
    done = take(paid, Booked(-7_100, "G1", message=message_id(batch.id)), Booked(-7_000, "G2"))
    assert (done.paid_count, done.unknown_count) == (0, 2)
    small, large = line_ids(paid)
    with pytest.raises(Refused, match="virements attendus"):
        match_with_file(paid.database, new_id(), large, batch.id, 1, by=PREPARER, now=NOW)
    best = suggestions(paid.database, small)[0]
    assert (best.kind, best.target_id, best.part) == (MatchKind.PAYMENT, batch.id, 1)
    match_id = new_id()
    assert match_with_file(paid.database, match_id, small, batch.id, 1, by=PREPARER, now=NOW) == 2
    assert match_with_file(paid.database, match_id, small, batch.id, 1, by=PREPARER, now=NOW) == 0
    for line_id, batch_id, part in ((large, batch.id, 1), (small, new_id(), 1), (small, batch.id, 2)):
        with pytest.raises(Refused, match="same_id_other_content"):
            match_with_file(paid.database, match_id, line_id, batch_id, part, by=PREPARER, now=NOW)
    with pytest.raises(Refused, match="same_id_other_content"):
        match_with_charges(paid.database, match_id, small, by=PREPARER, now=NOW)
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []
    undo_match(paid.database, match_id, WRONG, by=PREPARER, now=NOW)
    undo_match(paid.database, match_id, WRONG, by=PREPARER, now=NOW)
    assert paid.states() == ["in_file", "in_file"]
    assert wrong_books(paid.database) == []


def test_a_debit_told_as_a_whole_is_paid_when_a_notification_gives_its_details(paid: Paid) -> None:
    assert take(paid, Booked(-7_000, "G1")).unknown_count == 1
    details = (Transaction(-3_000, paid.first), Transaction(-4_000, paid.second))
    done = take(paid, Booked(-7_000, "G1", details), kind="054", name="N")
    assert (done.new_count, paid.states()) == (0, ["paid", "paid"])
    assert wrong_books(paid.database) == []


def test_charges_go_to_their_account_by_themselves_alone_or_inside_a_transfer(paid: Paid) -> None:
    inside = Booked(-3_050, "T1", (Transaction(-3_000, paid.first),), charges_cents=50)
    fees = Booked(-250, "F1", code="ACMT-MDOP-CHRG", words="Frais de tenue de compte")
    given_back = Booked(100, "F2", code="ACMT-MCOP-CHRG")
    done = take(paid, inside, fees, given_back)
    assert (done.paid_count, done.charge_count, done.unknown_count) == (1, 3, 0)
    assert balance(paid, "6270") == 50 + 250 - 100
    assert wrong_books(paid.database) == []
    fee_line = next(one for one in line_ids(paid) if matches(paid.database, one)[0].amount_cents == 250)
    undo_match(paid.database, fee_line, "Ce n’est pas un frais.", by=PREPARER, now=NOW)
    assert (balance(paid, "6270"), balance(paid, "4711")) == (-50, 250)
    assert wrong_books(paid.database) == []
    match_with_charges(paid.database, new_id(), fee_line, by=PREPARER, now=NOW + timedelta(hours=1))
    assert (balance(paid, "6270"), balance(paid, "4711")) == (200, 0)
    assert [match.undone_reason for match in matches(paid.database, fee_line)] == ["", "Ce n’est pas un frais."]
    assert wrong_books(paid.database) == []


def test_an_automatic_match_is_undone_then_made_by_hand_and_undone_again(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    (line_id,) = line_ids(paid)
    undo_match(paid.database, line_id, WRONG, by=PREPARER, now=NOW)
    assert paid.states() == ["in_file", "in_file"]
    assert balance(paid, "4711") == 3_000
    assert wrong_books(paid.database) == []
    paid.take(credit("C1", 100), name="R2", opening_cents=OPENING_CENTS - 3_000)
    assert paid.states() == ["in_file", "in_file"], "what a person undid is not matched again by itself"
    for _ in range(2):
        match_id = new_id()
        match_line(paid.database, line_id, paid.first_id, by=PREPARER, now=NOW, match_id=match_id)
        assert paid.states() == ["paid", "in_file"]
        undo_match(paid.database, match_id, WRONG, by=PREPARER, now=NOW)
        assert paid.states() == ["in_file", "in_file"]
    with pytest.raises(Refused, match="a été défait depuis"):
        match_line(paid.database, line_id, paid.first_id, by=PREPARER, now=NOW, match_id=match_id)
    assert wrong_books(paid.database) == []


def test_a_match_on_which_another_rests_is_not_undone_before_it(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), credit("B1", 3_000, paid.first, return_reason="AC04"))
    out, back = line_ids(paid)
    with pytest.raises(Refused, match="revenu depuis"):
        undo_match(paid.database, out, WRONG, by=PREPARER, now=NOW)
    undo_match(paid.database, back, WRONG, by=PREPARER, now=NOW)
    assert paid.states() == ["paid", "in_file"]
    undo_match(paid.database, out, WRONG, by=PREPARER, now=NOW)
    assert paid.states() == ["in_file", "in_file"]
    assert wrong_books(paid.database) == []


def test_a_return_that_another_batch_took_up_is_not_undone(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), credit("B1", 3_000, paid.first, return_reason="MS03"))
    freeze_batch(paid.database, new_id(), paid.town.agreement_id, by=PREPARER, now=NOW + timedelta(hours=1))
    _, back = line_ids(paid)
    with pytest.raises(Refused, match="Un autre lot a repris"):
        undo_match(paid.database, back, WRONG, by=PREPARER, now=NOW)
    assert wrong_books(paid.database) == []


def test_an_undo_needs_a_reason_and_the_right_scope(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first))
    (line_id,) = line_ids(paid)
    with pytest.raises(Refused):
        undo_match(paid.database, line_id, " ", by=PREPARER, now=NOW)
    with pytest.raises(Refused, match="n’existe pas"):
        undo_match(paid.database, line_id, WRONG, by=PREPARER, now=NOW, issuer_id=new_id())
    assert paid.states() == ["paid", "in_file"]


def test_a_reversal_of_our_debit_by_the_bank_brings_the_payment_back(paid: Paid) -> None:
    take(paid, one(-3_000, "T1", paid.first))
    undone = Booked(3_000, "T1R", (Transaction(3_000, paid.first),), is_reversal=True)
    assert take(paid, undone, name="R2", opening_cents=OPENING_CENTS - 3_000, days=20).returned_count == 1
    assert paid.states() == ["returned", "in_file"]
    assert wrong_books(paid.database) == []


def test_an_account_that_is_not_ours_is_set_aside_when_ours_is_there_and_may_come_later(paid: Paid) -> None:
    ours = Account(paid.iban, TODAY, [one(-3_000, "T1", paid.first)])
    theirs = Account(OUR_IBAN, TODAY, [one(-9_000, "T9")], "AUTRE")
    foreign = Account(OUR_IBAN, TODAY, [], "DOLLARS", currency="USD")
    content = camt("053", "08", ours, theirs, foreign)
    done = import_statement(paid.database, "tout.xml", content, by=PREPARER, now=NOW)
    assert (done.statement_count, done.new_count) == (1, 1)
    assert [("comptes payeurs" in aside.reason, "USD" in aside.reason) for aside in done.ignored] == [
        (True, False),
        (False, True),
    ]
    assert all(aside.line > 0 for aside in done.ignored)
    again = import_statement(paid.database, "tout.xml", content, by=PREPARER, now=NOW)
    assert (again.is_known, again.new_count) == (True, 0)
    with pytest.raises(RefusedBankFile, match="comptes payeurs"):
        import_statement(paid.database, "autre.xml", camt("053", "08", theirs), by=PREPARER, now=NOW)
    assert wrong_books(paid.database) == []


def test_what_a_person_undid_stays_undone_when_the_same_file_comes_again(paid: Paid) -> None:
    both = (one(-3_000, "T1", paid.first), one(-4_000, "T2", paid.second), Booked(4_000, "B2", (Transaction(4_000, paid.second, return_reason="AC04"),)))  # fmt: skip
    theirs = Account(OUR_IBAN, TODAY, [one(-9_000, "T9")], "AUTRE")
    content = camt("053", "08", Account(paid.iban, TODAY, both), theirs)
    import_statement(paid.database, "tout.xml", content, by=PREPARER, now=NOW)
    assert paid.states() == ["paid", "returned"]
    out, _, back = line_ids(paid)[0], *sorted(line_ids(paid)[1:], key=lambda line: is_credit(paid, line))
    for line_id in (out, back):
        undo_match(paid.database, line_id, WRONG, by=PREPARER, now=NOW)
    assert paid.states() == ["in_file", "paid"]
    import_statement(paid.database, "tout.xml", content, by=PREPARER, now=NOW)
    assert paid.states() == ["in_file", "paid"], "no line pays the first, none brings the second back"
    assert wrong_books(paid.database) == []


def is_credit(paid: Paid, line_id: UUID) -> bool:
    with paid.database.read() as session:
        return session.execute(select(BankLine.is_credit).where(BankLine.id == line_id)).scalar_one()


def test_a_statement_that_tells_in_one_piece_what_a_notice_detailed_proves_all_of_it(paid: Paid) -> None:
    details = (Transaction(-3_000, paid.first), Transaction(-4_000, paid.second))
    assert take(paid, Booked(-7_000, "G1", details), kind="054", name="N").paid_count == 2
    assert take(paid, Booked(-7_000, "G1")).new_count == 0
    (day,) = bank_days.days(paid.database)
    assert (day.gap_cents, day.announced_cents) == (0, 0)
    assert wrong_books(paid.database) == []


def test_a_reference_that_two_entries_share_hides_neither_whichever_comes_first(paid: Paid) -> None:
    assert take(paid, one(-4_000, "LOT", paid.second), kind="054", name="N").new_count == 1
    assert take(paid, one(-3_000, "LOT", paid.first), one(-4_000, "LOT", paid.second)).new_count == 1
    assert paid.states() == ["paid", "paid"]
    assert wrong_books(paid.database) == []


def test_statements_of_a_day_are_put_in_order_and_a_missing_one_is_seen(paid: Paid) -> None:
    take(paid, one(-100, "A"), name="Z-MATIN")
    take(paid, one(-200, "B"), name="A-SOIR", opening_cents=OPENING_CENTS - 100)
    take(paid, one(-400, "D"), name="R3", opening_cents=OPENING_CENTS - 700, days=4)
    later, first = bank_days.days(paid.database)
    assert (first.closing_cents, first.is_equal, first.is_following) == (OPENING_CENTS - 300, True, True)
    assert (later.is_following, later.gap_cents) == (False, -400)


def test_the_oldest_line_to_identify_has_its_day(paid: Paid) -> None:
    paid.take(credit("C1", 100), day=TODAY - timedelta(days=9))
    paid.take(credit("C2", 100), name="R2", opening_cents=OPENING_CENTS + 100)
    assert read_bank.line_counts(paid.database).oldest_on == TODAY - timedelta(days=9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Appel AF-2026-1", True), ("AF-2026-12", False), ("XAF-2026-1", False), ("af-2026-1/REGION", True), ("", False)],
)
def test_a_reference_is_found_whole_in_words(text: str, expected: bool) -> None:
    assert mentions(text, "AF-2026-1") is expected
