"""The page of one's own: the name, the address asked for, the roles with their dates, what one did lately; and roles day by day."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.clients import PASSWORD, a_person, app_for, csrf_token, sign_in
from voucher.access import changes, sessions
from voucher.access.checks import CHECKS
from voucher.access.read import person
from voucher.access.read_changes import had_hand_in, waiting_address, waiting_changes
from voucher.access.rules import Role
from voucher.access.strength import PASSWORD_LENGTH_MIN
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
MINE = "/personnes/moi"


def post(client: FlaskClient, path: str, **data: str) -> str:
    """Post a form and return what the page that follows says."""
    token = csrf_token(client.get(MINE).text)
    return plain(client.post(path, data={"csrf_token": token} | data, follow_redirects=True).text)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def signs_in(database: Database, email: str) -> bool:
    try:
        sessions.sign_in(database, email, PASSWORD, now=NOW)
    except Refused:
        return False
    return True


def named(database: Database, account_id: UUID) -> tuple[str, str, bool]:
    found = person(database, account_id, now=NOW)
    assert found is not None
    return found.name, found.email, found.has_password


@pytest.fixture
def luce(database: Database) -> UUID:
    """A mediator."""
    return a_person(database, Role.MEDIATOR, new_id(), now=NOW, email="luce@lieu.example")


@pytest.fixture
def pat(database: Database) -> UUID:
    """A person of the programme."""
    return a_person(database, Role.PROGRAMME, now=NOW, email="pat@lieu.example")


def test_a_person_changes_their_own_name_and_the_trail_keeps_the_one_before(database: Database, luce: UUID) -> None:
    client = sign_in(app_for(database, NOW), database, luce)
    assert "Remplissez ce champ" in post(client, "/mon-compte/nom", name=" \u200b ")
    said = post(client, "/mon-compte/nom", name="  Luce   Arbre ")
    assert "Votre nom est changé." in said
    assert "<h1>Luce Arbre" in said
    assert "Camille Exemple : Luce Arbre" in said
    assert "120 caractères" in post(client, "/mon-compte/nom", name="x" * 121)
    assert named(database, luce)[0] == "Luce Arbre"


@pytest.mark.parametrize("typed", ["Zoé-Anne Héron", "zoe anne  HERON", "Zoe\u0301 Anne He\u0301ron"])
def test_nobody_takes_the_name_of_somebody_else(database: Database, luce: UUID, pat: UUID, typed: str) -> None:
    """Whoever signs, prepares or asks is read by a name."""
    app = app_for(database, NOW)
    assert "Votre nom est changé." in post(sign_in(app, database, pat), "/mon-compte/nom", name="Zoé-Anne Héron")
    said = post(sign_in(app, database, luce), "/mon-compte/nom", name=typed)
    assert "Une autre personne porte ce nom ici." in said
    assert named(database, luce)[0] == "Camille Exemple"


def test_the_same_name_leaves_no_line(database: Database, luce: UUID) -> None:
    client = sign_in(app_for(database, NOW), database, luce)
    assert "Nom changé" not in post(client, "/mon-compte/nom", name="Camille Exemple")


def test_an_address_is_asked_for_and_somebody_of_the_programme_confirms(
    database: Database, luce: UUID, pat: UUID
) -> None:
    app = app_for(database, NOW)
    client, other = sign_in(app, database, luce), sign_in(app, database, pat)
    assert "Écrivez une adresse électronique complète" in post(client, "/mon-compte/adresse", email="luce@lieu")
    assert "Ce compte a déjà cette adresse" in post(client, "/mon-compte/adresse", email="LUCE@lieu.example")
    assert "Cette adresse a déjà un compte" in post(client, "/mon-compte/adresse", email="pat@lieu.example")
    said = post(client, "/mon-compte/adresse", email="luce@ailleurs.example")
    assert "L’adresse luce@ailleurs.example attend une personne du programme." in said
    assert named(database, luce)[1] == "luce@lieu.example"
    waiting = waiting_address(database, luce)
    assert waiting is not None
    with pytest.raises(Refused, match="four_eyes"):
        changes.confirm_change(database, waiting.id, by=luce, now=NOW)
    assert "un lien lui fait choisir un autre mot de passe" in other.get(f"/personnes/a-confirmer/{waiting.id}").text
    assert "luce@ailleurs.example" in post(other, f"/personnes/a-confirmer/{waiting.id}")
    # One person may hold both accounts: the password that was chosen at the old address opens nothing at the new one.
    assert named(database, luce)[1:] == ("luce@ailleurs.example", False)
    assert not signs_in(database, "luce@ailleurs.example")
    assert had_hand_in(database, luce, pat)
    with database.read() as session:
        assert [one for check in CHECKS for one in check(session)] == []


def test_who_counts_among_two_keeps_the_password_when_another_confirms(database: Database, pat: UUID) -> None:
    alice = a_person(database, Role.FINANCE_PREPARER, now=NOW, email="alice@lieu.example")
    client = sign_in(app_for(database, NOW), database, alice)
    post(client, "/mon-compte/adresse", email="alice@ailleurs.example")
    waiting = waiting_address(database, alice)
    assert waiting is not None
    changes.confirm_change(database, waiting.id, by=pat, now=NOW)
    assert named(database, alice)[1:] == ("alice@ailleurs.example", True)
    assert signs_in(database, "alice@ailleurs.example")


def test_one_takes_back_one_s_own_demand_and_no_other(database: Database, luce: UUID, pat: UUID) -> None:
    alice = a_person(database, Role.FINANCE_PREPARER, now=NOW, email="alice@lieu.example")
    app = app_for(database, NOW)
    client, other = sign_in(app, database, luce), sign_in(app, database, alice)
    post(client, "/mon-compte/adresse", email="luce@ailleurs.example")
    changes.change_address(database, alice, "alice@ailleurs.example", by=pat, now=NOW)
    assert "Retirer ma demande" not in other.get("/mon-compte/adresse").text
    assert "Aucune demande de vous n’attend" in post(other, "/mon-compte/adresse/retirer")
    assert waiting_address(database, alice) is not None
    assert "Retirer ma demande" in client.get("/mon-compte/adresse").text
    assert "Votre demande est retirée." in post(client, "/mon-compte/adresse/retirer")
    assert waiting_address(database, luce) is None


def test_the_page_says_roles_with_their_dates_and_only_those_that_hold(database: Database) -> None:
    luce = a_person(database, None, now=NOW, email="luce@lieu.example")
    changes.grant_role(database, luce, Role.AUDITOR, None, by=None, now=NOW, until_on=date(2026, 3, 31))
    page = plain(sign_in(app_for(database, NOW), database, luce).get(MINE).text)
    assert "Contrôle" in page
    assert "31 mars 2026" in page
    later = app_for(database, NOW + timedelta(days=30))
    assert "Aucun rôle." in sign_in(later, database, luce).get(MINE).text


def test_the_page_says_what_its_person_did_lately_and_nobody_else(database: Database, luce: UUID, pat: UUID) -> None:
    app = app_for(database, NOW)
    client = sign_in(app, database, luce)
    sign_in(app, database, pat)
    page = client.get(MINE).text
    assert page.count("<strong>Connexion</strong>") == 1
    assert "pat@lieu.example" not in page
    assert page.count("luce@lieu.example") == 1, "the address stands at the top, not on each line"
    for rank in range(25):
        post(client, "/mon-compte/nom", name=f"Luce Arbre {rank}")
    page = client.get(MINE).text
    assert page.count("<strong>Nom changé</strong>") == 20
    assert "Les 20 plus récentes seulement." in plain(page)
    assert str(PASSWORD_LENGTH_MIN) in page


def test_a_role_is_given_until_a_day_in_two_steps_and_prolonged(database: Database, luce: UUID, pat: UUID) -> None:
    quentin = a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    app = app_for(database, NOW)
    asker, confirmer = sign_in(app, database, pat), sign_in(app, database, quentin)
    alice = a_person(database, None, now=NOW, email="alice@lieu.example")
    there = f"/personnes/{alice}"
    form = {"role": "finance_preparer", "scope": ""}
    assert "est passé" in post(asker, f"{there}/roles", **form, until_on="2026-03-11")
    asked = post(asker, f"{there}/roles", **form, until_on="2026-03-31")
    assert "jusqu’au 31 mars 2026 compris. La demande attend" in asked
    (change_id,) = [one.id for one in waiting_changes(database)]
    page = plain(confirmer.get(f"/personnes/a-confirmer/{change_id}").text)
    assert page.count("jusqu’au 31 mars 2026 compris") == 2, "before the button, and on it"
    assert "jusqu’au 31 mars 2026 compris" in plain(confirmer.get("/personnes/a-confirmer").text)
    post(confirmer, f"/personnes/a-confirmer/{change_id}")
    assert "31 mars 2026" in plain(asker.get(there).text)
    assert "déjà ce rôle jusqu’au 31 mars 2026" in post(asker, f"{there}/roles", **form, until_on="2026-03-31")
    assert "La demande attend" in post(asker, f"{there}/roles", **form, until_on="2026-04-30")


def test_the_auditor_reads_who_had_which_role_on_a_day_and_takes_it_away(database: Database, luce: UUID) -> None:
    marc = a_person(database, None, now=NOW - timedelta(days=40), email="marc@lieu.example")
    changes.grant_role(
        database, marc, Role.AUDITOR, None, by=None, now=NOW - timedelta(days=40), until_on=date(2026, 3, 1)
    )
    auditor = sign_in(
        app_for(database, NOW), database, a_person(database, Role.AUDITOR, now=NOW, email="a@lieu.example")
    )
    today = auditor.get("/personnes/roles").text
    assert 'href="/personnes/moi"' in today, "one's own page is reached from every other"
    assert "luce@lieu.example" in today
    assert "marc@lieu.example" not in today
    then = plain(auditor.get("/personnes/roles?jour=2026-03-01").text)
    assert "Rôles le 1er mars 2026" in then
    assert "marc@lieu.example" in then
    assert "luce@lieu.example" not in then
    assert f"/personnes/{marc}" not in then, "the programme alone opens a person's page"
    assert "Ce jour n’est pas encore venu." in auditor.get("/personnes/roles?jour=01/01/2027").text
    assert "n’est pas un jour qui se lit ici." in auditor.get("/personnes/roles?jour=31/02/2026").text
    kept = auditor.get("/personnes/roles?jour=2026-03-01&format=csv")
    assert "roles-2026-03-01.csv" in kept.headers["Content-Disposition"]
    heading, row = kept.get_data(as_text=True).lstrip("\ufeff").splitlines()
    assert heading.startswith("Personne;Adresse;Rôle;Pour;Donné;Donné par;Confirmé par;Dernier jour;Fini")
    assert row.startswith("Camille Exemple;marc@lieu.example;Contrôle;tout le programme;")
