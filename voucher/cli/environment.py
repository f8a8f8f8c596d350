"""What commands share: the database of the environment, opened one way, and the sentence of what stops a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import DBAPIError

from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.kernel.sealed_secret import SealBroken
from voucher.kernel.settings import DatabaseSettings, WrongSettings
from voucher.ledger.chart_file import WrongChart


@contextmanager
def open_database(settings: DatabaseSettings) -> Iterator[Database]:
    """Give a command the database of the settings, with the time limits of commands; closed after it."""
    database = Database(settings.database_url, limits=settings.command_limits)
    try:
        yield database
    finally:
        database.dispose()


def sentence_of(error: Exception) -> str | None:
    """Return what to say to the person who typed the command; None for a bug, whose trace of calls is shown."""
    match error:
        case Refused():
            return error.sentence
        case WrongSettings() | WrongChart():
            return str(error)
        case SealBroken():
            return "La clé de signature ne s’ouvre pas. Vérifiez PASS_MASTER_KEY : c’est celle du jour où la clé a été créée."
        case DBAPIError():
            return _database_trouble(error)
    return None


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
