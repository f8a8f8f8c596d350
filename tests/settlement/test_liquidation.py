"""États liquidatifs and the lists that support them: what is written, certified, and never written."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from voucher.settlement.formats_out.liquidation import (
    ANNEX_LINES_MAX,
    KeptList,
    Liquidation,
    Payee,
    SupportingLine,
    liquidation_csv,
    liquidation_json,
    liquidation_pdf,
    supporting_csv,
)

CLIC = Payee(
    reference="PN-0000-0000-0000-0001",
    siret="12345678900012",
    name="Association Clic & Cie",
    account_holder="Clic et Cie",
    iban="FR7630006000011234567890189",
    voucher_count=12,
    amount_cents=12_080,
)
USE = SupportingLine(
    payment_reference=CLIC.reference,
    siret=CLIC.siret,
    structure_name=CLIC.name,
    nature="Encaissement",
    reference="9F3A-06C1-44D2",
    used_on=date(2026, 6, 1),
    place_name="Médiathèque du Port",
    service="Aide aux démarches administratives",
    voucher_count=12,
    amount_cents=12_080,
)


def liquidation(*payees: Payee) -> Liquidation:
    return Liquidation(
        batch_number="2026-33-01/04",
        agreement_name="Vallée-Claire 2026",
        authority_name="Département de Vallée-Claire",
        signatory="la présidente du conseil départemental",
        commitment_number="E2026-00417",
        service_code="NUM-12",
        drawn_up_on=date(2026, 7, 5),
        period=(date(2026, 6, 1), date(2026, 6, 30)),
        payees=payees,
    )


def kept(lines: Sequence[SupportingLine]) -> KeptList:
    content = supporting_csv("2026-33-01/04", lines)
    return KeptList("piece-justificative.csv", hashlib.sha256(content).hexdigest(), len(lines))


def drawn(one: Liquidation, *lines: SupportingLine) -> bytes:
    return liquidation_pdf(one, lines, kept(lines))


def text_of(pdf: bytes) -> str:
    """The words of a PDF, one blank between each: lines break where the page does."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def rows_of(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_it_certifies_the_service_done_with_the_accountants_numbers_and_leaves_room_to_sign() -> None:
    other = replace(CLIC, reference="PN-2", siret="98765432100019", name="Le Fournil", amount_cents=100_000)
    text = text_of(drawn(liquidation(CLIC, other), USE))
    for words in (
        "Numéro d’engagement E2026-00417",
        "Code service NUM-12",
        "du 1er juin 2026 au 30 juin 2026",
        "123 456 789 00012 Association Clic & Cie Clic et Cie FR76 3000 6000 0112 3456 7890 189 12 120,80 €",
        "certifie le service fait",
        "la présidente du conseil départemental, ordonnateur de Département de Vallée-Claire",
        "mille cent vingt euros et quatre-vingts centimes",
        "1 120,80 €, pour 24 chèques et 2 structures",
        "signature",
    ):
        assert words in text


def test_its_annex_gives_each_use_and_the_fingerprint_of_the_list() -> None:
    text = text_of(drawn(liquidation(CLIC), USE))
    assert "9F3A-06C1-44D2 01/06/2026 Médiathèque du Port Aide aux démarches administratives 12 120,80 €" in text
    assert "Total : 1 ligne 12 120,80 €" in text
    assert kept([USE]).sha256 in text.replace(" ", "")


def test_what_is_paid_again_is_an_etat_without_a_period() -> None:
    again = replace(
        USE, nature="Reprise du lot 2026-33-01/03", reference="PN-OLD", used_on=None, place_name="", service=""
    )
    text = text_of(drawn(replace(liquidation(CLIC), period=None), again))
    assert "un règlement d’avant n’a pas abouti" in text
    assert "Reprise du lot 2026-33-01/03 PN-OLD – – – 12 120,80 €" in text


def test_numbers_that_the_accountant_did_not_give_are_left_blank() -> None:
    text = text_of(drawn(replace(liquidation(CLIC), commitment_number=None, service_code=None), USE))
    assert "Numéro d’engagement . . . ." in text
    assert "Code service . . . ." in text


def test_a_long_annex_gives_sums_and_refers_to_the_list() -> None:
    many = [replace(USE, amount_cents=1, voucher_count=1)] * (ANNEX_LINES_MAX + 1)
    text = text_of(drawn(liquidation(CLIC), *many))
    assert "La liste compte 5 001 lignes" in text
    assert "Association Clic & Cie PN-0000-0000-0000-0001 5 001 lignes 5 001 50,01 €" in text
    assert "Médiathèque du Port" not in text


@pytest.mark.long
def test_two_thousand_structures_fit() -> None:
    payees = [
        replace(CLIC, reference=f"PN-{rank}", name=f"Structure {rank}", amount_cents=rank) for rank in range(1, 2_001)
    ]
    big = liquidation(*payees)
    lines = [
        replace(USE, payment_reference=one.reference, structure_name=one.name, amount_cents=one.amount_cents)
        for one in payees
    ]
    reader = PdfReader(io.BytesIO(drawn(big, *lines)))
    # Text is taken out of a page only until it is found: there are more than a hundred.
    pages = (" ".join(page.extract_text().split()) for page in reader.pages)
    assert any("vingt mille dix euros" in page for page in pages)
    last = " ".join(reader.pages[-1].extract_text().split())
    assert f"Page {len(reader.pages)} sur {len(reader.pages)}" in last
    assert liquidation_csv(big).count(b"\r\n") == 2_001


def test_the_same_values_give_the_same_bytes() -> None:
    one = liquidation(CLIC)
    assert drawn(one, USE) == drawn(one, USE)
    assert liquidation_csv(one) == liquidation_csv(one)
    assert liquidation_json(one, kept([USE])) == liquidation_json(one, kept([USE]))


def test_the_pdf_is_tagged_in_french_with_a_title() -> None:
    reader = PdfReader(io.BytesIO(drawn(liquidation(CLIC), USE)))
    catalogue = reader.trailer["/Root"]
    assert catalogue["/MarkInfo"]["/Marked"]
    assert catalogue["/Lang"] == "fr-FR"
    assert "/StructTreeRoot" in catalogue
    assert reader.metadata is not None
    assert reader.metadata.title


def test_the_csv_opens_in_a_spreadsheet_and_runs_nothing() -> None:
    evil = replace(CLIC, name='=HYPERLINK("http://x";"y")', account_holder="+33;\n", amount_cents=5)
    rows = rows_of(liquidation_csv(liquidation(CLIC, evil)))
    assert rows[0][5:] == ["SIRET", "Structure", "Titulaire du compte", "IBAN", "Nombre de chèques", "Montant en euros"]
    assert rows[1] == [
        "2026-33-01/04", "E2026-00417", "NUM-12", "1", CLIC.reference, "12345678900012", CLIC.name, "Clic et Cie", CLIC.iban, "12",
        "120,80",
    ]  # fmt: skip
    assert rows[2][6:8] == ['\'=HYPERLINK("http://x";"y")', "'+33;\n"]
    assert rows[2][-1] == "0,05"


def test_the_list_gives_a_line_for_each_use_and_never_who() -> None:
    netted = replace(
        USE, nature="Retenue", used_on=None, place_name="", service="", voucher_count=0, amount_cents=-1_080
    )
    rows = rows_of(supporting_csv("2026-33-01/04", [USE, netted]))
    assert rows[0] == [
        "Lot", "Référence du règlement", "SIRET", "Structure", "Nature", "Référence", "Jour", "Lieu", "Service",
        "Nombre de chèques", "Montant en euros",
    ]  # fmt: skip
    assert rows[1][4:] == [
        "Encaissement",
        "9F3A-06C1-44D2",
        "01/06/2026",
        "Médiathèque du Port",
        USE.service,
        "12",
        "120,80",
    ]
    assert rows[2][-2:] == ["0", "-10,80"]


def test_the_json_says_the_same_in_whole_cents() -> None:
    document = json.loads(liquidation_json(liquidation(CLIC), kept([USE])))
    assert (document["numero_engagement"], document["code_service"]) == ("E2026-00417", "NUM-12")
    assert document["periode"] == {"du": "2026-06-01", "au": "2026-06-30"}
    assert document["total_centimes"] == 12_080
    assert document["reglements"][0]["reference"] == CLIC.reference
    assert document["piece_justificative"] == {
        "fichier": "piece-justificative.csv", "sha256": kept([USE]).sha256, "nombre_lignes": 1
    }  # fmt: skip
    assert "certifie le service fait" in document["certification"]


@pytest.mark.parametrize("name", ["#panic()", "Cafe\u0301 🚲 جمعية", "*_`$"])
def test_no_name_can_break_the_document(name: str) -> None:
    assert drawn(liquidation(replace(CLIC, name=name)), replace(USE, place_name=name)).startswith(b"%PDF")


@given(st.text(max_size=40))
def test_any_name_comes_back_from_the_csv(name: str) -> None:
    row = rows_of(liquidation_csv(liquidation(replace(CLIC, name=name))))[1]
    assert row[6].removeprefix("'") == name.removeprefix("'")
