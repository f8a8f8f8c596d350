"""The issuer's pages, as a person goes through them."""

import re
import time
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from tests.builders import NOW, Agreed, a_prescriber, an_agreement, handed_over_booklets, issued_booklets
from tests.clients import app_for, csrf_token, signed_in_client
from voucher.access.rules import Role
from voucher.issuing.model import IssueBatch, Voucher, VoucherState
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.trail.model import AuditLine


def issuer_client(database: Database, agreed: Agreed) -> FlaskClient:
    return signed_in_client(app_for(database, NOW), database, Role.ISSUER, agreed.issuer_id)


def submit(client: FlaskClient, url: str, **values: object) -> tuple[int, str]:
    """Fill the form at `url` and send it; follow to the page it leads to."""
    page = client.get(url).text
    hidden = dict(re.findall(r'<input[^>]*name="(id|confirmed)"[^>]*value="([^"]*)"', page))
    answer = client.post(url, data={"csrf_token": csrf_token(page), **hidden, **values}, follow_redirects=True)
    return answer.status_code, answer.text


def test_an_order_is_confirmed_with_its_consequence_made_and_printed(database: Database) -> None:
    agreed = an_agreement(database)
    client = issuer_client(database, agreed)
    url = f"/emetteur/conventions/{agreed.agreement_id}/commander"
    order_id = str(new_id())
    status, page = submit(client, url, id=order_id, booklet_count="5")
    assert status == 200
    assert "Commander 5\u00a0carnets — 50\u00a0chèques — 500,00\u00a0€" in page
    for _ in range(2):  # sent twice by an impatient finger
        status, page = submit(client, url, id=order_id, booklet_count="5", confirmed="oui")
        assert status == 200
        assert "Tous les carnets sont fabriqués." in page
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Voucher)) == 50
    link = re.search(r'href="(/emetteur/commandes/[^"]*carnets\.pdf[^"]*)"', page)
    assert link is not None
    pdf = client.get(link[1].replace("&amp;", "&"))
    assert pdf.data.startswith(b"%PDF-")
    assert pdf.headers["Cache-Control"] == "no-store"
    with database.read() as session:
        assert session.scalars(select(AuditLine.subject).where(AuditLine.action == "carnets imprimés")).all() == [
            "carnets 1 à 5"
        ]


def test_an_order_beyond_the_credit_keeps_what_was_typed_and_says_what_is_possible(sqlite_database: Database) -> None:
    agreed = an_agreement(sqlite_database, committed_cents=100_000)
    client = issuer_client(sqlite_database, agreed)
    _, page = submit(client, f"/emetteur/conventions/{agreed.agreement_id}/commander", booklet_count="11")
    assert "Le crédit permet 10 carnets au plus." in page
    assert 'value="11"' in page


def test_a_big_order_is_made_behind_the_page(database: Database) -> None:
    agreed = an_agreement(database)
    client = issuer_client(database, agreed)
    url = f"/emetteur/conventions/{agreed.agreement_id}/commander"
    status, page = submit(client, url, booklet_count="210", confirmed="oui")
    assert status == 200
    assert "Carnets 0001 à 0210" in page
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with database.read() as session:
            if session.scalars(select(IssueBatch.finished_at)).one() is not None:
                return
        time.sleep(0.05)
    pytest.fail("the batch was not made")


def test_stock_goes_to_a_prescriber_and_comes_back(database: Database) -> None:
    issued = issued_booklets(database, 10)
    client = issuer_client(database, issued.agreed)
    _, page = submit(
        client,
        "/emetteur/prescripteurs/nouveau",
        name="CCAS de Bellerive",
        kind="ccas",
        postcode="51100",
        city="Bellerive",
    )
    assert "CCAS de Bellerive est enregistré." in page
    prescriber_id = re.search(r'nouveau\?a=([0-9a-f-]{36})"', page)[1]  # type: ignore[index]
    slip = {"first_booklet_number": "3", "booklet_count": "4"}
    _, page = submit(client, "/emetteur/bordereaux/nouveau", to_prescriber_id=prescriber_id, **slip)
    assert "4 carnets ont changé de mains" in page
    _, page = submit(client, "/emetteur/bordereaux/nouveau", to_prescriber_id=prescriber_id, **slip)
    assert "Sur ces 4 carnets, 0 seulement sont disponibles ici." in page
    _, page = submit(client, f"/emetteur/bordereaux/nouveau?de={prescriber_id}", to_prescriber_id="", **slip)
    assert "4 carnets ont changé de mains" in page
    assert "Aucun carnet en stock." in page


def test_a_booklet_is_stopped_with_its_consequence_in_view(database: Database) -> None:
    issued = handed_over_booklets(database, 1)
    client = issuer_client(database, issued.agreed)
    url = f"/emetteur/carnets/{issued.first_booklet_number}"
    assert "Bloquer 10\u00a0chèques — 100,00\u00a0€" in client.get(url).text
    _, page = submit(client, url, reason="lost")
    assert "est bloqué" in page
    with database.read() as session:
        assert set(session.scalars(select(Voucher.state))) == {VoucherState.STOPPED}


def test_booklets_that_will_not_be_handed_over_are_destroyed(database: Database) -> None:
    issued = issued_booklets(database, 3)
    client = issuer_client(database, issued.agreed)
    form = {"first_booklet_number": "2", "booklet_count": "2", "reason": "inventaire"}
    _, page = submit(client, "/emetteur/carnets/annuler", **form)
    assert "Annuler 2\u00a0carnets — 200,00\u00a0€" in page
    _, page = submit(client, "/emetteur/carnets/annuler", confirmed="oui", **form)
    assert "2 carnets sont annulés" in page
    _, page = submit(client, "/emetteur/carnets/annuler", **form)
    assert "Sur ces 2 carnets, 0 seulement" in page


def test_the_first_page_says_where_stock_is_and_what_does_not_move(sqlite_database: Database) -> None:
    issued = issued_booklets(sqlite_database, 4)
    prescriber_id = a_prescriber(sqlite_database, issued.agreed.issuer_id)
    app = app_for(sqlite_database, NOW + timedelta(days=40))
    client = signed_in_client(app, sqlite_database, Role.ISSUER, issued.agreed.issuer_id)
    submit(
        issuer_client(sqlite_database, issued.agreed), "/emetteur/bordereaux/nouveau",
        to_prescriber_id=str(prescriber_id), first_booklet_number="1", booklet_count="1",
    )  # fmt: skip
    page = client.get("/emetteur/").text
    assert "rien remis depuis 30 jours" in page
    assert "CCAS de Bellerive" in page
    assert "<strong>40</strong> <span>chèques à remettre" in page


@pytest.mark.parametrize(
    "path",
    [
        "/emetteur/conventions/{agreement}",
        "/emetteur/conventions/{agreement}/commander",
        "/emetteur/commandes/{batch}",
        "/emetteur/commandes/{batch}/carnets.pdf?first_booklet_number=1&booklet_count=1",
        "/emetteur/prescripteurs/{prescriber}",
        "/emetteur/bordereaux/nouveau?de={prescriber}",
        "/emetteur/carnets/1",
    ],
)
def test_what_another_issuer_owns_is_not_found(sqlite_database: Database, path: str) -> None:
    issued, other = issued_booklets(sqlite_database, 1), an_agreement(sqlite_database)
    prescriber_id = a_prescriber(sqlite_database, issued.agreed.issuer_id)
    url = path.format(agreement=issued.agreed.agreement_id, batch=issued.batch_id, prescriber=prescriber_id)
    assert issuer_client(sqlite_database, issued.agreed).get(url).status_code == 200
    assert issuer_client(sqlite_database, other).get(url).status_code == 404


def test_lists_show_nothing_of_another_issuer_and_export_csv(sqlite_database: Database) -> None:
    issued, other = issued_booklets(sqlite_database, 2), an_agreement(sqlite_database)
    a_prescriber(sqlite_database, issued.agreed.issuer_id)
    mine, theirs = issuer_client(sqlite_database, issued.agreed), issuer_client(sqlite_database, other)
    for path, lines in (("carnets", 2), ("commandes", 1), ("prescripteurs", 1)):
        assert len(mine.get(f"/emetteur/{path}?format=csv").text.splitlines()) == 1 + lines
        assert len(theirs.get(f"/emetteur/{path}?format=csv").text.splitlines()) == 1
        assert theirs.get(f"/emetteur/{path}").status_code == 200
