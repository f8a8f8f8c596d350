"""A bank that calls a file, a block or a transfer a duplicate: nobody is owed again until two people say that the first never came."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from tests.settlement.camt_files import Account, Booked, camt
from tests.settlement.doubt import LATER, THIRD, Doubt
from tests.settlement.test_accountant_return import HEADS, Owing
from tests.settlement.test_import_statement import OPENING_CENTS, TODAY, credit, debit
from tests.settlement.town import APPROVER, NOW, PREPARER, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.bank_in.accountant_return import import_accountant_return
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.deadlines.payment_deadlines import Stage, dues
from voucher.settlement.deadlines.read_payments import waiting_payments
from voucher.settlement.formats_in.iso_reasons import DUPLICATES, duplicate_code, explain
from voucher.settlement.formats_out.references import message_id
from voucher.settlement.model.bank_reports import TransferReport
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.payable.undecided_duplicates import decision
from voucher.settlement.payable.why_waiting import batch_waiting
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.reports.answer_duplicates import NewAnswer, answer_duplicates, withdraw_answer
from voucher.settlement.reports.read_duplicates import duplicate_batches, duplicates_of
from voucher.settlement.words.causes import Held
from voucher.settlement.words.states import DuplicateOutcome, ReportKind

CASES = Path(__file__).parent / "files"
STANDS, NEVER = DuplicateOutcome.STANDS, DuplicateOutcome.NEVER_CAME
OPEN, DONE = ["in_file", "in_file"], ["rejected", "rejected"]


@pytest.fixture
def doubt(database: Database) -> Doubt:
    return Doubt(database)


def test_a_file_that_the_bank_has_had_before_reopens_no_debt(doubt: Doubt) -> None:
    content = (CASES / "pain002-group-du01.xml").read_text().replace("{EXPORTED_MSGID}", message_id(doubt.batch_id))
    done = import_report(doubt.database, "du01.xml", content.encode(), by=PREPARER, now=NOW)
    assert (done.rejected_count, done.duplicate_count) == (0, 2)
    assert doubt.states() == OPEN
    page = doubt.page()
    assert (page.open_count, page.open_cents) == (2, 7_000)
    assert [row.word for row in page.rows] == ["À répondre"] * 2
    assert page.rows[0].bank_says == "La banque a déjà reçu ce fichier (DU01, tout le fichier)."
    with pytest.raises(Refused, match="Rien n’est à régler"):
        doubt.freeze()
    again = import_report(doubt.database, "encore.xml", content.encode(), by=APPROVER, now=LATER)
    assert again.is_known
    doubt.is_right()


@pytest.mark.parametrize("code", ["AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL"])
def test_every_code_that_says_duplicate_reopens_no_debt_at_any_level(sqlite_database: Database, code: str) -> None:
    doubt = Doubt(sqlite_database)
    assert doubt.report(group=code, first="AC04").duplicate_count == 2
    assert doubt.report(block=code, first="").duplicate_count == 2
    assert doubt.report(second=code).duplicate_count == 1
    assert doubt.states() == OPEN
    assert [row.level for row in doubt.page().rows] == ["file", "file"]
    assert explain(code).is_known
    assert len(DUPLICATES) == 7


def test_a_duplicate_is_known_among_other_reasons_and_in_an_accountants_words() -> None:
    assert [duplicate_code(one) for one in ("DU03", "du04 bis", "Doublon du lot 3", "Déjà payé", "Double virement")] == [
        "DU03", "DU04", "DUPL", "DUPL", "DUPL",
    ]  # fmt: skip
    assert [duplicate_code(one) for one in ("AC04", "", "RIB à doubler", "Payé hier", "DUP3")] == [""] * 5


def test_two_people_answer_and_only_never_came_lets_the_transfers_be_offered_again(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    doubt.answer(NEVER, PREPARER)
    assert doubt.states() == OPEN
    assert [row.word for row in doubt.page().rows] == ["Une réponse sur deux"] * 2
    assert "Une autre personne doit répondre" in doubt.refusal(lambda: doubt.answer(NEVER, PREPARER))
    doubt.answer(NEVER, APPROVER)
    assert doubt.states() == DONE
    assert [row.word for row in doubt.page().rows] == ["La première n’existe pas"] * 2
    assert "Il n’y a rien à faire" in doubt.refusal(lambda: doubt.answer(NEVER, THIRD))
    doubt.is_right()
    assert doubt.freeze().total_cents == 7_000
    doubt.is_right()


def test_the_first_stands_leaves_the_payment_in_transit_until_its_debit(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    doubt.answer(STANDS, PREPARER)
    doubt.answer(STANDS, APPROVER)
    assert (doubt.states(), doubt.page().open_count) == (OPEN, 0)
    assert [row.word for row in doubt.page().rows] == ["La première tient"] * 2
    assert batch_waiting(doubt.database, doubt.batch_id, LATER) == {}
    with pytest.raises(Refused, match="Rien n’est à régler"):
        doubt.freeze()
    doubt.paid.take(debit("T1", 3_000, doubt.first), debit("T2", 4_000, doubt.second))
    assert doubt.states() == ["paid", "paid"]
    doubt.is_right()


def test_a_reason_is_required_and_a_page_that_grew_old_writes_nothing(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    assert "Remplissez" in doubt.refusal(lambda: doubt.answer(STANDS, PREPARER, why=" ", seen=1))
    assert "Choisissez" in doubt.refusal(lambda: doubt.answer("perhaps", PREPARER, seen=1))
    doubt.report(second="DU03")
    assert "ont changé" in doubt.refusal(lambda: doubt.answer(STANDS, PREPARER, seen=1))


def test_the_same_form_twice_answers_once_and_another_content_is_refused(doubt: Doubt) -> None:
    doubt.report(group="DUPL")
    answer_id = doubt.answer(NEVER, PREPARER)
    doubt.answer(NEVER, PREPARER, answer_id=answer_id)
    assert doubt.states() == OPEN
    assert len(doubt.page().answers) == 1
    assert "d’autres réponses" in doubt.refusal(lambda: doubt.answer(STANDS, PREPARER, answer_id=answer_id))
    assert "d’autres réponses" in doubt.refusal(lambda: doubt.answer(NEVER, APPROVER, answer_id=answer_id))


def test_two_contrary_answers_decide_nothing_and_nobody_else_decides_between_them(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    doubt.answer(NEVER, PREPARER)
    stands = doubt.answer(STANDS, APPROVER)
    assert doubt.states() == OPEN
    assert [row.word for row in doubt.page().rows] == ["Réponses contraires"] * 2
    assert "revenir sur sa réponse" in doubt.refusal(lambda: doubt.answer(NEVER, THIRD))
    doubt.withdraw(stands)
    assert doubt.states() == OPEN, "withdrawing decides nothing"
    doubt.answer(NEVER, APPROVER)
    assert doubt.states() == DONE
    doubt.is_right()


def test_the_decision_is_that_of_two_people_who_say_the_same() -> None:
    assert decision({PREPARER: NEVER, APPROVER: NEVER}) is NEVER
    assert decision({PREPARER: STANDS, APPROVER: STANDS}) is STANDS
    assert [decision(one) for one in ({}, {PREPARER: NEVER}, {PREPARER: NEVER, APPROVER: STANDS})] == [None] * 3


def test_a_mixed_file_reopens_what_is_rejected_and_asks_about_the_rest(doubt: Doubt) -> None:
    done = doubt.report(first="AC04", second="DU03")
    assert (done.rejected_count, done.duplicate_count) == (1, 1)
    assert doubt.states() == ["rejected", "in_file"]
    assert [row.reference for row in doubt.page().rows] == [doubt.second]
    doubt.is_right()


def test_one_transfer_of_a_file_may_be_answered_apart_from_the_others(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    for person in (PREPARER, APPROVER):
        doubt.answer(STANDS, person, of=doubt.paid.first_id)
    for person in (PREPARER, APPROVER):
        doubt.answer(NEVER, person, seen=1)
    assert doubt.states() == ["in_file", "rejected"]
    doubt.is_right()


def test_a_debit_that_comes_before_the_answer_says_that_the_first_stood(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    doubt.answer(NEVER, PREPARER)
    doubt.paid.take(debit("T1", 3_000, doubt.first))
    assert doubt.states() == ["paid", "in_file"]
    page = doubt.page()
    assert page.open_count == 1
    assert [row.word for row in page.rows if row.reference == doubt.first] == ["Débité : la première tient"]
    said = doubt.refusal(lambda: doubt.answer(NEVER, APPROVER, of=doubt.paid.first_id))
    assert "a débité ce virement le 23\u00a0novembre\u00a02026 : le premier envoi tient" in said
    doubt.answer(NEVER, APPROVER, seen=1)
    assert doubt.states() == ["paid", "rejected"]
    doubt.is_right()


def test_a_whole_file_debited_while_the_question_is_open_pays_it(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    whole = Account(doubt.paid.iban, TODAY, [Booked(-7_000, "G1", message=message_id(doubt.batch_id))])
    import_statement(doubt.database, "releve.xml", camt("053", "08", whole), by=PREPARER, now=NOW)
    assert (doubt.states(), doubt.page().open_count) == (["paid", "paid"], 0)
    doubt.is_right()


def test_a_match_undone_asks_the_question_again(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    doubt.paid.take(debit("T1", 3_000, doubt.first))
    assert doubt.page().open_count == 1
    with doubt.database.read() as session:
        line_id = session.scalars(select(BankLine.id)).one()
    undo_match(doubt.database, line_id, "Ce n’est pas lui.", by=PREPARER, now=NOW)
    assert (doubt.states(), doubt.page().open_count) == (OPEN, 2)
    doubt.is_right()


def test_a_debit_after_two_people_said_never_came_pays_and_is_not_paid_again(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    for person in (PREPARER, APPROVER):
        doubt.answer(NEVER, person)
    doubt.paid.take(debit("T1", 3_000, doubt.first), debit("T2", 4_000, doubt.second))
    assert doubt.states() == ["paid", "paid"]
    with pytest.raises(Refused, match="Rien n’est à régler"):
        doubt.freeze()
    doubt.is_right()


def test_a_rejection_that_comes_while_the_question_is_open_waits_for_the_answer(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    done = doubt.report(first="AC04")
    assert done.rejected_count == 0
    assert "Deux personnes doivent d’abord dire" in done.ignored[0].reason
    assert doubt.states() == OPEN
    assert "Elle l’a aussi rejeté : Le compte de la structure est fermé." in doubt.page().rows[0].bank_says
    for person in (PREPARER, APPROVER):
        doubt.answer(NEVER, person, seen=1)
    with doubt.database.read() as session:
        advice = session.get_one(PaymentAdvice, doubt.paid.first_id)
        assert (advice.state, advice.state_reason) == ("rejected", "AC04"), "and so no dead account is paid again"
    doubt.is_right()


def test_a_rejection_after_two_people_said_never_came_keeps_a_dead_account_from_being_paid(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    for person in (PREPARER, APPROVER):
        doubt.answer(NEVER, person, seen=1)
    assert doubt.report(first="AC04").rejected_count == 0
    with doubt.database.read() as session:
        assert session.get_one(PaymentAdvice, doubt.paid.first_id).state_reason == "AC04"
    with pytest.raises(Refused, match="Compte fermé"):
        doubt.freeze()
    doubt.report(first="MS03")
    with doubt.database.read() as session:
        assert session.get_one(PaymentAdvice, doubt.paid.first_id).state_reason == "AC04", "said first"
    doubt.is_right()


def test_a_rejection_after_two_people_said_that_the_first_stands_is_of_that_first(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    answers = [doubt.answer(STANDS, person, seen=1) for person in (PREPARER, APPROVER)]
    assert doubt.report(first="AC04").rejected_count == 1
    assert doubt.states() == ["rejected", "in_file"]
    assert "a rejeté le virement" in doubt.refusal(lambda: doubt.withdraw(answers[0]))
    doubt.is_right()


def test_a_duplicate_of_what_was_rejected_or_paid_before_asks_nothing(doubt: Doubt) -> None:
    doubt.report(first="AC04")
    doubt.paid.take(debit("T2", 4_000, doubt.second))
    assert doubt.report(group="DU01").duplicate_count == 0
    assert doubt.states() == ["rejected", "paid"]
    assert duplicate_batches(doubt.database) == []
    doubt.is_right()


def test_pages_say_who_holds_a_transfer_in_doubt_and_what_to_do(doubt: Doubt) -> None:
    doubt.report(first="DU03")
    waiting = batch_waiting(doubt.database, doubt.batch_id, LATER)[doubt.paid.first_id].waiting
    assert (waiting.held, waiting.title, waiting.holder) == (
        Held.DUPLICATE, "Doublon annoncé", "Le service des finances",
    )  # fmt: skip
    late = dues(doubt.database, LATER, within_days=None)
    assert sorted((one.stage, one.title, one.amount_cents) for one in late) == [
        (Stage.LEFT, "", 4_000), (Stage.LEFT, "Doublon annoncé", 3_000),
    ]  # fmt: skip
    step = waiting_payments(doubt.database, doubt.paid.town.structure_ids[0], LATER)[0].step
    assert (step.what, step.holder) == (
        "Transmis à la banque le 23\u00a0novembre\u00a02026. Doublon annoncé : la banque dit avoir déjà reçu ce virement. Rien n’est à payer de nouveau.",
        "finance",
    )
    assert [(one.open_count, one.open_cents) for one in duplicate_batches(doubt.database)] == [(1, 3_000)]
    assert duplicate_batches(doubt.database, issuer_id=new_id()) == []


def test_nobody_answers_for_a_batch_out_of_scope(doubt: Doubt) -> None:
    doubt.report(group="DU01")
    new = NewAnswer(new_id(), doubt.batch_id, None, NEVER, "Vu.", 2)
    with pytest.raises(Refused, match="n’existe pas"):
        answer_duplicates(doubt.database, new, by=PREPARER, now=LATER, issuer_id=new_id())
    answer_id = doubt.answer(NEVER, PREPARER)
    with pytest.raises(Refused, match="n’existe pas"):
        withdraw_answer(doubt.database, answer_id, "Non.", by=PREPARER, now=LATER, issuer_id=new_id())
    assert duplicates_of(doubt.database, doubt.batch_id, limit=9, issuer_id=new_id()) is None


def test_an_accountants_duplicate_reopens_no_debt_either(database: Database) -> None:
    owing = Owing(database)
    done = owing.take(
        f"{owing.first};30,00;rejeté;24/11/2026;Doublon", f"{owing.second};40,00;rejeté;24/11/2026;AC04 compte clos"
    )
    assert (done.rejected_count, done.duplicate_count) == (1, 1)
    assert [state for state, _ in sorted(owing.states().values())] == ["in_file", "rejected"]
    with pytest.raises(RefusedBankFile, match="Deux personnes doivent d’abord dire"):
        owing.take(f"{owing.first};30,00;rejeté;25/11/2026;AC04")
    with database.read() as session:
        advice_id = session.execute(
            select(TransferReport.advice_id).where(TransferReport.kind == ReportKind.DUPLICATE)
        ).scalar_one()
    for person in (PREPARER, APPROVER):
        new = NewAnswer(new_id(), owing.batch_id, advice_id, NEVER, "Vu.", 1)
        answer_duplicates(database, new, by=person, now=LATER)
    assert {state for state, _ in owing.states().values()} == {"rejected"}
    assert wrong_books(database) == []


def test_an_accountants_rejection_of_the_first_that_stands_is_right(database: Database) -> None:
    owing = Owing(database)
    owing.take(f"{owing.first};30,00;rejeté;24/11/2026;Doublon")
    with database.read() as session:
        advice_id = session.execute(select(TransferReport.advice_id)).scalar_one()
    for person in (PREPARER, APPROVER):
        new = NewAnswer(new_id(), owing.batch_id, advice_id, STANDS, "Vu.", 1)
        answer_duplicates(database, new, by=person, now=LATER)
    content = f"{HEADS}{owing.first};30,00;rejeté;25/11/2026;AC04 compte clos".encode()
    month_later = LATER + timedelta(days=30)
    done = import_accountant_return(database, "retour.csv", content, by=PREPARER, now=month_later)
    assert done.rejected_count == 1
    assert wrong_books(database) == []


def test_an_accountants_reason_after_never_came_keeps_a_dead_account_from_being_paid(database: Database) -> None:
    owing = Owing(database)
    owing.take(f"{owing.first};30,00;rejeté;24/11/2026;Doublon")
    with database.read() as session:
        advice_id = session.execute(select(TransferReport.advice_id)).scalar_one()
    for person in (PREPARER, APPROVER):
        new = NewAnswer(new_id(), owing.batch_id, advice_id, NEVER, "Vu.", 1)
        answer_duplicates(database, new, by=person, now=LATER)
    assert owing.take(f"{owing.first};30,00;rejeté;25/11/2026;AC04 compte clos").known_count == 1
    with database.read() as session:
        assert session.get_one(PaymentAdvice, advice_id).state_reason == "AC04 compte clos"
    assert wrong_books(database) == []


def test_an_accountant_rejects_what_was_rejected_and_withdrawn_twice_as_any_other(database: Database) -> None:
    owing = Owing(database)
    owing.take(f"{owing.first};30,00;rejeté;24/11/2026;Doublon")
    with database.read() as session:
        advice_id = session.execute(select(TransferReport.advice_id)).scalar_one()

    def answer(outcome: DuplicateOutcome, *people: UUID) -> UUID:
        for person in people:
            new = NewAnswer(new_id(), owing.batch_id, advice_id, outcome, "Vu.", 1)
            answer_duplicates(database, new, by=person, now=LATER)
        return new.id

    def withdraw(answer_id: UUID) -> None:
        withdraw_answer(database, answer_id, "Je me suis trompé.", by=THIRD, now=LATER)

    first = answer(NEVER, PREPARER)
    withdraw(answer(NEVER, APPROVER))
    withdraw(answer(NEVER, APPROVER))
    withdraw(first)
    answer(STANDS, PREPARER, APPROVER)
    assert owing.take(f"{owing.first};30,00;rejeté;25/11/2026;AC04").rejected_count == 1
    assert wrong_books(database) == []


def test_what_the_bank_said_is_never_rewritten(doubt: Doubt) -> None:
    doubt.report(first="DU03", second="AC04")
    with doubt.database.read() as session:
        rows = session.execute(select(TransferReport.kind, TransferReport.code).order_by(TransferReport.code)).all()
    assert [tuple(row) for row in rows] == [("rejection", "AC04"), ("duplicate", "DU03")]
    with pytest.raises(Exception, match="only grows"), doubt.database.write() as session:
        session.execute(update(TransferReport).values(code="AC04"))


def test_a_credit_that_says_duplicate_is_money_that_came_back(doubt: Doubt) -> None:
    doubt.paid.take(debit("T1", 3_000, doubt.first))
    back = credit("B1", 3_000, doubt.first, return_reason="AM05")
    doubt.paid.take(back, name="R2", day=TODAY + timedelta(days=1), opening_cents=OPENING_CENTS - 3_000)
    assert doubt.states() == ["returned", "in_file"]
    with doubt.database.read() as session:
        assert (
            session.scalars(select(TransferReport.kind).where(TransferReport.kind == ReportKind.DUPLICATE)).all() == []
        )
