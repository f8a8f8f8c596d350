"""What must be true of structures, their bank details and their places."""

from functools import cache
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.kernel.identifiers import InvalidIdentifier, check_iban
from voucher.kernel.number_labels import iban_end
from voucher.network.import_report import counts_of, read_report
from voucher.network.lieux_cells import BadCell, pivot_of
from voucher.network.model import BankDetails, Place, PlacesImport, Structure, StructureState
from voucher.network.place_row import values_of
from voucher.network.services import Service
from voucher.programme.territories import department_of_postcode, region_of_department


def check_structures_can_be_named(session: Session) -> list[Violation]:
    """Chaque structure porte un SIRET ou un RNA qui peut exister ; une suspension dit sa raison."""
    rows = session.execute(
        select(Structure.id, Structure.name, Structure.pivot, Structure.state, Structure.state_reason)
    )
    violations = []
    for row in rows:
        if not _is_pivot(row.pivot):
            violations.append(
                Violation("structures_can_be_named", f"structure {row.id}", f"{row.pivot} ne peut pas exister")
            )
        if (row.state == StructureState.SUSPENDED) != bool(row.state_reason):
            violations.append(
                Violation("structures_can_be_named", f"structure {row.id}", "état et raison ne vont pas ensemble")
            )
    return violations


def check_structures_have_one_rib_at_a_time(session: Session) -> list[Violation]:
    """Une structure a un seul RIB à la fois, dont les deux clés sont justes."""
    is_confirmed = BankDetails.confirmed_at.is_not(None)
    several = session.execute(
        select(BankDetails.structure_id, func.count().label("found"))
        .where(BankDetails.ended_at.is_(None))
        .group_by(BankDetails.structure_id, is_confirmed)
        .having(func.count() > 1)
    )
    name = "structures_have_one_rib_at_a_time"
    violations = [Violation(name, f"structure {row.structure_id}", f"{row.found} RIB en cours") for row in several]
    rows = session.execute(select(BankDetails.id, BankDetails.iban))
    violations += [
        Violation(name, f"RIB {row.id}", f"IBAN {row.iban} impossible") for row in rows if not _is_iban(row.iban)
    ]
    return violations


@cache
def _query_ribs_are_confirmed_by_another() -> Select[*tuple[Any, ...]]:
    return (
        select(Structure.name, BankDetails.iban, BankDetails.recorded_by == BankDetails.confirmed_by)
        .join(Structure, Structure.id == BankDetails.structure_id)
        .where(
            or_(
                BankDetails.recorded_by == BankDetails.confirmed_by,
                BankDetails.confirmed_at < BankDetails.recorded_at,
                and_(BankDetails.confirmed_by.is_not(None), BankDetails.confirmed_at.is_(None)),
            )
        )
        .order_by(Structure.name)
    )


def check_ribs_are_confirmed_by_another(session: Session) -> list[Violation]:
    """Un RIB est confirmé par une autre personne que celle qui l’a enregistré, et jamais avant."""
    rows = session.execute(_query_ribs_are_confirmed_by_another())
    return [
        Violation(
            "ribs_are_confirmed_by_another",
            f"RIB de {name} qui finit par {iban_end(iban)}",
            "confirmé par qui l’a enregistré" if is_recorder else "la date de confirmation ne va pas",
        )
        for name, iban, is_recorder in rows
    ]


def check_places_are_located_and_useful(session: Session) -> list[Violation]:
    """Chaque lieu est dans le département et la région de son code postal, et n’offre que les services du standard."""
    rows = session.execute(
        select(Place.id, Place.postcode, Place.insee_code, Place.department_code, Place.region_code, Place.services)
    )
    known = set(Service)
    violations = []
    for row in rows:
        department = department_of_postcode(row.postcode, row.insee_code)
        region = None if department is None else region_of_department(department).code
        if (row.department_code, row.region_code) != (department, region):
            detail = f"rangé au département {row.department_code or 'inconnu'}, région {row.region_code or 'inconnue'} ; le code postal dit {department or 'inconnu'} et {region or 'inconnue'}"
            violations.append(Violation("places_are_located_and_useful", f"lieu {row.id}", detail))
        if not known.issuperset(values_of(row.services)):
            violations.append(
                Violation(
                    "places_are_located_and_useful",
                    f"lieu {row.id}",
                    f"offre « {row.services} », qui n’est pas tout du standard",
                )
            )
    return violations


def check_imports_count_their_lines(session: Session) -> list[Violation]:
    """Le compte rendu d’un import a une ligne par ligne du fichier : prise, inchangée ou refusée."""
    rows = session.scalars(select(PlacesImport).order_by(PlacesImport.imported_at))
    violations = []
    for row in rows:
        lines = read_report(row.report)
        said = (row.taken_count, row.unchanged_count, row.refused_count)
        found = counts_of(lines)
        if found != said:
            detail = (
                f"{said[0]} lignes prises, {said[1]} inchangées et {said[2]} refusées annoncées ; "
                f"{found[0]}, {found[1]} et {found[2]} trouvées"
            )
            violations.append(Violation("imports_count_their_lines", f"import {row.id}", detail))
    return violations


def _is_pivot(text: str) -> bool:
    try:
        return pivot_of(text, "")[0] == text
    except BadCell:
        return False


def _is_iban(text: str) -> bool:
    try:
        return check_iban(text) == text
    except InvalidIdentifier:
        return False


CHECKS: tuple[Check, ...] = (
    check_structures_can_be_named,
    check_structures_have_one_rib_at_a_time,
    check_ribs_are_confirmed_by_another,
    check_places_are_located_and_useful,
    check_imports_count_their_lines,
)
