"""Importing a lieux file: what is taken, what is refused and why, and that nothing is ever half done."""

import csv
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import event

from tests.builders import NOW, SOMEONE, a_siren
from tests.killing import Killer
from tests.listed import listed
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.network import checks
from voucher.network.import_places import ImportCounts, import_places
from voucher.network.import_report import Outcome
from voucher.network.lieux_standard import UnreadableFile
from voucher.network.places import PlaceDescription, close_place, describe_place
from voucher.network.read import places, places_in_the_standard
from voucher.network.read_imports import import_report, imports
from voucher.network.read_structures import structures

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (Path(__file__).parent / "files" / "lieux-exemple.csv").read_bytes()
ACT = {"by": SOMEONE, "now": NOW}


def a_line(rank: int, **cells: str) -> dict[str, str]:
    """Return a good line; `cells` say what differs."""
    return {
        "id": f"lieu-{rank}",
        "pivot": f"W{rank:09d}",
        "nom": f"Comptoir du Lavoir {rank}",
        "commune": "Bellerive",
        "code_postal": "51100",
        "adresse": "3 rue du Lavoir",
        "date_maj": "2026-01-15",
        "services": "Utilisation sécurisée du numérique",
        **cells,
    }


def a_file(lines: Iterable[dict[str, str]]) -> bytes:
    """Return lines as a file of the standard."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(a_line(0)), extrasaction="raise", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue().encode()


def import_file(database: Database, content: bytes) -> ImportCounts:
    return import_places(database, new_id(), "lieux.csv", content, **ACT)


def place_names(database: Database) -> list[str]:
    rows, _ = listed(places(database, Asked(sort="name", limit=100_000)))
    return [row.name for row in rows]


def violations(database: Database) -> list[str]:
    with database.read() as session:
        return [found.check for check in checks.CHECKS for found in check(session)]


def test_the_official_example_becomes_a_place_of_a_proposed_structure(database: Database) -> None:
    assert import_file(database, EXAMPLE) == ImportCounts(1, 0, 0)
    rows, _ = listed(structures(database, Asked(sort="name", limit=10)))
    assert [(row.pivot, row.name, row.state, row.place_count) for row in rows] == [
        ("43493312300029", "Anonymal", "proposed", 1)
    ]
    found, _ = listed(places(database, Asked(sort="name", limit=10)))
    assert found[0].opening_hours.startswith("du lundi au vendredi de 9")
    assert found[0].department_name == "Marne"
    assert "Loisirs et créations numériques" in found[0].services
    assert violations(database) == []


def test_what_goes_out_is_what_came_in(database: Database) -> None:
    content = a_file(a_line(rank) for rank in range(3))
    import_file(database, content)
    import_file(database, EXAMPLE)
    written = b"".join(places_in_the_standard(database))
    assert import_file(database, written) == ImportCounts(0, 4, 0)
    assert b"".join(places_in_the_standard(database)) == written


def test_the_report_says_line_by_line_what_was_taken_and_what_was_refused_and_why(database: Database) -> None:
    lines = [a_line(1), a_line(2, code_postal="1000", pivot="12"), a_line(3), a_line(1, nom="Le même")]
    import_id = new_id()
    import_places(database, import_id, "lieux.csv", a_file(lines), **ACT)
    page = import_report(database, import_id)
    assert page is not None
    assert (page.line.taken_count, page.line.unchanged_count, page.line.refused_count) == (2, 0, 2)
    assert [(line.number, line.external_id, line.outcome) for line in page.report] == [
        (2, "lieu-1", Outcome.CREATED),
        (3, "lieu-2", Outcome.REFUSED),
        (4, "lieu-3", Outcome.CREATED),
        (5, "lieu-1", Outcome.REFUSED),
    ]
    assert [sentence.partition(" : ")[0] for sentence in page.report[1].sentences] == ["pivot", "code_postal"]
    assert "déjà celui de la ligne 2" in page.report[3].sentences[0]
    told = import_report(database, import_id, outcome="refused")
    assert told is not None
    assert [line.number for line in told.report] == [3, 5]
    assert violations(database) == []


def test_the_same_file_again_changes_nothing_and_the_same_import_is_made_once(database: Database) -> None:
    content = a_file(a_line(rank) for rank in range(20))
    import_id = new_id()
    first = import_places(database, import_id, "lieux.csv", content, **ACT)
    assert import_places(database, import_id, "lieux.csv", content, **ACT) == first == ImportCounts(20, 0, 0)
    before = b"".join(places_in_the_standard(database))
    assert import_file(database, content) == ImportCounts(0, 20, 0)
    assert b"".join(places_in_the_standard(database)) == before
    assert listed(imports(database, Asked(limit=10)))[1] == 2
    with pytest.raises(Refused, match="same_id_other_content"):
        import_places(database, import_id, "lieux.csv", EXAMPLE, **ACT)


def test_a_newer_line_changes_its_place_and_an_older_one_is_kept_out(database: Database) -> None:
    import_file(database, a_file([a_line(1), a_line(2)]))
    newer = [a_line(1, nom="Le Lavoir", date_maj="2026-02-01"), a_line(2, nom="Trop vieux", date_maj="2025-12-31")]
    import_id = new_id()
    assert import_places(database, import_id, "l.csv", a_file(newer), **ACT) == ImportCounts(1, 1, 0)
    assert place_names(database) == ["Comptoir du Lavoir 2", "Le Lavoir"]
    page = import_report(database, import_id)
    assert page is not None
    assert (
        page.report[1]
        .sentences[0]
        .replace("\u00a0", " ")
        .startswith("La fiche d’ici est plus récente (15 janvier 2026)")
    )


def test_nothing_is_deleted_and_what_was_closed_or_corrected_here_stays_so(database: Database) -> None:
    import_file(database, a_file([a_line(1), a_line(2)]))
    rows, _ = listed(places(database, Asked(sort="name", limit=10)))
    close_place(database, rows[0].id, **ACT)
    described = PlaceDescription(name="Corrigé ici", address="4 rue du Lavoir", postcode="51100", city="Bellerive")
    describe_place(database, rows[1].id, described, **ACT)
    assert import_file(
        database, a_file([a_line(1, date_maj="2026-06-01", nom="Plus récent"), a_line(2)])
    ) == ImportCounts(1, 1, 0)
    found, _ = listed(places(database, Asked(sort="name", limit=10)))
    assert [(row.name, row.is_open) for row in found] == [("Corrigé ici", True), ("Plus récent", False)]
    import_file(database, a_file([a_line(3)]))
    assert len(place_names(database)) == 3


def test_a_place_that_changes_structure_is_told(database: Database) -> None:
    import_file(database, a_file([a_line(1)]))
    import_id = new_id()
    moved = a_file([a_line(1, pivot="W999999999", date_maj="2026-02-01")])
    import_places(database, import_id, "l.csv", moved, **ACT)
    page = import_report(database, import_id)
    assert page is not None
    assert page.report[0].sentences == (
        "Ce lieu change de structure : les prochains chèques seront payés à la nouvelle. Vérifiez-le.",
    )


def test_a_file_broken_far_down_leaves_nothing(database: Database) -> None:
    content = a_file(a_line(rank) for rank in range(50)) + b'"lieu-51","W0000\xff\r\n'
    with pytest.raises(UnreadableFile, match="Ligne 52"):
        import_file(database, content)
    assert place_names(database) == []
    assert listed(imports(database, Asked(limit=10))) == ([], 0)


@pytest.mark.race
def test_one_file_sent_by_four_people_at_once_is_taken_once(database: Database) -> None:
    content = a_file(a_line(rank) for rank in range(200))
    start = Barrier(4)

    def attempt(_: int) -> ImportCounts:
        start.wait()
        return import_file(database, content)

    with ThreadPoolExecutor(4) as pool:
        counts = sorted(pool.map(attempt, range(4)), key=lambda count: count.taken_count)
    assert counts == [ImportCounts(0, 200, 0)] * 3 + [ImportCounts(200, 0, 0)]
    assert violations(database) == []


@pytest.mark.kill
def test_an_import_killed_anywhere_leaves_nothing_half_done_and_is_done_by_the_next(
    database: Database, killer: Killer
) -> None:
    content, import_id = a_file(a_line(rank) for rank in range(300)), new_id()
    counts, again = killer.everywhere(import_places, import_id, "lieux.csv", content, **ACT)
    assert counts == again == ImportCounts(300, 0, 0)
    assert violations(database) == []


def test_the_number_of_statements_follows_hundreds_of_lines_not_each(database: Database) -> None:
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    content = a_file(a_line(rank, pivot=f"W{rank % 500:09d}") for rank in range(2_000))
    assert import_file(database, content) == ImportCounts(2_000, 0, 0)
    assert import_file(database, content) == ImportCounts(0, 2_000, 0)
    assert import_file(database, content.replace(b"2026-01-15", b"2026-01-16")) == ImportCounts(2_000, 0, 0)
    assert len(statements) < 60


def test_a_file_that_is_not_one_is_refused_in_words(sqlite_database: Database) -> None:
    for content, words in ((b"", "vide"), (b"PK\x03\x04....", "classeur"), (b"a,b\r\n1,2\r\n", "titre")):
        with pytest.raises(UnreadableFile, match=words):
            import_file(sqlite_database, content)


def test_a_siret_is_a_structures_number_as_an_rna_is(sqlite_database: Database) -> None:
    siret = a_siren(12) + "0001"
    body = next(siret + str(key) for key in range(10) if _passes_luhn(siret + str(key)))
    assert import_file(sqlite_database, a_file([a_line(1, pivot=body)])) == ImportCounts(1, 0, 0)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
