"""Importer des fichiers: all that a person sends at once, plain, gzip, or in zips. Each file is one transaction of its own and has its
line in the report: one that is refused stops none of the others, and what was kept before a cut is known when all are sent again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO
from uuid import UUID

from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.settlement.bank_in.accountant_return import Returned
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.bank_in.import_report import Reported
from voucher.settlement.bank_in.import_statement import Imported
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.formats_in.bank_content import shown_name
from voucher.settlement.formats_in.bank_stages import FileError
from voucher.settlement.formats_in.bank_zip import is_zip, members
from voucher.settlement.formats_in.recognise_file import HEAD_BYTES, format_of
from voucher.settlement.formats_in.safe_xml import RefusedXml


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: its name, its format when it was kept, what it changed; or `errors`, why it was refused."""

    name: str
    format: str = ""
    done: Imported | Reported | Returned | None = None
    errors: tuple[FileError, ...] = ()


def import_bank_files(
    database: Database,
    files: Iterable[tuple[str, IO[bytes]]],
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> list[FileOutcome]:
    """Import each file, each file of each zip, in their order; return one outcome for each. A file is read from its beginning."""
    outcomes: list[FileOutcome] = []
    for name, file in files:
        if is_zip(file):
            outcomes += _of_zip(database, shown_name(name), file, by, now, issuer_id)
        else:
            outcomes.append(_one(database, shown_name(name), file, by, now, issuer_id))
    return outcomes


def _of_zip(
    database: Database, name: str, file: IO[bytes], by: UUID, now: datetime, issuer_id: UUID | None
) -> Iterator[FileOutcome]:
    try:
        with members(file) as found:
            for member in found:
                inside = f"{name} › {member.name}"
                try:
                    with member.unpacked() as plain:
                        yield _one(database, inside, plain, by, now, issuer_id)
                except RefusedXml as refused:
                    yield FileOutcome(inside, errors=(FileError(refused.line, refused.reason),))
    except RefusedXml as refused:
        yield FileOutcome(name, errors=(FileError(refused.line, refused.reason),))


def _one(
    database: Database, name: str, file: IO[bytes], by: UUID, now: datetime, issuer_id: UUID | None
) -> FileOutcome:
    try:
        done = import_bank_file(database, name, file, by=by, now=now, issuer_id=issuer_id)
    except RefusedBankFile as refused:
        return FileOutcome(name, errors=refused.errors)
    except Refused as refused:
        return FileOutcome(name, errors=(FileError(0, refused.sentence),))
    file.seek(0)
    return FileOutcome(name, format_of(file.read(HEAD_BYTES)), done)
