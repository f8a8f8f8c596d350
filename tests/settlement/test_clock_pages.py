"""The pages of what is due, of blocks, of messages and of payment terms."""

import re
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import update

from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.test_clock import (
    DECEMBER_2,
    NOVEMBER_3,
    pivot_of,
    sent,
)
from tests.settlement.test_structure_letters import give_address, letters
from tests.settlement.town import a_town
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.mail.model import OutboxMessage


class Office:
    """A town and its people at their screens."""

    def __init__(self, database: Database) -> None:
        self.town = a_town(database)
        give_address(self.town, 0, "tresor@association.example")
        self.town.redeem(0, 3, now=NOVEMBER_3)
        self.town.redeem(1, 4, now=NOVEMBER_3)
        self.database = database
        self.app = app_for(database, DECEMBER_2)

    def seat(self, role: Role, scope_id: UUID | None = None) -> FlaskClient:
        return signed_in_client(self.app, self.database, role, scope_id)

    def post(self, client: FlaskClient, page: str, act: str = "", **fields: object) -> str:
        said = client.get(page).get_data(as_text=True)
        form_id = re.search(r'name="id"[^>]*value="([^"]+)"', said)
        given = {"csrf_token": csrf_token(said), **({"id": form_id[1]} if form_id else {}), **fields}
        return client.post(act or page, data=given, follow_redirects=True).get_data(as_text=True)


def test_the_pages_show_what_is_due_block_and_unblock(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    preparer, auditor = office.seat(Role.FINANCE_PREPARER), office.seat(Role.AUDITOR)
    for page in ("/finances/calendrier", "/finances/delais", "/finances/blocages", "/finances/messages"):
        for client in (preparer, auditor, office.seat(Role.FINANCE_APPROVER)):
            assert client.get(page).status_code == 200, page
    assert "30\u00a0novembre\u00a02026" not in preparer.get("/finances/calendrier").get_data(as_text=True)
    assert "30\u00a0décembre\u00a02026" in preparer.get("/finances/calendrier").get_data(as_text=True)
    assert preparer.get("/finances/delais?format=csv").mimetype == "text/csv"
    said = office.post(preparer, "/finances/blocages/nouveau", pivot="W0", agreement_id="", reason="Doute")
    assert "Aucune structure ne porte ce numéro" in said
    assert "Doute" in said, "what was typed is kept"
    said = office.post(
        preparer, "/finances/blocages/nouveau", pivot=pivot_of(office.town, 1), agreement_id="", reason="Doute sérieux"
    )
    assert "Doute sérieux" in said
    lift = re.search(r"/finances/blocages/[0-9a-f-]+/lever", said)
    assert lift is not None
    freezing = preparer.get(f"/finances/conventions/{office.town.agreement_id}/arreter").get_data(as_text=True)
    assert "Paiement bloqué : Doute sérieux" in freezing
    assert "Levez le blocage quand sa raison n’est plus." in freezing
    said = office.post(preparer, lift[0], reason="Vérifié")
    assert "Aucun paiement n’est bloqué." in said
    assert "Vérifié" in said
    stranger = office.seat(Role.FINANCE_PREPARER, new_id())
    assert stranger.get(lift[0]).status_code == 404
    assert auditor.get(lift[0]).status_code == 403


def test_messages_can_be_read_and_sent_again(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    sent(office.town)
    (letter,) = letters(sqlite_database)
    preparer, programme = office.seat(Role.FINANCE_PREPARER), office.seat(Role.PROGRAMME)
    listed = preparer.get("/finances/messages").get_data(as_text=True)
    assert "Aucun serveur de messagerie" in listed
    assert "tresor@association.example" in listed
    page = f"/finances/messages/{letter.id}"
    assert "Ce compte n’est plus le vôtre" in programme.get(page).get_data(as_text=True)
    with sqlite_database.write() as session:
        session.execute(update(OutboxMessage).values(given_up_at=DECEMBER_2, failure="550 inconnu", try_count=1))
    assert "1\u00a0message aux structures n’a pas pu partir." in preparer.get("/finances/").get_data(as_text=True)
    give_address(office.town, 0, "nouvelle@association.example")
    assert "repart au prochain tour" in office.post(programme, page, f"{page}/renvoyer")
    assert letters(sqlite_database)[0].recipient == "nouvelle@association.example"
    stranger = office.seat(Role.FINANCE_PREPARER, new_id())
    assert stranger.get(page).status_code == 404
    assert "Aucun message" in stranger.get("/finances/messages").get_data(as_text=True)
    auditor = office.seat(Role.AUDITOR)
    token = csrf_token(auditor.get("/finances/").get_data(as_text=True))
    assert auditor.post(f"{page}/renvoyer", data={"csrf_token": token}).status_code == 403
    assert stranger.post(
        f"{page}/renvoyer", data={"csrf_token": csrf_token(stranger.get("/finances/").get_data(as_text=True))}
    ).status_code == 404  # fmt: skip


def test_the_programme_changes_payment_terms_on_a_page(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    programme = office.seat(Role.PROGRAMME)
    page = f"/programme/conventions/{office.town.agreement_id}/paiement"
    said = office.post(
        programme, page, settlement_rhythm="on_demand", minimum_payment_cents="25", payment_days="45", cut_off_day="25"
    )
    assert "Les conditions de paiement sont changées." in said
    assert "À la demande" in said
    said = office.post(
        programme, page, settlement_rhythm="monthly", minimum_payment_cents="0", payment_days="90", cut_off_day="31"
    )
    assert "Écrivez un délai de 1 à 60 jours." in said


def test_a_structure_sees_the_day_by_which_it_is_paid_and_who_holds_it(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    manager = office.seat(Role.PLACE_MANAGER, office.town.structure_ids[0])
    said = manager.get("/comptoir/paiements/").get_data(as_text=True)
    assert "30\u00a0décembre\u00a02026" in said
    assert "Le service des finances" in said
