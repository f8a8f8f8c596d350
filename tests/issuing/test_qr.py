"""The symbols we draw are standard: another library reads them, and the fast way draws the same as the library."""

import random
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import zxingcpp
from qrcode import constants

from voucher.issuing.qr import PAPER, QrFormat, press, svg, svg_path, symbol

SCREEN = QrFormat(version=6, error_correction=constants.ERROR_CORRECT_M, mask=1)
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def a_text(length: int, seed: int = 1) -> str:
    prefix = "HTTPS://PASS.EXEMPLE.FR/V/"
    return (prefix + "".join(random.Random(seed).choices(BASE32, k=128)))[:length]


def read_back(modules: list[str]) -> zxingcpp.Barcode:
    dark = np.array([[character == "1" for character in row] for row in modules])
    image = np.kron(np.pad(~dark, 4, constant_values=True), np.ones((4, 4))).astype(np.uint8) * 255
    [found] = zxingcpp.read_barcodes(image)
    return found


@pytest.mark.parametrize(
    ("qr_format", "version", "level", "side"), [(PAPER, 8, "Q", 49), (SCREEN, 6, "M", 41)], ids=["paper", "screen"]
)
def test_a_symbol_reads_back_with_its_version_and_level(
    qr_format: QrFormat, version: int, level: str, side: int
) -> None:
    modules = symbol(a_text(154), qr_format)
    assert [len(modules), *map(len, modules)] == [side] * (side + 1)
    found = read_back(modules)
    assert found.text == a_text(154)
    assert found.ec_level == level
    assert qr_format.modules == 17 + 4 * version


def test_154_characters_fill_the_screen_symbol_and_none_is_left() -> None:
    # ISO/IEC 18004 table 7: version 6 at level M holds 154 alphanumeric characters, version 5 does not.
    assert read_back(symbol(a_text(154), SCREEN)).text == a_text(154)
    with pytest.raises(ValueError, match="154"):
        symbol(a_text(154) + "A", SCREEN)


@pytest.mark.parametrize("qr_format", [PAPER, SCREEN], ids=["paper", "screen"])
@pytest.mark.parametrize("length", [154, 153, 152, 128, 2, 1])
def test_the_press_draws_what_the_library_draws(qr_format: QrFormat, length: int) -> None:
    for seed in range(3):
        text = a_text(154, seed)[-length:]
        assert press(qr_format).symbol(text) == symbol(text, qr_format)


@pytest.mark.parametrize("text", ["https://pass.fr/v/abc", "CHÈQUE", "A,B", "", "A" * 155])
def test_a_text_that_does_not_fit_is_refused_by_both_ways(text: str) -> None:
    for draw in (symbol, press(PAPER).symbol):
        with pytest.raises(ValueError, match="a code"):
            draw(text)


def test_the_path_draws_every_dark_module_once_and_no_other() -> None:
    modules = symbol(a_text(154))
    drawn = set()
    for line in re.findall(r"M(\d+) (\d+)\.5((?:m\d+ 0h\d+)*)", svg_path(modules)):
        x, y = int(line[0]), int(line[1])
        for gap, dark in re.findall(r"m(\d+) 0h(\d+)", line[2]):
            x += int(gap)
            drawn |= {(x + i, y) for i in range(int(dark))}
            x += int(dark)
    assert drawn == {(x + 4, y + 4) for y, row in enumerate(modules) for x, module in enumerate(row) if module == "1"}


def test_the_inline_image_has_a_name_a_role_and_a_quiet_zone() -> None:
    image = ElementTree.fromstring(svg(a_text(154), "Code du chèque <0001 & 2345>"))
    space = "{http://www.w3.org/2000/svg}"
    assert image.get("role") == "img"
    assert image.get("viewBox") == "0 0 49 49"
    assert image.findtext(f"{space}title") == "Code du chèque <0001 & 2345>"
    assert "style" not in image.attrib


@pytest.mark.parametrize("length", [60, 130, 400])
def test_the_inline_image_takes_any_text(length: int) -> None:
    text = ("otpauth://totp/Pass%20num%C3%A9rique:léa@lieu.example?secret=" + "aB3&" * 100)[:length]
    image = ElementTree.fromstring(svg(text, "À scanner"))
    side = int((image.get("viewBox") or "").split()[-1])
    path = [one.get("d") or "" for one in image][-1]
    dark = np.zeros((side, side), dtype=bool)
    for x, y, line in re.findall(r"M(\d+) (\d+)\.5((?:m\d+ 0h\d+)*)", path):
        place = int(x)
        for gap, run in re.findall(r"m(\d+) 0h(\d+)", line):
            dark[int(y), place + int(gap) : place + int(gap) + int(run)] = True
            place += int(gap) + int(run)
    [found] = zxingcpp.read_barcodes(np.kron(~dark, np.ones((4, 4))).astype(np.uint8) * 255)
    assert found.text == text
