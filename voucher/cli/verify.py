"""The command that proves the books."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from voucher.cli.environment import open_database
from voucher.issuing.checks_signatures import Sample
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.settings import read_database_settings
from voucher.ledger.checkpoint import BadNote, read_verifier_key
from voucher.ledger.checks_seals import Witness
from voucher.programme.programme_key import programme_key
from voucher.reporting.verify import verify as verify_books


@click.command(help="Prouve les livres : recalcule tout et nomme chaque écart. Sort avec 1 s’il y en a.")
@click.option("--quiet", is_flag=True, help="N’écrit que les écarts.")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Point de contrôle gardé hors du serveur, que le journal doit prolonger. Autant de fois qu’il faut.",
)
@click.option(
    "--proof",
    "proofs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Preuve d’une écriture (tlog-proof), que le journal doit confirmer. Autant de fois qu’il faut.",
)
@click.option(
    "--key",
    "line",
    metavar="LIGNE",
    help="Clé du programme, d’aujourd’hui ou d’un opérateur d’avant, que vous tenez d’ailleurs.",
)
@click.option(
    "--all",
    "is_whole",
    is_flag=True,
    help="Lit la signature de tous les codes, au lieu de la part du jour. Comptez 80 s par million de chèques.",
)
@click.option(
    "--day",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Lit la part des codes d’un autre jour (AAAA-MM-JJ) : pour refaire un constat.",
)
def verify(
    quiet: bool,
    checkpoints: tuple[Path, ...],
    proofs: tuple[Path, ...],
    line: str | None,
    is_whole: bool,
    day: datetime | None,
) -> None:
    """Run every check of every room; exit with 1 when one is violated."""
    found = 0
    read_on = day.date() if day else paris_day(datetime.now(UTC))
    sample = Sample(None if is_whole else read_on.toordinal())
    if not quiet:
        part = "tous les codes" if is_whole else f"la part du {french_date(read_on)}"
        click.echo(f"Signatures : {part}.")
    witness = Witness(_trusted_key(line), _texts(checkpoints), _texts(proofs))
    with open_database(read_database_settings()) as database:
        for result in verify_books(database, witness, sample):
            found += len(result.violations)
            if not quiet:
                mark = "✗" if result.violations else "✓"
                click.echo(f"{mark} {result.room:<13} {result.sentence} ({result.seconds:.1f} s)")
            for violation in result.violations:
                click.echo(f"    {violation.subject} : {violation.detail}")
    click.echo("Les livres sont justes." if found == 0 else f"{found} écarts. Rien n’a été changé.")
    sys.exit(0 if found == 0 else 1)


def _trusted_key(line: str | None) -> bytes | None:
    """Return the key given, else the programme's where its secret is, else None: the one that signed first is believed."""
    if line is not None:
        try:
            return read_verifier_key(line)[1]
        except BadNote as bad:
            raise click.UsageError(f"--key : {bad}.") from None
    secret = os.environ.get("PASS_MASTER_KEY")
    return programme_key(bytes.fromhex(secret)).public_key().public_bytes_raw() if secret else None


def _texts(paths: tuple[Path, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((str(path), path.read_text("utf-8", "replace")) for path in paths)


COMMANDS = (verify,)
