"""Drawing a code as a QR symbol: one path of vectors, for paper and for screens.

Paper has one format, of a fixed version and mask: its text is always alphanumeric and at most 154 characters, so there is nothing
to choose, and choosing is what takes a library its time; level Q, since a quarter of the symbol may be stained. A screen shows one
symbol of any text (`svg`), at level M: the library chooses.

A symbol is rows of '0' (light) and '1' (dark), without its quiet zone.
"""

import re
from dataclasses import dataclass
from functools import cache
from html import escape

from qrcode import QRCode, constants
from qrcode.base import RSBlock, rs_blocks
from qrcode.util import MODE_ALPHA_NUM, BitBuffer, QRData, create_bytes

QUIET_ZONE_MODULES = 4  # ISO/IEC 18004: a QR symbol needs four light modules on each side
TEXT_CHARACTERS_MAX = 154
ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"  # in the order of their values, ISO/IEC 18004 table 5

Symbol = list[str]

# The mode (4 bits) and the count of characters (9 bits, up to version 9) come before the text's own bits.
_HEADER_BITS = 13
_PAIR_BITS = {a + b: f"{i * 45 + j:011b}" for i, a in enumerate(ALPHANUMERIC) for j, b in enumerate(ALPHANUMERIC)}
_SINGLE_BITS = {a: f"{i:06b}" for i, a in enumerate(ALPHANUMERIC)}
_RUN = re.compile("0*1+")


@dataclass(frozen=True, slots=True)
class QrFormat:
    """A QR version (9 at most), error correction level and mask, fixed once."""

    version: int
    error_correction: int
    mask: int

    @property
    def modules(self) -> int:
        """The side of the symbol in modules, without the quiet zone."""
        return 17 + 4 * self.version

    @property
    def side(self) -> int:
        """The side of the symbol in modules, with the quiet zone."""
        return self.modules + 2 * QUIET_ZONE_MODULES


PAPER = QrFormat(version=8, error_correction=constants.ERROR_CORRECT_Q, mask=1)


def symbol(text: str, qr_format: QrFormat = PAPER) -> Symbol:
    """Return the symbol of a text.

    Raises ValueError when `text` passes 154 characters or leaves the alphanumeric alphabet of QR codes.
    """
    _check(text)
    drawing = _drawing(qr_format)
    drawing.add_data(QRData(text.encode("ascii"), mode=MODE_ALPHA_NUM, check_data=False))
    drawing.make(fit=False)
    return _rows(drawing)


class Press:
    """Draws many symbols of one format: some forty times faster than `symbol`, and the same.

    Error correction, interleaving and placement are linear over GF(2), and the mask is a constant. So a symbol is a blank
    (all that does not depend on the text, but for its length) with, for each bit of the text, the modules which that bit
    turns. Both are learnt from the library once: about 0.2 s and 10 MB a format.
    """

    def __init__(self, qr_format: QrFormat) -> None:
        self._format = qr_format
        blocks = rs_blocks(qr_format.version, qr_format.error_correction)
        self._data_bytes: int = sum(block.data_count for block in blocks)
        self._blanks: dict[int, int] = {}
        places = self._places(sum(block.total_count for block in blocks))
        self._turned = [_turned_by_byte(codewords, places) for codewords in _codewords_by_bit(blocks)]

    def symbol(self, text: str) -> Symbol:
        """Return the symbol of a text. Raises ValueError as the function `symbol` does."""
        _check(text)
        if len(text) not in self._blanks:
            # The library cannot draw « 000… » (a block of zeros stops it), so any other text gives the blank.
            other = "A" * len(text)
            self._blanks[len(text)] = _number(symbol(other, self._format)) ^ self._text_modules(other)
        modules = self._blanks[len(text)] ^ self._text_modules(text)
        side = self._format.modules
        digits = f"{modules:0{side * side}b}"
        return [digits[start : start + side] for start in range(0, side * side, side)]

    def _text_modules(self, text: str) -> int:
        modules = 0
        for turned, byte in zip(self._turned, self._data(text), strict=True):
            modules ^= turned[byte]
        return modules

    def _data(self, text: str) -> bytes:
        """Return the text's own bits where the symbol's data has them, and zeros around them."""
        pairs = len(text) // 2 * 2
        bits = "".join([_PAIR_BITS[text[i : i + 2]] for i in range(0, pairs, 2)])
        bits += "".join([_SINGLE_BITS[character] for character in text[pairs:]])
        number: int = int(bits, 2) << 8 * self._data_bytes - _HEADER_BITS - len(bits)
        return number.to_bytes(self._data_bytes)

    def _places(self, codewords: int) -> list[int]:
        """Return, for each bit of the codewords in order, the one module it turns, as a number.

        Each digit of a bit's rank is asked in one drawing: a dozen drawings number every module.
        """
        light = self._drawn([0] * codewords)
        ranks: dict[int, int] = {}
        for digit in range((8 * codewords).bit_length()):
            bits = "".join(str((rank + 1) >> digit & 1) for rank in range(8 * codewords))
            turned = light ^ self._drawn(list(int(bits, 2).to_bytes(codewords)))
            while turned:
                module = turned & -turned
                ranks[module] = ranks.get(module, 0) | 1 << digit
                turned ^= module
        return [module for module, _ in sorted(ranks.items(), key=lambda item: item[1])]

    def _drawn(self, codewords: list[int]) -> int:
        drawing = _drawing(self._format)
        drawing.data_cache = codewords
        drawing.make(fit=False)
        return _number(_rows(drawing))


@cache
def press(qr_format: QrFormat = PAPER) -> Press:
    """Return the press of a format, made once in a process."""
    return Press(qr_format)


def svg_path(modules: Symbol) -> str:
    """Return one SVG path to stroke with a width of 1, in modules from the corner of the quiet zone.

    It has a line for each run of dark modules in a row.
    """
    return "".join(
        [
            f"M{QUIET_ZONE_MODULES} {y}.5{''.join([_line(run) for run in _RUN.findall(row)])}"
            for y, row in enumerate(modules, start=QUIET_ZONE_MODULES)
        ]
    )


def svg(text: str, title: str) -> str:
    """Return a standalone SVG image of any text to put inline in a page, its quiet zone included and `title` as its name.

    It is dark on white whatever the page's colours, because scanners expect it.
    """
    drawing = QRCode(error_correction=constants.ERROR_CORRECT_M, border=0)
    drawing.add_data(QRData(text.encode()))
    drawing.make(fit=True)
    modules = _rows(drawing)
    side = len(modules) + 2 * QUIET_ZONE_MODULES
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" shape-rendering="crispEdges">'
        f"<title>{escape(title)}</title>"
        f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path stroke="#000" d="{svg_path(modules)}"/></svg>'
    )


@cache
def _line(run: str) -> str:
    dark = run.count("1")
    return f"m{len(run) - dark} 0h{dark}"


def _check(text: str) -> None:
    if not 1 <= len(text) <= TEXT_CHARACTERS_MAX:
        raise ValueError(f"a code has 1 to {TEXT_CHARACTERS_MAX} characters, not {len(text)}")
    if not _SINGLE_BITS.keys() >= set(text):
        raise ValueError("a code holds only capitals, digits, spaces and $%*+-./: so that it fits its symbol")


def _drawing(qr_format: QrFormat) -> QRCode:
    return QRCode(
        version=qr_format.version,
        error_correction=qr_format.error_correction,
        border=0,
        mask_pattern=qr_format.mask,
    )


def _rows(drawing: QRCode) -> Symbol:
    return ["".join(["1" if is_dark else "0" for is_dark in row]) for row in drawing.get_matrix()]


def _number(modules: Symbol) -> int:
    return int("".join(modules), 2)


def _codewords_by_bit(blocks: list[RSBlock]) -> list[list[dict[int, int]]]:
    """Return, for each data byte and each of its bits, the codewords that this bit changes: their ranks and how.

    A bit changes its own byte and the error correction of its block; blocks are interleaved byte by byte.
    """
    data_ranks = sorted((column, row) for row, block in enumerate(blocks) for column in range(block.data_count))
    rank_of = {place: rank for rank, place in enumerate(data_ranks)}
    changed = []
    for row, block in enumerate(blocks):
        for column in range(block.data_count):
            by_bit = []
            for bit in range(8):
                data = BitBuffer()
                data.buffer = [0] * block.data_count
                data.buffer[column] = 1 << bit
                correction = create_bytes(data, [block])[block.data_count :]
                first = len(data_ranks) + row
                by_bit.append(
                    {rank_of[column, row]: 1 << bit}
                    | {first + len(blocks) * rank: codeword for rank, codeword in enumerate(correction)}
                )
            changed.append(by_bit)
    return changed


def _turned_by_byte(codewords_by_bit: list[dict[int, int]], places: list[int]) -> list[int]:
    """Return the modules turned by each of the 256 values of one data byte."""
    turned = [0]
    for codewords in codewords_by_bit:
        modules = 0
        for rank, codeword in codewords.items():
            for shift in range(8):
                if codeword >> shift & 1:
                    modules ^= places[8 * rank + 7 - shift]
        turned += [other ^ modules for other in turned]
    return turned
