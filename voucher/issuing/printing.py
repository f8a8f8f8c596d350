"""Printing booklets: a PDF with a cover and vouchers to cut, tagged for screen readers (PDF/UA-1).

What is printed on a voucher follows art. R.1611-8 CGCT: issuer's name and address, collectivité, a number in a continuous
series, face value, calendar year of validity, nature of the services, and room for the name, SIRET and address of the
place that takes it. The same values give the same bytes. Nothing here knows the database: callers bring the strings.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, cast

import typst

from voucher.issuing.code import Kind, SignedCode
from voucher.issuing.qr import PAPER, press, svg_path
from voucher.issuing.typing_code import typing_code
from voucher.kernel.calendar import french_date
from voucher.kernel.money import NO_BREAK_SPACE, format_round_euros
from voucher.kernel.number_labels import serial_label

VOUCHERS_PER_FILE = 500
VOUCHERS_AT_ONCE_MAX = 2_000  # one PDF in memory; bigger batches go to a folder, file by file
SERVICES = "Pour apprendre et vous faire aider : démarches en ligne, internet, ordinateur, téléphone."

_TEMPLATE = Path(__file__).parent / "print" / "booklet.typ"
# A typeface made for low vision where its wheel is installed, else the one that typst carries.
_TYPEFACE_PACKAGE = "fontpkg_atkinson_hyperlegible"
_FALLBACK_FONT = "Libertinus Serif"
_COMPILATIONS_KEPT = 10
# What fits a voucher 57 mm high at 12 points (the issuer at 9 when everything is longest).
_LENGTHS_MAX = {"issuer_name": 80, "issuer_address": 100, "authority_name": 80, "services": 95, "number": 20}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintBatch:
    """What all the vouchers of an issue batch share on paper.

    `authority_name` is the collectivité when it is not the issuer itself. `printed_at` (aware) dates the PDF: keep it with
    the batch, so that printing again gives the same file. Raises ValueError when a text is empty or too long for its place.
    """

    number: str
    issuer_name: str
    issuer_address: str
    face_value_cents: int
    use_by: date
    printed_at: datetime
    help_phone: str | None = None
    help_email: str | None = None
    help_hours: str | None = None
    places_url: str | None = None
    authority_name: str | None = None
    services: str = SERVICES

    def __post_init__(self) -> None:
        if self.printed_at.tzinfo is None:
            raise ValueError("printed_at must carry its time zone")
        if self.face_value_cents < 1:
            raise ValueError("a voucher is worth at least one cent")
        for name, length_max in _LENGTHS_MAX.items():
            text = getattr(self, name)
            if text is not None and not 1 <= len(text.strip()) <= length_max:
                raise ValueError(f"{name} must have 1 to {length_max} characters to fit a voucher: {text!r}")


@dataclass(frozen=True, slots=True)
class PrintVoucher:
    """One voucher on paper: its serial, what its QR code holds, and the code to type."""

    serial: int
    qr_text: str
    typing_code: str

    @classmethod
    def of(cls, code: SignedCode, base_url: str) -> "PrintVoucher":
        """Make it from its signed code. Raises ValueError for a booklet's code or an address that does not fit."""
        payload = code.payload
        if payload.kind is not Kind.VOUCHER:
            raise ValueError("a booklet's code cannot stand on a voucher")
        return cls(payload.serial, code.to_url(base_url), typing_code(payload.serial, payload.tag))


@dataclass(frozen=True, slots=True)
class PrintBooklet:
    """One booklet on paper: its number, its cover's codes and its vouchers in order."""

    number: str
    qr_text: str
    typing_code: str
    vouchers: tuple[PrintVoucher, ...]

    def __post_init__(self) -> None:
        if not self.vouchers:
            raise ValueError(f"booklet {self.number} has no voucher")

    @classmethod
    def of(cls, number: str, cover: SignedCode, vouchers: Iterable[SignedCode], base_url: str) -> "PrintBooklet":
        """Make it from its signed codes. Raises ValueError for a cover that is not a booklet's code."""
        payload = cover.payload
        if payload.kind is not Kind.BOOKLET:
            raise ValueError("a voucher's code cannot stand on a cover")
        return cls(
            number,
            cover.to_url(base_url),
            typing_code(payload.serial, payload.tag, Kind.BOOKLET),
            tuple(PrintVoucher.of(code, base_url) for code in vouchers),
        )


def print_booklets(batch: PrintBatch, booklets: Iterable[PrintBooklet], out: BinaryIO | Path) -> int:
    """Write one PDF of these booklets to `out`; return how many vouchers it holds.

    Raises ValueError when there is no booklet, or more than 2,000 vouchers: those go through `print_batch_to_folder`.
    """
    chosen, count = [], 0
    for booklet in booklets:
        chosen.append(booklet)
        count += len(booklet.vouchers)
        if count > VOUCHERS_AT_ONCE_MAX:
            raise ValueError(f"more than {VOUCHERS_AT_ONCE_MAX} vouchers do not go in one file: print to a folder")
    if not chosen:
        raise ValueError("there is no booklet to print")
    pdf = typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        sys_inputs=_values(batch, chosen),
        font_paths=list(_typeface()[1]),
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=["ua-1"],
        timestamp=batch.printed_at.astimezone(UTC),
    )
    _forget()
    if isinstance(out, Path):
        _write_whole(out, pdf)
    else:
        out.write(pdf)
    return count


def print_batch_to_folder(
    batch: PrintBatch,
    booklets: Iterable[PrintBooklet],
    folder: Path,
    *,
    vouchers_per_file: int = VOUCHERS_PER_FILE,
    processes: int = 2,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write PDF files of about `vouchers_per_file` vouchers each (booklets stay whole); return their paths in order.

    Booklets are drawn from the iterable as they are needed and a few files at most are in memory. `progress` is told how
    many vouchers each finished file holds. A file appears whole or not at all; printing again writes the same bytes.
    """
    if not 1 <= vouchers_per_file <= VOUCHERS_AT_ONCE_MAX:
        raise ValueError(f"a file holds 1 to {VOUCHERS_AT_ONCE_MAX} vouchers, not {vouchers_per_file}")
    folder.mkdir(parents=True, exist_ok=True)
    files = (
        (folder / f"carnets-{index:04d}.pdf", part)
        for index, part in enumerate(_parts(booklets, vouchers_per_file), start=1)
    )
    paths: list[Path] = []
    if processes == 1:
        for path, part in files:
            _told(progress, print_booklets(batch, part, path))
            paths.append(path)
        return paths
    # Spawned, never forked: the caller may run threads.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: set[Future[int]] = set()
        for path, part in files:
            if len(waiting) > processes:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                _told(progress, *(future.result() for future in done))
            waiting.add(pool.submit(print_booklets, batch, part, path))
            paths.append(path)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            _told(progress, *(future.result() for future in done))
    return paths


def draw_pages(batch: PrintBatch, booklets: Iterable[PrintBooklet], *, pixels_per_inch: float = 150) -> list[bytes]:
    """Return the pages as PNG images, for a preview on screen."""
    pages = typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        sys_inputs=_values(batch, list(booklets)),
        font_paths=list(_typeface()[1]),
        ignore_system_fonts=True,
        format="png",
        ppi=pixels_per_inch,
    )
    # typst gives a list as soon as there are two pages, and a cover is always followed by one.
    return cast("list[bytes]", pages)


def _values(batch: PrintBatch, booklets: list[PrintBooklet]) -> dict[str, str]:
    """Return the template's inputs: one JSON text, so that no value is ever read as source."""
    first, last = booklets[0].number, booklets[-1].number
    numbers = f"carnet {first}" if first == last else f"carnets {first} à {last}"
    values = {
        "fonts": [_typeface()[0], _FALLBACK_FONT],
        "batch": {
            "title": f"Pass numérique – lot {batch.number}, {numbers}",
            "issuer_name": batch.issuer_name,
            "issuer_address": batch.issuer_address,
            "issuer": _issuer(batch),
            "face_value": format_round_euros(batch.face_value_cents),
            "use_by": french_date(batch.use_by),
            "year": str(batch.use_by.year),
            "services": batch.services,
            "contact": _contact(batch),
            "help_phone": _unbroken(batch.help_phone),
            "places_url": batch.places_url,
        },
        "booklets": [page_values(batch, booklet) for booklet in booklets],
    }
    return {"data": json.dumps(values, ensure_ascii=False)}


def page_values(batch: PrintBatch, booklet: PrintBooklet) -> dict[str, Any]:
    """Return what the template writes of a booklet: its cover, and each voucher with its number and codes."""
    count = len(booklet.vouchers)
    value = format_round_euros(batch.face_value_cents)
    total = format_round_euros(batch.face_value_cents * count)
    return {
        "number": booklet.number,
        "title": f"Votre carnet de {count}{NO_BREAK_SPACE}chèque{'s' if count > 1 else ''} de {value}",
        "worth": f"Il vaut {total} pour vous faire aider avec le numérique.",
        "qr": _symbol(booklet.qr_text),
        "qr_alt": f"Code à scanner du carnet n° {booklet.number}",
        "code": _unbroken(booklet.typing_code),
        "vouchers": [
            {
                "serial": serial_label(voucher.serial),
                "qr": _symbol(voucher.qr_text),
                "qr_alt": f"Code à scanner du chèque n° {serial_label(voucher.serial)}",
                "code": _unbroken(voucher.typing_code),
            }
            for voucher in booklet.vouchers
        ],
    }


def _symbol(text: str) -> str:
    side, path = PAPER.side, svg_path(press(PAPER).symbol(text))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"><path stroke="#000" d="{path}"/></svg>'


def _issuer(batch: PrintBatch) -> str:
    if batch.authority_name is None:
        return f"Collectivité émettrice : {batch.issuer_name}"
    return f"Collectivité : {batch.authority_name}. Émis par {batch.issuer_name}"


def _contact(batch: PrintBatch) -> str:
    ways = []
    if batch.help_phone:
        hours = f" ({batch.help_hours})" if batch.help_hours else ""
        ways.append(f"Appelez le {_unbroken(batch.help_phone)}{hours}.")
    if batch.help_email:
        ways.append(f"Écrivez à {batch.help_email}.")
    return " ".join(ways) or "Écrivez-nous ou venez nous voir :"


def _unbroken(text: str | None) -> str | None:
    return text.replace(" ", NO_BREAK_SPACE) if text else None


@cache
def _typeface() -> tuple[str, tuple[Path, ...]]:
    """Return the family to print in and the folders where typst finds it."""
    found = find_spec(_TYPEFACE_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return _FALLBACK_FONT, ()
    return "Atkinson Hyperlegible", (Path(found.submodule_search_locations[0]) / "files",)


def _forget() -> None:
    """Let typst's memory of what it drew go: it keeps ten compilations, and ours are a quarter of a megabyte a voucher."""
    for _ in range(_COMPILATIONS_KEPT + 1):
        typst.compile(b"", ignore_system_fonts=True)


def _parts(booklets: Iterable[PrintBooklet], vouchers_per_file: int) -> Iterator[list[PrintBooklet]]:
    part: list[PrintBooklet] = []
    count = 0
    for booklet in booklets:
        if part and count + len(booklet.vouchers) > vouchers_per_file:
            yield part
            part, count = [], 0
        part.append(booklet)
        count += len(booklet.vouchers)
    if part:
        yield part


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is never seen half done, readable by its owner only: each code on it is money."""
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)


def _told(progress: Callable[[int], None] | None, *counts: int) -> None:
    if progress:
        for count in counts:
            progress(count)
