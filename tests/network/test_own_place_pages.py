"""A structure's own pages: its manager writes, its mediators read, and nobody sees another's."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.builders import NOW, SOMEONE, an_iban
from tests.clients import app_for, signed_in_client
from tests.parties import a_structure
from tests.programme.test_pages import plain, send
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.places import PlaceDescription, add_place
from voucher.network.read_structures import structure

LAVOIR = PlaceDescription(
    name="Comptoir du Lavoir",
    address="3 rue du Lavoir",
    postcode="51100",
    city="Bellerive",
    opening_hours="Mo-Fr 09:00-12:00",
    services=("everyday_digital_tools",),
)
TYPED = {
    "name": "Le Fil, la place", "address": "4 rue du Lavoir", "postcode": "51100", "city": "Bellerive",
    "opening_hours": "Sa 08:30-12:00", "services": ["safe_digital_use", "leisure_and_creation"],
}  # fmt: skip


def client_of(database: Database, role: Role, structure_id: UUID) -> FlaskClient:
    return signed_in_client(app_for(database, NOW), database, role, structure_id)


def test_the_manager_gives_a_rib_and_a_place_and_corrects_it(database: Database) -> None:
    structure_id = a_structure(database, has_rib=False)
    client = client_of(database, Role.PLACE_MANAGER, structure_id)
    page = client.get("/comptoir/lieu/").get_data(as_text=True)
    assert "Il manque votre RIB." in page
    assert "Ajoutez l’endroit où vous recevez" in page

    rib = {"holder_name": "ASSOCIATION LE FIL", "iban": an_iban(21), "iban_again": an_iban(22)}
    assert "Les deux IBAN sont différents" in send(client, "/comptoir/lieu/rib", rib)[1]
    _, page = send(client, "/comptoir/lieu/rib", rib | {"iban_again": an_iban(21)})
    assert f"finit par {an_iban(21)[-4:]}" in page
    assert an_iban(21) not in page
    assert "Votre nouveau RIB est en attente de confirmation." in page
    assert "D’ici là, vous ne pouvez pas être payé." in client.get("/comptoir/lieu/").get_data(as_text=True)

    assert "numéro" in send(client, "/comptoir/lieu/nouveau", TYPED | {"phone": "12"})[1]
    _, page = send(client, "/comptoir/lieu/nouveau", TYPED)
    assert "samedi de 8 h 30 à 12 h" in page
    found = structure(database, structure_id)
    assert found is not None
    address = f"/comptoir/lieu/{found.places[0].id}"
    form = client.get(f"{address}/corriger").get_data(as_text=True)
    assert form.count("checked") == 2
    assert "Sa 08:30-12:00" in form
    _, page = send(client, f"{address}/corriger", TYPED | {"name": "Le Fil, au lavoir"})
    assert "Le Fil, au lavoir" in page
    assert "Rouvrir ce lieu" in send(client, address, {}, f"{address}/fermer")[1]
    assert "Fermer ce lieu" in send(client, address, {}, f"{address}/rouvrir")[1]


def test_the_mediator_reads_and_changes_nothing(database: Database) -> None:
    structure_id = a_structure(database)
    place_id = add_place(database, new_id(), structure_id, LAVOIR, by=SOMEONE, now=NOW)
    client = client_of(database, Role.MEDIATOR, structure_id)
    assert "Comptoir du Lavoir" in client.get("/comptoir/lieu/").get_data(as_text=True)
    page = plain(client.get(f"/comptoir/lieu/{place_id}").get_data(as_text=True))
    assert "Maîtrise des outils numériques du quotidien" in page
    assert "Fermer ce lieu" not in page
    for path in ("rib", "nouveau", f"{place_id}/corriger"):
        assert client.get(f"/comptoir/lieu/{path}").status_code == 403


@pytest.mark.parametrize("role", [Role.PLACE_MANAGER, Role.MEDIATOR])
def test_another_structures_place_is_not_found(database: Database, role: Role) -> None:
    theirs = add_place(database, new_id(), a_structure(database, "L’Autre"), LAVOIR, by=SOMEONE, now=NOW)
    client = client_of(database, role, a_structure(database))
    assert client.get(f"/comptoir/lieu/{theirs}").status_code == 404
    assert "L’Autre" not in client.get("/comptoir/lieu/").get_data(as_text=True)
    if role is Role.PLACE_MANAGER:
        assert client.get(f"/comptoir/lieu/{theirs}/corriger").status_code == 404
        assert send(client, "/comptoir/lieu/rib", {}, f"/comptoir/lieu/{theirs}/fermer")[0] == 404


@pytest.mark.parametrize("role", [Role.PROGRAMME, Role.AUDITOR, Role.FINANCE_PREPARER])
def test_the_office_has_its_own_pages(sqlite_database: Database, role: Role) -> None:
    client = signed_in_client(app_for(sqlite_database, NOW), sqlite_database, role)
    assert client.get("/comptoir/lieu/").status_code == 403
