"""`voucher`: its help loads nothing, its database is opened one way, and what stops a command is a sentence."""

import ast
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import voucher
from tests.test_settings import COMMANDS
from voucher.cli.environment import sentence_of
from voucher.cli.lazy import LazyGroup
from voucher.cli.main import main
from voucher.kernel.refusals import Refused
from voucher.kernel.sealed_secret import SealBroken
from voucher.kernel.settings import WrongSettings
from voucher.ledger.chart_file import WrongChart

FOLDER = Path(voucher.__path__[0]) / "cli"


def imported_by(words: str) -> set[str]:
    """Return the modules that a command line has loaded when it ends, beside Python's own."""
    program = (
        "import sys; from voucher.cli.main import main\n"
        f"try: main({words.split()!r})\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split()) - set(sys.stdlib_module_names)


def test_the_help_loads_no_room_and_no_library_but_click() -> None:
    loaded = imported_by("--help")
    assert {name for name in loaded if name.startswith("voucher.")} == {
        "voucher.cli",
        "voucher.cli.lazy",
        "voucher.cli.main",
    }
    assert loaded.isdisjoint({"sqlalchemy", "pydantic"})


def test_a_command_without_database_loads_none() -> None:
    chart = Path(voucher.__path__[0]).parent / "docs" / "plan-comptable.toml"
    assert imported_by(f"chart check {chart}").isdisjoint({"voucher.kernel.database", "psycopg", "alembic"})


def groups(group: LazyGroup) -> list[LazyGroup]:
    """Return a group and all those in it whose commands are loaded when they are called."""
    found = [group]
    for name in group.table:
        command = group.get_command(click.Context(group), name)
        found += groups(command) if isinstance(command, LazyGroup) else []
    return found


def test_the_help_of_a_group_says_of_each_command_what_its_own_help_begins_with() -> None:
    assert isinstance(main, LazyGroup)
    assert len(groups(main)) == 2
    for group in groups(main):
        for name, (_, line) in group.table.items():
            command = group.get_command(click.Context(group), name)
            assert command is not None
            assert command.name == name
            assert (command.help or "").startswith(line), name
            assert line in " ".join(CliRunner().invoke(group, ["--help"], terminal_width=200).output.split())


def test_every_command_of_every_file_is_in_a_table() -> None:
    known = {name for words in COMMANDS for name in words}
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == "COMMANDS"
            ):
                module = __import__(f"voucher.cli.{path.stem}", fromlist=["COMMANDS"])
                assert {command.name for command in module.COMMANDS} <= known, path.name


def test_a_database_is_opened_in_one_place_and_refusals_are_said_in_one() -> None:
    opening, catching = set(), set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Database":
                opening.add(path.name)
            if isinstance(node, ast.ExceptHandler) and node.type is not None and "Refused" in ast.unparse(node.type):
                catching.add(path.name)
    assert opening == {"environment.py"}
    assert catching == set()  # environment.sentence_of says them; Commands.invoke asks it


@pytest.mark.parametrize(
    "error, said",
    [
        (Refused("no", "Dites pourquoi."), "Dites pourquoi."),
        (WrongSettings(["PASS_PORT : un nombre"]), "Des réglages ne vont pas. Voyez le README.\n  PASS_PORT : un nombre"),
        (SealBroken("key 1"), "La clé de signature ne s’ouvre pas."),
        (WrongChart(["4671 manque"]), "4671 manque"),
    ],
)  # fmt: skip
def test_what_stops_any_command_is_said_without_a_trace_of_calls(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def stopped(_: str) -> None:
        raise error

    monkeypatch.setattr("voucher.cli.migrate.upgrade", stopped)
    done = CliRunner().invoke(main, ["migrate"])
    assert done.exit_code == 1
    assert f"Error: {said}" in done.output
    assert isinstance(done.exception, SystemExit)


def test_a_bug_keeps_its_trace_of_calls() -> None:
    assert sentence_of(KeyError("x")) is None
