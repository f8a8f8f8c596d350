"""Where a place is: départements, regions, and what the 2018 census of third places counted in each region.

Codes are strings, because Corsica has letters and the Ain begins with a zero. Sources: the *Code officiel géographique* of
Insee for codes and names; GeoNames for the seats (prefectures), rounded to a tenth of a degree: enough to notice that a place of
the Marne was put in Provence, never enough to place anything on a map; the programme of 17 June 2019 for the census.
"""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Region:
    """A region by its Insee code. `is_other` marks the overseas collectivities, which belong to no region."""

    code: str
    name: str
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class Department:
    """A département by its Insee code, with its region's code and where its prefecture stands (degrees WGS 84, to a tenth)."""

    code: str
    name: str
    region_code: str
    seat_latitude: float
    seat_longitude: float


@dataclass(frozen=True, slots=True)
class ThirdPlacesCensus:
    """Third places counted by region code. Those of no known region are a category of their own, never shared among regions."""

    by_region: dict[str, int]
    not_located_count: int

    @property
    def located_count(self) -> int:
        return sum(self.by_region.values())

    @property
    def total_count(self) -> int:
        return self.located_count + self.not_located_count


REGIONS: tuple[Region, ...] = (
    Region("01", "Guadeloupe"),
    Region("02", "Martinique"),
    Region("03", "Guyane"),
    Region("04", "La Réunion"),
    Region("06", "Mayotte"),
    Region("11", "Île-de-France"),
    Region("24", "Centre-Val de Loire"),
    Region("27", "Bourgogne-Franche-Comté"),
    Region("28", "Normandie"),
    Region("32", "Hauts-de-France"),
    Region("44", "Grand Est"),
    Region("52", "Pays de la Loire"),
    Region("53", "Bretagne"),
    Region("75", "Nouvelle-Aquitaine"),
    Region("76", "Occitanie"),
    Region("84", "Auvergne-Rhône-Alpes"),
    Region("93", "Provence-Alpes-Côte d’Azur"),
    Region("94", "Corse"),
)

OTHER_TERRITORIES = Region("COM", "Collectivités d’outre-mer", is_other=True)

# Collectivities whose postcodes begin with these three digits and which have no département.
COLLECTIVITIES: dict[str, str] = {
    "975": "Saint-Pierre-et-Miquelon",
    "977": "Saint-Barthélemy",
    "978": "Saint-Martin",
    "986": "Wallis-et-Futuna",
    "987": "Polynésie française",
    "988": "Nouvelle-Calédonie",
}

# The two collectivities born in 2007 keep postcodes of Guadeloupe; only these two postcodes are theirs.
_POSTCODES_OF_COLLECTIVITIES = {"97133": "977", "97150": "978"}

# fmt: off
_DEPARTMENT_ROWS = (
    ("01", "Ain", "84", 46.2, 5.2),
    ("02", "Aisne", "32", 49.6, 3.6),
    ("03", "Allier", "84", 46.6, 3.3),
    ("04", "Alpes-de-Haute-Provence", "93", 44.1, 6.2),
    ("05", "Hautes-Alpes", "93", 44.6, 6.1),
    ("06", "Alpes-Maritimes", "93", 43.7, 7.3),
    ("07", "Ardèche", "84", 44.7, 4.6),
    ("08", "Ardennes", "44", 49.8, 4.7),
    ("09", "Ariège", "76", 43.0, 1.6),
    ("10", "Aube", "44", 48.3, 4.1),
    ("11", "Aude", "76", 43.2, 2.3),
    ("12", "Aveyron", "76", 44.4, 2.6),
    ("13", "Bouches-du-Rhône", "93", 43.3, 5.4),
    ("14", "Calvados", "28", 49.2, -0.4),
    ("15", "Cantal", "84", 44.9, 2.4),
    ("16", "Charente", "75", 45.6, 0.2),
    ("17", "Charente-Maritime", "75", 46.2, -1.2),
    ("18", "Cher", "24", 47.1, 2.4),
    ("19", "Corrèze", "75", 45.3, 1.8),
    ("21", "Côte-d’Or", "27", 47.3, 5.0),
    ("22", "Côtes-d’Armor", "53", 48.5, -2.8),
    ("23", "Creuse", "75", 46.2, 1.9),
    ("24", "Dordogne", "75", 45.2, 0.7),
    ("25", "Doubs", "27", 47.2, 6.0),
    ("26", "Drôme", "84", 44.9, 4.9),
    ("27", "Eure", "28", 49.0, 1.2),
    ("28", "Eure-et-Loir", "24", 48.4, 1.5),
    ("29", "Finistère", "53", 48.0, -4.1),
    ("2A", "Corse-du-Sud", "94", 41.9, 8.7),
    ("2B", "Haute-Corse", "94", 42.7, 9.5),
    ("30", "Gard", "76", 43.8, 4.4),
    ("31", "Haute-Garonne", "76", 43.6, 1.4),
    ("32", "Gers", "76", 43.6, 0.6),
    ("33", "Gironde", "75", 44.8, -0.6),
    ("34", "Hérault", "76", 43.6, 3.9),
    ("35", "Ille-et-Vilaine", "53", 48.1, -1.7),
    ("36", "Indre", "24", 46.8, 1.7),
    ("37", "Indre-et-Loire", "24", 47.4, 0.7),
    ("38", "Isère", "84", 45.2, 5.7),
    ("39", "Jura", "27", 46.7, 5.6),
    ("40", "Landes", "75", 43.9, -0.5),
    ("41", "Loir-et-Cher", "24", 47.6, 1.3),
    ("42", "Loire", "84", 45.4, 4.4),
    ("43", "Haute-Loire", "84", 45.0, 3.9),
    ("44", "Loire-Atlantique", "52", 47.2, -1.6),
    ("45", "Loiret", "24", 47.9, 1.9),
    ("46", "Lot", "76", 44.4, 1.4),
    ("47", "Lot-et-Garonne", "75", 44.2, 0.6),
    ("48", "Lozère", "76", 44.5, 3.5),
    ("49", "Maine-et-Loire", "52", 47.5, -0.6),
    ("50", "Manche", "28", 49.1, -1.1),
    ("51", "Marne", "44", 49.0, 4.4),
    ("52", "Haute-Marne", "44", 48.1, 5.1),
    ("53", "Mayenne", "52", 48.1, -0.8),
    ("54", "Meurthe-et-Moselle", "44", 48.7, 6.2),
    ("55", "Meuse", "44", 48.8, 5.2),
    ("56", "Morbihan", "53", 47.7, -2.8),
    ("57", "Moselle", "44", 49.1, 6.2),
    ("58", "Nièvre", "27", 47.0, 3.2),
    ("59", "Nord", "32", 50.6, 3.1),
    ("60", "Oise", "32", 49.4, 2.1),
    ("61", "Orne", "28", 48.4, 0.1),
    ("62", "Pas-de-Calais", "32", 50.3, 2.8),
    ("63", "Puy-de-Dôme", "84", 45.8, 3.1),
    ("64", "Pyrénées-Atlantiques", "75", 43.3, -0.4),
    ("65", "Hautes-Pyrénées", "76", 43.2, 0.1),
    ("66", "Pyrénées-Orientales", "76", 42.7, 2.9),
    ("67", "Bas-Rhin", "44", 48.6, 7.7),
    ("68", "Haut-Rhin", "44", 48.1, 7.4),
    ("69", "Rhône", "84", 45.7, 4.8),
    ("70", "Haute-Saône", "27", 47.6, 6.1),
    ("71", "Saône-et-Loire", "27", 46.3, 4.8),
    ("72", "Sarthe", "52", 48.0, 0.2),
    ("73", "Savoie", "84", 45.6, 5.9),
    ("74", "Haute-Savoie", "84", 45.9, 6.1),
    ("75", "Paris", "11", 48.9, 2.3),
    ("76", "Seine-Maritime", "28", 49.4, 1.1),
    ("77", "Seine-et-Marne", "11", 48.5, 2.7),
    ("78", "Yvelines", "11", 48.8, 2.1),
    ("79", "Deux-Sèvres", "75", 46.3, -0.5),
    ("80", "Somme", "32", 49.9, 2.3),
    ("81", "Tarn", "76", 43.9, 2.1),
    ("82", "Tarn-et-Garonne", "76", 44.0, 1.4),
    ("83", "Var", "93", 43.1, 5.9),
    ("84", "Vaucluse", "93", 43.9, 4.8),
    ("85", "Vendée", "52", 46.7, -1.4),
    ("86", "Vienne", "75", 46.6, 0.3),
    ("87", "Haute-Vienne", "75", 45.8, 1.2),
    ("88", "Vosges", "44", 48.2, 6.5),
    ("89", "Yonne", "27", 47.8, 3.6),
    ("90", "Territoire de Belfort", "27", 47.6, 6.9),
    ("91", "Essonne", "11", 48.6, 2.4),
    ("92", "Hauts-de-Seine", "11", 48.9, 2.2),
    ("93", "Seine-Saint-Denis", "11", 48.9, 2.5),
    ("94", "Val-de-Marne", "11", 48.8, 2.5),
    ("95", "Val-d’Oise", "11", 49.0, 2.1),
    ("971", "Guadeloupe", "01", 16.0, -61.7),
    ("972", "Martinique", "02", 14.6, -61.1),
    ("973", "Guyane", "03", 4.9, -52.3),
    ("974", "La Réunion", "04", -20.9, 55.5),
    ("976", "Mayotte", "06", -12.8, 45.2),
)
# fmt: on

DEPARTMENTS: tuple[Department, ...] = tuple(Department(*row) for row in _DEPARTMENT_ROWS)

# Programme « Nouveaux lieux, nouveaux liens », 17 June 2019: 1,800 third places in 2018, of which 1,463 in a known region.
THIRD_PLACES_2018 = ThirdPlacesCensus(
    by_region={
        "84": 200,
        "27": 67,
        "53": 86,
        "24": 37,
        "94": 7,
        "44": 67,
        "01": 1,
        "03": 1,
        "32": 75,
        "11": 316,
        "02": 1,
        "06": 0,
        "28": 28,
        "75": 222,
        "76": 163,
        "52": 62,
        "93": 127,
        "04": 3,
    },
    not_located_count=337,
)

_REGION_BY_CODE = {region.code: region for region in (*REGIONS, OTHER_TERRITORIES)}
_DEPARTMENT_BY_CODE = {department.code: department for department in DEPARTMENTS}


def department_of_postcode(postcode: str, insee_code: str | None = None) -> str | None:
    """The code of the département, or of the overseas collectivity ("975", "977"…), where a commune stands; None if none does.

    The Insee code of the commune decides when it names a known territory: about twenty communes have the postcode of the
    neighbouring département. A postcode of Corsica says 2A (200, 201) or 2B (202, 206); any other 20… is not enough to tell.
    """
    return (_territory_of_insee_code(insee_code) if insee_code else None) or _territory_of_postcode(postcode)


def department(code: str) -> Department | None:
    """The département of this code, None for an overseas collectivity or an unknown code."""
    return _DEPARTMENT_BY_CODE.get(code)


def territory_name(code: str) -> str:
    """The French name of a département or of an overseas collectivity. Raises KeyError on an unknown code."""
    return COLLECTIVITIES[code] if code in COLLECTIVITIES else _DEPARTMENT_BY_CODE[code].name


def region(code: str) -> Region:
    """The region of this code ("COM" for the overseas collectivities). Raises KeyError on an unknown code."""
    return _REGION_BY_CODE[code]


def region_of_department(code: str) -> Region:
    """The region of a département; `OTHER_TERRITORIES` for an overseas collectivity. Raises KeyError on an unknown code."""
    return OTHER_TERRITORIES if code in COLLECTIVITIES else _REGION_BY_CODE[_DEPARTMENT_BY_CODE[code].region_code]


def places_in_proportion(count: int) -> dict[str, int]:
    """Share `count` places among the 18 regions as the census of 2018 located them: region code → number, summing to `count`.

    Largest remainder (Hamilton); equal remainders go to the larger census, then to the smaller code, so the answer never changes.
    Whole numbers only: no rounding drifts. Raises ValueError on a negative count.
    """
    if count < 0:
        raise ValueError("a number of places cannot be negative")
    census, located = THIRD_PLACES_2018.by_region, THIRD_PLACES_2018.located_count
    shares = {code: count * counted // located for code, counted in census.items()}
    by_remainder = sorted(census, key=lambda code: (-(count * census[code] % located), -census[code], code))
    for code in by_remainder[: count - sum(shares.values())]:
        shares[code] += 1
    return shares


def kilometres_from_seat(department_code: str, latitude: float, longitude: float) -> float | None:
    """Distance as the crow flies from the prefecture to a point (degrees WGS 84), within 10 km; None without a prefecture."""
    here = _DEPARTMENT_BY_CODE.get(department_code)
    if here is None:
        return None
    south, north = radians(here.seat_latitude), radians(latitude)
    half_east = radians(longitude - here.seat_longitude) / 2
    chord = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(half_east) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, chord)))


def _territory_of_insee_code(insee_code: str) -> str | None:
    return _known(insee_code[:3] if insee_code.startswith(("97", "98")) else insee_code[:2], len(insee_code) == 5)


def _territory_of_postcode(postcode: str) -> str | None:
    if postcode in _POSTCODES_OF_COLLECTIVITIES:
        return _POSTCODES_OF_COLLECTIVITIES[postcode]
    if postcode.startswith("20"):
        corsica = {"200": "2A", "201": "2A", "202": "2B", "206": "2B"}.get(postcode[:3])
        return corsica if len(postcode) == 5 else None
    prefix = postcode[:3] if postcode.startswith(("97", "98")) else postcode[:2]
    return _known(prefix, len(postcode) == 5 and postcode.isascii() and postcode.isdigit())


def _known(code: str, is_well_formed: bool) -> str | None:
    return code if is_well_formed and (code in _DEPARTMENT_BY_CODE or code in COLLECTIVITIES) else None
