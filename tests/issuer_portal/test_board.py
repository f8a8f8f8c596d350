"""The programme's board: what it says, for whom, for one agreement, and as files."""

from datetime import timedelta

from flask.testing import FlaskClient

from tests.clients import app_for, signed_in_client
from tests.settlement.town import NOW, a_town
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.tile_map import TILES, level, tile_map


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.get_data(as_text=True).replace("\u00a0", " ").replace("\u202f", " ")


def lines_of(client: FlaskClient, name: str, query: str = "") -> list[list[str]]:
    return [line.split(";") for line in text_of(client, f"/tableau/{name}.csv{query}").lstrip("\ufeff").splitlines()]


def test_the_board_is_dated_defined_and_says_its_denominators(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 7)
    client = signed_in_client(app_for(database, NOW), database, Role.PROGRAMME)
    page = text_of(client, "/tableau/")
    assert "lu le 23 novembre 2026 à 10 h 00" in page
    assert "70,00 €" in page
    assert "70 % (7 sur 10)" in page
    assert "Chèques utilisés, sur les chèques remis." in page
    assert "Chèques remis, sur les chèques fabriqués." in page
    assert "Un comptoir les a encaissés" in page
    assert "Des chèques arrivent à leur dernier jour" in page
    assert "&lt; 11" in page
    assert "moins de 11" in page


def test_the_board_of_an_empty_programme_says_so(sqlite_database: Database) -> None:
    client = signed_in_client(app_for(sqlite_database, NOW), sqlite_database, Role.AUDITOR)
    page = text_of(client, "/tableau/")
    assert "Rien n’attend de décision." in page
    assert "Aucun chèque n" in page
    assert "Convention</label>" not in page


def test_one_agreement_is_shown_alone_and_an_unknown_one_shows_the_programme(database: Database) -> None:
    one, other = a_town(database), a_town(database)
    one.redeem(0, 7)
    other.redeem(0, 2)
    client = signed_in_client(app_for(database, NOW), database, Role.PROGRAMME)
    used = {query: lines_of(client, "etapes", query)[5][1:3] for query in ("", f"?convention={one.agreement_id}")}
    assert list(used.values()) == [["9", "90,00"], ["7", "70,00"]]
    assert "Tout le programme" in text_of(client, f"/tableau/?convention={new_id()}")
    assert lines_of(client, "etapes", "?convention=rien")[5][1] == "9"


def test_each_table_is_a_file(sqlite_database: Database) -> None:
    town = a_town(sqlite_database, with_rib=0)
    town.redeem(0, 7)
    client = signed_in_client(app_for(sqlite_database, NOW + timedelta(days=1)), sqlite_database, Role.AUDITOR)
    steps = [line[0] for line in lines_of(client, "etapes")]
    assert steps[1:] == [
        "Commandés", "Fabriqués", "Confiés", "Remis", "Utilisés", "Payés", "Bloqués", "Détruits", "Caducs",
    ]  # fmt: skip
    money = {line[0]: line[1] for line in lines_of(client, "argent")}
    assert (money["À régler"], money["Chez les personnes"], money["Payé aux structures"]) == ("70,00", "30,00", "0,00")
    regions = {line[0]: line[2:7] for line in lines_of(client, "regions")}
    assert regions["Grand Est"] == ["67", "2", "moins de 11", "masqué", "masqué"]
    assert regions["Non localisés"] == ["337", "0", "0", "0", "0,00"]
    assert regions["Total"][2] == "moins de 11"
    decided = lines_of(client, "decisions")
    assert [line[1:4] for line in decided[1:3]] == [["1", "structures", "70,00"], ["3", "chèques", "30,00"]]
    assert client.get("/tableau/rien.csv").status_code == 404


def test_only_the_programme_and_the_auditor_come_here(sqlite_database: Database) -> None:
    app = app_for(sqlite_database, NOW)
    for role, scope_id in ((Role.ISSUER, new_id()), (Role.FINANCE_PREPARER, None), (Role.PRESCRIBER, new_id())):
        client = signed_in_client(app, sqlite_database, role, scope_id)
        assert client.get("/tableau/").status_code == 403
        assert client.get("/tableau/regions.csv").status_code == 403


def test_a_tile_says_its_figure_by_words_by_shade_and_by_squares() -> None:
    names = {code: f"Région {code}" for code in TILES}
    chart = tile_map("Carte", "Ce qu’il faut voir.", {"11": 40, "53": 11, "44": "< 11"}, names, [], [])
    assert [level(value, 40) for value in (0, 1, 10, 11, 30, 31, 40)] == [0, 1, 1, 2, 3, 4, 4]
    assert chart.svg.count('<g class="tile ') == 18
    assert "<title>Région 11 : 40</title>" in chart.svg
    assert chart.svg.count('class="pip full"') == 4 + 2
    assert chart.svg.count("tile-hidden") == 1
    assert "<title>Région 44 : &lt; 11</title>" in chart.svg
