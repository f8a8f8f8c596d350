"""A payment's state: a table of changes, one module that writes it, a history that only grows, undone as often as needed."""

import ast
import random
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.settlement.test_import_statement import Paid, credit, debit
from tests.settlement.town import APPROVER, NOW, PREPARER, wrong_books
from voucher.accounting.checks import CHECKS
from voucher.accounting.match_up import match_up
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.proof.verifier import histories
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.model.states import Cause, change, write_first
from voucher.settlement.payable.payment_history import histories as histories_of
from voucher.settlement.payable.payment_history import payment_history
from voucher.settlement.reconciliation.match_by_hand import match_line
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.states import AdviceState, LineOrigin
from voucher.settlement.words.transitions import PAYMENT_WHYS, TRANSITIONS, PaymentWhy

ROOT = Path(__file__).resolve().parents[2]
WRITER = "voucher/settlement/model/states.py"
TABLES = {"PaymentAdvice", "PaymentEvent"}
WRITES = {"insert", "update", "delete", "insert_many", "insert_rows", "insert_new", "copy_rows", "bulk_insert_mappings"}
IN_TEXT = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) payment_(advice|event)\b", re.IGNORECASE)


@pytest.fixture
def paid(database: Database) -> Paid:
    return Paid(database)


def writes_in(source: str) -> Iterator[str]:
    """Give each write of payments or of their events in a module: the statement's tables, and what an UPDATE sets."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := IN_TEXT.search(node.value)):
            yield found[0]
        if not isinstance(node, ast.Call):
            continue
        named = {one.id for one in node.args if isinstance(one, ast.Name)} & TABLES
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if named and called in WRITES:
            yield f"{called} {' '.join(sorted(named))}"
        if called in TABLES:
            yield f"a new {called}"
        if called == "values" and "update(PaymentAdvice)" in ast.unparse(node.func):
            yield f"sets {' '.join(sorted(str(one.arg) for one in node.keywords))}"


def test_no_other_module_writes_a_payments_state_or_its_events() -> None:
    found = {
        (str(path.relative_to(ROOT)), write)
        for folder in ("voucher", "issuer_portal", "merchant_portal")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if str(path.relative_to(ROOT)) != WRITER
        for write in writes_in(path.read_text())
    }
    # What was netted is given back to an advice that is set aside: its amount, not its state.
    aside = "voucher/settlement/batches/leave_out.py"
    assert found == {(aside, "update PaymentAdvice"), (aside, "sets amount_cents")}


@pytest.mark.parametrize(
    "source",
    [
        "session.execute(update(PaymentAdvice).where(x).values(state='paid'))",
        "session.execute(sa.insert(PaymentEvent), rows)",
        "copy_rows(session, PaymentEvent, rows)",
        "session.add(PaymentEvent(advice_id=one))",
        "session.execute(text('update payment_advice SET state = 1'))",
    ],
)
def test_a_write_elsewhere_would_be_seen(source: str) -> None:
    assert list(writes_in(source))


def act(session: Session, before: AdviceState | None, after: AdviceState, cause: Cause) -> None:
    if before is None:
        write_first(session, [{"state": after}], cause)
    else:
        change(session, [new_id()], before, after, cause)


def test_a_change_that_is_not_in_the_table_is_refused() -> None:
    whole = set(product([None, *AdviceState], AdviceState, PaymentWhy))
    with Session() as session:  # it has no database: nothing is asked before the refusal
        for before, after, why in whole - TRANSITIONS:
            cause = Cause(why=why, by=PREPARER, at=NOW)
            with pytest.raises(ValueError, match="no payment"):
                act(session, before, after, cause)
    assert len(whole & TRANSITIONS) == len(TRANSITIONS)
    assert set(PAYMENT_WHYS) == set(PaymentWhy)


def test_the_archives_verifier_knows_the_same_changes() -> None:
    ours = {(before or "", after, why) for before, after, why in TRANSITIONS if why is not PaymentWhy.RESUMED}
    assert ours == histories.CHANGES
    assert histories.OPENS == PaymentWhy.RESUMED


def test_each_change_says_why_by_what_when_and_who(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), credit("B1", 3_000, paid.first, return_reason="AC04"))
    with paid.database.read() as session:
        lines = list(session.scalars(select(BankLine.id).order_by(BankLine.is_credit)))
        batch_id = session.get_one(PaymentAdvice, paid.first_id).batch_id
    history = payment_history(paid.database, paid.first_id)
    assert [(one.rank, one.before, one.after, one.why) for one in history] == [
        (1, None, AdviceState.DUE, PaymentWhy.FROZEN),
        (2, AdviceState.DUE, AdviceState.IN_FILE, PaymentWhy.EXPORTED),
        (3, AdviceState.IN_FILE, AdviceState.PAID, PaymentWhy.DEBITED),
        (4, AdviceState.PAID, AdviceState.RETURNED, PaymentWhy.CAME_BACK),
    ]
    assert [one.line_id for one in history] == [None, None, *lines]
    assert [one.line_origin for one in history[2:]] == [LineOrigin.NAMED] * 2
    assert [one.batch_id for one in history] == [batch_id, batch_id, None, None]
    assert (history[3].reason, {one.made_by for one in history}) == ("AC04", {PREPARER})
    assert payment_history(paid.database, paid.first_id, issuer_id=new_id()) == ()
    assert payment_history(paid.database, paid.first_id, structure_id=new_id()) == ()
    with paid.database.read() as session:
        of_both = histories_of(session, [paid.first_id, paid.second_id])
    assert (of_both[paid.first_id], len(of_both[paid.second_id])) == (history, 2)
    for verb in ("UPDATE payment_event SET rank = rank", "DELETE FROM payment_event"):
        with pytest.raises(DBAPIError, match="only grows"), paid.database.write() as session:
            session.execute(text(verb))


def test_matches_are_made_and_undone_as_often_as_needed(paid: Paid) -> None:
    paid.take(debit("T1", 3_000, paid.first), credit("B1", 3_000, paid.first))
    with paid.database.read() as session:
        debit_id, credit_id = session.scalars(select(BankLine.id).order_by(BankLine.is_credit))

    def undo(line_id: object) -> None:
        with paid.database.read() as session:
            live = select(BankMatch.id).where(BankMatch.line_id == line_id, BankMatch.undone_at.is_(None))
            match_id = session.scalars(live).one()
        undo_match(paid.database, match_id, "Ce n’est pas lui.", by=APPROVER, now=NOW)

    dice, steps = random.Random(8), 16
    for _ in range(steps):
        match paid.states()[0]:
            case "returned":
                undo(credit_id)
            case "paid" if dice.random() < 0.5:
                undo(debit_id)
            case "paid":
                match_line(paid.database, credit_id, paid.first_id, by=PREPARER, now=NOW)
            case _:
                match_line(paid.database, debit_id, paid.first_id, by=PREPARER, now=NOW)
    match_up(paid.database, now=NOW)
    history = payment_history(paid.database, paid.first_id)
    assert len(history) == 4 + steps
    assert {one.why for one in history} >= {PaymentWhy.PAYMENT_UNDONE, PaymentWhy.RETURN_UNDONE, PaymentWhy.CAME_BACK}
    assert wrong_books(paid.database) == []
    with paid.database.read() as session:
        assert [one for check in CHECKS for one in check(session)] == []
