"""One line of a lieux file: taken, taken with warnings, or refused with every reason at once.

Refused: what the standard requires and is missing or wrong (id, SIRET or RNA, name, commune, postcode, address, date), and a wrong
Insee code, because territories are counted with it. Everything else is optional: a wrong value is left out and told.
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from voucher.network.lieux_cells import (
    BadCell,
    PivotKind,
    clean,
    day_of,
    insee_code_of,
    is_email,
    looks_damaged,
    phone_of,
    pivot_of,
    point_of,
    postcode_of,
    unguarded,
    web_address_of,
)
from voucher.network.lieux_schema import SEPARATOR, Column, standard_columns
from voucher.network.services import Service
from voucher.programme.territories import department_of_postcode, territory_name

# Ours: what a page or a letter can show, and what our tables hold. The standard only bounds the summary (280).
CHARACTERS_MAX = {
    "id": 100, "nom": 150, "commune": 80, "adresse": 200, "complement_adresse": 200, "courriels": 300, "site_web": 500,
    "horaires": 300, "presentation_detail": 10_000, "source": 200, "structure_parente": 200,
}  # fmt: skip
CHARACTERS_MAX_ELSEWHERE = 1_000
_KEEP_LINES = ("presentation_resume", "presentation_detail")


class Reason(NamedTuple):
    """Why a line was refused: the column ("" for the whole line) and a French sentence that says what to do."""

    column: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLine:
    """A place as the standard v1.0.2 describes it. Absent text is "", absent lists are (), absent code or coordinates None.

    Listed values are the standard's French words. `labels` holds both label columns. `warnings` are French sentences.
    """

    line_number: int = 0
    external_id: str
    pivot: str
    pivot_kind: PivotKind
    name: str
    commune: str
    postcode: str
    insee_code: str | None = None
    address: str
    address_complement: str = ""
    latitude: float | None = None
    longitude: float | None = None
    typologies: tuple[str, ...] = ()
    phone: str = ""
    emails: tuple[str, ...] = ()
    websites: tuple[str, ...] = ()
    opening_hours: str = ""
    summary: str = ""
    details: str = ""
    source: str = ""
    roaming: tuple[str, ...] = ()
    parent_structure: str = ""
    updated_on: date
    services: tuple[Service, ...] = ()
    audiences: tuple[str, ...] = ()
    special_support: tuple[str, ...] = ()
    fees: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    access_modes: tuple[str, ...] = ()
    support_modes: tuple[str, ...] = ()
    acceslibre_url: str = ""
    booking_url: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of which nothing was taken, with all its reasons, in the order of the columns."""

    line_number: int
    external_id: str | None
    reasons: tuple[Reason, ...]


def read_line(line_number: int, cells: dict[str, str], notes: tuple[str, ...] = ()) -> PlaceLine | RefusedLine:
    """Judge one line; `cells` may lack optional columns. `notes` are put before the line's own warnings."""
    return _Line(cells).judged(line_number, notes)


class _Line:
    """The cells of one line, and what there is to say about them so far."""

    def __init__(self, cells: dict[str, str]) -> None:
        self._columns = standard_columns()
        self._cells = {
            name: unguarded(clean(cells.get(name, ""), keeps_lines=name in _KEEP_LINES)) for name in self._columns
        }
        self._reasons: list[Reason] = []
        self._warnings: list[str] = []

    def judged(self, line_number: int, notes: tuple[str, ...]) -> PlaceLine | RefusedLine:
        external_id = self._text("id")
        pivot, pivot_kind = self._pivot()
        name, commune = self._text("nom"), self._text("commune")
        postcode, insee_code = self._postcode_and_insee_code()
        address = self._text("adresse")
        updated_on = self._updated_on()
        if self._reasons or pivot_kind is None or updated_on is None:
            return RefusedLine(line_number, external_id or None, tuple(self._reasons))
        latitude, longitude = self._point(postcode, insee_code)
        place = PlaceLine(
            line_number=line_number,
            external_id=external_id,
            pivot=pivot,
            pivot_kind=pivot_kind,
            name=name,
            commune=commune,
            postcode=postcode,
            insee_code=insee_code,
            address=address,
            address_complement=self._text("complement_adresse"),
            latitude=latitude,
            longitude=longitude,
            typologies=self._words("typologie"),
            phone=self._phone(),
            emails=self._emails(),
            websites=self._web_addresses("site_web"),
            opening_hours=self._text("horaires"),
            summary=self._text("presentation_resume"),
            details=self._text("presentation_detail"),
            source=self._text("source"),
            roaming=self._words("itinerance"),
            parent_structure=self._text("structure_parente"),
            updated_on=updated_on,
            services=tuple(Service.of_label(label) for label in self._words("services")),
            audiences=self._words("publics_specifiquement_adresses"),
            special_support=self._words("prise_en_charge_specifique"),
            fees=self._words("frais_a_charge"),
            programmes=self._words("dispositif_programmes_nationaux"),
            labels=self._labels(),
            access_modes=self._words("modalites_acces"),
            support_modes=self._words("modalites_accompagnement"),
            acceslibre_url="".join(self._web_addresses("fiche_acces_libre")[:1]),
            booking_url="".join(self._web_addresses("prise_rdv")[:1]),
            warnings=(*notes, *self._warnings),
        )
        return place

    # What is said

    def _refuse(self, name: str, sentence: str) -> None:
        self._reasons.append(Reason(name, sentence))

    def _warn(self, name: str, sentence: str) -> None:
        self._warnings.append(f"{name} : {sentence}")

    # What any text must be

    def _text(self, name: str) -> str:
        """The cell, within its bounds. A required cell that is empty or too long refuses the line; an optional one is cut."""
        column, text = self._columns[name], self._cells[name]
        if not text:
            if column.is_required:
                self._refuse(name, "Cette case est vide, et elle est obligatoire. Remplissez-la.")
            return ""
        if "\ufffd" in text and column.is_required:
            self._refuse(name, "Des lettres ont été perdues (�). Corrigez ce texte et enregistrez le fichier en UTF-8.")
            return ""
        if looks_damaged(text):
            self._warn(name, "Des accents semblent abîmés. Vérifiez ce texte.")
        length_max = column.length_max or CHARACTERS_MAX.get(name, CHARACTERS_MAX_ELSEWHERE)
        if len(text) <= length_max:
            return text
        if column.is_required:
            self._refuse(name, f"Ce texte a {len(text)} caractères, {length_max} au plus. Raccourcissez-le.")
            return ""
        if name == "horaires":  # half of the hours would be wrong hours
            self._warn(name, f"Ce texte dépasse {length_max} caractères. Il n’a pas été pris.")
            return ""
        self._warn(name, f"Ce texte dépasse {length_max} caractères. La fin a été coupée.")
        return text[: length_max - 1].rsplit(" ", 1)[0].rstrip() + "…"

    def _must_fit(self, name: str, value: str) -> None:
        """The standard's own pattern, on the value as we would store it. Raises BadCell."""
        pattern = self._columns[name].pattern
        if pattern is not None and not pattern.fullmatch(value):
            raise BadCell(f"« {_short(value)} » n’a pas la forme que demande le standard. Corrigez cette case.")

    def _values(self, name: str) -> list[str]:
        """Values joined by `|`, without blanks and doubles; those that would pass the column's bound are left out."""
        length_max = CHARACTERS_MAX.get(name, CHARACTERS_MAX_ELSEWHERE)
        values: list[str] = []
        for value in dict.fromkeys(part.strip() for part in self._cells[name].split(SEPARATOR)):
            if value and len(SEPARATOR.join((*values, value))) > length_max:
                self._warn(name, f"Cette case dépasse {length_max} caractères. La fin n’a pas été prise.")
                break
            if value:
                values.append(value)
        return values

    def _words(self, name: str) -> tuple[str, ...]:
        """The values of a listed column in the standard's spelling; unknown ones are left out and told."""
        column = self._columns[name]
        values = self._values(name)
        if not column.vocabulary:
            return tuple(values)
        words = [column.word(value) for value in values]
        for value, word in zip(values, words, strict=True):
            if word is None:
                self._warn_unknown(column, value)
        return tuple(dict.fromkeys(word for word in words if word))

    def _warn_unknown(self, column: Column, value: str) -> None:
        hint = " Séparez les valeurs par « | »." if ";" in value or "," in value else ""
        self._warn(
            column.name,
            f"« {_short(value)} » n’est pas dans la liste du standard. Cette valeur n’a pas été prise.{hint}",
        )

    # What each column must be

    def _pivot(self) -> tuple[str, PivotKind | None]:
        text = self._text("pivot")
        if not text:
            return "", None
        try:
            pivot, kind = pivot_of(text, self._cells["code_postal"])
            self._must_fit("pivot", pivot)
        except BadCell as bad:
            self._refuse("pivot", bad.sentence)
            return "", None
        return pivot, kind

    def _postcode_and_insee_code(self) -> tuple[str, str | None]:
        postcode, insee_code = self._text("code_postal"), None
        try:
            if postcode:
                postcode = postcode_of(postcode)
                self._must_fit("code_postal", postcode)
        except BadCell as bad:
            self._refuse("code_postal", bad.sentence)
        if self._cells["code_insee"]:
            try:
                insee_code = insee_code_of(self._cells["code_insee"])
                self._must_fit("code_insee", insee_code)
            except BadCell as bad:
                self._refuse("code_insee", bad.sentence)
        if insee_code is not None and not self._reasons:
            self._compare_territories(postcode, insee_code)
        return postcode, insee_code

    def _compare_territories(self, postcode: str, insee_code: str) -> None:
        """Some fifty communes have a postcode equal to their Insee code, some twenty one of the next département: told, not refused."""
        by_postcode, by_insee_code = department_of_postcode(postcode), department_of_postcode("", insee_code)
        if postcode == insee_code:
            self._warn("code_insee", "Il est égal au code postal, ce qui est rare. Vérifiez les deux.")
        elif by_postcode and by_insee_code and by_postcode != by_insee_code:
            self._warn(
                "code_insee",
                f"Il désigne {territory_name(by_insee_code)}, le code postal {territory_name(by_postcode)}. "
                "Le code INSEE a été suivi. Vérifiez les deux.",
            )

    def _updated_on(self) -> date | None:
        text = self._text("date_maj")
        try:
            return day_of(text) if text else None
        except BadCell as bad:
            self._refuse("date_maj", bad.sentence)
            return None

    def _point(self, postcode: str, insee_code: str | None) -> tuple[float | None, float | None]:
        latitude, longitude = self._cells["latitude"], self._cells["longitude"]
        if not latitude and not longitude:
            return None, None
        try:
            return point_of(latitude, longitude, postcode, insee_code)
        except BadCell as bad:
            self._warn("latitude et longitude", bad.sentence)
            return None, None

    def _phone(self) -> str:
        text = self._cells["telephone"]
        number = phone_of(text)
        try:
            if text:
                self._must_fit("telephone", number)
        except BadCell:
            self._warn("telephone", f"« {_short(text)} » n’est pas un numéro comme +33180059880. Il n’a pas été pris.")
            return ""
        return number

    def _emails(self) -> tuple[str, ...]:
        values = self._values("courriels")
        for value in values:
            if not is_email(value):
                self._warn(
                    "courriels", f"« {_short(value)} » n’est pas une adresse électronique. Elle n’a pas été prise."
                )
        return tuple(value for value in values if is_email(value))

    def _web_addresses(self, name: str) -> tuple[str, ...]:
        addresses: list[str] = []
        for value in self._values(name):
            address = web_address_of(value)
            if address is None:
                self._warn(
                    name,
                    f"« {_short(value)} » n’est pas une adresse comme https://www.exemple.fr. Elle n’a pas été prise.",
                )
            else:
                addresses.append(address)
        return tuple(addresses)

    def _labels(self) -> tuple[str, ...]:
        """Labels of the standard first, then the others. One that is not in the list is kept among the others: that column exists for it."""
        column = self._columns["formations_labels"]
        listed = self._values("formations_labels") + self._values("autres_formations_labels")
        words = {value: column.word(value) for value in listed}
        known = [word for word in words.values() if word]
        return tuple(dict.fromkeys([*known, *(value for value, word in words.items() if not word)]))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
