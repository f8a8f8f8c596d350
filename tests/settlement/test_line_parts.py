"""Public funders pay several calls by one transfer, or one call in parts: a person says which, and never more than there is."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.at_once import at_once, refusals_in
from tests.clients import app_for, signed_in_client
from tests.killing import Killer
from tests.settlement.town import NOW, PREPARER, Town, a_town, wrong_books
from voucher.access.rules import Role
from voucher.demonstration.bank import BookedLine, statement
from voucher.funding.call import call_advance
from voucher.funding.model import FundsCall
from voucher.funding.receive import BookedMoney, receive_funds
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.read import balances
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.model.batches import BankLine
from voucher.settlement.reconciliation.apply_match import line_to_use, take
from voucher.settlement.reconciliation.match_other_money import match_with_call
from voucher.settlement.reconciliation.split_over_calls import CallPart, match_with_calls, open_calls, proposed_parts
from voucher.settlement.reconciliation.suggest import matches, suggestions
from voucher.settlement.reconciliation.undo_match import undo_match
from voucher.settlement.words.states import MatchKind

WORDS = "VIR DRFIP 31 MANDAT 004512"
OPENING_CENTS = 100_000
ACT = {"by": PREPARER, "now": NOW}


def a_funded_town(database: Database, *cents: int) -> tuple[Town, list[UUID]]:
    """Open a town and call advances of these amounts, in cents, from its first funder."""
    town = a_town(database, structure_count=1)
    funder_id = town.agreed.funder_ids[0]
    calls = [
        call_advance(database, new_id(), town.agreement_id, funder_id, amount, by=PREPARER, now=NOW).call_id
        for amount in cents
    ]
    return town, calls


def a_line(reference: str, amount_cents: int, is_credit: bool, remittance: str = "") -> BookedLine:
    return BookedLine(reference=reference, amount_cents=amount_cents, is_credit=is_credit, remittance=remittance)


def book(database: Database, *lines: BookedLine, opening_cents: int = OPENING_CENTS, name: str = "R1") -> list[UUID]:
    """Let the bank book lines; return their ids, in order."""
    with database.read() as session:
        iban = session.scalars(select(PayingAccount.iban)).one()
    content = statement(name, iban, NOW.date(), opening_cents, lines)
    import_statement(database, f"{name}.xml", content, by=PREPARER, now=NOW)
    with database.read() as session:
        ids = {row.bank_reference: row.id for row in session.execute(select(BankLine.bank_reference, BankLine.id))}
    return [ids[line.reference] for line in lines]


def left_cents(database: Database) -> int:
    return sum(one.balance_cents for one in balances(database) if one.code == "4711")


def received(database: Database) -> list[tuple[int, str]]:
    with database.read() as session:
        rows = session.execute(select(FundsCall.received_cents, FundsCall.state).order_by(FundsCall.number))
        return [(row.received_cents, row.state) for row in rows]


def part(call_id: UUID, cents: int) -> CallPart:
    return CallPart(new_id(), call_id, cents)


def test_one_line_pays_two_calls_and_another_a_part_each_undone_by_itself(database: Database) -> None:
    _, (first, second) = a_funded_town(database, 8_000, 5_000)
    one, two = book(database, a_line("C1", 9_000, True, remittance=WORDS), a_line("C2", 4_500, True))
    parts = [part(first, 8_000), part(second, 1_000)]
    for _ in range(2):
        assert match_with_calls(database, one, parts, **ACT) == 9_000
    assert received(database) == [(8_000, "paid"), (1_000, "partly_paid")]
    assert match_with_calls(database, two, [part(second, 2_500)], **ACT) == 2_500
    assert received(database)[1] == (3_500, "partly_paid")
    assert left_cents(database) == -2_000
    assert wrong_books(database) == []
    # Any number of times, the other part standing.
    for _ in range(3):
        undo_match(database, parts[0].match_id, "Autre appel", **ACT)
        assert received(database)[0] == (0, "called")
        parts[0] = part(first, 8_000)
        match_with_calls(database, one, [parts[0]], **ACT)
    assert len(matches(database, one)) == 5
    assert received(database) == [(8_000, "paid"), (3_500, "partly_paid")]
    assert wrong_books(database) == []


def test_a_part_is_never_of_nothing_nor_more_than_the_line_or_the_call_nor_of_a_debit(database: Database) -> None:
    _, (first, second) = a_funded_town(database, 8_000, 5_000)
    credit, debit = book(database, a_line("C1", 6_000, True), a_line("D1", 6_000, False))
    for parts, code in (
        ([], "no_part"),
        ([part(first, 0)], "beyond_the_call"),
        ([part(first, -1)], "beyond_the_call"),
        ([part(second, 5_001)], "beyond_the_call"),
        ([part(first, 3_000), part(second, 3_001)], "beyond_the_line"),
        ([part(first, 1_000), part(first, 1_000)], "call_twice"),
        ([part(new_id(), 1_000)], "nothing_due"),
    ):
        with pytest.raises(Refused, match=code) as refused:
            match_with_calls(database, credit, parts, **ACT)
        assert refused.value.field == (None if code in ("no_part", "call_twice") else str(parts[-1].call_id))
    with pytest.raises(Refused, match="other_side"):
        match_with_calls(database, debit, [part(first, 1_000)], **ACT)
    assert open_calls(database, debit) == []
    with pytest.raises(Refused, match="unknown_line"):
        match_with_calls(database, credit, [part(first, 1_000)], **ACT, issuer_id=new_id())
    made = [part(first, 6_000)]
    match_with_calls(database, credit, made, **ACT)
    with pytest.raises(Refused, match="same_id_other_content"):
        match_with_calls(database, credit, [CallPart(made[0].match_id, first, 1_000)], **ACT)
    with pytest.raises(Refused, match="line_used"):
        match_with_calls(database, credit, [part(second, 1)], **ACT)
    assert received(database) == [(6_000, "partly_paid"), (0, "called")]
    assert wrong_books(database) == []


def test_the_machine_first_offers_the_calls_that_the_words_name_or_that_make_the_amount_together(
    database: Database,
) -> None:
    town, (first, second, third) = a_funded_town(database, 8_000, 5_000, 700)
    number = open_references(database)
    named, exact, vague = book(
        database,
        a_line("C1", 9_000, True, remittance=f"VIR {number[first]} {number[second]}"),
        a_line("C2", 5_700, True, remittance=WORDS),
        a_line("C3", 1_234, True, remittance=WORDS),
    )
    assert proposed_parts(9_000, open_calls(database, named)) == {first: 8_000, second: 1_000}
    assert proposed_parts(5_700, open_calls(database, exact)) == {second: 5_000, third: 700}
    assert proposed_parts(1_234, open_calls(database, vague)) == {}
    for line_id, cents in ((named, 9_000), (exact, 5_700)):
        best = suggestions(database, line_id)[0]
        assert (best.kind, best.target_id, best.taken_cents) == (MatchKind.FUNDS, None, cents)
    assert town.agreed.funder_ids


def open_references(database: Database) -> dict[UUID, str]:
    with database.read() as session:
        return {row.id: row.reference for row in session.execute(select(FundsCall.id, FundsCall.reference))}


def accepted_count(act: Callable[[], object], count: int) -> int:
    """Run an act in threads at once; return how many were not refused."""
    answers = at_once(*[act] * count)
    return count - len(refusals_in(answers))


def test_people_who_take_parts_at_once_never_take_more_than_the_line_nor_the_call(database: Database) -> None:
    _, (first, second) = a_funded_town(database, 8_000, 50_000)
    line_id, other = book(database, a_line("C1", 10_000, True), a_line("C2", 20_000, True))
    assert accepted_count(lambda: match_with_calls(database, line_id, [part(second, 3_000)], **ACT), 6) == 3
    assert accepted_count(lambda: match_with_calls(database, other, [part(first, 3_000)], **ACT), 5) == 2
    assert received(database) == [(6_000, "partly_paid"), (9_000, "partly_paid")]
    assert wrong_books(database) == []

    # The statements themselves hold, where nobody waits for the turn of bank files.
    def take_some() -> None:
        with database.write() as session:
            take(session, line_to_use(session, other, None), 5_000)

    assert accepted_count(take_some, 6) == 2, "20,000 less the 6,000 taken: two of 5,000"
    with database.read() as session:
        account_id = session.scalars(select(PayingAccount.id)).one()

    def receive_some() -> None:
        money = BookedMoney(account_id, 1_500, NOW.date())
        with database.write() as session:
            receive_funds(session, new_id(), first, money, part_cents=1_500, **ACT)

    assert accepted_count(receive_some, 4) == 1, "8,000 less 6,000: one of 1,500"


@pytest.mark.kill
def test_a_line_shared_between_two_calls_and_killed_anywhere_pays_each_once(database: Database, killer: Killer) -> None:
    _, (first, second) = a_funded_town(database, 8_000, 5_000)
    (line_id,) = book(database, a_line("C1", 9_000, True))
    parts = [part(first, 8_000), part(second, 1_000)]
    killer.everywhere(match_with_calls, line_id, parts, **ACT)
    killer.everywhere(undo_match, parts[1].match_id, "Autre appel", **ACT)
    killer.everywhere(match_with_call, new_id(), line_id, second, **ACT)
    assert received(database) == [(8_000, "paid"), (1_000, "partly_paid")]
    assert wrong_books(database) == []


def test_an_accountant_writes_parts_reads_what_is_left_and_then_matches(sqlite_database: Database) -> None:
    database = sqlite_database
    _, (first, second) = a_funded_town(database, 8_000, 5_000)
    (line_id,) = book(database, a_line("C1", 10_000, True, remittance=WORDS))
    client = signed_in_client(app_for(database, NOW), database, Role.FINANCE_PREPARER)
    path = f"/finances/banque/lignes/{line_id}/appels"
    assert path in client.get(f"/finances/banque/lignes/{line_id}").text
    sent = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', client.get(path).text))
    order = [UUID(sent[f"parts-{rank}-call"]) for rank in range(2)]
    of = {call_id: f"parts-{order.index(call_id)}-part_cents" for call_id in (first, second)}

    def send(**parts: str) -> str:
        sent.update({of[{"first": first, "second": second}[name]]: value for name, value in parts.items()})
        answer = client.post(path, data=sent, follow_redirects=True)
        sent["seen"] = (re.findall(r'name="seen"[^>]*value="([^"]*)"', answer.text) or [""])[0]
        return answer.text

    assert "Écrivez la part d’un appel au moins." in send()
    assert "attend 50,00\u00a0€. Écrivez cette part, ou moins." in send(first="60", second="50,01")
    assert "de 10,00\u00a0€." in send(first="60", second="50")
    page = send(first="60", second="25,50")
    assert "Il restera 14,50\u00a0€ de la ligne à identifier." in page
    assert "Rapprocher 2\u00a0appels : 85,50\u00a0€" in page
    assert "Il restera 4,50" in send(second="35,50"), "who changes a part reads the new rest first"
    assert "Écrivez cette part, ou moins." in send(second="50,01")
    assert "Il restera 4,50" in send(second="35,50"), (
        "a page that refuses shows no consequences, and its button does nothing"
    )
    assert received(database) == [(0, "called"), (0, "called")]
    assert "95,50\u00a0€ de la ligne paient maintenant 2\u00a0appels." in send()
    page = client.get(f"/finances/banque/lignes/{line_id}").text
    assert "Il reste 4,50\u00a0€ à identifier." in page
    reasons = re.findall(r'id="([^"]+-reason)"', page)
    assert len(set(reasons)) == len(reasons) == 2, "each match has its own field"
    undo = re.findall(r'action="([^"]+/defaire)"', page)
    page = client.post(undo[0], data={"csrf_token": sent["csrf_token"]}).text
    assert page.count('class="field-error"') == 1, "a refusal stands at its own match"
    assert received(database) == [(6_000, "partly_paid"), (3_550, "partly_paid")]
    assert wrong_books(database) == []
