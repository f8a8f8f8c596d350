"""The one door for a file that comes back: a bank's account statement or status report, told apart by its first element; one in CFONB 120; a
public accountant's return file, which is a table. Anything else is refused by its name, with what to ask for.
"""

from datetime import datetime
from typing import IO
from uuid import UUID

from voucher.kernel.database import Database
from voucher.settlement.bank_in.accountant_return import Returned, import_accountant_return
from voucher.settlement.bank_in.import_report import Reported, import_report
from voucher.settlement.bank_in.import_statement import Imported, import_unpacked
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.formats_in.accountant_file import is_table
from voucher.settlement.formats_in.bank_stages import FileError
from voucher.settlement.formats_in.recognise_file import HEAD_BYTES, is_cfonb, refused_as
from voucher.settlement.formats_in.safe_xml import RefusedXml, root_of, unpack

# A statement is read as it comes; a report and a table are read whole, in memory.
WHOLE_BYTES_MAX = 64 * 1024 * 1024


def import_bank_file(
    database: Database,
    name: str,
    content: bytes | IO[bytes],
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> Imported | Reported | Returned:
    """Import a camt.052, 053, 054, a CFONB 120, a pain.002 or an accountant's CSV, plain or gzip; a file is read from its beginning.

    Raises RefusedBankFile; then nothing of it is kept.
    """
    try:
        # Once: what recognises the file and what imports it read the same bytes.
        with unpack(content) as found:
            head = found.file.read(HEAD_BYTES)
            found.file.seek(0)
            if (why := refused_as(head)) is not None:
                raise RefusedXml(why)
            is_return = not is_cfonb(head) and is_table(head)
            is_report = not is_return and not is_cfonb(head) and ":pain.002." in root_of(found.file).namespace
            if (is_return or is_report) and found.byte_count > WHOLE_BYTES_MAX:
                raise RefusedXml(
                    f"Le fichier dépasse {WHOLE_BYTES_MAX // 1024**2} Mo. Demandez-le en plusieurs fichiers."
                )
            if is_return:
                table = found.file.read()
                return import_accountant_return(database, name, table, by=by, now=now, issuer_id=issuer_id)
            if is_report:
                return import_report(database, name, found.file.read(), by=by, now=now, issuer_id=issuer_id)
            return import_unpacked(database, name, found, by=by, now=now, issuer_id=issuer_id)
    except RefusedXml as refused:
        raise RefusedBankFile([FileError(refused.line, refused.reason)]) from None
