"""The command line: `voucher …`. Each topic's commands stand in a file of their own and are gathered here."""

import os

import click

from voucher import cli_books, cli_serve, cli_vouchers

OTHERS_NOTHING = 0o077
COMMANDS = (*cli_books.COMMANDS, *cli_vouchers.COMMANDS, *cli_serve.COMMANDS)


@click.group(help="Le Pass numérique, en ligne de commande.", context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Gather the commands. What any of them writes (database, paper, secrets) is its owner's alone: codes are money."""
    os.umask(OTHERS_NOTHING)


for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
