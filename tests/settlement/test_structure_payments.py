"""What a structure reads of its payments: one story on every page, who must act, and only its own acts asked of it."""

from datetime import datetime
from html import unescape
from uuid import UUID

from flask.testing import FlaskClient

from tests.clients import app_for, signed_in_client
from tests.listed import listed
from tests.settlement.test_clock import DECEMBER_2, NOVEMBER_3, freeze, sent
from tests.settlement.test_disputes import claw_back
from tests.settlement.town import NOW, PREPARER, Town, a_town
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.deadlines.read_payments import redemption_payments, waiting_payments
from voucher.settlement.words.causes import Holder

HOME = "/comptoir/paiements/"


def manager_of(town: Town, now: datetime) -> FlaskClient:
    """Return the place manager of the first structure, at a screen."""
    app = app_for(town.database, now)
    return signed_in_client(app, town.database, Role.PLACE_MANAGER, town.structure_ids[0])


def read(client: FlaskClient, address: str) -> str:
    return unescape(client.get(address).get_data(as_text=True))


def advice_of(town: Town) -> UUID:
    (one,) = waiting_payments(town.database, town.structure_ids[0], DECEMBER_2)
    assert one.due.advice_id is not None
    return one.due.advice_id


def test_a_use_of_the_running_month_waits_for_nobody_on_each_page(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redemption_id = town.redeem(0, 3, now=NOW)
    manager = manager_of(town, NOW)
    for page in (HOME, f"{HOME}encaissements/{redemption_id}"):
        said = read(manager, page)
        assert "Le mois n’est pas fini" in said
        assert "doit arrêter le lot" not in said
        assert "doit agir." not in said


def test_a_use_of_a_month_that_is_over_waits_for_finance_on_each_page(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redemption_id = town.redeem(0, 3, now=NOVEMBER_3)
    manager = manager_of(town, DECEMBER_2)
    for page in (HOME, f"{HOME}encaissements/{redemption_id}"):
        assert "Il doit arrêter le lot." in read(manager, page)


def test_a_payment_that_finance_set_aside_asks_nothing_of_the_structure(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redemption_id = town.redeem(0, 2, now=NOVEMBER_3)
    freeze(town)
    batch_advices, _ = listed(
        redemption_payments(database, town.structure_ids[0], Asked(descending=True, limit=1), now=DECEMBER_2)
    )
    advice_id = batch_advices[0].advice_id
    assert advice_id is not None
    set_aside(database, advice_id, "RIB à vérifier", by=PREPARER, now=DECEMBER_2)
    (waiting,) = waiting_payments(database, town.structure_ids[0], DECEMBER_2)
    assert waiting.step.holder is Holder.FINANCE
    manager = manager_of(town, DECEMBER_2)
    said = read(manager, HOME)
    assert "attendent quelque chose de votre part" not in said
    assert "La personne qui prépare" not in said
    for page in (HOME, f"{HOME}{advice_id}", f"{HOME}encaissements/{redemption_id}"):
        said = read(manager, page)
        assert "Mis de côté : RIB à vérifier" in said
        assert "Il peut la payer dans un autre lot." in said
        assert "Donnez votre RIB" not in said


def test_a_missing_rib_is_asked_of_the_structure_in_words_for_it(database: Database) -> None:
    town = a_town(database, structure_count=1, with_rib=0)
    town.redeem(0, 2, now=NOVEMBER_3)
    freeze(town)
    manager = manager_of(town, DECEMBER_2)
    for page in (HOME, f"{HOME}{advice_of(town)}"):
        said = read(manager, page)
        assert "En attente. RIB manquant." in said
        assert "Donnez votre RIB à jour." in said
        assert "demandez-le à la structure" not in said
    assert "attendent quelque chose de votre part" in read(manager, HOME)


def test_a_structure_is_never_asked_to_import_the_banks_statements(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 2, now=NOVEMBER_3)
    sent(town)
    said = read(manager_of(town, DECEMBER_2), HOME)
    assert "La banque" in said
    assert "Le virement doit paraître sur votre compte." in said
    assert "Importer" not in said


def test_a_use_that_was_clawed_back_is_not_headed_paid(database: Database) -> None:
    town = a_town(database, structure_count=1)
    redemption_id = town.redeem(0, 2, now=NOVEMBER_3)
    claw_back(town, redemption_id)
    manager = manager_of(town, DECEMBER_2)
    said = read(manager, f"{HOME}encaissements/{redemption_id}")
    assert "Encaissement repris, il n’est plus dû." in said
    assert "avaient été payés" not in said
    assert "À payer au plus tard" not in said
    assert "Repris" in read(manager, f"{HOME}encaissements")
