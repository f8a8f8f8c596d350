"""`voucher issue`, `voucher print`, `voucher lapse`: what a person types on the server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from tests.builders import NOW, SOMEONE, Agreed, an_agreement
from tests.clients import MASTER_KEY
from tests.listed import listed
from voucher.access.read_trail import trail
from voucher.cli.main import main
from voucher.issuing.model import IssueBatch, Voucher
from voucher.issuing.order import order_vouchers
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.programme.model import Agreement

Command = Callable[..., Result]


@pytest.fixture
def voucher(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run `voucher …` on the test's database, as an operator's environment sets it up."""
    monkeypatch.setenv("PASS_DATABASE_URL", sqlite_database.url)
    monkeypatch.setenv("PASS_SECRET_KEY", "a secret for tests alone, thirty-two bytes")
    monkeypatch.setenv("PASS_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("PASS_DATA_FOLDER", str(tmp_path))
    return lambda *words: CliRunner().invoke(main, list(words))


def number_of(database: Database, agreed: Agreed) -> str:
    with database.read() as session:
        return session.scalars(select(Agreement.number).where(Agreement.id == agreed.agreement_id)).one()


def made_count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Voucher)) or 0


def test_an_order_is_issued_once_and_printed(sqlite_database: Database, voucher: Command, tmp_path: Path) -> None:
    number, order_id = number_of(sqlite_database, an_agreement(sqlite_database)), str(new_id())
    for _ in range(2):
        issued = voucher("issue", number, "--vouchers", "30", "--order", order_id)
        assert issued.exit_code == 0, issued.output
        assert "3 carnets, 30 chèques, 300,00\u00a0€" in issued.output
    assert made_count(sqlite_database) == 30
    printed = voucher("print", order_id, "--processes", "1")
    assert printed.exit_code == 0, printed.output
    assert len(list((tmp_path / "carnets" / order_id).glob("*.pdf"))) == 1


def test_resume_makes_what_was_ordered_and_not_made(sqlite_database: Database, voucher: Command) -> None:
    agreed = an_agreement(sqlite_database)
    for _ in range(2):
        order_vouchers(sqlite_database, new_id(), agreed.agreement_id, 2, by=SOMEONE, now=NOW)
    assert made_count(sqlite_database) == 0
    assert "plus rien à fabriquer" in voucher("issue", "--resume").output
    assert made_count(sqlite_database) == 40
    assert "Il n’y a rien à fabriquer." in voucher("issue", "--resume").output


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("issue", "INCONNUE", "--booklets", "1"), "Aucune convention ne porte le numéro INCONNUE."),
        (("issue", "{number}", "--vouchers", "15"), "Commandez-en 10 ou 20."),
        (("issue", "{number}"), "Donnez --booklets ou --vouchers"),
        (("issue",), "Donnez le numéro de la convention"),
        (("issue", "{number}", "--booklets", "1001"), "Le crédit ne suffit pas."),
        (("print", "01890000-0000-7000-8000-000000000009"), "Cette commande n’existe pas."),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    sqlite_database: Database, voucher: Command, words: tuple[str, ...], sentence: str
) -> None:
    number = number_of(sqlite_database, an_agreement(sqlite_database))
    refused = voucher(*(word.format(number=number) for word in words))
    assert refused.exit_code != 0
    assert sentence in " ".join(refused.output.split())
    with sqlite_database.read() as session:
        assert session.scalars(select(IssueBatch.id)).all() == []


def test_a_master_key_that_does_not_open_the_signing_key_is_said(
    sqlite_database: Database, voucher: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = number_of(sqlite_database, an_agreement(sqlite_database))
    monkeypatch.setenv("PASS_MASTER_KEY", "1e" * 32)
    refused = voucher("issue", number, "--booklets", "1")
    assert refused.exit_code == 1
    assert "Vérifiez PASS_MASTER_KEY" in refused.output


def test_lapsing_when_nothing_ends_says_so(sqlite_database: Database, voucher: Command) -> None:
    assert "Aucun chèque n’arrive au bout de sa validité." in voucher("lapse").output


def test_a_stolen_key_is_revoked_once(sqlite_database: Database, voucher: Command) -> None:
    key_id = str(an_agreement(sqlite_database).key_id)
    assert "est révoquée" in voucher("revoke-key", key_id, "--yes").output
    assert "déjà révoquée" in voucher("revoke-key", key_id, "--yes").output


def test_a_retired_key_signs_no_more_and_can_still_be_revoked(sqlite_database: Database, voucher: Command) -> None:
    agreed = an_agreement(sqlite_database)
    assert "ne signe plus" in voucher("retire-key", str(agreed.key_id)).output
    assert "Il n’y a rien à faire" in voucher("retire-key", str(agreed.key_id)).output
    assert "n’a pas de clé" in voucher("issue", number_of(sqlite_database, agreed), "--booklets", "1").output
    assert "est révoquée" in voucher("revoke-key", str(agreed.key_id), "--yes").output


def test_ordering_printing_codes_and_revoking_a_key_leave_a_line_in_the_trail(
    sqlite_database: Database, voucher: Command
) -> None:
    agreed, order_id = an_agreement(sqlite_database), str(new_id())
    voucher("issue", number_of(sqlite_database, agreed), "--booklets", "1", "--order", order_id)
    voucher("print", order_id, "--processes", "1")
    voucher("revoke-key", str(agreed.key_id), "--yes")
    lines, _ = listed(trail(sqlite_database, Asked(limit=10)))
    assert [line.action for line in lines] == ["Commander des chèques", "carnets imprimés", "clé de signature révoquée"]
    assert all(order_id in line.subject for line in lines[:2])
