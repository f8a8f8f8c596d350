"""The whole life of a voucher, as people live it: in a real browser, from the envelope to the booked bank line."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pypdf import PdfReader
from sqlalchemy import text

from tests.browser import chromium, serve
from tests.builders import a_siren, an_iban
from tests.clients import a_person, app_for
from tests.desk import Desk, seated, show_to_camera
from tests.settlement.bank import OUR_IBAN, Bank
from voucher.access.rules import Role
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.reporting.verify import verify

YEAR = datetime.now(UTC).year + 1
EXAMPLE_FILE = Path(__file__).parent / "network" / "files" / "lieux-exemple.csv"


def one_id(database: Database, table: str) -> UUID:
    with database.engine.connect() as connection:
        return UUID(str(connection.execute(text(f"SELECT id FROM {table}")).scalar_one()))


def the_programme_prepares(desk: Desk) -> None:
    desk.open("/programme/financeurs/nouveau").fill(name="État", kind="État").press("Enregistrer")
    desk.open("/programme/enveloppes/nouvelle").fill(
        funder_id="État", name="Pass numérique 2019", fiscal_year="2019", amount_cents="10 000 000"
    ).press("Ouvrir l’enveloppe")
    desk.open("/programme/emetteurs/nouveau").fill(
        name="Département de la Rive", siren=a_siren(7), kind="Département", address="1 place de la Rive", postcode="51000",
        city="Rive-sur-Marne", contact_email="pass@rive.example", contact_phone="03 99 00 00 01",
    ).press("Enregistrer")  # fmt: skip
    desk.open("/programme/comptes-payeurs/nouveau").fill(
        name="Opérateur de la Rive", channel="opérateur", holder_name="OPERATEUR DE LA RIVE", iban=OUR_IBAN
    ).press("Enregistrer")
    desk.open("/programme/conventions/nouvelle").fill(
        number="RIVE-1", name="Pass de la Rive", issuer_id="Rive", paying_account_id="Rive", ceiling_cents="20 000",
        face_value_cents="10", booklet_size="10", use_by=f"{YEAR}-12-31", grace_until=f"{YEAR + 1}-01-31",
        present_by=f"{YEAR + 1}-02-28", **{"shares-0-envelope_id": "Pass numérique 2019", "shares-0-share": "100"},
    )  # fmt: skip
    desk.press("Voir ce qui sera réservé").press("Signer").sees("est signée")
    desk.fill(amount_cents="20 000", reference="Délibération 12").press("Voir ce qui sera engagé").press("Engager")
    desk.open("/programme/lieux/importer").fill(file=str(EXAMPLE_FILE)).press("Importer ce fichier")
    desk.open("/programme/structures").follow("Anonymal").press("Qualifier cette structure")
    desk.page.locator("summary", has_text="RIB").click()
    desk.fill(holder_name="ANONYMAL", iban=an_iban(3), iban_again=an_iban(3)).press("Enregistrer ce RIB")


def the_issuer_orders(desk: Desk) -> bytes:
    desk.open("/emetteur/").press("Créer la clé de signature").follow("Commander des carnets")
    desk.fill(booklet_count="2").press("Voir ce que cela réserve").press("Commander 2 carnets").sees(
        "Tous les carnets sont fabriqués"
    )
    printed = desk.download("Carnets 0001")
    desk.open("/emetteur/prescripteurs/nouveau").fill(
        name="CCAS de la Rive", kind="CCAS", postcode="51000", city="Rive-sur-Marne"
    ).press("Ajouter")
    desk.open("/emetteur/bordereaux/nouveau").fill(
        to_prescriber_id="CCAS", first_booklet_number="1", booklet_count="2"
    ).press("Confier ces carnets")
    return printed


@pytest.mark.browser
def test_the_whole_life_of_a_voucher(database: Database, tmp_path: Path) -> None:
    app = app_for(database)
    for role in (Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER):
        a_person(database, role, email=f"{role}@rive.example")
    with serve(app) as address, chromium() as browser:
        with seated(browser, address, "programme@rive.example") as desk:
            the_programme_prepares(desk)
        with seated(browser, address, "finance_preparer@rive.example") as desk:
            desk.open("/finances/").follow("Voir les RIB à confirmer").follow("Vérifier ce RIB")
            desk.press("Confirmer ce RIB").sees("est confirmé")
        a_person(database, Role.ISSUER, one_id(database, "issuer"), email="issuer@rive.example")
        with seated(browser, address, "issuer@rive.example") as desk:
            printed = the_issuer_orders(desk)
        assert "Département de la Rive" in PdfReader(io.BytesIO(printed)).pages[0].extract_text()
        with database.read() as session:
            codes = stored_codes(session, 1, 1)[0]
        a_person(database, Role.PRESCRIBER, one_id(database, "prescriber"), email="prescriber@rive.example")
        with seated(browser, address, "prescriber@rive.example") as desk:
            cover = typing_code(codes.cover.payload.serial, codes.cover.payload.tag, codes.cover.payload.kind)
            desk.open("/prescripteur/").fill(code=cover).press("Voir ce carnet").press("Remettre le carnet — 100").sees(
                "est remis"
            )
        citizen = browser.new_context(java_script_enabled=False)
        Desk(citizen.new_page(), address).open(f"/V/{codes.vouchers[0].to_text()}").sees("Ce chèque vaut 10 €.")
        assert citizen.cookies() == []
    a_person(database, Role.MEDIATOR, one_id(database, "structure"), email="mediator@rive.example")
    film = show_to_camera(codes.vouchers[0].to_url(app.extensions["services"].settings.base_url), tmp_path / "code.y4m")
    with serve(app) as address, chromium(*film) as browser, seated(browser, address, "mediator@rive.example") as desk:
        desk.open("/comptoir/")  # the camera, allowed once, starts by itself
        desk.page.locator("[data-tray] li").first.wait_for(timeout=20_000)
        desk.page.get_by_label("Maîtrise des outils numériques du quotidien").check()
        desk.page.get_by_role("button", name="Encaisser 1 chèque — 10 €").click()
        desk.page.locator("[data-result]", has_text="Confirmé").wait_for(timeout=10_000)
    with serve(app) as address, chromium() as browser, Bank(today=datetime.now(UTC).date()) as bank:
        with seated(browser, address, "finance_preparer@rive.example") as desk:
            desk.open("/finances/").follow("RIVE-1").press("Arrêter le lot").sees("10,00 €")
            batch = desk.page.url.removeprefix(address)
        with seated(browser, address, "finance_approver@rive.example") as desk:
            desk.open(batch).press("Valider le lot")
        with seated(browser, address, "finance_preparer@rive.example") as desk:
            desk.open(batch).press("Transmettre le lot")
            answers = bank.send(desk.download("virements"))
            assert answers
        # A week later: no statement is of a day to come.
        bank.advance_to(datetime.now(UTC).date() + timedelta(days=6))
        later = app_for(database, datetime.now(UTC) + timedelta(days=7))
        with serve(later) as address, seated(browser, address, "finance_preparer@rive.example") as desk:
            for content in bank.statements():
                (tmp_path / "releve.xml").write_bytes(content)
                desk.open("/finances/banque/importer").fill(file=str(tmp_path / "releve.xml")).press(
                    "Importer ces fichiers"
                )
            desk.open(batch).sees("Payé")
    assert [violation for result in verify(database) for violation in result.violations] == []
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT state FROM payment_advice")).scalars().all() == ["paid"]
