"""The command line: `voucher …`. Each topic's commands stand in a file of their own and are gathered here."""

import os
from typing import Any

import click
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DBAPIError

from voucher.cli import account as cli_account
from voucher.cli import accounting as cli_accounting
from voucher.cli import books as cli_books
from voucher.cli import proof as cli_proof
from voucher.cli import serve as cli_serve
from voucher.cli import takeover as cli_takeover
from voucher.cli import vouchers as cli_vouchers
from voucher.cli import work as cli_work
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import WrongSettings, refuse_wrong_settings

OTHERS_NOTHING = 0o077
COMMANDS = (
    *cli_account.COMMANDS,
    *cli_books.COMMANDS,
    *cli_accounting.COMMANDS,
    *cli_vouchers.COMMANDS,
    *cli_serve.COMMANDS,
    *cli_work.COMMANDS,
    *cli_proof.COMMANDS,
    *cli_takeover.COMMANDS,
)


class Commands(click.Group):
    """Says what is wrong in the settings in a line for each, never their values, instead of a trace of calls."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. What the environment gives is checked before any, whether or not this one needs it."""
        try:
            refuse_wrong_settings()
            return super().invoke(ctx)
        except WrongSettings as wrong:
            raise click.ClickException(str(wrong)) from None
        except Refused as refused:
            raise click.ClickException(refused.sentence) from None
        except DBAPIError as error:
            if sentence := _database_trouble(error):
                raise click.ClickException(sentence) from None
            raise


def _database_trouble(error: DBAPIError) -> str | None:
    """Return what to do about a database that cannot be opened, or whose tables are not there; None for anything else."""
    said = next(iter(str(error.orig).splitlines()), "")
    if error.statement is None:
        return f"La base ne s’ouvre pas. Vérifiez PASS_DATABASE_URL et que le serveur répond. Le moteur dit : {said}"
    if isinstance(error.orig, (UndefinedTable, UndefinedColumn)) or said.startswith(
        ("no such table", "no such column")
    ):
        return "Les tables manquent, ou sont d’une version d’avant. Lancez « voucher migrate », puis recommencez."
    return None


@click.group(
    cls=Commands,
    help="Le Pass numérique, en ligne de commande.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Gather the commands. What any of them writes (database, paper, secrets) is its owner's alone: codes are money."""
    before = os.umask(OTHERS_NOTHING)
    click.get_current_context().call_on_close(lambda: os.umask(before))


for command in COMMANDS:
    main.add_command(command)
