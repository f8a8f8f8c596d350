"""The programme opens accounts and gives roles; a person changes their own password."""

from tests.clients import PASSWORD, app_for, csrf_token, signed_in_client
from voucher.access.read import people
from voucher.access.rules import Role
from voucher.kernel.database import Database


def everybody(database: Database) -> dict[str, list[Role]]:
    rows, _ = people(database, sort="name", descending=False, limit=50, offset=0, filters={})
    return {row.email: [role for role, _ in row.roles] for row in rows}


def test_the_programme_opens_an_account_and_gives_a_role(database: Database) -> None:
    client = signed_in_client(app_for(database), database, Role.PROGRAMME)
    page = client.get("/personnes/nouvelle").get_data(as_text=True)
    form = {"csrf_token": csrf_token(page), "id": page.split('name="id"')[1].split('value="')[1].split('"')[0]}
    person = {"name": "Luce Arbre", "email": "luce@lieu.example", "password": PASSWORD}
    first = client.post("/personnes/nouvelle", data=form | person)
    assert first.status_code == 302
    role = {"csrf_token": csrf_token(client.get(first.location).get_data(as_text=True)), "role": "auditor", "scope": ""}
    assert client.post(first.location, data=role).status_code == 302
    assert everybody(database)["luce@lieu.example"] == [Role.AUDITOR]
    page = client.post(first.location, data=role | {"role": "programme"}).get_data(as_text=True)
    assert "ne vont pas ensemble" in page
    taken = client.post(f"{first.location}/roles/auditor/retirer", data=role)
    assert taken.status_code == 302
    assert everybody(database)["luce@lieu.example"] == []


def test_a_refused_account_keeps_what_was_typed_and_says_why_at_the_field(database: Database) -> None:
    client = signed_in_client(app_for(database), database, Role.PROGRAMME)
    page = client.get("/personnes/nouvelle").get_data(as_text=True)
    form = {"csrf_token": csrf_token(page), "id": page.split('name="id"')[1].split('value="')[1].split('"')[0]}
    answer = client.post(
        "/personnes/nouvelle", data=form | {"name": "Luce Arbre", "email": "luce@lieu.example", "password": "court"}
    ).get_data(as_text=True)
    assert 'value="luce@lieu.example"' in answer
    assert "Ce mot de passe est trop court" in answer
    assert "luce@lieu.example" not in everybody(database)


def test_a_name_cannot_become_markup_or_a_formula(database: Database) -> None:
    client = signed_in_client(app_for(database), database, Role.PROGRAMME)
    page = client.get("/personnes/nouvelle").get_data(as_text=True)
    form = {"csrf_token": csrf_token(page), "id": page.split('name="id"')[1].split('value="')[1].split('"')[0]}
    person = {"name": "=1+1<script>alert(1)</script>", "email": "zoe@lieu.example", "password": PASSWORD}
    client.post("/personnes/nouvelle", data=form | person)
    assert "<script>alert" not in client.get("/personnes/").get_data(as_text=True)
    assert "'=1+1<script>" in client.get("/personnes/?format=csv").get_data(as_text=True)


def test_a_person_changes_their_password_and_signs_in_again(database: Database) -> None:
    client = signed_in_client(app_for(database), database, Role.AUDITOR)
    token = csrf_token(client.get("/personnes/moi").get_data(as_text=True))
    wanted = "cinq autres mots très longs"
    form = {"csrf_token": token, "current": PASSWORD, "wanted": wanted, "again": wanted}
    assert "pas le même" in client.post("/personnes/moi", data=form | {"again": "autre"}).get_data(as_text=True)
    assert client.post("/personnes/moi", data=form).status_code == 302
    assert client.get("/registre/").status_code == 302
