"""The programme's pages: a person opens an envelope, signs, commits, imports places, qualifies; others only read, or are sent away."""

import io
import re
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.builders import NOW, SOMEONE, a_siren, an_iban
from tests.clients import app_for, csrf_token, signed_in_client
from tests.parties import a_funder, a_structure, an_envelope, an_issuer, new_agreement
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.network.places import PlaceDescription, add_place
from voucher.network.read import places as read_places
from voucher.network.read_structures import structure, structure_count, structures
from voucher.programme import read, read_parties
from voucher.programme.sign_agreement import sign_agreement

EXAMPLE = (Path(__file__).parents[1] / "network" / "files" / "lieux-exemple.csv").read_bytes()
LISTS = ("enveloppes", "financeurs", "emetteurs", "conventions", "structures", "lieux")
EVERYTHING = Asked(limit=100)


def client_of(database: Database, role: Role, scope_id: UUID | None = None) -> FlaskClient:
    return signed_in_client(app_for(database, NOW), database, role, scope_id)


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u00a0", " ").replace("&#39;", "'")


def send(client: FlaskClient, form_url: str, fields: dict[str, Any], url: str = "") -> tuple[int, str]:
    """Open a page, fill its form and send it as a browser does; return the status and the page that comes at the end."""
    page = client.get(form_url).get_data(as_text=True)
    found = re.search(r'name="id"[^>]*value="([^"]+)"', page)
    untouched = dict.fromkeys(re.findall(r'<select[^>]*name="([^"]+)"', page), "")
    values = {**untouched, "csrf_token": csrf_token(page), **({"id": found[1]} if found else {}), **fields}
    answer = client.post(url or form_url, data=values, follow_redirects=True)
    return answer.status_code, plain(answer.get_data(as_text=True))


def send_seen(client: FlaskClient, form_url: str, fields: dict[str, Any], url: str = "") -> str:
    """Send a form, see its consequences, send it again as its button does; return the page that comes at the end."""
    _, shown = send(client, form_url, fields, url)
    hidden = {name: re.search(rf'name="{name}"[^>]*value="([^"]*)"', shown) for name in ("id", "seen")}
    again = {name: found[1] for name, found in hidden.items() if found}
    assert len(again) == 2
    return send(client, form_url, fields | again, url)[1]


def test_the_programme_goes_from_an_envelope_to_committed_credits(database: Database) -> None:
    client = client_of(database, Role.PROGRAMME)
    assert "Aucune enveloppe." in client.get("/programme/enveloppes").get_data(as_text=True)
    assert "Il manque de quoi signer." in client.get("/programme/conventions/nouvelle").get_data(as_text=True)

    send(client, "/programme/financeurs/nouveau", {"name": "État", "kind": "state", "siren": ""})
    [state] = read_parties.funders(database, EVERYTHING).rows
    _, page = send(
        client,
        "/programme/enveloppes/nouvelle",
        {"funder_id": str(state.id), "name": "Pass 2019", "fiscal_year": "2019", "amount_cents": "10 000 000"},
    )
    assert "est ouverte : 10 000 000,00 €" in page
    _, page = send(
        client,
        "/programme/emetteurs/nouveau",
        {
            "name": "Département de la Rive", "siren": a_siren(3), "kind": "department", "address": "1 place des Tilleuls",
            "postcode": "51100", "city": "Bellerive", "region_code": "44", "contact_email": "pass@rive.example",
        },
    )  # fmt: skip
    assert "est enregistrée" in page
    account = {"name": "Trésorerie", "holder_name": "TRESORERIE", "iban": an_iban(3), "channel": "public_accountant"}
    _, page = send(client, "/programme/comptes-payeurs/nouveau", account)
    assert an_iban(3) not in page
    assert an_iban(3)[-4:] in page

    [envelope] = read_parties.envelopes(database, EVERYTHING).rows
    [issuer] = read_parties.issuers(database, EVERYTHING).rows
    [payer] = read_parties.paying_accounts(database)
    terms = {
        "number": "PN-1", "name": "Pass de la Rive", "issuer_id": str(issuer.id), "paying_account_id": str(payer.id),
        "ceiling_cents": "100 000,00", "face_value_cents": "10", "booklet_size": "10", "is_handover_required": "y",
        "signed_on": "2026-03-02", "use_by": "2026-12-31", "grace_until": "2027-01-31", "present_by": "2027-02-28",
        "shares-0-envelope_id": str(envelope.id), "shares-0-share": "60",
    }  # fmt: skip
    status, page = send(client, "/programme/conventions/nouvelle", terms)
    assert status == 200
    assert "font 60 % en tout" in page
    assert 'href="#shares-0-share"' in page
    assert 'value="PN-1"' in page
    _, page = send(client, "/programme/conventions/nouvelle", terms | {"shares-0-share": "100"})
    assert "100 000,00 € seront réservés : État, enveloppe « Pass 2019 »" in page
    assert "Signer pour 100 000,00 €" in page
    assert read.agreements(database, EVERYTHING).count == 0
    page = send_seen(client, "/programme/conventions/nouvelle", terms | {"shares-0-share": "100"})
    assert "La convention PN-1 est signée" in page

    [agreement] = read.agreements(database, EVERYTHING).rows
    address = f"/programme/conventions/{agreement.id}"
    _, page = send(client, address, {"amount_cents": "15", "reference": "Délib. 1"}, f"{address}/engager")
    assert "Écrivez 10,00 € ou 20,00 €" in page
    page = send_seen(client, address, {"amount_cents": "100 010", "reference": "Délib. 1"}, f"{address}/engager")
    assert "Il reste 100 000,00 € à engager" in page
    _, page = send(client, address, {"amount_cents": "40 000", "reference": "Délib. 1"}, f"{address}/engager")
    assert "4 000 chèques" in page
    assert "Engager 40 000,00 €" in page
    page = send_seen(client, address, {"amount_cents": "40 000", "reference": "Délib. 1"}, f"{address}/engager")
    assert "40 000,00 € sont engagés" in page
    assert "Il reste 60 000,00 € sous le plafond" in page
    assert "40 000,00 €" in plain(client.get("/programme/").get_data(as_text=True))


def test_a_form_sent_twice_does_one_thing(database: Database) -> None:
    client = client_of(database, Role.PROGRAMME)
    page = client.get("/programme/financeurs/nouveau").get_data(as_text=True)
    found = re.search(r'name="id"[^>]*value="([^"]+)"', page)
    assert found is not None
    fields = {"csrf_token": csrf_token(page), "id": found[1], "name": "État", "kind": "state", "siren": ""}
    for _ in range(2):
        assert client.post("/programme/financeurs/nouveau", data=fields).status_code == 302
    assert read_parties.funders(database, EVERYTHING).count == 1
    assert client.post("/programme/financeurs/nouveau", data=fields | {"id": "not-an-id"}).status_code == 400


def test_a_lone_commune_is_told_at_the_field_and_what_was_typed_is_kept(sqlite_database: Database) -> None:
    fields = {
        "name": "Ville de Bellerive", "siren": a_siren(4), "kind": "commune", "address": "1 place", "postcode": "51100",
        "city": "Bellerive", "contact_email": "ville@bellerive.example",
    }  # fmt: skip
    _, page = send(client_of(sqlite_database, Role.PROGRAMME), "/programme/emetteurs/nouveau", fields)
    assert "Demandez à son intercommunalité (EPCI) de signer" in page
    assert 'value="Ville de Bellerive"' in page
    assert 'href="#kind"' in page


def test_a_line_with_a_share_and_no_envelope_is_told(sqlite_database: Database) -> None:
    terms = new_agreement(sqlite_database)
    fields = {
        "number": "PN-1", "name": "Pass", "issuer_id": str(terms.issuer_id), "paying_account_id": str(terms.paying_account_id),
        "ceiling_cents": "100", "face_value_cents": "10", "booklet_size": "10", "signed_on": "2026-03-02",
        "use_by": "2026-12-31", "grace_until": "2027-01-31", "present_by": "2027-02-28", "shares-1-share": "50",
    }  # fmt: skip
    _, page = send(client_of(sqlite_database, Role.PROGRAMME), "/programme/conventions/nouvelle", fields)
    assert "Financeur 2 : donnez l’enveloppe et la part" in page


def test_places_are_imported_with_their_report_and_go_out_again(database: Database) -> None:
    client = client_of(database, Role.PROGRAMME)
    bad = EXAMPLE + EXAMPLE.splitlines()[1].replace(b"structure-1", b"structure-2").replace(b"51100", b"5110") + b"\r\n"
    _, page = send(client, "/programme/lieux/importer", {"file": (io.BytesIO(bad), "lieux.csv")})
    assert "1 ligne prise, 0 inchangée, 1 refusée" in page
    assert "code_postal : Ce code postal n’a que 4 chiffres" in page
    report = client.get("/programme/lieux/imports").get_data(as_text=True)
    found = re.search(r"/programme/lieux/imports/[0-9a-f-]{36}", report)
    assert found is not None
    lines = client.get(f"{found[0]}?format=csv&issue=refused").get_data(as_text=True).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("3;structure-2;;Refusé;")
    standard = client.get("/programme/lieux/standard.csv")
    assert b'"structure-1"' in standard.data or b"structure-1," in standard.data
    _, page = send(client, "/programme/lieux/importer", {"file": (io.BytesIO(standard.data), "lieux.csv")})
    assert "0 ligne prise, 1 inchangée, 0 refusée" in page
    _, page = send(client, "/programme/lieux/importer", {"file": (io.BytesIO(b"PK\x03\x04"), "lieux.xlsx")})
    assert "classeur" in page


def test_a_structure_is_proposed_qualified_paid_and_suspended(database: Database) -> None:
    client = client_of(database, Role.PROGRAMME)
    _, page = send(client, "/programme/structures/nouvelle", {"pivot": "434 933 123 00029", "name": "Anonymal"})
    assert "Qualifier cette structure" in page
    [line] = structures(database, EVERYTHING).rows
    address = f"/programme/structures/{line.id}"
    assert "est qualifiée" in send(client, address, {}, f"{address}/qualifier")[1]
    rib = {"holder_name": "ANONYMAL", "iban": an_iban(8), "iban_again": an_iban(9)}
    _, page = send(client, address, rib, f"{address}/rib")
    assert "Les deux IBAN sont différents" in page
    _, page = send(client, address, rib | {"iban_again": an_iban(8)}, f"{address}/rib")
    assert f"finit par {an_iban(8)[-4:]}" in page
    assert an_iban(8) not in page
    assert "Remplissez ce champ" in send(client, address, {"reason": ""}, f"{address}/suspendre")[1]
    assert "est suspendue" in send(client, address, {"reason": "Contrôle"}, f"{address}/suspendre")[1]
    said = {"name": "Anonymal Reims", "contact_email": "", "vat_regime": "exonéré"}
    assert "est à jour" in send(client, address, said, f"{address}/decrire")[1]
    found = structure(database, line.id)
    assert found is not None
    assert (found.line.state, found.line.name, found.vat_regime) == ("suspended", "Anonymal Reims", "exonéré")
    trail = client.get("/personnes/journal").get_data(as_text=True)
    assert "Changer un RIB" in trail
    assert "Lecture d’un RIB" in trail


def test_the_auditor_reads_all_and_changes_nothing(database: Database) -> None:
    structure_id, terms = a_structure(database), new_agreement(database)
    sign_agreement(database, terms, by=SOMEONE, now=NOW)
    described = PlaceDescription(name="Comptoir", address="3 rue", postcode="51100", city="Bellerive")
    place_id = add_place(database, new_id(), structure_id, described, by=SOMEONE, now=NOW)
    client = client_of(database, Role.AUDITOR)
    pages = ("", *LISTS, "comptes-payeurs", "lieux/imports", f"structures/{structure_id}", f"lieux/{place_id}")
    for path in (*pages, f"conventions/{terms.id}"):
        answer = client.get(f"/programme/{path}")
        assert answer.status_code == 200, path
        acts = re.findall(r'<form[^>]*method="post"[^>]*>', answer.get_data(as_text=True))
        assert all("deconnexion" in act for act in acts), path
    token = csrf_token(client.get("/programme/").get_data(as_text=True))
    for path in (
        "financeurs/nouveau",
        f"conventions/{terms.id}/engager",
        f"structures/{structure_id}/suspendre",
        f"lieux/{place_id}/fermer",
    ):
        assert client.post(f"/programme/{path}", data={"csrf_token": token}).status_code == 403, path


@pytest.mark.parametrize("role", [Role.ISSUER, Role.PRESCRIBER, Role.MEDIATOR, Role.PLACE_MANAGER])
def test_who_has_a_territory_is_kept_out(sqlite_database: Database, role: Role) -> None:
    structure_id = a_structure(sqlite_database)
    client = client_of(sqlite_database, role, structure_id)
    for path in ("", *LISTS, f"structures/{structure_id}", "lieux/importer", "conventions/nouvelle"):
        assert client.get(f"/programme/{path}").status_code == 403, path


def test_finance_sees_structures_alone(sqlite_database: Database) -> None:
    structure_id = a_structure(sqlite_database)
    client = client_of(sqlite_database, Role.FINANCE_APPROVER)
    assert client.get(f"/programme/structures/{structure_id}").status_code == 200
    assert client.get("/programme/conventions").status_code == 403
    token = csrf_token(client.get("/programme/structures").get_data(as_text=True))
    assert client.post(f"/programme/structures/{structure_id}/rib", data={"csrf_token": token}).status_code == 403


@pytest.mark.parametrize("path", ["conventions", "structures", "lieux", "lieux/imports"])
def test_what_does_not_exist_is_not_found(sqlite_database: Database, path: str) -> None:
    assert client_of(sqlite_database, Role.PROGRAMME).get(f"/programme/{path}/{new_id()}").status_code == 404


def test_no_list_lets_a_formula_out(sqlite_database: Database) -> None:
    evil = "=HYPERLINK(0)"
    an_envelope(sqlite_database, funder_id=a_funder(sqlite_database, name=evil))
    sign_agreement(
        sqlite_database,
        new_agreement(sqlite_database, name=evil, number="+1", issuer_id=an_issuer(sqlite_database, evil)),
        by=SOMEONE,
        now=NOW,
    )
    structure_id = a_structure(sqlite_database, evil)
    described = PlaceDescription(name=evil, address="-1", postcode="51100", city="@x")
    add_place(sqlite_database, new_id(), structure_id, described, by=SOMEONE, now=NOW)
    client = client_of(sqlite_database, Role.PROGRAMME)
    for path in LISTS:
        text = client.get(f"/programme/{path}?format=csv").get_data(as_text=True)
        assert f"'{evil}" in text, path
        assert not re.search(r"(^|;)\"?[=+@]", text, re.MULTILINE), path


def test_lists_page_sort_and_filter(sqlite_database: Database) -> None:
    for rank in range(60):
        a_funder(sqlite_database, "state" if rank else "europe", f"Financeur {rank:03d}")
    client = client_of(sqlite_database, Role.PROGRAMME)
    first = client.get("/programme/financeurs").get_data(as_text=True)
    assert "Financeur 000" in first
    assert "Financeur 059" not in first
    assert "Financeur 059" in client.get("/programme/financeurs?tri=-name").get_data(as_text=True)
    assert client.get("/programme/financeurs?page=2").get_data(as_text=True).count("Financeur 000") == 1
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get("/programme/financeurs" + unescape(following)).get_data(as_text=True)
    assert "Financeur 059" in second
    assert "Financeur 050" in second
    assert "Financeur 049" not in second
    only = client.get("/programme/financeurs?type=europe").get_data(as_text=True)
    assert only.count("Financeur 0") == 1
    assert "ne correspond" in client.get("/programme/financeurs?nom=personne").get_data(as_text=True)


def test_a_place_is_closed_and_opened_again_from_its_page(sqlite_database: Database) -> None:
    described = PlaceDescription(name="Comptoir", address="3 rue", postcode="51100", city="Bellerive")
    place_id = add_place(sqlite_database, new_id(), a_structure(sqlite_database), described, by=SOMEONE, now=NOW)
    client, address = client_of(sqlite_database, Role.PROGRAMME), f"/programme/lieux/{place_id}"
    assert "Rouvrir ce lieu" in send(client, address, {}, f"{address}/fermer")[1]
    assert "déjà fermé" in send(client, address, {}, f"{address}/fermer")[1]
    assert "Fermer ce lieu" in send(client, address, {}, f"{address}/rouvrir")[1]
    assert send(client, address, {}, f"/programme/lieux/{new_id()}/fermer")[0] == 404
    [line] = read_places(sqlite_database, EVERYTHING).rows
    assert line.is_open


def test_the_first_page_counts_what_waits_and_nothing_else(sqlite_database: Database) -> None:
    a_structure(sqlite_database, "Qualifiée", has_rib=True)
    a_structure(sqlite_database, "Sans RIB", has_rib=False)
    assert structure_count(sqlite_database, {"state": "qualified", "bank_details": "without"}) == 1
    page = plain(client_of(sqlite_database, Role.PROGRAMME).get("/programme/").get_data(as_text=True))
    assert "1 structure" in page
    assert "2 structure" not in page
