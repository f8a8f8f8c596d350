"""An account that the bank, or the accountant, said cannot be paid is paid by no batch until the structure gives another."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests.builders import an_iban
from tests.settlement.test_urgent import LATER, Failed
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.formats_in.iso_reasons import explain, known_codes
from voucher.settlement.model.batches import PaymentAdvice


def held(failed: Failed) -> dict[object, str]:
    preview = preview_batch(failed.database, failed.town.agreement_id, now=LATER)
    assert preview is not None
    return {one.structure_id: one.why_held for one in preview.owed if one.why_held}


@pytest.mark.parametrize("code", ["AC01", "AC04", "AC06", "RR03", "BE04"])
def test_an_ordinary_batch_does_not_pay_an_account_that_the_bank_refused(database: Database, code: str) -> None:
    failed = Failed(database, code)
    assert "demandez un nouveau RIB" in held(failed)[failed.first]
    with pytest.raises(Refused, match="demandez un nouveau RIB"):
        freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER)
    failed.town.redeem(1, 2, now=NOW + timedelta(minutes=6))
    frozen = freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER)
    assert (frozen.advice_count, frozen.total_cents, frozen.held_count) == (1, 2_000, 1)
    assert wrong_books(database) == []
    give_rib(database, failed.first, 51, now=LATER)
    assert held(failed) == {}
    assert freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER).total_cents == 8_000
    assert wrong_books(database) == []


def test_a_closed_account_recorded_again_stays_closed_and_a_blocked_one_is_confirmed(database: Database) -> None:
    closed, blocked = Failed(database, "AC04"), Failed(database, "AC06")
    assert held(closed)[closed.first] == "Compte fermé : demandez un nouveau RIB à la structure."
    for failed in (closed, blocked):
        assert give_rib(database, failed.first, 1, now=LATER) == an_iban(7001)
    assert list(held(closed)) == [closed.first]
    assert held(blocked) == {}


def test_a_closed_account_stays_closed_once_a_batch_took_up_what_failed(database: Database) -> None:
    failed = Failed(database, "AC04")
    give_rib(database, failed.first, 51, now=LATER)
    frozen = freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER)
    with database.read() as session:
        advice_id = session.scalars(select(PaymentAdvice.id).where(PaymentAdvice.batch_id == frozen.batch_id)).one()
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=LATER)
    give_rib(database, failed.first, 1, now=LATER)
    assert held(failed)[failed.first] == "Compte fermé : demandez un nouveau RIB à la structure."
    with pytest.raises(Refused, match="demandez un nouveau RIB"):
        freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER)
    give_rib(database, failed.first, 51, now=LATER)
    assert freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER).total_cents == 8_000
    assert wrong_books(database) == []


def test_another_agreement_does_not_pay_that_account_either(database: Database) -> None:
    failed, other = Failed(database, "AC04"), a_town(database, structure_count=1)
    counter = failed.town.counters[0]
    there = type(other)(database, other.agreed, (counter,))
    there.redeem(0, 2)
    preview = preview_batch(database, other.agreement_id, now=LATER)
    assert preview is not None
    assert [one.why_held for one in preview.owed] == ["Compte fermé : demandez un nouveau RIB à la structure."]


def test_a_failure_that_is_not_of_the_account_lets_the_next_batch_pay_it(database: Database) -> None:
    failed = Failed(database, "MS03")
    assert held(failed) == {}
    assert freeze_batch(database, new_id(), failed.town.agreement_id, by=PREPARER, now=LATER).total_cents == 8_000


def test_a_batch_frozen_before_the_bank_answered_is_not_approved(database: Database) -> None:
    failed = Failed(database, "AB05")
    batch_id = failed.freeze(failed.first)
    with database.write() as session:
        # The bank sends back what an earlier batch paid to the same account.
        session.execute(
            update(PaymentAdvice)
            .where(PaymentAdvice.batch_id != batch_id, PaymentAdvice.structure_id == failed.first)
            .values(state="returned", state_reason="AC04")
        )
    with pytest.raises(Refused, match="Rien n’est validé"):
        approve_batch(database, batch_id, by=APPROVER, now=LATER)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Compte clôturé", "AC04"),
        ("Compte clôturé : RIB à redemander", "AC04"),
        ("RIB refusé : compte clos", "AC04"),
        ("Clôture du compte bancaire", "AC04"),
        ("COMPTE SOLDÉ", "AC04"),
        ("Compte bloqué par la banque", "AC06"),
        ("IBAN erroné", "AC01"),
        ("Coordonnées bancaires invalides", "AC01"),
        ("Titulaire décédé", "MD07"),
        ("Le nom du titulaire ne correspond pas", "BE01"),
        ("Rejet AC01 de la banque", "AC01"),
    ],
)
def test_an_accountants_words_are_understood_as_a_banks_code(words: str, code: str) -> None:
    reason = explain(words)
    assert reason.code == code
    assert reason.account == explain(code).account != ""
    assert f"« {words} »" in reason.sentence
    assert not reason.needs_another, "words are a sign: the same RIB recorded again frees what they hold"


@pytest.mark.parametrize(
    "words",
    [
        "Pièce manquante",
        "Crédits insuffisants sur le compte budgétaire",
        "Facture soldée",
        "Compte payeur : solde insuffisant",
        "Nom du comptable assignataire erroné",
        "Le bénéficiaire a demandé un report, montant erroné",
    ],
)
def test_what_an_accountant_says_of_something_else_is_not_of_the_account(words: str) -> None:
    assert explain(words).account == ""


def test_a_code_that_an_accountant_gives_first_closes_the_account_for_good() -> None:
    assert explain("AC04 Compte clôturé").needs_another
    assert not explain("IBAN valide, pièce AC04 jointe").needs_another


def test_only_failures_of_the_account_ask_for_another() -> None:
    assert [code for code in known_codes() if explain(code).needs_another and not explain(code).account] == []
    for code in known_codes():
        reason = explain(code)
        if "nouveau RIB" in reason.what_to_do:
            assert reason.account, code


def test_every_reason_of_the_table_says_what_to_do_and_an_unknown_one_too() -> None:
    codes = "AC01 AC03 AC04 AC06 AC13 AG01 AG02 AM04 AM05 BE01 BE04 BE05 CNOR CUST DNOR DUPL FF01 FOCR FRAD MD07 MS02 MS03 NARR"
    for code in f"{codes} RC01 RR01 RR02 RR03 RR04 SL01 TM01 UPAY".split():
        assert code in known_codes()
        assert explain(code).sentence.endswith(".")
        assert explain(code).what_to_do.endswith(".")
    assert not explain("ZZ99").is_known
    assert "ZZ99" in explain("ZZ99").sentence
    assert explain(None).sentence == "La banque n’a pas donné de raison."
