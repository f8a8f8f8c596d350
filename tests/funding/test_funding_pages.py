"""Pages of funders' money: who sees what, and what each act does."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask.testing import FlaskClient
from sqlalchemy import text

from tests.clients import app_for, csrf_token, settings_for, signed_in_client
from tests.funding.money import a_funded_town, balance, received, settled, wrong_funds
from tests.settlement.town import NOW, Town
from voucher.access.rules import Role
from voucher.funding.publish import publish_backing, verify_file
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id

LATER = NOW + timedelta(days=2)


@pytest.fixture
def town(sqlite_database: Database) -> Town:
    town = a_funded_town(sqlite_database)
    town.redeem(voucher_count=6)
    return town


def client(town: Town, role: Role = Role.FINANCE_PREPARER, scope_id: object = None, now: object = LATER) -> FlaskClient:
    return signed_in_client(app_for(town.database, now), town.database, role, scope_id)  # type: ignore[arg-type]


def text_of(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, f"{path} answered {answer.status_code}"
    return " ".join(answer.get_data(as_text=True).split())


def press(client: FlaskClient, path: str, action: str, **fields: object) -> str:
    """Send the form of a page whose action is this, with the fields it holds; return the address it leads to."""
    page = client.get(path).get_data(as_text=True)
    form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    assert form is not None, f"no form for {action}"
    held = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', form[1]))
    answer = client.post(action, data={**held, "csrf_token": csrf_token(page), **fields})
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.location)


def test_finance_calls_a_funder_downloads_and_cancels(town: Town) -> None:
    person = client(town)
    assert "Appeler 30,00 €" in text_of(person, "/financement/")
    there = press(person, "/financement/", "/financement/appeler")
    page = text_of(person, there)
    assert "30,00 €" in page
    listed = text_of(person, "/financement/appels")
    assert "Payé par l’avance" in listed
    assert listed.count("30,00 €") >= 4, "used and to be paid, in the row and in the total"
    assert "À verser" in page
    pdf = person.get(f"{there}/fichiers/call_pdf")
    assert pdf.data.startswith(b"%PDF")
    assert person.get(f"{there}/fichiers/call_pdf").data == pdf.data
    assert person.get(f"{there}/fichiers/uses_csv").data.decode("utf-8-sig").endswith(";30,00\r\n")
    assert person.get(f"{there}/fichiers/autre").status_code == 404
    assert person.get(f"{there}?format=csv").data
    press(person, there, f"{there}/annuler")
    assert "Annulé" in text_of(person, there)
    assert balance(town, "4430") == 3_000


def test_a_figure_that_changed_is_said_and_nothing_is_called(town: Town) -> None:
    person = client(town)
    assert press(person, "/financement/", "/financement/appeler", seen_cents=1) == "/financement/"
    assert "est maintenant de 30,00" in text_of(person, "/financement/")
    page = person.get("/financement/").get_data(as_text=True)
    sent = {"csrf_token": csrf_token(page), "id": "x", "agreement_id": "y", "funder_id": "z", "seen_cents": "-1"}
    assert person.post("/financement/appeler", data=sent).status_code == 400


def test_finance_of_another_issuer_finds_nothing(town: Town) -> None:
    press(client(town), "/financement/", "/financement/appeler")
    call_path = press_path(town)
    stranger = client(town, scope_id=new_id())
    statement = f"/financement/conventions/{town.agreement_id}/financeurs/{town.agreed.funder_ids[0]}"
    assert "Rien à appeler" in text_of(stranger, "/financement/")
    assert "Aucun appel" in text_of(stranger, "/financement/appels")
    for path in (call_path, f"{call_path}/fichiers/call_pdf", statement, f"{statement}/releve.pdf", f"{statement}/avance",
                 f"/financement/financeurs/{town.agreed.funder_ids[0]}", f"/financement/fonds/{town.agreement_id}",
                 f"/financement/a-appeler/{town.agreement_id}/{town.agreed.funder_ids[0]}"):  # fmt: skip
        assert stranger.get(path).status_code == 404, path
    own = client(town, scope_id=town.agreed.issuer_id)
    for path in (call_path, statement, f"{statement}/releve.pdf", "/financement/fonds"):
        assert own.get(path).status_code == 200, path


def press_path(town: Town) -> str:
    page = client(town).get("/financement/appels").get_data(as_text=True)
    found = re.search(r'href="(/financement/appels/[0-9a-f-]{36})"', page)
    assert found
    return found[1]


def test_the_programme_and_the_auditor_read_and_do_not_call(town: Town) -> None:
    for role in (Role.PROGRAMME, Role.AUDITOR, Role.FINANCE_APPROVER):
        reader = client(town, role)
        assert "Appeler 30,00" not in text_of(reader, "/financement/")
        assert reader.post("/financement/appeler").status_code in (400, 403)
        text_of(reader, "/financement/fonds")


def test_each_figure_of_a_statement_leads_to_its_list(town: Town) -> None:
    funder_id = town.agreed.funder_ids[0]
    person = client(town)
    statement = f"/financement/conventions/{town.agreement_id}/financeurs/{funder_id}"
    page = person.get(statement).get_data(as_text=True)
    for link in re.findall(r'<dd><a href="(/[^"]+)"', page):
        assert person.get(link).status_code in (200, 403), link
    assert f"/financement/a-appeler/{town.agreement_id}/{funder_id}" in page
    assert person.get(f"{statement}?format=csv").data.decode("utf-8-sig").startswith("Ligne;Montant")
    assert person.get(f"{statement}/releve.pdf").data.startswith(b"%PDF")
    assert "sur toutes ses conventions" in page
    assert person.get(f"{statement}?format=xlsx").data.startswith(b"PK")
    assert "30,00" in text_of(person, f"/financement/financeurs/{funder_id}")
    assert person.get(f"/financement/financeurs/{funder_id}?format=xlsx").data.startswith(b"PK")
    listed = text_of(person, f"/financement/a-appeler/{town.agreement_id}/{funder_id}")
    assert "Association du Numérique" in listed


def test_an_advance_is_asked_for_and_refused_without_an_amount(town: Town) -> None:
    person = client(town)
    path = f"/financement/conventions/{town.agreement_id}/financeurs/{town.agreed.funder_ids[0]}/avance"
    page = person.get(path).get_data(as_text=True)
    answer = person.post(path, data={"csrf_token": csrf_token(page), "id": str(new_id()), "amount_cents": "0"})
    assert "au-dessus de zéro" in answer.get_data(as_text=True)
    held = re.search(r'name="id"[^>]*value="([^"]+)"', page)
    assert held
    sent = {"csrf_token": csrf_token(page), "id": held[1], "amount_cents": "1 000"}
    too_much = person.post(path, data={**sent, "amount_cents": "999 999", "seen_cents": "99999900"})
    assert "avancer 49\u202f970,00\u00a0€ au plus" in too_much.get_data(as_text=True)
    shown = person.post(path, data=sent).get_data(as_text=True)
    assert "Demander 1\u202f000,00\u00a0€ d’avance" in shown
    assert "avancer 49\u202f000,00\u00a0€ au plus" in shown, "30 € of it pay what is used and not called yet"
    assert balance(town, "4432") == 0
    seen = re.search(r'name="seen_cents"[^>]*value="([^"]+)"', shown)
    assert seen
    sent |= {"seen_cents": seen[1]}
    first, second = person.post(path, data=sent), person.post(path, data=sent)
    assert first.location == second.location
    assert balance(town, "4432") == -100_000


def test_no_advance_is_offered_on_an_agreement_that_is_over(town: Town) -> None:
    statement = f"/financement/conventions/{town.agreement_id}/financeurs/{town.agreed.funder_ids[0]}"
    assert f"{statement}/avance" in text_of(client(town), statement)
    over = client(town, now=LATER.replace(year=2027, month=3))
    assert f"{statement}/avance" not in text_of(over, statement)
    page = text_of(over, f"{statement}/avance")
    assert "Cette convention est terminée depuis le 28 février 2027" in page.replace("\u00a0", " ")
    assert "Voir ce qui va se passer" not in page


def test_what_blocks_the_final_balance_is_listed_with_links(town: Town) -> None:
    over = LATER.replace(year=2027, month=3)
    person = client(town, now=over)
    statement = f"/financement/conventions/{town.agreement_id}/financeurs/{town.agreed.funder_ids[0]}"
    page = person.get(statement).get_data(as_text=True)
    assert f'action="{statement}/clore"' not in page
    notices = page.split("Ce que le décompte final dira")[1]
    assert "40,00\u00a0€ de chèques sont encore en circulation" in notices
    assert "60,00\u00a0€ sont dus à des structures" in notices
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/fin[^"]+)"', notices.split("</main>")[0])]
    assert len(links) == 2
    for link in links:
        assert person.get(link.partition("#")[0]).status_code == 200, link


def test_the_final_balance_is_drawn_up_when_all_is_over(town: Town) -> None:
    over = LATER.replace(year=2027, month=3)
    settled(town, over)
    person = client(town, now=over)
    statement = f"/financement/conventions/{town.agreement_id}/financeurs/{town.agreed.funder_ids[0]}"
    shown = text_of(person, statement)
    assert "Restera à recevoir" in shown
    assert re.search(r"Dernier appel[^<]*</dt><dd>30,00", shown)
    changed = press(person, statement, f"{statement}/clore", due_cents="2999")
    assert "Les montants ont changé" in text_of(person, changed)
    press(person, statement, f"{statement}/clore")
    document = re.search(rf"{statement}/decomptes/[-0-9a-f]+\.pdf", text_of(person, statement))
    assert document
    assert person.get(document[0]).data.startswith(b"%PDF")
    assert person.get(f"{statement}/decomptes/{new_id()}.pdf").status_code == 404


def test_a_late_call_is_shown_late_and_what_is_received_on_the_call(town: Town) -> None:
    press(client(town), "/financement/", "/financement/appeler")
    late = client(town, now=NOW + timedelta(days=60))
    path = press_path(town)
    assert "relancez le financeur" in text_of(late, path)
    assert "En retard" in text_of(late, "/financement/appels?etat=overdue")
    received(town, UUID(path.rpartition("/")[2]), 3_000)
    assert "En retard" not in text_of(late, path).split("<main")[1]


def test_anybody_reads_and_checks_the_published_figure(town: Town) -> None:
    app = app_for(town.database, LATER)
    visitor = app.test_client()
    assert "Rien n’est encore publié" in text_of(visitor, "/fonds")
    assert visitor.get("/.well-known/pass-numerique/fonds/latest.txt").status_code == 404
    publish_backing(town.database, settings_for(town.database), LATER)
    page = visitor.get("/fonds")
    assert "Set-Cookie" not in page.headers
    assert "<script" not in page.get_data(as_text=True).split("<main")[1]
    words = page.get_data(as_text=True).split("<main")[1]
    assert words.index("en banque") < words.index("avec l’argent promis")
    assert re.search(r"<strong>0\u00a0%</strong> <span>en banque", words)
    assert re.search(r"<strong>100\u00a0%</strong> <span>avec l’argent promis", words)
    assert "60,00\u00a0€ ne sont pas encore en banque" in words
    assert "de crédit libre" in words
    latest = visitor.get("/.well-known/pass-numerique/fonds/latest.txt")
    day = LATER.date() - timedelta(days=1)
    assert visitor.get(f"/.well-known/pass-numerique/fonds/{day.isoformat()}.txt").data == latest.data
    assert visitor.get("/.well-known/pass-numerique/fonds/hier.txt").status_code == 404
    assert visitor.get("/.well-known/pass-numerique/programme.pem").data.startswith(b"-----BEGIN PUBLIC KEY-----")
    assert f"day: {day.isoformat()}" in verify_file(latest.data, _public_key(visitor))


def test_the_backing_of_a_day_that_is_past_leads_to_its_accounts(town: Town) -> None:
    person = client(town, Role.AUDITOR)
    day = NOW.date().isoformat()
    page = text_of(person, f"/financement/fonds?jour={day}")
    assert "à la fin du" in page
    assert "Les deux comptes sont égaux" in page
    past = text_of(person, f"/financement/fonds/{town.agreement_id}?jour={day}")
    assert "4430" in past
    assert "tableau-de-bord/dettes" not in past, "debts are those of today"
    today = person.get(f"/financement/fonds/{town.agreement_id}").get_data(as_text=True)
    figures = today.split('<dl class="definitions">')[1].split("</dl>")[0]
    for name in ("En circulation", "Dû, trop-perçus déduits", "Détenu", "À recevoir des financeurs"):
        link = re.search(rf'<dt>{name}</dt><dd><a href="([^"]+)"', figures)
        assert link, name
        if link[1].startswith("#"):
            assert f'id="{link[1][1:]}"' in today
        else:
            assert "60,00\u00a0€" in person.get(link[1].replace("&amp;", "&")).get_data(as_text=True)
    assert person.get("/financement/fonds?jour=hier").status_code == 200
    assert "10" in person.get("/financement/fonds?format=csv").get_data(as_text=True)
    assert person.get("/financement/fonds?format=xlsx").data.startswith(b"PK")


def _public_key(visitor: FlaskClient) -> bytes:
    key = load_pem_public_key(visitor.get("/.well-known/pass-numerique/programme.pem").data)
    return key.public_bytes_raw()  # type: ignore[union-attr]


def test_the_programme_ends_a_share_after_seeing_what_follows(town: Town) -> None:
    person = client(town, Role.PROGRAMME)
    agreement = f"/programme/conventions/{town.agreement_id}"
    path = f"{agreement}/financeurs/{town.agreed.funder_ids[0]}/arreter"
    assert path in person.get(agreement).get_data(as_text=True)
    page = person.get(path).get_data(as_text=True)
    held = dict(re.findall(r'name="(id|seen|shares-0-share)"[^>]*value="([^"]*)"', page))
    day = LATER.date().isoformat()
    sent = {"csrf_token": csrf_token(page), **held, "ends_on": day}
    wrong = person.post(path, data={**sent, "shares-0-share": "60"}).get_data(as_text=True)
    assert "60\u00a0% en tout" in wrong
    shown = person.post(path, data=sent).get_data(as_text=True)
    assert "ne paie rien des nouvelles commandes" in shown
    seen = re.search(r'name="seen"[^>]*value="([^"]+)"', shown)
    assert seen
    done = person.post(path, data={**sent, "seen": seen[1]})
    assert done.location == agreement
    page = text_of(person, agreement)
    assert "Terminée" in page
    assert "Financeurs qui s’arrêtent avant les autres" in page
    assert text_of(person, f"/financement/conventions/{town.agreement_id}/financeurs/{town.agreed.funder_ids[0]}")
    assert person.get(path).status_code == 404
    assert person.get(f"{agreement}/financeurs/{town.agreed.funder_ids[1]}/arreter").status_code == 404
    assert wrong_funds(town.database) == []


def test_the_programme_sees_which_agreements_are_stopped(town: Town) -> None:
    press(client(town), "/financement/", "/financement/appeler")
    with town.database.write() as session:
        session.execute(text("UPDATE agreement SET cash_floor_basis_points = 9000"))
    page = text_of(client(town, Role.PROGRAMME), "/programme/")
    assert "plus aucun carnet ne peut être commandé" in page
    assert "Appelez une avance" in page
