"""A part of a bank line on an account of the chart, by two people: 6270, 4671 and 4432, never beyond what is owed there."""

import re
import threading
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.clients import app_for, csrf_token, signed_in_client
from tests.killing import Killer
from tests.settlement.test_line_parts import a_line, accepted_count, book, left_cents
from tests.settlement.test_overpayments import overpaid
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, wrong_books
from voucher.access.rules import Role
from voucher.funding.accounts import take_funding_turn
from voucher.funding.call import call_advance
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Code
from voucher.ledger.read import balances
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.recoveries import Overpayment
from voucher.settlement.reconciliation.match_other_money import match_with_call, match_with_charges
from voucher.settlement.reconciliation.match_with_account import AccountChoice, ChartAccount, account_choices
from voucher.settlement.reconciliation.proposals import (
    confirm_proposal,
    propose_account,
    propose_undo,
    withdraw_proposal,
)
from voucher.settlement.reconciliation.undo_match import undo_match

WHY = "Convenu au téléphone avec la banque."
FIRST, SECOND = {"by": PREPARER, "now": NOW}, {"by": APPROVER, "now": NOW}
CHARGES = ChartAccount(Code.CHARGES)


def balance(database: Database, code: str) -> int:
    return sum(one.balance_cents for one in balances(database) if one.code == code)


def put(database: Database, line_id: UUID, account: ChartAccount, cents: int) -> UUID:
    """Propose by one person, confirm by another; return the proposal, whose id the match bears."""
    proposal_id = new_id()
    propose_account(database, proposal_id, line_id, account, cents, WHY, **FIRST)
    confirm_proposal(database, proposal_id, **SECOND)
    return proposal_id


def undo(database: Database, match_id: UUID) -> None:
    asked = new_id()
    propose_undo(database, asked, match_id, "Autre compte", **FIRST)
    confirm_proposal(database, asked, **SECOND)


def only(choices: list[AccountChoice], code: str) -> AccountChoice:
    return next(one for one in choices if one.account.code == code)


def test_a_debit_is_put_on_the_banks_charges_by_two_people_and_undone_by_two_any_number_of_times(
    database: Database,
) -> None:
    a_town(database, structure_count=1)
    debit, credit = book(database, a_line("D1", 2_000, False), a_line("C1", 900, True))
    with pytest.raises(Refused, match="not_said_a_charge"):
        match_with_charges(database, new_id(), debit, **FIRST)
    assert account_choices(database, credit) == [], "the bank took no charges: it gives none back"
    for _ in range(3):
        match_id = put(database, debit, CHARGES, 1_500)
        assert (balance(database, "6270"), left_cents(database)) == (1_500, -400)
        with pytest.raises(Refused, match="two_people"):
            undo_match(database, match_id, "Faux", **FIRST)
        undo(database, match_id)
        assert (balance(database, "6270"), left_cents(database)) == (0, 1_100)
        assert wrong_books(database) == []
    put(database, debit, CHARGES, 500)
    assert only(account_choices(database, credit), "6270").limit_cents == 500
    with pytest.raises(Refused, match="beyond_the_account") as refused:
        put(database, credit, CHARGES, 501)
    assert refused.value.field == "amount_cents"
    put(database, credit, CHARGES, 500)
    assert balance(database, "6270") == 0
    assert wrong_books(database) == []


def test_who_proposes_may_not_confirm_and_what_is_withdrawn_or_gone_is_not_done(database: Database) -> None:
    a_town(database, structure_count=1)
    (debit,) = book(database, a_line("D1", 2_000, False))
    proposal_id = new_id()
    for _ in range(2):
        propose_account(database, proposal_id, debit, CHARGES, 1_500, WHY, **FIRST)
    with pytest.raises(Refused, match="same_id_other_content"):
        propose_account(database, proposal_id, debit, CHARGES, 1_600, WHY, **FIRST)
    with pytest.raises(Refused, match="four_eyes"):
        confirm_proposal(database, proposal_id, **FIRST)
    with pytest.raises(Refused, match="unknown_line"):
        confirm_proposal(database, proposal_id, **SECOND, issuer_id=new_id())
    with pytest.raises(Refused, match="missing"):
        propose_account(database, new_id(), debit, CHARGES, 1_500, " ", **FIRST)
    for account in (
        ChartAccount(Code.BANK),
        ChartAccount(Code.CALLED, new_id(), None, new_id()),
        ChartAccount(Code.OWED, new_id(), new_id()),
    ):
        with pytest.raises(Refused, match="nothing_due"):
            propose_account(database, new_id(), debit, account, 1_500, WHY, **FIRST)
    rival = new_id()
    propose_account(database, rival, debit, CHARGES, 1_000, WHY, **FIRST)
    for _ in range(2):
        confirm_proposal(database, proposal_id, **SECOND)
    with pytest.raises(Refused, match="beyond_the_account"):
        confirm_proposal(database, rival, **SECOND)
    for _ in range(2):
        withdraw_proposal(database, rival, **FIRST)
    with pytest.raises(Refused, match="already_decided"):
        confirm_proposal(database, rival, **SECOND)
    with pytest.raises(Refused, match="already_decided"):
        withdraw_proposal(database, proposal_id, **FIRST)
    asked = new_id()
    propose_undo(database, asked, proposal_id, "Faux", **FIRST)
    with pytest.raises(Refused, match="already_asked"):
        propose_undo(database, new_id(), proposal_id, "Faux", **SECOND)
    with pytest.raises(Refused, match="four_eyes"):
        confirm_proposal(database, asked, **FIRST)
    confirm_proposal(database, asked, **SECOND)
    with pytest.raises(Refused, match="unknown_match"):
        propose_undo(database, new_id(), proposal_id, "Faux", **FIRST)
    assert balance(database, "6270") == 0
    assert wrong_books(database) == []


def test_a_credit_repays_a_structures_overpayments_the_oldest_first_never_beyond_them(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpaid(town)
    owed = balance(database, "4671")
    (credit,) = book(database, a_line("C1", owed + 500, True))
    choice = only(account_choices(database, credit), "4671")
    assert (choice.limit_cents, choice.account.agreement_id) == (owed, town.agreement_id)
    with pytest.raises(Refused, match="beyond_the_account"):
        put(database, credit, choice.account, owed + 1)
    for _ in range(2):
        match_id = put(database, credit, choice.account, owed)
        assert (balance(database, "4671"), left_cents(database)) == (0, -500)
        assert wrong_books(database) == []
        undo(database, match_id)
        assert balance(database, "4671") == owed
    put(database, credit, choice.account, owed - 100)
    with database.read() as session:
        left = session.scalars(select(Overpayment.amount_cents - Overpayment.recovered_cents)).all()
    assert sum(left) == 100
    assert wrong_books(database) == []


def test_a_line_repays_one_overpayment_by_one_part_at_a_time_whatever_its_cents(database: Database) -> None:
    town = a_town(database, structure_count=1)
    overpaid(town)
    owed = balance(database, "4671")
    (credit,) = book(database, a_line("C1", owed, True))
    account = only(account_choices(database, credit), "4671").account
    rival = new_id()
    propose_account(database, rival, credit, account, 1_000, WHY, **FIRST)
    match_id = put(database, credit, account, 1_000)
    for cents in (1_000, 500):
        with pytest.raises(Refused, match="nothing_due"):
            propose_account(database, new_id(), credit, account, cents, WHY, **FIRST)
    with pytest.raises(Refused, match="nothing_due"):
        confirm_proposal(database, rival, **SECOND)
    assert (balance(database, "4671"), left_cents(database)) == (owed - 1_000, 1_000 - owed)
    assert wrong_books(database) == []
    undo(database, match_id)
    put(database, credit, account, owed)
    assert wrong_books(database) == []


def advanced(database: Database) -> tuple[Town, list[UUID]]:
    """Return a town whose first funder advanced 80 € of which 60 came, with a debit of 50 € and one of 90 €."""
    town = a_town(database, structure_count=1)
    call = call_advance(database, new_id(), town.agreement_id, town.agreed.funder_ids[0], 8_000, by=PREPARER, now=NOW)
    credit, *debits = book(database, a_line("C1", 6_000, True), a_line("D1", 5_000, False), a_line("D2", 9_000, False))
    match_with_call(database, new_id(), credit, call.call_id, **FIRST)
    return town, debits


def test_a_debit_gives_back_of_an_advance_what_came_and_was_not_used(database: Database) -> None:
    _, (small, large) = advanced(database)
    choice = only(account_choices(database, large), "4432")
    assert choice.limit_cents == 6_000, "what was asked for and did not come is not given back"
    for _ in range(2):
        match_id = put(database, large, choice.account, 6_000)
        assert balance(database, "4432") == -2_000
        assert [one.account.code for one in account_choices(database, small)] == ["6270"]
        assert wrong_books(database) == []
        undo(database, match_id)
    put(database, small, choice.account, 2_500)
    assert only(account_choices(database, large), "4432").limit_cents == 3_500
    assert wrong_books(database) == []


def test_undoing_an_advance_given_back_waits_for_who_draws_up_the_final_balance(database: Database) -> None:
    town, (_, large) = advanced(database)
    match_id = put(database, large, only(account_choices(database, large), "4432").account, 6_000)
    undone: list[None] = []
    other = threading.Thread(target=lambda: undone.append(undo(database, match_id)))
    with database.write() as session:
        take_funding_turn(session, town.agreement_id, town.agreed.funder_ids[0])
        other.start()
        other.join(1)
        assert undone == [], "the balance being drawn up counts what was given back"
    other.join()
    assert undone == [None]
    assert balance(database, "4432") == -8_000


def test_people_who_confirm_at_once_never_take_more_than_what_is_owed(database: Database) -> None:
    _, (small, large) = advanced(database)
    account = only(account_choices(database, large), "4432").account
    waiting = [new_id() for _ in range(4)]
    for rank, proposal_id in enumerate(waiting):
        propose_account(database, proposal_id, (small, large)[rank % 2], account, 2_500, WHY, **FIRST)
    ids = iter(waiting)
    assert accepted_count(lambda: confirm_proposal(database, next(ids), **SECOND), 4) == 2
    (twice,) = [waiting[0]]
    assert accepted_count(lambda: confirm_proposal(database, twice, **SECOND), 3) in (0, 3)
    with database.read() as session:
        made = session.scalars(select(BankMatch.amount_cents).where(BankMatch.id.in_(waiting))).all()
    assert made == [2_500, 2_500]
    assert wrong_books(database) == []


@pytest.mark.kill
def test_what_two_people_decide_of_a_line_killed_anywhere_is_done_once(database: Database, killer: Killer) -> None:
    _, (small, large) = advanced(database)
    account = only(account_choices(database, large), "4432").account
    acts: list[tuple[Any, ...]] = [(large, account, 6_000), (small, CHARGES, 700)]
    for line_id, to, cents in acts:
        proposal_id, asked = new_id(), new_id()
        killer.everywhere(propose_account, proposal_id, line_id, to, cents, WHY, **FIRST)
        killer.everywhere(confirm_proposal, proposal_id, **SECOND)
        killer.everywhere(propose_undo, asked, proposal_id, "Faux", **FIRST)
        killer.everywhere(confirm_proposal, asked, **SECOND)
    dropped = new_id()
    propose_account(database, dropped, small, CHARGES, 700, WHY, **FIRST)
    killer.everywhere(withdraw_proposal, dropped, **FIRST)
    assert (balance(database, "4432"), balance(database, "6270")) == (-8_000, 0)
    assert wrong_books(database) == []


def test_an_account_is_proposed_on_the_page_of_the_line_and_confirmed_by_who_approves(
    sqlite_database: Database,
) -> None:
    database = sqlite_database
    a_town(database, structure_count=1)
    (line_id,) = book(database, a_line("D1", 2_000, False))
    app = app_for(database, NOW)
    alice, claire = (signed_in_client(app, database, role) for role in (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER))
    path = f"/finances/banque/lignes/{line_id}"
    page = alice.get(f"{path}/compte").text
    assert "6270, frais de la banque : 20,00\u00a0€ au plus" in page
    sent = {"csrf_token": csrf_token(page), "id": str(new_id()), "account": "6270", "reason": "Frais de rejet"}
    said = alice.post(f"{path}/compte", data=sent | {"amount_cents": "20,01"}).text
    assert "Ce compte peut prendre 20,00\u00a0€ de cette ligne." in said
    said = alice.post(f"{path}/compte", data=sent | {"amount_cents": "12"}, follow_redirects=True).text
    assert "C’est proposé." in said
    assert "« Frais de rejet »" in said
    assert "/confirmer" not in said, "who proposes does not confirm"
    assert "Rapprochements à confirmer" in claire.get("/finances/").text
    assert "Frais de rejet" in claire.get("/finances/banque").text

    def press(client: FlaskClient, act: str) -> str:
        page = client.get(path).text
        (address,) = set(re.findall(rf'action="([^"]+/{act})"', page))
        data = {"csrf_token": csrf_token(page), "id": str(new_id())}
        data |= dict.fromkeys(re.findall(r'name="([^"]+-reason)"', page), "Autre chose")
        return client.post(address, data=data, follow_redirects=True).text

    said = press(claire, "confirmer")
    assert "C’est fait." in said
    assert "« Frais de rejet » Le " in said
    assert (balance(database, "6270"), left_cents(database)) == (1_200, 800)
    assert "C’est demandé." in press(alice, "defaire")
    assert "Défaire : compte 6270" in claire.get(path).text
    assert "La proposition est retirée." in press(alice, "retirer")
    press(alice, "defaire")
    said = press(claire, "confirmer")
    assert "C’est défait." in said
    assert said.count("proposé par Camille Exemple, confirmé par Camille Exemple") == 2, "both people, of both acts"
    assert balance(database, "6270") == 0
    assert wrong_books(database) == []
