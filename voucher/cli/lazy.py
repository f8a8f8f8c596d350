"""A group of commands that loads none of their files before one is called: `voucher --help` reads this table alone."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class In(NamedTuple):
    """Where a command stands: a file of voucher.cli, whose COMMANDS hold it, and the line that the group's help says of it."""

    file: str
    line: str


class LazyGroup(click.Group):
    """A click group whose commands stand in a table: name → file and line."""

    def __init__(self, *args: Any, table: Mapping[str, In], **words: Any) -> None:
        super().__init__(*args, **words)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks for it
        """Return the names, in the table's order."""
        return [*self.table]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click asks for it
        """Load the file of one command; return None for a name that the table does not hold."""
        if cmd_name not in self.table:
            return None
        commands: tuple[click.Command, ...] = import_module(f"voucher.cli.{self.table[cmd_name].file}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click asks for it
        """Write the list of commands from the table."""
        with formatter.section("Commandes"):
            formatter.write_dl([(name, place.line) for name, place in self.table.items()])
