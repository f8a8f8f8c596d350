"""Commands on accounts, for whoever runs the host: the first accounts, and a link where no e-mail can go.

None takes a password: each prints a one-time link, with which the person chooses it. All is in the trail.
"""

from datetime import UTC, datetime
from uuid import UUID

import click

from voucher.access.accounts import NewAccount, open_account
from voucher.access.changes import ask_reset, grant_role, stand_in
from voucher.access.find import open_account_at
from voucher.access.links import print_link
from voucher.access.read_changes import waiting_changes
from voucher.access.rules import ROLE_NAMES, SCOPED_ROLES, Role
from voucher.cli.environment import open_database
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.settings import Settings
from voucher.startup import settings_of_environment

ROLES = [str(role) for role in Role if role not in SCOPED_ROLES]


@click.group(help="Les comptes du personnel : les premiers, et un lien là où aucun courriel ne part.")
def account() -> None:
    """Gather the commands on accounts."""


@account.command("open", help="Ouvre un compte et écrit le lien avec lequel sa personne choisit son mot de passe.")
@click.argument("email", metavar="ADRESSE")
@click.argument("name", metavar="NOM")
@click.option(
    "--role", type=click.Choice(ROLES), help="Rôle pour tout le programme. Les autres se donnent sur les pages."
)
def open_command(email: str, name: str, role: str | None) -> None:
    """Open an account, perhaps with a role; print its one-time link."""
    settings, now = settings_of_environment(), datetime.now(UTC)
    with open_database(settings) as database:
        account_id = open_account(database, NewAccount(new_id(), email, name), by=None, now=now)
        click.echo(f"Le compte de {name} est ouvert.")
        if role is not None:
            waiting = grant_role(database, account_id, Role(role), None, by=None, now=now)
            given = "est donné" if waiting is None else "attend qu’une personne du programme le confirme sur sa page"
            click.echo(f"Le rôle « {ROLE_NAMES[Role(role)]} » {given}.")
        _say_link(database, settings, email, now)


@account.command("link", help="Écrit un lien à usage unique, pour choisir un mot de passe. La personne en est avertie.")
@click.argument("email", metavar="ADRESSE")
def link_command(email: str) -> None:
    """Print a one-time link for an account."""
    settings, now = settings_of_environment(), datetime.now(UTC)
    with open_database(settings) as database:
        _say_link(database, settings, email, now)


@account.command(
    "confirm", help="Confirme une demande quand le programme n’a personne d’autre. Sans numéro, écrit ce qui attend."
)
@click.argument("change", metavar="[NUMÉRO]", required=False, type=click.UUID)
def confirm_command(change: UUID | None) -> None:
    """Stand in for the second person of the programme, where there is none; or list what waits."""
    with open_database(settings_of_environment()) as database:
        if change is not None:
            stand_in(database, change, now=datetime.now(UTC))
            click.echo("La demande est confirmée. Le journal des accès dit qu’elle l’a été sur le serveur.")
            return
        waiting = waiting_changes(database)
        for one in waiting:
            asked = f"demandé par {one.asked_by_name or 'le serveur'} le {french_instant(one.asked_at)}"
            click.echo(f"{one.id}  {one.name} ({one.known_email}) : {one.what}, {asked}")
        if not waiting:
            click.echo("Rien n’attend.")


@account.command(
    "reset",
    help="Téléphone perdu : demande la remise à zéro de la deuxième preuve. Faite ici quand le programme n’a personne d’autre.",
)
@click.argument("email", metavar="ADRESSE")
def reset_command(email: str) -> None:
    """Ask that a person's second factors be reset; done at once where nobody of the programme could confirm."""
    with open_database(settings_of_environment()) as database:
        waiting = ask_reset(database, open_account_at(database, email), by=None, now=datetime.now(UTC))
    if waiting is None:
        click.echo(
            "La deuxième preuve est remise à zéro. La personne se connecte avec son mot de passe, puis en ajoute une."
        )
    else:
        click.echo("La demande attend qu’une personne du programme la confirme sur sa page « À confirmer ».")


def _say_link(database: Database, settings: Settings, email: str, now: datetime) -> None:
    path = print_link(database, email, now=now)
    click.echo("Donnez ce lien à la personne, à elle seule. Il sert une fois :")
    click.echo(f"{settings.base_url.rstrip('/')}{path}")


COMMANDS = (account,)
