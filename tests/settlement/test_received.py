"""A file that is no bank file of ours is refused by its name, with what to ask the bank for."""

import io

import pytest

from tests.settlement.bank import OUR_IBAN
from tests.settlement.camt_files import Account, camt
from tests.settlement.town import NOW, PREPARER
from voucher.kernel.database import Database
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.formats_in.recognise_file import format_of, refused_as

PAIN_001 = b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn/></Document>'


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b":20:STARTUMS\r\n:25:30006/12345\r\n:60F:C261123EUR100,00\r\n", "un relevé MT940"),
        (b"\r\n{1:F01BANKFRPPAXXX0000000000}{2:I940}{4:\r\n:20:1\r\n", "un relevé MT940"),
        (b"OFXHEADER:100\r\nDATA:OFXSGML\r\n", "un export OFX"),
        (b'<?xml version="1.0"?><?OFX OFXHEADER="200"?><OFX><SIGNONMSGSRSV1/></OFX>', "un export OFX"),
        (b"!Type:Bank\r\nD23/11/2026\r\n", "un export QIF"),
        (b"%PDF-1.7\n", "un PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99, "un document Office"),
        (b"\x89PNG\r\n\x1a\n", "une image (PNG)"),
        (b"\xff\xd8\xff\xe0", "une image (JPEG)"),
        (b"\x00\x00\x00\x18ftypheic", "une image (HEIC)"),
        (b"Rar!\x1a\x07", "une archive RAR"),
        (b'{"transactions": []}', "un fichier JSON"),
        (b"From: banque@example.test\r\nSubject: releve\r\n", "un courriel"),
        (b"0302        12345       2311" + b" " * 132, "un fichier CFONB d’ordres"),
        (b"<!DOCTYPE html><html><body>Connexion</body></html>", "une page web"),
        (PAIN_001, "un ordre de virement (pain.001)"),
        ("Date;Libellé;Montant\n23/11/2026;VIR;12,50\n".encode(), "un tableau (CSV)"),
        (PAIN_001.replace(b"pain.001.001.09", b"camt.056.001.08"), "« camt.056.001.08 »"),
    ],
)  # fmt: skip
def test_what_was_received_is_named_with_what_to_ask_for(sqlite_database: Database, content: bytes, name: str) -> None:
    with pytest.raises(RefusedBankFile) as refused:
        import_bank_file(sqlite_database, "fichier", content, by=PREPARER, now=NOW)
    reason = refused.value.errors[0].reason
    assert name in reason
    assert "camt" in reason or "Téléchargez" in reason
    assert len(refused.value.errors) == 1


def test_bank_files_of_ours_are_not_taken_for_others() -> None:
    for version in ("02", "14"):
        content = camt("053", version, Account(OUR_IBAN, NOW.date(), []))
        assert refused_as(content) is None
        assert format_of(content) == f"camt.053.001.{version}"
    assert refused_as("Référence;Montant;Statut;Date\n".encode()) is None
    assert format_of("Référence;Montant;Statut;Date\n".encode()) == "CSV"
    assert refused_as(io.BytesIO(b"").read()) is None
