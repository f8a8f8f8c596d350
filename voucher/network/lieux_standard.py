"""The « lieux de médiation numérique » standard v1.0.2, in and out.

Source: the official schema (La MedNum and ANCT, Licence Ouverte) kept in `lieux/schema.json`; its own constraints are read from it.
Where it and the world disagree, this is what we decided, and why:

- several values are joined by `|`, as its patterns say, whatever older texts say; a value is compared without accents, capitals
  or spaces, because its descriptions and its patterns spell some words differently (« Comprehension », « (La Poste) »);
- it requires a `pivot` of 9 to 14 characters; we require a SIRET with right check digits (La Poste's too) or an RNA, because somebody is paid;
- `code_insee` is optional but, when given, must be right: territories are counted with it;
- the official example is taken. Its SIRET is right; its point is in Aix-en-Provence, 640 km from its address in Reims. A point that far
  from the département is left out with a warning (the map must not send somebody elsewhere) and the address stands;
- its `structure_parente` is a sentence, not a name: nothing can be checked there, it is kept as it is.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from voucher.network.lieux_cells import PivotKind, guarded
from voucher.network.lieux_line import PlaceLine, Reason, RefusedLine, read_line
from voucher.network.lieux_schema import SEPARATOR, standard_columns
from voucher.network.lieux_table import Row, UnreadableFile, open_table

__all__ = ["PivotKind", "PlaceLine", "Reason", "RefusedLine", "UnreadableFile", "read_places", "write_places"]

# Signed numbers and phone numbers are not text to guard: their form is already checked.
_NEVER_FORMULAS = frozenset({"telephone", "latitude", "longitude"})


def read_places(stream: BinaryIO) -> Iterator[PlaceLine | RefusedLine]:
    """Each line of a lieux file, in order: taken (perhaps with warnings) or refused (with all its reasons).

    Lazy, one line in memory, plus the ids met. Raises UnreadableFile, possibly after many lines (a broken quote or letter far
    down): keep nothing before the end, or roll back. Line numbers are those a spreadsheet shows. Columns that the standard does
    not know are told once, in the warnings of the first place taken.
    """
    columns = standard_columns()
    table = open_table(stream, columns, [name for name, column in columns.items() if column.is_required])
    notes, line_of_id = table.notes, dict[str, int]()
    for row in table.rows:
        line = _judged(row, notes, line_of_id)
        if isinstance(line, PlaceLine):
            line_of_id[line.external_id] = line.line_number
            notes = ()
        yield line


def _judged(row: Row, notes: tuple[str, ...], line_of_id: dict[str, int]) -> PlaceLine | RefusedLine:
    if row.problem is not None:
        return RefusedLine(row.number, None, (Reason("", row.problem),))
    line = read_line(row.number, row.cells, notes)
    if isinstance(line, PlaceLine) and line.external_id in line_of_id:
        earlier = line_of_id[line.external_id]
        sentence = f"Cet identifiant est déjà celui de la ligne {earlier}. Donnez-en un autre à ce lieu, ou enlevez la ligne en trop."
        return RefusedLine(row.number, line.external_id, (Reason("id", sentence),))
    return line


def write_places(places: Iterable[PlaceLine]) -> Iterator[bytes]:
    """The standard out: a CSV in UTF-8, header first, one chunk of bytes a line, valid against the official schema.

    What was read comes back the same, save its line number and warnings. Raises ValueError if a listed value holds a `|`.
    """
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    yield writer.writerow(standard_columns())
    for place in places:
        cells = _cells(place)
        yield writer.writerow([_safe(name, cells[name]) for name in standard_columns()])


class _Echo:
    """A file that gives back what the csv module writes, so that a line can be sent as soon as it is made."""

    def write(self, line: str) -> bytes:
        return line.encode()


def _cells(place: PlaceLine) -> dict[str, str]:
    listed = set(standard_columns()["formations_labels"].vocabulary.values())
    return {
        "id": place.external_id,
        "pivot": place.pivot,
        "nom": place.name,
        "commune": place.commune,
        "code_postal": place.postcode,
        "code_insee": place.insee_code or "",
        "adresse": place.address,
        "complement_adresse": place.address_complement,
        "latitude": _degrees(place.latitude),
        "longitude": _degrees(place.longitude),
        "typologie": _joined(place.typologies),
        "telephone": place.phone,
        "courriels": _joined(place.emails),
        "site_web": _joined(place.websites),
        "horaires": place.opening_hours,
        "presentation_resume": place.summary,
        "presentation_detail": place.details,
        "source": place.source,
        "itinerance": _joined(place.roaming),
        "structure_parente": place.parent_structure,
        "date_maj": place.updated_on.isoformat(),
        "services": _joined(service.label for service in place.services),
        "publics_specifiquement_adresses": _joined(place.audiences),
        "prise_en_charge_specifique": _joined(place.special_support),
        "frais_a_charge": _joined(place.fees),
        "dispositif_programmes_nationaux": _joined(place.programmes),
        "formations_labels": _joined(label for label in place.labels if label in listed),
        "autres_formations_labels": _joined(label for label in place.labels if label not in listed),
        "modalites_acces": _joined(place.access_modes),
        "modalites_accompagnement": _joined(place.support_modes),
        "fiche_acces_libre": place.acceslibre_url,
        "prise_rdv": place.booking_url,
    }


def _joined(values: Iterable[str]) -> str:
    listed = list(values)
    if any(SEPARATOR in value for value in listed):
        raise ValueError(f"a value of the standard cannot hold {SEPARATOR!r}: {listed}")
    return SEPARATOR.join(listed)


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


def _safe(name: str, text: str) -> str:
    return text if name in _NEVER_FORMULAS else guarded(text)
