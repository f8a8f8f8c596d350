"""Commands on vouchers: order and make them, print them, declare lapsed those whose last day passed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from voucher.access.audit import note_access
from voucher.cli.environment import open_database
from voucher.cli.numbers import Count
from voucher.distribution.lapse import lapse as lapse_vouchers
from voucher.issuing import read
from voucher.issuing.keys import retire_key, revoke_key
from voucher.issuing.make_batch import Progress as Making
from voucher.issuing.make_batch import make_batch, unfinished_batches
from voucher.issuing.order import order_vouchers
from voucher.issuing.print_batch import print_batch
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import serial_label
from voucher.kernel.refusals import Refused
from voucher.kernel.settings import Settings
from voucher.startup import settings_of_environment

# The actor of a command typed on the server: no account of ours; the operating system knows whose it is.
COMMAND_LINE = UUID(int=0)


@click.command(
    help="Commande des carnets sur une convention et les fabrique. Avec --resume, finit ce qui a été interrompu."
)
@click.argument("agreement_number", metavar="CONVENTION", required=False)
@click.option("--booklets", type=Count(), help="Nombre de carnets.")
@click.option("--vouchers", type=Count(), help="Nombre de chèques, en carnets entiers.")
@click.option("--order", "order_id", type=click.UUID, help="Numéro de la commande : la même deux fois ne change rien.")
@click.option("--resume", is_flag=True, help="Fabrique tout ce qui est commandé et pas encore fabriqué.")
@click.option("--processes", type=Count(1, 64), default=2, show_default=True, help="Processus qui signent.")
def issue(
    agreement_number: str | None,
    booklets: int | None,
    vouchers: int | None,
    order_id: UUID | None,
    resume: bool,
    processes: int,
) -> None:
    """Order, then make; a kill loses nothing and `--resume` goes on."""
    settings = settings_of_environment()
    with open_database(settings) as database:
        if resume:
            waiting = [order_id] if order_id else unfinished_batches(database)
            for batch_id in waiting:
                _make(database, batch_id, settings, processes)
            click.echo("Il n’y a plus rien à fabriquer." if waiting else "Il n’y a rien à fabriquer.")
            return
        if agreement_number is None:
            raise click.UsageError("Donnez le numéro de la convention, ou --resume.")
        agreement = read.agreement_by_number(database, agreement_number)
        ordered = order_vouchers(
            database,
            order_id or new_id(),
            agreement.id,
            _booklet_count(booklets, vouchers, agreement.booklet_size),
            by=COMMAND_LINE,
            now=datetime.now(UTC),
            stop_percent=settings.backing_stop_percent,
        )
        said = (
            f"{agreement_number}, commande {ordered.batch_id}, {format_euros(ordered.value_cents)}, ligne de commande"
        )
        note_access(database, None, "Commander des chèques", said, datetime.now(UTC))
        click.echo(
            f"Commande {ordered.batch_id} : {ordered.booklet_count} carnets, {ordered.voucher_count} chèques, "
            f"{format_euros(ordered.value_cents)}. Numéros à partir de {serial_label(ordered.first_serial)}."
        )
        _make(database, ordered.batch_id, settings, processes)


@click.command("print", help="Imprime une commande en fichiers PDF d’environ mille chèques.")
@click.argument("order_id", metavar="COMMANDE", type=click.UUID)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Dossier où écrire.")
@click.option("--processes", type=Count(1, 64), default=2, show_default=True, help="Processus qui dessinent.")
def print_vouchers(order_id: UUID, folder: Path | None, processes: int) -> None:
    """Write the PDF files of a batch; the same batch again gives the same bytes."""
    settings = settings_of_environment()
    with open_database(settings) as database:
        batch = read.batch(database, order_id)
        if batch is None:
            raise Refused("batch_unknown", "Cette commande n’existe pas. Vérifiez son numéro.")
        folder = folder or settings.data_folder / "carnets" / str(order_id)
        with _bar("Chèques imprimés", batch.voucher_count) as advance:
            paths = print_batch(database, order_id, folder, settings=settings, processes=processes, on_progress=advance)
        note_access(database, None, "carnets imprimés", f"commande {order_id}, ligne de commande", datetime.now(UTC))
        click.echo(f"{len(paths)} fichiers dans {folder}. Chaque code vaut de l’argent : gardez-les sous clé.")


@click.command(
    "lapse", help="Déclare caducs les chèques dont le dernier jour est passé. Le job `lapse` le fait chaque nuit."
)
def lapse_command() -> None:
    """Lapse every batch whose last day of presentation passed; run twice, it changes nothing."""
    with open_database(settings_of_environment()) as database:
        lapsed = lapse_vouchers(database, by=None, now=datetime.now(UTC))
        for batch in lapsed:
            click.echo(
                f"Commande {batch.batch_id} : {batch.stock_count} chèques non remis et {batch.held_count} remis sont caducs, "
                f"{format_euros(batch.released_cents)} rendus à la convention."
            )
        if not lapsed:
            click.echo("Aucun chèque n’arrive au bout de sa validité.")


@click.command("retire-key", help="Retire une clé de signature : elle ne signe plus, ses chèques restent bons.")
@click.argument("key_id", metavar="CLÉ", type=Count(1, 65_535))
def retire_key_command(key_id: int) -> None:
    """Retire a key: nothing is signed by it any more, and what it signed stays good."""
    with open_database(settings_of_environment()) as database:
        retire_key(database, key_id, by=COMMAND_LINE, now=datetime.now(UTC))
        note_access(database, None, "clé de signature retirée", f"clé {key_id}, ligne de commande", datetime.now(UTC))
        click.echo(f"La clé {key_id} ne signe plus. Créez-en une autre avant la prochaine commande de la collectivité.")


@click.command("revoke-key", help="Révoque une clé de signature volée : tous ses codes sont refusés. C’est définitif.")
@click.argument("key_id", metavar="CLÉ", type=Count(1, 65_535))
@click.confirmation_option(prompt="Tous les chèques signés par cette clé seront refusés, pour toujours. Révoquer ?")
def revoke_key_command(key_id: int) -> None:
    """Revoke a key; counters learn it within seconds."""
    with open_database(settings_of_environment()) as database:
        revoke_key(database, key_id, by=COMMAND_LINE, now=datetime.now(UTC))
        note_access(database, None, "clé de signature révoquée", f"clé {key_id}, ligne de commande", datetime.now(UTC))
        click.echo(f"La clé {key_id} est révoquée. Créez-en une autre pour la collectivité, puis annulez ses carnets.")


def _booklet_count(booklets: int | None, vouchers: int | None, booklet_size: int) -> int:
    if (booklets is None) == (vouchers is None):
        raise click.UsageError("Donnez --booklets ou --vouchers, l’un des deux.")
    if booklets is not None:
        return booklets
    assert vouchers is not None
    count, rest = divmod(vouchers, booklet_size)
    if rest:
        near = f"{count * booklet_size} ou {(count + 1) * booklet_size}" if count else str(booklet_size)
        raise click.UsageError(f"Un carnet compte {booklet_size} chèques. Commandez-en {near}.")
    return count


def _make(database: Database, batch_id: UUID, settings: Settings, processes: int) -> None:
    batch = read.batch(database, batch_id)
    if batch is None:
        raise Refused("batch_unknown", "Cette commande n’existe pas. Vérifiez son numéro.")
    done = 0
    with _bar("Chèques fabriqués", batch.voucher_count) as advance:

        def on_progress(making: Making) -> None:
            nonlocal done
            advance(making.made_voucher_count - done)
            done = making.made_voucher_count

        make_batch(
            database,
            batch_id,
            master_secret=settings.master_secret,
            now=datetime.now(UTC),
            processes=processes,
            on_progress=on_progress,
        )


@contextmanager
def _bar(words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Draw a progress bar on the error stream, so that what a command prints can be read by another."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(words, total=total)
        yield lambda count: progress.advance(task, count)


COMMANDS = (issue, print_vouchers, lapse_command, retire_key_command, revoke_key_command)
