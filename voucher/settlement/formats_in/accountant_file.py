"""The return file of a public accountant: what its finance software says it paid, rejected or got back, line by line.

A CSV with French headers, in any order (docs/retour-comptable.md); the columns that we do not know are left aside. Written in UTF-8, with a
BOM or not, in UTF-16 with one, or in Windows-1252 (the latin-1 of French software); cells apart by « ; », « , » or a tabulation. Pure: bytes in,
values out.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from voucher.kernel.typed_days import parse_day
from voucher.kernel.typed_numbers import WrongNumber, parse_euros
from voucher.settlement.formats_in.bank_stages import FileError
from voucher.settlement.formats_in.recognise_file import ASK_FOR

LINES_MAX = 100_000
ERRORS_MAX = 50
REASON_LENGTH_MAX = 140

_SEPARATORS = ";,\t"


class ReturnStatus(StrEnum):
    """What became of a payment: paid; rejected before it left; or returned, days after it was paid."""

    PAID = "paid"
    REJECTED = "rejected"
    RETURNED = "returned"


_HEADERS: Mapping[str, tuple[str, frozenset[str]]] = {
    "reference": ("Référence", frozenset({"reference", "referencedureglement", "referencereglement", "ref"})),
    "amount": ("Montant", frozenset({"montant", "montanteneuros", "montantregle", "montantttc"})),
    "status": ("Statut", frozenset({"statut", "etat", "situation"})),
    "day": ("Date", frozenset({"date", "datedepaiement", "datepaiement", "datedereglement", "datereglement"})),
    "reason": ("Motif", frozenset({"motif", "motifderejet", "motifrejet", "raison"})),
}
"""Each column, as we write its name, and how software writes it, without accents, blanks and signs."""
_NEEDED = ("reference", "amount", "status", "day")

_STATUSES: Mapping[str, ReturnStatus] = {
    **dict.fromkeys(("paye", "payee", "regle", "reglee", "vire", "viree"), ReturnStatus.PAID),
    **dict.fromkeys(("rejete", "rejetee", "rejet", "refuse", "refusee"), ReturnStatus.REJECTED),
    **dict.fromkeys(("retourne", "retournee", "retour"), ReturnStatus.RETURNED),
}


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """One line: the reference that our état liquidatif gave, what became of it and when; `reason` is empty when paid."""

    line: int
    reference: str
    amount_cents: int
    status: ReturnStatus
    on: date
    reason: str


class UnreadableReturn(ValueError):
    """A return file cannot be read; `errors` gives each reason with its line, in order, fifty at most."""

    def __init__(self, errors: Sequence[FileError]) -> None:
        super().__init__(errors[0].reason)
        self.errors = tuple(errors[:ERRORS_MAX])


def is_table(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a table as text, and not of XML or of anything else."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return b"<" not in head[:6]
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first = plain.splitlines()[0] if plain else b""
    is_text = not any(byte < 32 and byte not in b"\t\r\n" for byte in head)
    return is_text and not plain.startswith((b"<", b"%PDF")) and any(one in first for one in b";,\t")


def read_return(content: bytes) -> tuple[ReturnLine, ...]:
    """Return the lines of a return file. Raises UnreadableReturn with every reason, when anything of it cannot be trusted."""
    text = _text(content)
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise UnreadableReturn(
            [FileError(line, "Cette ligne n’est pas du texte. Demandez un autre fichier au comptable.")]
        )
    rows = _rows(text)
    heads = next(rows, None)
    if heads is None:
        raise UnreadableReturn([FileError(0, "Le fichier est vide. Demandez-le de nouveau au comptable.")])
    places = _places(heads[0], heads[1])
    lines: list[ReturnLine] = []
    errors: list[FileError] = []
    met: dict[tuple[str, ReturnStatus], int] = {}
    for number, cells in rows:
        if len(lines) >= LINES_MAX:
            raise UnreadableReturn(
                [FileError(number, f"Le fichier dépasse {LINES_MAX} lignes. Coupez-le en plusieurs.")]
            )
        try:
            found = _line(number, cells, places, len(heads[1]))
            before = met.setdefault((found.reference, found.status), number)
            if before != number:
                raise ValueError(
                    f"La référence {found.reference} est déjà à la ligne {before}. Gardez une seule ligne."
                )
        except ValueError as wrong:
            errors.append(FileError(number, str(wrong)))
            if len(errors) >= ERRORS_MAX:
                break
        else:
            lines.append(found)
    if not lines and not errors:
        errors = [FileError(0, "Le fichier ne contient aucun règlement. Demandez-le de nouveau au comptable.")]
    if errors:
        raise UnreadableReturn(errors)
    return tuple(lines)


def _text(content: bytes) -> str:
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return content.decode("utf-16")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Five bytes mean nothing in Windows-1252: none of them is a letter, and what surrounds them is read all the same.
        return content.decode("cp1252", errors="replace")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold something, each with the line on which it begins."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    try:
        for cells in reader:
            number, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error:
        raise UnreadableReturn(
            [
                FileError(
                    before + 1,
                    "Cette ligne n’est pas bien écrite : un guillemet manque ou est en trop. Demandez un autre fichier.",
                )
            ]
        ) from None


def _places(number: int, heads: Sequence[str]) -> dict[str, int]:
    """Say in which column each value stands."""
    plain = [_plain(head) for head in heads]
    places, errors = {}, []
    for name, (said, known) in _HEADERS.items():
        found = [place for place, head in enumerate(plain) if head in known]
        if len(found) > 1:
            errors.append(FileError(number, f"La colonne « {said} » est là {len(found)} fois. Gardez-en une."))
        elif found:
            places[name] = found[0]
        elif name in _NEEDED:
            errors.append(
                FileError(
                    number, f"La colonne « {said} » manque. Le fichier doit avoir Référence, Montant, Statut et Date."
                )
            )
    if not {"reference", "status"} & places.keys():
        what = (
            "C’est un tableau (CSV), sans les colonnes d’un retour du comptable : Référence, Montant, Statut et Date."
        )
        errors = [FileError(number, f"{what} Si c’est un relevé de la banque : d{ASK_FOR[1:]}")]
    if errors:
        raise UnreadableReturn(errors)
    return places


def _line(number: int, cells: Sequence[str], places: Mapping[str, int], width: int) -> ReturnLine:
    """Read one row. Raises ValueError with a French sentence."""
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        raise ValueError("Cette ligne a plus de cases que l’en-tête. Mettez entre guillemets les montants à virgule.")
    values = {name: cells[place].strip() if place < len(cells) else "" for name, place in places.items()}
    for name in _NEEDED:
        if not values[name]:
            raise ValueError(f"La case « {_HEADERS[name][0]} » est vide. Complétez-la.")
    status = _STATUSES.get(_plain(values["status"]))
    if status is None:
        raise ValueError(
            f"Le statut « {values['status'][:40]} » n’est pas connu. Écrivez « payé », « rejeté » ou « retourné »."
        )
    reason = " ".join(values.get("reason", "").split())[:REASON_LENGTH_MAX]
    if status is ReturnStatus.PAID:
        reason = ""
    elif not reason:
        raise ValueError("Le motif manque. Dites pourquoi le règlement a échoué : la structure le lira.")
    return ReturnLine(
        number, values["reference"].upper(), _cents(values["amount"]), status, parse_day(values["day"]), reason
    )


def _cents(text: str) -> int:
    try:
        return parse_euros(text)
    except WrongNumber as wrong:
        raise ValueError(f"Montant : {wrong}") from None


def _plain(text: str) -> str:
    """Return a word without accents, blanks and signs, in small letters."""
    bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", bare)
