"""Lettrage: what belongs together and balances gets one letter, once; a match undone takes its letter back."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from tests.accounting.office import Office, an_office
from tests.settlement.reports import status_report
from tests.settlement.test_disputes import claw_back, contest, decide
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.accounting.checks import CHECKS
from voucher.accounting.fec_format import letters
from voucher.accounting.match_up import Lettered
from voucher.accounting.model import LetterUndone, MatchingLetter
from voucher.demonstration.bank import BookedLine
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.reconciliation.match_by_hand import match_line, match_with_file
from voucher.settlement.reconciliation.match_opposite_lines import match_with_opposite
from voucher.settlement.reconciliation.undo_match import undo_match

LATER = NOW + timedelta(days=3)


@pytest.fixture
def office(database: Database) -> Office:
    return an_office(database)


def open_sides(office: Office, code: str) -> list[tuple[str, int]]:
    """Return side and cents of what no letter holds on the accounts of a code, uses of a period left out."""
    with office.database.read() as session:
        rows = session.execute(
            text(
                "SELECT x.side, x.amount_cents FROM (SELECT entry_id, rank, 'debit' AS side, debit_account_id AS a, amount_cents "
                "FROM movement UNION ALL SELECT entry_id, rank, 'credit', credit_account_id, amount_cents FROM movement) x "
                "JOIN account ON account.id = x.a JOIN entry ON entry.id = x.entry_id WHERE code = :code AND NOT EXISTS "
                "(SELECT 1 FROM lettered_movement l WHERE l.entry_id = x.entry_id AND l.rank = x.rank AND l.side = x.side AND "
                "l.letter_id NOT IN (SELECT letter_id FROM letter_undone)) AND event_type NOT IN ('vouchers_redeemed', "
                "'redemption_undone') ORDER BY 1, 2"
            ),
            {"code": code},
        )
        return [(side, cents) for side, cents in rows]


def given(office: Office, code: str) -> list[int]:
    """Return the cents of each letter of a code that stands."""
    with office.database.read() as session:
        return list(
            session.scalars(
                select(MatchingLetter.amount_cents)
                .where(MatchingLetter.code == code, MatchingLetter.id.not_in(select(LetterUndone.letter_id)))
                .order_by(MatchingLetter.number)
            )
        )


def violations(office: Office) -> list[str]:
    with office.database.read() as session:
        return [str(one) for check in CHECKS for one in check(session)]


def test_a_letter_is_written_in_capitals_that_follow_each_other() -> None:
    assert [letters(number) for number in (0, 1, 25, 26, 26**3 - 1, 26**3)] == [
        "AAA",
        "AAB",
        "AAZ",
        "ABA",
        "ZZZ",
        "AAAA",
    ]


def test_a_payment_is_lettered_on_its_three_accounts_when_it_is_booked(office: Office) -> None:
    office.town.redeem(0, 3)
    office.town.redeem(1, 4)
    batch_id = office.settle(NOW)
    assert office.letter(NOW) == Lettered(4, 0)  # 4670 and 4675 of both structures
    assert given(office, "5115") == []
    office.pay(batch_id, NOW.date(), LATER)
    assert office.letter(LATER) == Lettered(2, 0)
    assert sorted(given(office, "5115")) == given(office, "4670") == given(office, "4675") == [3000, 4000]
    for code in ("4670", "4675", "5115"):
        assert open_sides(office, code) == []
    assert office.letter(LATER) == Lettered(0, 0)
    assert wrong_books(office.database) == []


def test_uses_of_an_open_period_wait(office: Office) -> None:
    office.town.redeem(0, 3)
    assert office.letter(NOW) == Lettered(0, 0)


def test_a_period_is_one_row_for_each_structure_however_many_its_uses(office: Office) -> None:
    for _ in range(5):
        office.town.redeem(0, 2)
    office.settle(NOW)
    office.letter(NOW)
    with office.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM lettered_period")).scalar_one() == 1
        assert session.execute(text("SELECT count(*) FROM lettered_movement")).scalar_one() == 3


def test_a_rejected_payment_is_lettered_with_the_one_that_takes_it_up(office: Office) -> None:
    office.town.redeem(0, 3)
    batch_id = office.settle(NOW)
    (reference, cents), *_ = office.references(batch_id)
    report = status_report(batch_id, transfers={reference: "AB05"})
    import_report(office.database, "r.xml", report, by=PREPARER, now=NOW + timedelta(hours=1))
    office.letter(LATER)
    assert open_sides(office, "4670") == [("credit", cents)]
    assert open_sides(office, "5115") == []  # sent, then rejected: even
    office.town.redeem(0, 1)
    second = office.settle(LATER)
    office.pay(second, LATER.date(), LATER + timedelta(days=1))
    office.letter(LATER + timedelta(days=1))
    assert given(office, "4670") == [3000, 4000]
    assert open_sides(office, "4670") == open_sides(office, "4675") == open_sides(office, "5115") == []
    assert violations(office) == []


def test_an_overpayment_netted_from_a_payment_stays_even(office: Office) -> None:
    first = office.town.redeem(0, 3)
    batch_id = office.settle(NOW)
    office.pay(batch_id, NOW.date(), LATER)
    claw_back(office.town, first)
    office.letter(LATER)
    assert open_sides(office, "4671") == [("debit", 1500), ("debit", 1500)]  # each funder's part
    office.town.redeem(0, 5, now=LATER)
    office.pay(office.settle(LATER), LATER.date(), LATER + timedelta(days=1))
    office.letter(LATER + timedelta(days=1))
    assert given(office, "4670") == [3000, 5000]
    assert given(office, "4671") == [3000]
    assert [open_sides(office, code) for code in ("4670", "4671", "4675", "5115")] == [[], [], [], []]
    assert violations(office) == []


def test_a_dispute_stands_in_the_letter_of_its_period(office: Office) -> None:
    contested = office.town.redeem(0, 3)
    office.town.redeem(0, 2)
    dispute_id = contest(office.town, contested)
    office.pay(office.settle(NOW), NOW.date(), LATER)
    office.letter(LATER)
    assert given(office, "4670") == [5000]  # 50 € used, 30 € suspended and 20 € ordered
    assert open_sides(office, "4678") == [("credit", 3000)]
    decide(office.town, dispute_id, "upheld")
    office.letter(LATER)
    assert given(office, "4678") == [3000]
    assert violations(office) == []


def test_a_match_that_is_undone_takes_its_letter_back(office: Office) -> None:
    office.town.redeem(0, 3)
    batch_id = office.settle(NOW)
    office.bank_says(NOW.date(), LATER, BookedLine(reference="X1", amount_cents=3000, is_credit=False))
    with office.database.read() as session:
        line_id = session.execute(select(BankLine.id)).scalar_one()
        advice_id = session.execute(select(PaymentAdvice.id).where(PaymentAdvice.batch_id == batch_id)).scalar_one()
    match_line(office.database, line_id, advice_id, by=PREPARER, now=LATER)
    office.letter(LATER)
    assert (given(office, "4711"), given(office, "5115")) == ([3000], [3000])
    with office.database.read() as session:
        match_id = session.execute(text("SELECT id FROM bank_match")).scalar_one()
    undo_match(office.database, UUID(str(match_id)), "Mauvaise ligne", by=PREPARER, now=LATER + timedelta(hours=1))
    done = office.letter(LATER + timedelta(days=1))
    assert done.undone_count == 2
    # The entry and its reversal are even by themselves; the line and the payment wait again.
    assert open_sides(office, "4711") == [("debit", 3000)]
    assert open_sides(office, "5115") == [("credit", 3000)]
    with office.database.read() as session:
        assert set(session.scalars(select(LetterUndone.undone_on))) == {(LATER + timedelta(days=1)).date()}
    match_line(office.database, line_id, advice_id, by=PREPARER, now=LATER + timedelta(days=2))
    office.letter(LATER + timedelta(days=2))
    assert open_sides(office, "4711") == open_sides(office, "5115") == []
    assert office.letter(LATER + timedelta(days=3)) == Lettered(0, 0)
    assert violations(office) == []


def test_payments_that_one_line_books_share_a_letter(office: Office) -> None:
    office.town.redeem(0, 3)
    office.town.redeem(1, 4)
    batch_id = office.settle(NOW)
    office.bank_says(NOW.date(), LATER, BookedLine(reference="X1", amount_cents=7000, is_credit=False))
    with office.database.read() as session:
        line_id = session.execute(select(BankLine.id)).scalar_one()
    match_with_file(office.database, new_id(), line_id, batch_id, 1, by=PREPARER, now=LATER)
    office.letter(LATER)
    assert given(office, "5115") == [7000]
    assert given(office, "4711") == [7000]
    assert violations(office) == []


def test_a_letter_never_changes(office: Office) -> None:
    office.town.redeem(0, 3)
    office.settle(NOW)
    office.letter(NOW)
    for statement in (
        "UPDATE matching_letter SET number = 9",
        "DELETE FROM lettered_movement",
        "DELETE FROM lettered_period",
    ):
        with pytest.raises(Exception, match="only grows"), office.database.write() as session:
            session.execute(text(statement))


def test_letters_say_the_day_they_were_given(office: Office) -> None:
    office.town.redeem(0, 3)
    office.settle(NOW)
    office.letter(NOW)
    with office.database.read() as session:
        assert set(session.scalars(select(MatchingLetter.lettered_on))) == {date(2026, 11, 23)}


def test_two_bank_lines_that_undo_each_other_have_one_letter_until_a_person_parts_them(office: Office) -> None:
    office.bank_says(
        NOW.date(),
        NOW,
        BookedLine(reference="X1", amount_cents=900, is_credit=False, end_to_end_id="NOTPROVIDED"),
        BookedLine(reference="X2", amount_cents=900, is_credit=True, end_to_end_id="NOTPROVIDED"),
    )
    with office.database.read() as session:
        line_id, other_id = session.scalars(select(BankLine.id)).all()
    assert office.letter(LATER) == Lettered(0, 0)
    match_id = new_id()
    match_with_opposite(office.database, match_id, line_id, other_id, by=PREPARER, now=LATER)
    assert office.letter(LATER) == Lettered(1, 0)
    assert (given(office, "4711"), open_sides(office, "4711")) == ([900], [])
    assert violations(office) == []
    undo_match(office.database, match_id, "Ce n’est pas elle.", by=PREPARER, now=LATER)
    assert office.letter(LATER) == Lettered(0, 1)
    assert open_sides(office, "4711") == [("credit", 900), ("debit", 900)]
    assert office.letter(LATER) == Lettered(0, 0)
    assert violations(office) == []
