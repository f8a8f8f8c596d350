"""Where a person lands, and the main menu by sections."""

import pytest

from tests.clients import PASSWORD, a_person, app_for, csrf_token, signed_in_client
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.web.shell import Link, Section, Shell

PAY, BATCHES = Link("À faire", "/pay/", is_exact=True, group="Finances"), Link("Lots", "/pay/lots/", group="Finances")
BOARD = Link("Tableau", "/board/")
TRAIL = Link("Journal", "/people/trail", group="Accès")
SHELL = Shell(nav=(BOARD, PAY, TRAIL, BATCHES))


def test_links_of_a_group_make_one_section_and_a_group_of_one_is_its_link() -> None:
    assert SHELL.sections("/board/") == [
        Section("Tableau", "/board/", is_current=True),
        Section("Finances", "/pay/", is_current=False, links=(PAY, BATCHES)),
        Section("Journal", "/people/trail", is_current=False),
    ]


@pytest.mark.parametrize("path", ["/pay/", "/pay/lots/7", "/pay/anything"])
def test_a_section_is_current_on_every_page_below_it(path: str) -> None:
    assert [one.label for one in SHELL.sections(path) if one.is_current] == ["Finances"]


def test_the_page_in_view_is_one_link_of_the_menu() -> None:
    people, roles = Link("Personnes", "/people/", group="Accès"), Link("Rôles", "/people/roles", group="Accès")
    shell = Shell(nav=(people, roles))
    assert [shell.sections(path)[0].current for path in ("/people/7", "/people/roles")] == [people, roles]
    assert SHELL.sections("/pay/anything")[1].current is None


@pytest.mark.parametrize(
    ("role", "home"),
    [
        (Role.FINANCE_PREPARER, "/finances/"),
        (Role.FINANCE_APPROVER, "/finances/"),
        (Role.AUDITOR, "/tableau/"),
        (Role.PROGRAMME, "/tableau/"),
    ],
)
def test_each_role_lands_on_its_own_first_page(sqlite_database: Database, role: Role, home: str) -> None:
    a_person(sqlite_database, role, email="camille@lieu.example")
    client = app_for(sqlite_database).test_client()
    token = csrf_token(client.get("/personnes/connexion").get_data(as_text=True))
    form = {"csrf_token": token, "email": "camille@lieu.example", "password": PASSWORD}
    assert client.post("/personnes/connexion", data=form).headers["Location"] == home


def test_the_menu_of_a_preparer_has_three_entries_and_the_pages_of_its_section(sqlite_database: Database) -> None:
    client = signed_in_client(app_for(sqlite_database), sqlite_database, Role.FINANCE_PREPARER)
    menu = client.get("/finances/").get_data(as_text=True).split('id="menu"')[1].split("</nav>")[0]
    assert menu.count("<li>") + menu.count('<li class="section') == 3 + 9
    assert '<a href="/finances/" aria-current="true">Finances</a>' in menu
    assert '<a href="/finances/" aria-current="page">À faire</a>' in menu
    assert ">Structures</a>" in menu
