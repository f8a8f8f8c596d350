"""The one door for what a bank sends: an account statement or a status report, told apart by its first element."""

from datetime import datetime
from uuid import UUID

from voucher.kernel.database import Database
from voucher.settlement.bank_files import RefusedBankFile
from voucher.settlement.camt053 import FileError
from voucher.settlement.import_report import Reported, import_report
from voucher.settlement.import_statement import Imported, import_statement
from voucher.settlement.xml_guard import RefusedXml, root_of, unpacked


def import_bank_file(
    database: Database, name: str, content: bytes, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> Imported | Reported:
    """Import a camt.053 or a pain.002, given as XML, gzip or zip. Raises RefusedBankFile; then nothing of it is kept."""
    try:
        namespace = root_of(unpacked(content)).namespace
    except RefusedXml as refused:
        raise RefusedBankFile([FileError(refused.line, refused.reason)]) from None
    if ":pain.002." in namespace:
        return import_report(database, name, content, by=by, now=now, issuer_id=issuer_id)
    return import_statement(database, name, content, by=by, now=now, issuer_id=issuer_id)
