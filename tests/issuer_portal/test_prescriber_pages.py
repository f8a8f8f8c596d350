"""The prescriber's pages: thirty seconds for a booklet."""

import re
from uuid import UUID

from flask.testing import FlaskClient

from tests.builders import NOW, Issued, a_prescriber, entrusted_booklets
from tests.clients import app_for, csrf_token, signed_in_client
from voucher.access.rules import Role
from voucher.issuing.code import Kind
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id


def agent(database: Database, prescriber_id: UUID) -> FlaskClient:
    return signed_in_client(app_for(database, NOW), database, Role.PRESCRIBER, prescriber_id)


def cover(database: Database, issued: Issued, *, is_typed: bool = False) -> str:
    with database.read() as session:
        code = stored_codes(session, issued.first_booklet_number, 1)[0].cover
    if is_typed:
        return typing_code(code.payload.serial, code.payload.tag, Kind.BOOKLET)
    return code.to_url("http://127.0.0.1:8000")


def scan(client: FlaskClient, code: str) -> str:
    page = client.get("/prescripteur/").text
    return client.post("/prescripteur/", data={"csrf_token": csrf_token(page), "code": code}).text


def hand_over(client: FlaskClient, page: str) -> str:
    hidden = dict(re.findall(r'name="(id|booklet_number)"[^>]*value="([^"]*)"', page))
    data = {"csrf_token": csrf_token(page), **hidden}
    return client.post("/prescripteur/remettre", data=data, follow_redirects=True).text


def test_a_cover_is_scanned_the_booklet_handed_over_and_the_letter_shown(database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(database, 2)
    client = agent(database, prescriber_id)
    page = scan(client, cover(database, issued))
    assert "Carnet 0001 : 10\u00a0chèques, 100\u00a0€" in page
    receipt = hand_over(client, page)
    assert "Le carnet 0001 est remis." in receipt
    assert "Votre Pass numérique" in receipt
    assert "31\u00a0décembre\u00a02026" in receipt
    assert hand_over(client, page) == receipt  # the same form sent again shows the same receipt
    again = scan(client, cover(database, issued, is_typed=True))
    assert "Ce carnet a déjà été remis le 2\u00a0mars\u00a02026 à\u00a010\u00a0h\u00a000, par vos services." in again


def test_a_typed_cover_works_like_a_scanned_one(sqlite_database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(sqlite_database, 1)
    page = scan(agent(sqlite_database, prescriber_id), cover(sqlite_database, issued, is_typed=True).lower())
    assert "Remettre le carnet — 100\u00a0€" in page


def test_an_unreadable_code_is_kept_with_what_to_do(sqlite_database: Database) -> None:
    _, prescriber_id = entrusted_booklets(sqlite_database, 1)
    page = scan(agent(sqlite_database, prescriber_id), "C ABCD")
    assert "Ce code est incomplet." in page
    assert 'value="C ABCD"' in page


def test_another_prescribers_receipt_is_not_found_and_its_booklet_not_in_stock(sqlite_database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(sqlite_database, 2)
    other = agent(sqlite_database, a_prescriber(sqlite_database, issued.agreed.issuer_id, name="Mission locale du Val"))
    client = agent(sqlite_database, prescriber_id)
    hand_over(client, scan(client, cover(sqlite_database, issued)))
    receipt = re.search(r"/prescripteur/remises/[0-9a-f-]{36}", client.get("/prescripteur/").text)
    assert receipt is not None
    assert 'name="code_postal" value="51100"' in client.get(f"{receipt[0]}?code_postal=51+100").text
    own = untokened(client.get(receipt[0]).text)
    for odd in ("5110", "5110٠", "Reims", ""):
        page = client.get(receipt[0], query_string={"code_postal": odd}).text
        assert untokened(page) == own, "the hand-over's own is kept"
    assert other.get(receipt[0]).status_code == 404
    assert other.get(f"/prescripteur/remises/{new_id()}").status_code == 404
    assert len(other.get("/prescripteur/stock?format=csv").text.splitlines()) == 1
    assert len(client.get("/prescripteur/stock?format=csv").text.splitlines()) == 3


def untokened(page: str) -> str:
    """Return a page without its form tokens, which tell the second at which they were made."""
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)
