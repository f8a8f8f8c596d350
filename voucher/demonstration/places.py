"""Sixty places over the regions, in proportion to the census of 2018, imported as a file of the national standard."""

from datetime import timedelta
from uuid import UUID

from voucher.access.rules import Role
from voucher.demonstration.story import Story, invented_iban, invented_siret
from voucher.kernel.calendar import start_of_day
from voucher.network.confirm_rib import confirm_bank_details
from voucher.network.import_places import import_places
from voucher.network.lieux_cells import PivotKind
from voucher.network.lieux_standard import PlaceLine, write_places
from voucher.network.names import structure_names
from voucher.network.services import Service
from voucher.network.structures import NewBankDetails, qualify_structure, record_bank_details, suspend_structure
from voucher.programme.territories import DEPARTMENTS, Department, places_in_proportion

PLACE_COUNT = 60
PLACES_A_STRUCTURE = 1.35
WITHOUT_BANK_DETAILS = 3  # structures at the end of the list that have not sent their RIB

KINDS = ("Médiathèque", "Espace numérique", "Maison des usages", "Atelier connecté", "Tiers-lieu", "Point d’accueil")
NAMES = (
    "des Tilleuls", "du Moulin Bleu", "de la Passerelle", "des Trois Ponts", "de la Clairière", "du Vieux Lavoir", "des Genêts",
    "de l’Étang Clair", "du Grand Cerisier", "de la Boussole", "des Quatre Vents", "du Fil d’Ariane",
)  # fmt: skip
CITIES = (
    "Villeneuve-l’Essai", "Saint-Exemple", "Bellerive-les-Prés", "Orme-le-Val", "Port-Modèle", "Clairfontaine-la-Fiction",
    "Montfictif", "La Ferté-l’Exemple", "Pont-Imaginaire", "Sainte-Esquisse",
)  # fmt: skip
STREETS = (
    "rue des Essais",
    "place du Marché-Imaginaire",
    "avenue des Exemples",
    "quai des Brouillons",
    "allée des Croquis",
)
HOURS = (
    "Mo-Fr 09:00-12:00,14:00-18:00",
    "Tu-Sa 10:00-18:00",
    "Mo,We,Fr 09:00-17:30; Sa 09:00-12:00",
    "Tu-Fr 14:00-19:00; Sa 10:00-12:30,14:00-18:00",
)


def import_sixty_places(story: Story) -> list[UUID]:
    """Import the places, qualify their structures, record bank details of all but three; return the qualified structures."""
    by, now = story.by[Role.PROGRAMME], start_of_day(story.days_ago(640))
    content = b"".join(write_places(_lines(story)))
    import_places(story.database, story.some_id(), "lieux-demonstration.csv", content, by=by, now=now)
    structures = [name.id for name in structure_names(story.database)]
    for rank, structure_id in enumerate(structures):
        qualify_structure(story.database, structure_id, by=by, now=now + timedelta(hours=1))
        if rank < len(structures) - WITHOUT_BANK_DETAILS:
            iban = invented_iban(1000 + rank)
            details = NewBankDetails(story.some_id(), structure_id, f"STRUCTURE EXEMPLE {rank + 1}", iban, iban)
            record_bank_details(story.database, details, by=by, now=now + timedelta(hours=2))
            confirm_bank_details(
                story.database, details.id, by=story.by[Role.FINANCE_PREPARER], now=now + timedelta(hours=3)
            )
    return structures


def suspend_one(story: Story, structure_id: UUID) -> None:
    """Suspend a structure near the end of the story."""
    suspend_structure(
        story.database,
        structure_id,
        "Le SIRET est fermé depuis un mois. Nous attendons le nouveau.",
        by=story.by[Role.PROGRAMME],
        now=start_of_day(story.days_ago(3)),
    )


def give_a_new_rib(story: Story, structure_id: UUID) -> None:
    """Let a structure give another RIB yesterday: it waits to be confirmed."""
    iban = invented_iban(2000)
    details = NewBankDetails(story.some_id(), structure_id, "STRUCTURE EXEMPLE NOUVELLE", iban, iban)
    by, now = story.by[Role.PLACE_MANAGER], start_of_day(story.days_ago(1)) + timedelta(hours=10)
    record_bank_details(story.database, details, by=by, now=now)


def _lines(story: Story) -> list[PlaceLine]:
    lines: list[PlaceLine] = []
    departments = {
        region: [department for department in DEPARTMENTS if department.region_code == region]
        for region in places_in_proportion(60)
    }
    for region, count in places_in_proportion(PLACE_COUNT).items():
        for rank in range(count):
            lines.append(_line(story, len(lines), departments[region][rank % len(departments[region])]))
    return lines


def _line(story: Story, rank: int, department: Department) -> PlaceLine:
    dice = story.dice
    code = {"2A": "20", "2B": "202"}.get(department.code, department.code)
    return PlaceLine(
        external_id=f"demo-{rank + 1:03d}",
        pivot=invented_siret(100 + int(rank / PLACES_A_STRUCTURE)),
        pivot_kind=PivotKind.SIRET,
        name=f"{KINDS[rank % len(KINDS)]} {NAMES[rank // len(KINDS) % len(NAMES)]}",
        commune=CITIES[rank % len(CITIES)],
        postcode=code.ljust(5, "0"),
        address=f"{dice.randrange(1, 90)} {dice.choice(STREETS)}",
        latitude=round(department.seat_latitude + dice.uniform(-0.2, 0.2), 4),
        longitude=round(department.seat_longitude + dice.uniform(-0.2, 0.2), 4),
        typologies=("TIERS_LIEUX",),
        phone=f"+331990{dice.randrange(10**5):05d}",
        emails=(f"accueil{rank + 1}@lieu.example",),
        opening_hours=dice.choice(HOURS),
        summary="Nous vous accompagnons pas à pas, seul ou en petit groupe.",
        updated_on=story.days_ago(645),
        services=tuple(sorted(dice.sample(list(Service), 4))),
        fees=("Gratuit sous condition",),
    )
