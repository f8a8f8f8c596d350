"""A process that freezes, exports or imports, and kills itself: `python settle_child.py URL VERB STATEMENT ARGUMENT…`.

STATEMENT is the rank of the SQL statement before which it dies, or `commit`: everything is said, nothing is kept.
"""

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import event

from tests.settlement.town import NOW, PREPARER
from voucher.kernel.database import Database
from voucher.settlement.accountant_return import import_accountant_return
from voucher.settlement.export import export_batch
from voucher.settlement.freeze import freeze_batch
from voucher.settlement.import_statement import import_statement


def die(*_: object) -> None:
    """Die as by a power cut: no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(database: Database, when: str) -> None:
    """Die at that moment of what follows."""
    if when == "commit":
        event.listen(database.engine, "commit", die)
        return
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == int(when):
            die()

    event.listen(database.engine, "before_cursor_execute", count)


def main(url: str, verb: str, when: str, *arguments: str) -> None:
    """Do one act until death."""
    database = Database(url)
    die_at(database, when)
    if verb == "freeze":
        freeze_batch(database, UUID(arguments[0]), UUID(arguments[1]), by=PREPARER, now=NOW)
    elif verb == "export":
        export_batch(database, UUID(arguments[0]), by=PREPARER, now=NOW)
    elif verb == "return":
        content = Path(arguments[0]).read_bytes()
        import_accountant_return(database, "retour.csv", content, by=PREPARER, now=NOW + timedelta(days=10))
    else:
        import_statement(database, "releve.xml", Path(arguments[0]).read_bytes(), by=PREPARER, now=NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
