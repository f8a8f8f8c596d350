"""`voucher account …`: the first accounts, a link without e-mail, the second person where the programme has one person."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from tests.clients import MASTER_KEY, a_person
from tests.factors import add_totp
from tests.listed import listed
from voucher.access import changes, links, sessions
from voucher.access.factors.held import factors_of
from voucher.access.read import people
from voucher.access.read_changes import waiting_changes
from voucher.access.read_trail import trail
from voucher.access.rules import Role
from voucher.cli.account import account
from voucher.cli.main import main
from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked

Command = Callable[..., Result]
CHOSEN = "trois noix sous la lanterne"


@pytest.fixture
def voucher(database: Database, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `voucher account …` on the test's database, as an operator's environment sets it up."""
    monkeypatch.setenv("PASS_DATABASE_URL", database.url)
    monkeypatch.setenv("PASS_SECRET_KEY", "a secret for tests alone, thirty-two bytes")
    monkeypatch.setenv("PASS_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("PASS_BASE_URL", "https://pass.example/")
    return lambda *words: CliRunner().invoke(main, ["account", *words])


def use_printed(database: Database, said: Result) -> None:
    assert said.exit_code == 0, said.output
    token = re.search(r"^https://pass\.example/personnes/lien/([\w-]{43})$", said.output, re.MULTILINE)
    assert token is not None
    links.use_link(database, token[1], CHOSEN, now=datetime.now(UTC))


def roles_of(database: Database) -> dict[str, list[Role]]:
    found, _ = listed(people(database, Asked(sort="email", limit=9), now=datetime.now(UTC)))
    return {row.email: [role for role, _ in row.roles] for row in found}


def test_the_first_accounts_come_from_the_command_line(database: Database, voucher: Command) -> None:
    said = voucher("open", "pat@lieu.example", "Pat Roy", "--role", "programme")
    assert "Le rôle « Programme » est donné." in said.output
    use_printed(database, said)
    assert sessions.sign_in(database, "pat@lieu.example", CHOSEN, now=datetime.now(UTC))
    second = voucher("open", "quentin@lieu.example", "Quentin Noël", "--role", "programme")
    assert "attend qu’une personne du programme le confirme" in second.output
    (waiting,) = waiting_changes(database)
    refused = voucher("confirm", str(waiting.id))
    assert refused.exit_code == 1
    assert "Pat Roy" in refused.output
    assert roles_of(database) == {"pat@lieu.example": [Role.PROGRAMME], "quentin@lieu.example": []}


def test_the_host_confirms_for_a_programme_of_one_and_the_trail_says_so(database: Database, voucher: Command) -> None:
    pat = a_person(database, Role.PROGRAMME, email="pat@lieu.example")
    assert voucher("confirm").output == "Rien n’attend.\n"
    use_printed(database, voucher("open", "alice@lieu.example", "Alice Roy"))
    found, _ = listed(people(database, Asked(sort="email", limit=9, filters={"name": "alice"}), now=datetime.now(UTC)))
    waiting = changes.grant_role(database, found[0].id, Role.FINANCE_PREPARER, None, by=pat, now=datetime.now(UTC))
    assert f"{waiting}  Alice Roy (alice@lieu.example) : le rôle « Finances, préparation »" in voucher("confirm").output
    assert voucher("confirm", str(waiting)).exit_code == 0
    assert roles_of(database)["alice@lieu.example"] == [Role.FINANCE_PREPARER]
    lines, _ = listed(trail(database, Asked(descending=True, limit=9, filters={"action": "confirmée"})))
    assert [line.who for line in lines] == ["le système"]


def test_a_lost_password_is_a_printed_link_and_the_trail_says_so(database: Database, voucher: Command) -> None:
    a_person(database, Role.AUDITOR, email="lea@lieu.example")
    use_printed(database, voucher("link", "Lea@lieu.example"))
    assert sessions.sign_in(database, "lea@lieu.example", CHOSEN, now=datetime.now(UTC))
    lines, _ = listed(trail(database, Asked(descending=True, limit=9, filters={"action": "affiché"})))
    assert [line.subject for line in lines] == ["lea@lieu.example"]
    unknown = voucher("link", "personne@lieu.example")
    assert unknown.exit_code == 1
    assert "Aucun compte ouvert n’a cette adresse." in unknown.output


def test_no_command_on_accounts_takes_a_password() -> None:
    names = {str(param.name) for command in account.commands.values() for param in command.params}
    assert names == {"email", "name", "role", "change"}


def test_the_host_resets_a_lost_phone_where_the_programme_has_nobody_else(database: Database, voucher: Command) -> None:
    now = datetime.now(UTC)
    pat = a_person(database, Role.PROGRAMME, email="pat@lieu.example")
    luce = a_person(database, Role.AUDITOR, email="luce@lieu.example")
    assert "Cette personne n’a pas de deuxième preuve" in voucher("reset", "luce@lieu.example").output
    assert "Aucun compte ouvert n’a cette adresse." in voucher("reset", "personne@lieu.example").output
    for one in (pat, luce):
        add_totp(database, one, now)
    assert "attend qu’une personne du programme la confirme" in voucher("reset", "luce@lieu.example").output
    (waiting,) = waiting_changes(database)
    assert f"{waiting.id}  Camille Exemple (luce@lieu.example) : la remise à zéro" in voucher("confirm").output
    assert "Une autre personne du programme doit confirmer" in voucher("confirm", str(waiting.id)).output
    assert "est remise à zéro" in voucher("reset", "pat@lieu.example").output
    assert [factors_of(database, one).is_any for one in (pat, luce)] == [False, True]
