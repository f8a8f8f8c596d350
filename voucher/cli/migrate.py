"""The command that brings a database to the newest schema."""

import click

from voucher.kernel.migrations import upgrade
from voucher.kernel.settings import read_database_url


@click.command(help="Amène la base à son dernier schéma.")
def migrate() -> None:
    """Run the migrations that this database has not seen."""
    upgrade(read_database_url())
    click.echo("La base est à jour.")


COMMANDS = (migrate,)
