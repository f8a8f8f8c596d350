"""Commands on the accountant's chart of accounts."""

import sys
from pathlib import Path

import click

from voucher.ledger.chart_file import PRESENTED, WrongChart, read_chart


@click.group(help="Plan comptable.")
def chart() -> None:
    """Gather the commands of the chart."""


@chart.command(
    "check", help="Vérifie un fichier de plan comptable et montre ce qu’il donne. Sort avec 1 s’il ne va pas."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check_chart(file: Path) -> None:
    """Say each error of a chart file, or what each code becomes."""
    try:
        numbers = read_chart(file.read_bytes())
    except WrongChart as wrong:
        for error in wrong.errors:
            click.echo(f"✗ {error}")
        sys.exit(1)
    for code in PRESENTED:
        click.echo(f"{code}  {numbers[code].number:<10} {numbers[code].name}")
    click.echo("Ce plan convient. Faites-le valider par le comptable.")


COMMANDS = (chart,)
