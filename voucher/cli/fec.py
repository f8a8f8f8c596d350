"""Commands on the FEC: write one, check any."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from voucher.access.audit import note_access
from voucher.accounting.fec import FecFile, fec_file
from voucher.accounting.fec_checker import check_fec
from voucher.cli.environment import open_database
from voucher.cli.numbers import Count
from voucher.kernel.settings import read_database_settings
from voucher.ledger.chart_file import chart_numbers

SHOWN_MAX = 100


@click.group(help="Fichier des écritures comptables (art. A.47 A-1 LPF).")
def fec() -> None:
    """Gather the commands of the FEC."""


@fec.command("write", help="Écrit le FEC d’un titulaire de compte payeur (SIREN) pour un exercice.")
@click.argument("siren")
@click.argument("year", type=Count())
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Où l’écrire.")
@click.option("--latin9", is_flag=True, help="En ISO-8859-15 plutôt qu’en UTF-8.")
@click.option(
    "--chart", "chart_file", type=click.Path(path_type=Path), envvar="PASS_CHART_FILE", help="Plan comptable."
)
def write_fec(siren: str, year: int, folder: Path, latin9: bool, chart_file: Path | None) -> None:
    """Write a FEC, then check what was written."""
    with open_database(read_database_settings()) as database:
        found: FecFile = fec_file(
            database, siren, year, numbers=chart_numbers(chart_file), now=datetime.now(UTC),
            encoding="iso8859-15" if latin9 else "utf-8",
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / found.name
        with path.open("wb") as out:
            out.writelines(found.chunks)
        note_access(database, None, "FEC écrit", f"{found.name}, ligne de commande", datetime.now(UTC))
    if found.is_provisional:
        click.echo("Provisoire : l’exercice n’est pas clos, ou des écritures attendent leur scellement.")
    click.echo(str(path))
    _check(path, "iso8859-15" if latin9 else "utf-8")


@fec.command("check", help="Vérifie un FEC, d’où qu’il vienne. Sort avec 1 s’il ne va pas.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--latin9", is_flag=True, help="N’accepte que l’ISO-8859-15 ; sans cela, les octets le disent.")
def check_file(file: Path, latin9: bool) -> None:
    """Check a file against the rule."""
    _check(file, "iso8859-15" if latin9 else None)


def _check(path: Path, encoding: str | None) -> None:
    with path.open("rb") as lines:
        violations = check_fec(lines, name=path.name, encoding=encoding)
    for violation in violations[:SHOWN_MAX]:
        click.echo(f"✗ {violation.subject} : {violation.detail} [{violation.check}]")
    click.echo("Ce fichier est conforme." if not violations else f"{len(violations)} anomalies.")
    sys.exit(1 if violations else 0)


COMMANDS = (fec,)
