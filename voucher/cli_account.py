"""Commands on accounts, for whoever runs the host: the first accounts, and a link where no e-mail can go.

None takes a password: each prints a one-time link, with which the person chooses it. All is in the trail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from voucher.access.accounts import NewAccount, open_account
from voucher.access.links import print_link
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import Settings


@click.group(help="Les comptes du personnel : les premiers, et un lien là où aucun courriel ne part.")
def account() -> None:
    """Gather the commands on accounts."""


@account.command("open", help="Ouvre un compte et écrit le lien avec lequel sa personne choisit son mot de passe.")
@click.argument("email", metavar="ADRESSE")
@click.argument("name", metavar="NOM")
def open_command(email: str, name: str) -> None:
    """Open an account; print its one-time link."""
    with _house() as (database, settings, now):
        open_account(database, NewAccount(new_id(), email, name), by=None, now=now)
        click.echo(f"Le compte de {name} est ouvert.")
        _say_link(database, settings, email, now)


@account.command("link", help="Écrit un lien à usage unique, pour choisir un mot de passe. La personne en est avertie.")
@click.argument("email", metavar="ADRESSE")
def link_command(email: str) -> None:
    """Print a one-time link for an account."""
    with _house() as (database, settings, now):
        _say_link(database, settings, email, now)


def _say_link(database: Database, settings: Settings, email: str, now: datetime) -> None:
    path = print_link(database, email, now=now)
    click.echo("Donnez ce lien à la personne, à elle seule. Il sert une fois :")
    click.echo(f"{settings.base_url.rstrip('/')}{path}")


@contextmanager
def _house() -> Iterator[tuple[Database, Settings, datetime]]:
    settings = Settings()  # type: ignore[call-arg]  # pydantic fills it from the environment
    database = Database(settings.database_url)
    try:
        yield database, settings, datetime.now(UTC)
    except Refused as refused:
        raise click.ClickException(refused.sentence) from None
    finally:
        database.dispose()


COMMANDS = (account,)
