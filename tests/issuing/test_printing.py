"""The printed booklet: what is on paper is what was signed, what the law asks is said, and a screen reader can read it."""

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pypdf
import pytest
import zxingcpp
from PIL import Image

from voucher.issuing.code import Algorithm, Kind, Payload, SignedCode, read_code
from voucher.issuing.printing import (
    PrintBatch,
    PrintBooklet,
    PrintVoucher,
    draw_pages,
    print_batch_to_folder,
    print_booklets,
)
from voucher.issuing.signing import is_authentic, new_private_key, public_key_of, sign
from voucher.issuing.typing_code import read_typing_code

KEY = new_private_key(Algorithm.ED25519)
BASE_URL = "https://pass.exemple.fr"
BATCH = PrintBatch(
    number="2027-03",
    issuer_name="Département du Val-Imaginé",
    issuer_address="1 place de la Préfecture, 99100 Belleville-sur-Rive",
    face_value_cents=1000,
    use_by=date(2027, 12, 31),
    printed_at=datetime(2027, 1, 4, 8, tzinfo=UTC),
    help_phone="01 99 00 12 34",
    help_hours="lundi à vendredi, 9 h à 17 h",
    help_email="pass@val-imagine.example",
    places_url="pass.exemple.fr/lieux",
)


def signed(kind: Kind, serial: int, size: int) -> SignedCode:
    return sign(
        KEY,
        Payload(
            kind=kind,
            booklet_size=size,
            key_id=7,
            serial=serial,
            use_by=BATCH.use_by,
            face_value_cents=BATCH.face_value_cents,
            tag=serial * 7919 % 2**24,
        ),
    )


def booklet(number: int, size: int = 10) -> PrintBooklet:
    first = 12340 + number * size
    cover = signed(Kind.BOOKLET, first, size)
    vouchers = [signed(Kind.VOUCHER, first + i, size) for i in range(size)]
    return PrintBooklet.of(f"{412 + number:04d}", cover, vouchers, BASE_URL)


def printed(*booklets: PrintBooklet, batch: PrintBatch = BATCH) -> bytes:
    out = io.BytesIO()
    print_booklets(batch, booklets, out)
    return out.getvalue()


def words(page: pypdf.PageObject) -> str:
    return " ".join(page.extract_text().split())


@pytest.fixture(scope="module")
def pdf() -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(printed(booklet(0), booklet(1))))


@pytest.fixture(scope="module")
def texts(pdf: pypdf.PdfReader) -> list[str]:
    return [words(page) for page in pdf.pages]


@pytest.fixture(scope="module")
def pages() -> list[Image.Image]:
    return [Image.open(io.BytesIO(page)) for page in draw_pages(BATCH, [booklet(0)], pixels_per_inch=150)]


def test_each_printed_qr_code_reads_at_150_dpi_and_is_authentic(pages: list[Image.Image]) -> None:
    read = [read_code(found.text) for page in pages for found in zxingcpp.read_barcodes(page)]
    assert all(is_authentic(public_key_of(KEY), code) for code in read)
    covers = [code.payload.serial for code in read if code.payload.kind is Kind.BOOKLET]
    vouchers = [code.payload.serial for code in read if code.payload.kind is Kind.VOUCHER]
    assert covers == [12340]
    assert sorted(vouchers) == list(range(12340, 12350))


def test_each_symbol_is_at_least_26_millimetres_wide_and_has_its_quiet_zone(pages: list[Image.Image]) -> None:
    module_px = 29 / 49 * 150 / 25.4
    for page in pages:
        light = page.convert("L")
        for found in zxingcpp.read_barcodes(page):
            corners = found.position
            width = (corners.top_right.x - corners.top_left.x) / 150 * 25.4
            assert width >= 26
            margin = round(3.5 * module_px)
            box = (corners.top_left.x - margin, corners.top_left.y - margin, corners.bottom_right.x + margin)
            above = light.crop((box[0], box[1], box[2], corners.top_left.y - 2))
            below = light.crop((box[0], corners.bottom_right.y + 3, box[2], corners.bottom_right.y + margin))
            assert above.getextrema()[0] > 200
            assert below.getextrema()[0] > 200


def test_a_booklet_has_a_cover_then_five_vouchers_a_page(pdf: pypdf.PdfReader, texts: list[str]) -> None:
    assert len(pdf.pages) == 6
    assert "Votre carnet de 10 chèques de 10 €" in texts[0]
    assert [text.count("Chèque n°") for text in texts] == [0, 5, 5, 0, 5, 5]
    width, height = pdf.pages[0].mediabox[2:]
    assert (round(width), round(height)) == (595, 842)


def test_a_voucher_carries_the_mentions_that_the_law_asks(texts: list[str]) -> None:
    page = texts[1]
    for mention in (
        "Collectivité émettrice : Département du Val-Imaginé",
        "1 place de la Préfecture, 99100 Belleville-sur-Rive",
        "Chèque n° 0001 2340",
        "Carnet n° 0412",
        "10 €",
        "Année 2027",
        "À utiliser jusqu’au 31 décembre 2027",
        "Pour apprendre et vous faire aider : démarches en ligne, internet, ordinateur, téléphone.",
        "À remplir par le lieu Nom, adresse, SIRET ou RNA",
    ):
        assert page.count(mention) >= 1, mention


def test_serials_are_continuous_and_typing_codes_are_theirs(texts: list[str]) -> None:
    text = " ".join(texts)
    serials = [int(found.replace(" ", "")) for found in re.findall(r"Chèque n° (\d{4} \d{4})", text)]
    assert serials == list(range(12340, 12360))
    typed = [read_typing_code(found) for found in re.findall(r"Code à taper ((?:C )?\w{4} \w{4} \w{4})", text)]
    assert [code.serial for code in typed if code.kind is Kind.VOUCHER] == serials
    assert [code.serial for code in typed if code.kind is Kind.BOOKLET] == [12340, 12350]


def test_the_cover_says_what_to_do_where_to_go_and_whom_to_call(texts: list[str]) -> None:
    cover = texts[0]
    for sentence in (
        "Carnet n° 0412",
        "Il vaut 100 €",
        "À utiliser jusqu’au 31 décembre 2027.",
        "Comment faire",
        "Choisissez un lieu.",
        "Prenez rendez-vous.",
        "Venez avec ce carnet.",
        "Gardez les autres chèques.",
        "Trouver un lieu",
        "pass.exemple.fr/lieux",
        "Carnet perdu ou volé",
        "Appelez vite le 01 99 00 12 34",
        "pass@val-imagine.example",
        "lundi à vendredi",
        "1 place de la Préfecture",
    ):
        assert sentence in cover, sentence


def test_the_paper_claims_nothing_it_may_not(texts: list[str]) -> None:
    text = " ".join(texts)
    for claim in ("2D-Doc", "FALC", "République", "Marianne"):
        assert claim not in text


def test_the_pdf_is_tagged_named_and_in_french(pdf: pypdf.PdfReader) -> None:
    root = pdf.root_object
    assert root["/MarkInfo"]["/Marked"].value is True
    assert str(root["/Lang"]).lower().startswith("fr")
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Pass numérique – lot 2027-03, carnets 0412 à 0413"
    assert b"pdfuaid:part>1<" in root["/Metadata"].get_data()


def test_every_image_says_what_it_is_and_every_voucher_has_a_heading(pdf: pypdf.PdfReader) -> None:
    elements = [thing for thing in map(pdf.get_object, range(1, pdf.trailer["/Size"])) if isinstance(thing, dict)]
    figures = [str(thing["/Alt"]) for thing in elements if thing.get("/S") == "/Figure"]
    assert len(figures) == len(set(figures)) == 22
    assert "Code à scanner du chèque n° 0001 2345" in [alt.replace("\u00a0", " ") for alt in figures]
    headings = [thing for thing in elements if thing.get("/S") == "/H2"]
    assert len(headings) == 2 * 4 + 20


def test_a_code_is_never_written_out_on_paper(texts: list[str]) -> None:
    assert all("/V/" not in text for text in texts)


def test_the_same_booklets_give_the_same_bytes() -> None:
    assert printed(booklet(3, size=5)) == printed(booklet(3, size=5))


def test_values_are_never_read_as_source() -> None:
    trap = 'Mairie #panic() *x* $y$ \\ `z` <b> "q"'
    out = printed(booklet(0, size=1), batch=replace(BATCH, issuer_name=trap))
    assert trap in words(pypdf.PdfReader(io.BytesIO(out)).pages[1])


def test_the_longest_texts_still_fit_their_voucher() -> None:
    longest = replace(
        BATCH,
        issuer_name="Syndicat mixte pour la maîtrise du numérique des Monts et des Marais de l’Ouest"[:80],
        issuer_address="1280 bis avenue du Général-de-l’Imaginaire, quartier des Tilleuls, 99999 Saint-Quelque-part-les-Bois"[
            :100
        ],
        authority_name="Communauté d’agglomération du Grand Estuaire, des Marches et de la Vallée Haute"[:80],
        services="Pour apprendre et vous faire aider : démarches en ligne, internet, ordinateur, téléphone, achat",
        face_value_cents=123450,
    )
    pdf = pypdf.PdfReader(io.BytesIO(printed(booklet(0), batch=longest)))
    assert len(pdf.pages) == 3
    assert words(pdf.pages[1]).count("Émis par Syndicat mixte") == 5


def test_an_issuer_without_telephone_or_site_still_prints_a_whole_cover() -> None:
    bare = replace(BATCH, help_phone=None, help_hours=None, help_email=None, places_url=None)
    cover = words(pypdf.PdfReader(io.BytesIO(printed(booklet(0, size=1), batch=bare))).pages[0])
    assert "Écrivez vite à l’adresse en bas de page." in cover
    assert "None" not in cover


@pytest.mark.parametrize(
    "change",
    [
        {"issuer_name": ""},
        {"issuer_name": "x" * 81},
        {"issuer_address": " "},
        {"services": "x" * 96},
        {"face_value_cents": 0},
        {"printed_at": datetime(2027, 1, 4)},  # noqa: DTZ001 - naive on purpose
    ],
)
def test_a_batch_that_cannot_be_printed_well_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_value")[0].replace("face", "worth")):
        replace(BATCH, **change)


def test_a_code_never_stands_in_the_wrong_place() -> None:
    cover, voucher = signed(Kind.BOOKLET, 1, 1), signed(Kind.VOUCHER, 1, 1)
    with pytest.raises(ValueError, match="on a voucher"):
        PrintVoucher.of(cover, BASE_URL)
    with pytest.raises(ValueError, match="on a cover"):
        PrintBooklet.of("1", voucher, [voucher], BASE_URL)
    with pytest.raises(ValueError, match="no voucher"):
        PrintBooklet.of("1", cover, [], BASE_URL)


def test_nothing_or_too_much_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="no booklet"):
        print_booklets(BATCH, [], io.BytesIO())
    one = booklet(0)
    with pytest.raises(ValueError, match="to a folder"):
        print_booklets(BATCH, (one for _ in range(201)), io.BytesIO())


@pytest.mark.parametrize("processes", [1, 2])
def test_a_batch_goes_to_files_of_whole_booklets_in_order(tmp_path: Path, processes: int) -> None:
    told: list[int] = []
    paths = print_batch_to_folder(
        BATCH,
        (booklet(i, size=5) for i in range(5)),
        tmp_path / "lot",
        vouchers_per_file=12,
        processes=processes,
        progress=told.append,
    )
    assert [path.name for path in paths] == ["carnets-0001.pdf", "carnets-0002.pdf", "carnets-0003.pdf"]
    assert sorted(told) == [5, 10, 10]
    assert sorted(path.name for path in (tmp_path / "lot").iterdir()) == [path.name for path in paths]
    titles = [pypdf.PdfReader(path).metadata.title for path in paths]  # type: ignore[union-attr]
    assert [title.split(", ")[1] for title in titles if title] == [
        "carnets 0412 à 0413",
        "carnets 0414 à 0415",
        "carnet 0416",
    ]
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)
    assert paths[2].read_bytes() == printed(booklet(4, size=5))
