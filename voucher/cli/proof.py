"""Commands of proof: seal the journal, send its checkpoint outside, make the audit archive."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from voucher.access.audit import note_access
from voucher.cli.environment import open_database
from voucher.ledger.read_seals import latest_checkpoint
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, published_key, seal_now
from voucher.startup import settings_of_environment
from voucher.trail.read import last_note, note_sizes


@click.command(
    "seal",
    help="Scelle les écritures et le journal des accès qui attendent, et signe le point de contrôle. À garder hors du serveur.",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Dossier, de préférence d’une autre machine, où écrire le point de contrôle.",
)
def seal_command(folder: Path | None) -> None:
    """Seal now; run twice, it changes nothing. The checkpoint and the programme's public key go to the folder."""
    settings = settings_of_environment()
    with open_database(settings) as database:
        done = seal_now(database, settings, datetime.now(UTC))
        last, note = latest_checkpoint(database), last_note(database)
    if last is None or note is None:
        click.echo("Il n’y a rien à sceller : le registre est vide.")
        return
    entry_count, line_count = note_sizes(note)
    click.echo(f"{done.added_count if done else 0} écritures scellées, {entry_count} en tout. Racine : {last.root}")
    click.echo(f"{done.line_count if done else 0} lignes du journal des accès scellées, {line_count} en tout.")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        # A day on which only the trail grew has a note of its own, which takes nobody's place.
        path = folder / f"point-de-controle-{entry_count}-{line_count}.txt"
        path.write_text(note, encoding="utf-8")
        (folder / "cle-du-programme.txt").write_text(f"{published_key(settings)}\n", encoding="utf-8")
        click.echo(f"Point de contrôle écrit dans {path}.")


@click.command("key", help="Écrit la clé publique du programme, par laquelle d’autres vérifient ce qu’il signe.")
def key_command() -> None:
    """Write the line by which the programme's public key is given to people."""
    click.echo(published_key(settings_of_environment()))


@click.command("audit", help="Écrit l’archive d’audit : le journal, les faits, les preuves et leur vérificateur.")
@click.option(
    "--to", "path", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Fichier .zip à écrire."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Le journal seul, jusqu’au dernier scellement de ce jour."
)
def export_audit_command(path: Path, until: datetime | None) -> None:
    """Seal what waits, then write the archive; it takes its name once it is whole."""
    now = datetime.now(UTC)
    day: date | None = until.date() if until else None
    part = path.with_name(f"{path.name}.part")
    settings = settings_of_environment()
    with open_database(settings) as database:
        seal_now(database, settings, now)
        origin, key = journal_key(settings)
        try:
            with part.open("wb") as out:
                made = export_audit(database, out, origin=origin, key=key, until=day)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        note_access(database, None, "archive d’audit", f"{made.sealed_count} écritures, ligne de commande", now)
    click.echo(f"{made.entry_count} écritures, dont {made.sealed_count} scellées, dans {path}.")
    click.echo(f"Clé du programme, à remettre par une autre voie : {published_key(settings)}")


COMMANDS = (seal_command, key_command, export_audit_command)
