"""The command line: `voucher …`. Each topic's commands stand in a file of their own and are gathered here."""

import os
from typing import Any

import click
from pydantic import ValidationError

from voucher import cli_account, cli_accounting, cli_books, cli_proof, cli_serve, cli_takeover, cli_vouchers, cli_work
from voucher.ledger.chart_file import WrongChart

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
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ValidationError as error:
            lines = [f"  PASS_{str(one['loc'][0]).upper()} : {_why(one['type'], one['msg'])}" for one in error.errors()]
            raise click.ClickException("\n".join(["Des réglages ne vont pas. Voyez le README.", *lines])) from None
        except WrongChart as wrong:
            lines = [f"  {error}" for error in wrong.errors]
            raise click.ClickException("\n".join(["Le plan comptable (PASS_CHART_FILE) ne va pas.", *lines])) from None


def _why(kind: str, sentence: str) -> str:
    return "à donner" if kind == "missing" else sentence.removeprefix("Value error, ")


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

if __name__ == "__main__":
    main()
