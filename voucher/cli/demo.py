"""The demonstration: makes everything that it needs, then serves the pages."""

import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

import click

from voucher.access.rules import ROLE_NAMES
from voucher.cli.environment import open_database
from voucher.cli.numbers import Count
from voucher.cli.serve import run_server
from voucher.demonstration import DEMO_PASSWORD, DEMO_STAFF, SECOND_OF_PROGRAMME, fill
from voucher.demonstration.fill import is_filled
from voucher.kernel.database import Database
from voucher.kernel.migrations import upgrade
from voucher.kernel.settings import Settings
from voucher.startup import settings_of_environment

DEMO_FOLDER = Path("var/demo")
OWNER_ONLY = 0o600


@click.command(help="Démonstration : prépare tout ce qu’il faut, puis sert les pages sur 127.0.0.1.")
@click.option("--port", default=8000, show_default=True, type=Count(1, 65535), help="Port local.")
@click.option("--reset", is_flag=True, help="Efface la démonstration et en refait une neuve.")
@click.option("--no-serve", is_flag=True, help="Prépare sans servir.")
def demo(port: int, reset: bool, no_serve: bool) -> None:
    """Prepare the demonstration once, say where it is, serve it until interrupted."""
    if reset and DEMO_FOLDER.exists():
        shutil.rmtree(DEMO_FOLDER)
    os.environ.update(_demo_environment(port))
    settings = settings_of_environment()
    upgrade(settings.database_url)
    with open_database(settings) as database:
        if is_filled(database):
            click.echo("La démonstration existe déjà : elle est gardée. « make demo-reset » en refait une.")
        else:
            _fill_whole(database, settings)
    _tell(settings)
    if not no_serve:
        run_server(f"127.0.0.1:{port}")


def _fill_whole(database: Database, settings: Settings) -> None:
    click.echo("Un programme réaliste se prépare : trois conventions, soixante lieux, 5 000 chèques…")
    started = datetime.now(UTC)
    try:
        master_secret = bytes.fromhex(settings.master_key.get_secret_value())
        fill(database, master_secret=master_secret, base_url=settings.base_url, now=started)
    except BaseException:
        # A demonstration that is cut short is deleted: the next start would take it for complete.
        database.dispose()
        shutil.rmtree(DEMO_FOLDER, ignore_errors=True)
        raise
    click.echo(f"Prêt en {(datetime.now(UTC) - started).seconds} s.")


def _demo_environment(port: int) -> dict[str, str]:
    """Return the demonstration's settings; its secrets are made once and kept in a file that its owner alone reads."""
    DEMO_FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = DEMO_FOLDER / "secrets.env"
    if not path.exists():
        path.touch(OWNER_ONLY)
        path.write_text(f"PASS_SECRET_KEY={secrets.token_hex(32)}\nPASS_MASTER_KEY={secrets.token_hex(32)}\n")
    kept = dict(line.split("=", 1) for line in path.read_text().splitlines() if line)
    return {
        **kept,
        "PASS_DATABASE_URL": f"sqlite:///{DEMO_FOLDER}/pass.sqlite3",
        "PASS_DATA_FOLDER": str(DEMO_FOLDER),
        "PASS_BASE_URL": f"http://127.0.0.1:{port}",
        "PASS_IS_DEMO": "true",
    }


def _tell(settings: Settings) -> None:
    click.echo(f"\n  Adresse              {settings.base_url}/")
    click.echo(f"  Personnel            {settings.base_url}/personnes/connexion")
    click.echo(f"  Avec une clé d’accès {settings.relying_party.origin}/personnes/connexion")
    click.echo(f"  Mot de passe de tous {DEMO_PASSWORD}")
    click.echo("  Deuxième preuve      à essayer dans « Mon compte » ; ici, aucun rôle ne la demande\n")
    for role, (email, name) in DEMO_STAFF.items():
        click.echo(f"  {ROLE_NAMES[role]:<24} {email:<32} {name}")
    click.echo(f"  {'Programme, qui confirme':<24} {SECOND_OF_PROGRAMME[0]:<32} {SECOND_OF_PROGRAMME[1]}")
    click.echo(
        f"\n  Les secrets de la démonstration sont dans {DEMO_FOLDER}/secrets.env : ils ne valent que pour elle.\n"
    )


COMMANDS = (demo,)
