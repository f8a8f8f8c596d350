"""Drawing a code as a QR symbol: one path of vectors, for paper and for screens.

Two formats only, both with a fixed version and mask: the text is always alphanumeric and at most 154 characters, so there
is nothing to choose, and choosing is what takes a library its time. Paper has level Q (a quarter of the symbol may be
stained); a screen has level M, with bigger modules for the same width.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import cast

from qrcode import QRCode, constants
from qrcode.util import MODE_ALPHA_NUM, QRData

QUIET_ZONE_MODULES = 4  # ISO/IEC 18004: a QR symbol needs four light modules on each side
TEXT_CHARACTERS_MAX = 154
ALPHANUMERIC = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@dataclass(frozen=True, slots=True)
class QrFormat:
    """A QR version, error correction level and mask, fixed once."""

    version: int
    error_correction: int
    mask: int

    @property
    def modules(self) -> int:
        """The side of the symbol in modules, without the quiet zone."""
        return 17 + 4 * self.version


PAPER = QrFormat(version=8, error_correction=constants.ERROR_CORRECT_Q, mask=1)
SCREEN = QrFormat(version=6, error_correction=constants.ERROR_CORRECT_M, mask=1)

Matrix = Sequence[Sequence[bool]]

_DARK_RUN = re.compile(rb"\x01+")


def matrix(text: str, qr_format: QrFormat = PAPER) -> Matrix:
    """Return the symbol row by row, True where a module is dark, without the quiet zone.

    Raises ValueError when `text` passes 154 characters or leaves the alphanumeric alphabet of QR codes.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"a code of {len(text)} characters passes {TEXT_CHARACTERS_MAX}")
    if not ALPHANUMERIC.issuperset(text):
        raise ValueError("a code holds only capitals, digits and $%*+-./: so that it fits its symbol")
    symbol = QRCode(
        version=qr_format.version,
        error_correction=qr_format.error_correction,
        border=0,
        mask_pattern=qr_format.mask,
    )
    symbol.add_data(QRData(text.encode("ascii"), mode=MODE_ALPHA_NUM, check_data=False))
    symbol.make(fit=False)
    return cast("Matrix", symbol.get_matrix())


def svg_path(modules: Matrix, quiet_zone: int = QUIET_ZONE_MODULES) -> str:
    """Return one SVG path, in units of a module: a rectangle for each run of dark modules in a row."""
    parts = []
    for y, row in enumerate(modules, start=quiet_zone):
        for run in _DARK_RUN.finditer(bytes(row)):
            start, end = run.span()
            width = end - start
            parts.append(f"M{start + quiet_zone} {y}h{width}v1h-{width}z")
    return "".join(parts)


def svg(text: str, qr_format: QrFormat = SCREEN, title: str = "Code à scanner") -> str:
    """Return a standalone SVG image to put inline in a page, its quiet zone included and `title` as its name.

    It is dark on white whatever the page's colours, because scanners expect it.
    """
    side = qr_format.modules + 2 * QUIET_ZONE_MODULES
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" shape-rendering="crispEdges">'
        f"<title>{escape(title)}</title>"
        f'<path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path fill="#000" d="{svg_path(matrix(text, qr_format))}"/></svg>'
    )
