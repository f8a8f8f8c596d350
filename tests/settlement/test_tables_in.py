"""Tables and reports from outside: bounded before they are read whole, refused where they are not text."""

import gzip

import pytest

from tests.settlement.town import NOW
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.settlement.bank_in import import_bank_file
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.formats_in.accountant_file import UnreadableReturn, read_return


@pytest.mark.parametrize(
    "start", [b"reference;statut;date;montant\n", b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03">']
)
def test_a_table_or_a_report_that_unpacks_beyond_memory_is_refused_unread(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(import_bank_file, "WHOLE_BYTES_MAX", 1_000_000)
    bomb = gzip.compress(start + b" " * 2_000_000)
    with pytest.raises(RefusedBankFile, match="plusieurs fichiers"):
        import_bank_file.import_bank_file(sqlite_database, "gros.gz", bomb, by=new_id(), now=NOW)


def test_a_table_with_a_zero_byte_is_refused_with_its_line() -> None:
    with pytest.raises(UnreadableReturn) as refused:
        read_return("Référence;Montant;Statut;Date\nA;5;payé;01/12/2026\nB\x00;5;payé;01/12/2026".encode("utf-16"))
    assert refused.value.errors[0].line == 3
