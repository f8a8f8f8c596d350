"""A place of the standard as a row of our table, and back: what is searched has a column, the rest is kept as JSON."""

import json
from typing import Any

from voucher.network.lieux_cells import PivotKind
from voucher.network.lieux_schema import SEPARATOR
from voucher.network.lieux_standard import PlaceLine
from voucher.network.model import Place
from voucher.network.services import Service
from voucher.programme.territories import department_of_postcode, region_of_department

_OTHER_LISTS = (
    "typologies", "roaming", "audiences", "special_support", "fees", "programmes", "labels", "access_modes", "support_modes",
)  # fmt: skip
_OTHER_TEXTS = ("details", "source", "parent_structure", "acceslibre_url", "booking_url")


def row_of(line: PlaceLine) -> dict[str, Any]:
    """Return the columns that a line of the standard fills: all but the ids, the opening and the dates of the row itself."""
    department_code = department_of_postcode(line.postcode, line.insee_code)
    others = {name: value for name in (*_OTHER_LISTS, *_OTHER_TEXTS) if (value := getattr(line, name))}
    return {
        "external_id": line.external_id,
        "name": line.name,
        "address": line.address,
        "address_complement": line.address_complement,
        "postcode": line.postcode,
        "insee_code": line.insee_code,
        "city": line.commune,
        "department_code": department_code,
        "region_code": None if department_code is None else region_of_department(department_code).code,
        "latitude": line.latitude,
        "longitude": line.longitude,
        "phone": line.phone,
        "email": SEPARATOR.join(line.emails),
        "website": SEPARATOR.join(line.websites),
        "opening_hours": line.opening_hours,
        "summary": line.summary,
        "services": SEPARATOR.join(service.value for service in line.services),
        "other_columns": json.dumps(others, ensure_ascii=False, sort_keys=True),
        "updated_on": line.updated_on,
    }


def line_of(place: Place, pivot: str) -> PlaceLine:
    """Return the line of the standard that a row tells; `row_of` gives the row back."""
    stored: dict[str, Any] = json.loads(place.other_columns)
    others: dict[str, Any] = {name: value if name in _OTHER_TEXTS else tuple(value) for name, value in stored.items()}
    return PlaceLine(
        external_id=place.external_id,
        pivot=pivot,
        pivot_kind=PivotKind.RNA if pivot.startswith("W") else PivotKind.SIRET,
        name=place.name,
        commune=place.city,
        postcode=place.postcode,
        insee_code=place.insee_code,
        address=place.address,
        address_complement=place.address_complement,
        latitude=place.latitude,
        longitude=place.longitude,
        phone=place.phone,
        emails=values_of(place.email),
        websites=values_of(place.website),
        opening_hours=place.opening_hours,
        summary=place.summary,
        updated_on=place.updated_on,
        services=tuple(Service(code) for code in values_of(place.services)),
        **others,
    )


def values_of(text: str) -> tuple[str, ...]:
    """Return the values that a column joins by the standard's separator."""
    return tuple(text.split(SEPARATOR)) if text else ()
