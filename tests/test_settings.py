"""A wrong setting says its sentence, naming the variable and what to write: in every command, and where the pages are served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.clients import MASTER_KEY
from voucher.cli.main import main
from voucher.kernel.addresses import DISCOVERY_PATH
from voucher.kernel.settings import Settings
from wsgi import CANNOT_START, create_app

GOOD = {"PASS_SECRET_KEY": "a secret for tests alone, thirty-two bytes", "PASS_MASTER_KEY": MASTER_KEY}
NOT_UTF8 = "\udcff"
NUMBERS = ["", "beaucoup", "-1", "1e9", "9" * 30]
REALS = ["", "beaucoup", "-1", "0", "nan", "inf"]
WORDS = ["", "   ", "deux\nlignes", "x" * 200, NOT_UTF8]
# What no installation can mean, for each setting: one that is added without its line here fails.
BAD = {
    "database_url": ["", "pass.sqlite3", "mysql://pass@/pass", "sqlite://", "sqlite:///:memory:", "postgresql://a:p@h:x/y"],
    "base_url": ["", "pass.example", "ftp://pass.example", "https://pass.example/chemin", "https://bien-trop-long.pass.example"],
    "relying_party_id": ["", "192.0.2.7", "[::1]", "com", "autre.example", "127.0.0.1", "https://localhost"],
    "secret_key": ["", "trop courte", NOT_UTF8 * 40],
    "master_key": ["", "0f" * 31, "zz" * 32],
    "is_demo": ["", "peut-être"],
    "second_factor_required": ["", "peut-être"],
    "proxy_count": [*NUMBERS, "10", "1.5"],
    "data_folder": ["/dev/null"],
    "programme_name": WORDS,
    "help_contact": WORDS,
    "help_phone": WORDS,
    "smtp_url": ["", "http://mail.example", "smtp://", "smtp://moi:secret/suite@mail.example:587"],
    "mail_from": ["", "personne", "deux @pass.example", "a@b@c", "x@pass.example\nBcc: y@pass.example"],
    "provider_client_id": ["un-seul-des-trois", "é", "deux\nlignes", "x" * 600, NOT_UTF8],
    "provider_client_secret": ["un seul des trois", NOT_UTF8],
    "provider_discovery_url": [
        f"https://fournisseur.example{DISCOVERY_PATH}", "fournisseur.example", "https://fournisseur.example",
        f"http://fournisseur.example{DISCOVERY_PATH}", f"https://moi:secret@fournisseur.example{DISCOVERY_PATH}",
        f"ftp://fournisseur.example{DISCOVERY_PATH}", f"https://[{DISCOVERY_PATH}", NOT_UTF8,
    ],
    "provider_levels": ["", "  ", "é", "deux\nlignes", "x" * 600, NOT_UTF8],
    "provider_max_age": ["", "peut-être"],
    "chart_file": ["", "/nulle/part.toml"],
    "database_pool_size": [*NUMBERS, "0", "1001"],
    "database_connect_seconds": [*NUMBERS, "1", "61"],
    "database_pool_seconds": [*REALS, "61"],
    "database_statement_seconds": [*REALS, "301"],
    "database_long_seconds": [*REALS, "1e9"],
    "database_tcp_seconds": [*NUMBERS, "1", "301"],
    "wrong_codes_alarm": [*NUMBERS, "0", "1000001"],
    "revenue_order_days": [*NUMBERS, "0", "3651"],
    "statement_days": [*NUMBERS, "0", "367"],
    "backing_alert_percent": [*NUMBERS, "0", "101", "94"],
    "backing_stop_percent": [*NUMBERS, "0", "101"],
    "redemption_undo_minutes": [*NUMBERS, "0", "1441"],
    "idle_finance_minutes": [*NUMBERS, "0", "721"],
    "idle_counter_minutes": [*NUMBERS, "0", "721"],
    "idle_minutes": [*NUMBERS, "0", "721"],
}  # fmt: skip


def leaves(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *before, name)
        else:
            yield (*before, name), command


COMMANDS = dict(leaves(main))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PASS_") and name.lower()[5:] in Settings.model_fields]:
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PASS_DATABASE_URL", f"sqlite:///{tmp_path}/pass.sqlite3")
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def is_said(result: Result, name: str) -> bool:
    """Whether a command ended with a line that names the variable and what to write, in French, and no trace of calls."""
    lines = [line for line in result.output.splitlines() if line.startswith(f"  {name} : ")]
    is_english = any(word in result.output for word in ("Input", "should", "valid", "Value error", "Traceback"))
    return result.exit_code == 1 and len(lines) == 1 and isinstance(result.exception, SystemExit) and not is_english


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_command_says_which_setting_is_wrong_and_what_to_write(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable = f"PASS_{name.upper()}"
    for value in BAD[name]:
        monkeypatch.setenv(variable, value)
        deaf = [words for words in COMMANDS if not is_said(run(*words), variable)]
        assert deaf == [], repr(value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_pages_do_not_start_on_a_wrong_setting_and_say_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for value in BAD[name]:
        monkeypatch.setenv(f"PASS_{name.upper()}", value)
        with pytest.raises(SystemExit) as ended:
            create_app()
        assert ended.value.code == CANNOT_START
        assert f"PASS_{name.upper()} : " in capsys.readouterr().err


def test_what_a_wrong_setting_holds_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in (
        ("PASS_SECRET_KEY", "trop courte"),
        ("PASS_MASTER_KEY", "motdepasse"),
        ("PASS_SMTP_URL", "smtp://moi:motdepasse/suite@mail.example:587"),
        ("PASS_DATABASE_URL", "postgresql://moi:5/motdepasse@serveur:x/base"),
    ):
        with monkeypatch.context() as here:
            here.setenv(name, secret)
            said = run("verify").output
        assert name in said
        assert "motdepasse" not in said
        assert "trop courte" not in said


def test_gunicorn_stops_at_once_with_the_sentence_and_no_trace_of_calls() -> None:
    command = [sys.executable, "-m", "gunicorn", "wsgi:create_app()", "--bind", "127.0.0.1:0", "--no-control-socket"]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        command, cwd=root, env=os.environ | {"PASS_PROXY_COUNT": "dix"}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == CANNOT_START
    assert "  PASS_PROXY_COUNT : écrivez un nombre entier de 0 à 9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_chart_of_accounts_that_is_wrong_is_said_before_the_pages_are_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "plan.toml").write_text("[comptes.9999]\nnumero = '1'\n")
    monkeypatch.setenv("PASS_CHART_FILE", str(tmp_path / "plan.toml"))
    said = run("serve")
    assert said.exit_code == 1
    assert "  PASS_CHART_FILE : " in said.output


GIVEN = {
    "siren": "552100554",
    "year": "2026",
    "email": "luce@mairie.example",
    "name": "Luce Exemple",
    "role": "auditor",
}


def arguments_of(command: click.Command, file: Path) -> Iterator[str]:
    """Give a command what it must be given, of the right kind."""
    for one in command.params:
        if isinstance(one, click.Argument) or one.required:
            if isinstance(one, click.Option):
                yield one.opts[0]
            if isinstance(one.type, click.Path):
                yield str(file)
            elif isinstance(one.type, click.types.UUIDParameterType):
                yield "00000000-0000-7000-8000-000000000001"
            else:
                yield GIVEN.get(str(one.name), "1")
    yield from (one.opts[0] for one in command.params if one.name in {"in_clear", "once", "yes", "no_serve"})


# What reads no database of the environment, or a file before it: a chart, a FEC, a key, an archive; gunicorn's and the demonstration's.
OPENS_NONE = {("chart", "check"), ("fec", "check"), ("key",), ("import", "takeover"), ("serve",), ("demo",)}


@pytest.mark.parametrize("url", ["sqlite:////dev/null/pass.sqlite3", "postgresql://pass@127.0.0.1:1/pass"])
@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in OPENS_NONE], ids=" ".join)
def test_a_database_that_does_not_open_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], url: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PASS_DATABASE_URL", url)
    said = run(*words, *arguments_of(COMMANDS[words], tmp_path / "file"))
    assert (said.exit_code, type(said.exception)) == (1, SystemExit), (said.output, said.exception)
    assert "PASS_DATABASE_URL" in said.output


@pytest.mark.parametrize("words", [("verify",), ("lapse",), ("work", "--once"), ("issue", "--resume")], ids=" ".join)
def test_tables_that_are_not_there_are_said(words: tuple[str, ...]) -> None:
    said = run(*words)
    assert (said.exit_code, type(said.exception)) == (1, SystemExit), (said.output, said.exception)
    assert "voucher migrate" in said.output
