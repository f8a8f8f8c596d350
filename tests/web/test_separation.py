"""Nobody sees or changes what is another's: two whole worlds side by side, every route walked with the other's ids."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from tests.builders import SOMEONE, a_counter, handed_over_booklets, scanned_codes
from tests.clients import a_person, app_for, csrf_token, sign_in, signed_in_client
from tests.settlement.town import NOW
from tests.test_routes import sample
from tests.web.separated import (
    BACK_TO_THE_LIST,
    OPEN_TO_ALL_FINANCE,
    SCOPES,
    SESSIONS_AND_TRACES,
    WHOLE_PROGRAMME,
    World,
    a_world,
)
from voucher.access.accounts import revoke_role
from voucher.access.rules import Role
from voucher.demonstration.bank import statement
from voucher.kernel.database import Base, Database
from voucher.kernel.identifiers import new_id
from voucher.network.structures import suspend_structure
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.words.states import MatchKind
from voucher.web.access import access_of


@dataclass(frozen=True, slots=True)
class Two:
    """Ours and theirs, and our people at their screens."""

    database: Database
    app: Flask
    ours: World
    theirs: World
    clients: dict[Role, FlaskClient]

    def rules(self) -> Iterator[tuple[Role, Rule]]:
        """Give every route that a role held for a part of the programme may call."""
        for rule in self.app.url_map.iter_rules():
            for role in sorted((access_of(self.app, rule.endpoint) or frozenset()) & set(SCOPES)):
                if not rule.endpoint.startswith(("staff.", "own_account.", "sign_in.")):
                    yield role, rule

    def path(self, rule: Rule, world: World) -> str:
        """Return the address of a route with the ids of a world."""
        with self.app.test_request_context():
            values: dict[str, Any] = {name: world.value(rule.endpoint, name) for name in rule.arguments}
            return self.app.url_for(rule.endpoint, **values)

    def token(self, role: Role) -> str:
        """Return a form token of a person."""
        return csrf_token(self.clients[role].get("/personnes/moi").text)

    def post(self, role: Role, path: str, **fields: object) -> int:
        """Send a form that carries its token; return the status."""
        return self.clients[role].post(path, data={"csrf_token": self.token(role), **fields}).status_code


@pytest.fixture(scope="module")
def two(open_database: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Two]:
    """Two worlds that no test of this page changes, so that they are built once."""
    with open_database("sqlite") as database:
        ours, theirs = a_world(database, 1), a_world(database, 2)
        app = app_for(database, NOW)
        clients = {role: signed_in_client(app, database, role, getattr(ours, scope)) for role, scope in SCOPES.items()}
        made = Two(database, app, ours, theirs, clients)
        assert made.post(Role.MEDIATOR, "/comptoir/lieux", place_id=ours.place_id) == 302
        yield made


def everything(database: Database) -> dict[str, list[str]]:
    """Return all that the business stores: equal before and after, nothing was changed."""
    with database.read() as session:
        return {
            table.name: sorted(map(str, session.execute(select(table)).all()))
            for table in Base.metadata.sorted_tables
            if table.name not in SESSIONS_AND_TRACES
        }


def test_what_is_another_s_is_not_found_and_what_is_ours_is(two: Two) -> None:
    walked = 0
    for role, rule in two.rules():
        if not rule.arguments or "GET" not in (rule.methods or ()) or rule.endpoint in OPEN_TO_ALL_FINANCE:
            continue
        if rule.endpoint in WHOLE_PROGRAMME:
            assert two.clients[role].get(two.path(rule, two.ours)).status_code == 403, f"{role} at {rule}"
            continue
        walked += 1
        query = "?first_booklet_number=1&booklet_count=1" if rule.endpoint == "issuer.print_booklets" else ""
        expected = 422 if query else 200  # there is no first booklet in this order: found, and refused at its field
        found = two.clients[role].get(two.path(rule, two.ours) + query, buffered=True)
        assert found.status_code in (200, 302, expected), f"{role} at {rule}"
        others = two.clients[role].get(two.path(rule, two.theirs) + query)
        assert others.status_code == (302 if rule.endpoint in BACK_TO_THE_LIST else 404), f"{role} at {rule}"
    assert walked > 60


def test_no_act_on_what_is_another_s_changes_anything(two: Two) -> None:
    before = everything(two.database)
    fields = {
        "id": str(new_id()), "reason": "lost", "booklet_count": "1", "confirmed": "oui", "total_cents": "2000",
        "advice_id": str(two.theirs.advice_id), "name": "Un autre nom", "address": "1 rue", "postcode": "51100",
        "city": "Ailleurs", "facts": "Vu", "outcome": "upheld", "decision": "Vu", "left_cents": "1000",
        "structures": str(two.theirs.structure_id), "amount_cents": "10",
    }  # fmt: skip
    walked = 0
    for role, rule in two.rules():
        if rule.arguments and "POST" in (rule.methods or ()):
            walked += 1
            answer = two.post(role, two.path(rule, two.theirs), **fields)
            allowed = (302,) if rule.endpoint == "counter.undo_redemption" else (404,)
            allowed = (403,) if rule.endpoint in WHOLE_PROGRAMME else allowed
            allowed = (302,) if rule.endpoint in BACK_TO_THE_LIST else allowed
            assert answer in allowed, f"{role} at {rule}: {answer}"
    assert walked > 25
    assert everything(two.database) == before


def test_no_hidden_field_reaches_what_is_another_s(two: Two) -> None:
    before = everything(two.database)
    theirs, ours = two.theirs, two.ours
    range_of = {"first_booklet_number": theirs.stock_number, "booklet_count": 1, "confirmed": "oui"}
    acts: list[tuple[Role, str, dict[str, object]]] = [
        (Role.ISSUER, "/emetteur/bordereaux/nouveau", {**range_of, "to_prescriber_id": ours.prescriber_id}),
        (
            Role.ISSUER,
            f"/emetteur/bordereaux/nouveau?de={ours.prescriber_id}",
            {**range_of, "to_prescriber_id": ""},
        ),
        (
            Role.ISSUER,
            "/emetteur/bordereaux/nouveau",
            {"first_booklet_number": ours.stock_number, "booklet_count": 1, "to_prescriber_id": theirs.prescriber_id},
        ),
        (Role.ISSUER, "/emetteur/carnets/annuler", {**range_of, "reason": "Mal imprimés"}),
        (Role.ISSUER, "/emetteur/prescripteurs/nouveau", {
            "id": theirs.prescriber_id, "name": "Un autre", "kind": "ccas", "postcode": "51100", "city": "Ici",
        }),
        (Role.PRESCRIBER, "/prescripteur/remettre", {"booklet_number": theirs.stock_number}),
        (Role.PRESCRIBER, "/prescripteur/remettre", {"id": theirs.handover_id, "booklet_number": theirs.stock_number}),
        (Role.MEDIATOR, "/comptoir/lieux", {"place_id": theirs.place_id}),
        (Role.PLACE_MANAGER, "/comptoir/lieu/nouveau", {
            "id": theirs.place_id, "name": "À nous", "address": "1 rue", "postcode": "51100", "city": "Ici",
        }),
        (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/rapprocher", {"advice_id": theirs.advice_id}),
        (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/appels", {
            "parts-0-id": new_id(), "parts-0-call": theirs.call_id, "parts-0-part_cents": "1",
        }),
        (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/compte", {
            "account": f"4671 {theirs.agreement_id} {theirs.structure_id}", "amount_cents": "1", "reason": "Vu",
        }),
        (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/rapprocher", {
            "kind": MatchKind.REFUND_DEBIT, "target_id": theirs.refund_id,
        }),
        *(
            (role, f"/finances/banque/lignes/{ours.line_id}/propositions/{theirs.proposal_id}/{act}", {})
            for role, act in ((Role.FINANCE_APPROVER, "confirmer"), (Role.FINANCE_PREPARER, "retirer"))
        ),
        (Role.FINANCE_PREPARER, f"/finances/conventions/{ours.agreement_id}/arreter", {"id": theirs.settlement_batch_id}),
        *(
            (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/rapprocher", {"kind": kind, "target_id": target})
            for kind, target in (
                (MatchKind.FUNDS, theirs.call_id),
                (MatchKind.OVERPAYMENT, theirs.overpayment_id),
                (MatchKind.ADVANCE_REFUND, theirs.call_id),
            )
        ),
        (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/rapprocher", {
            "kind": MatchKind.CHARGE, "match_id": ours.line_id,
        }),
        (Role.FINANCE_PREPARER, f"/finances/banque/lignes/{ours.line_id}/rapprochements/{theirs.line_id}/defaire", {
            f"{theirs.line_id}-reason": "Faux",
        }),
        (Role.FINANCE_PREPARER, f"/finances/conventions/{ours.agreement_id}/urgence", {
            "structures": theirs.structure_id,
        }),
        (Role.FINANCE_PREPARER, "/finances/blocages/nouveau", {
            "pivot": theirs.structure_id, "agreement_id": theirs.agreement_id, "reason": "Doute",
        }),
        (Role.FINANCE_PREPARER, "/financement/appeler", {
            "agreement_id": theirs.agreement_id, "funder_id": theirs.funder_id, "seen_cents": 1000,
        }),
        (Role.ISSUER, "/comptabilite/recolements/nouveau", {
            "prescriber_id": theirs.prescriber_id, "counted_on": NOW.date().isoformat(), "ranges": "1-2",
        }),
    ]  # fmt: skip
    for role, path, fields in acts:
        two.post(role, path, **{"id": str(new_id()), **fields})
        assert everything(two.database) == before, f"{role} at {path}"
    assert two.clients[Role.ISSUER].get(f"/emetteur/bordereaux/nouveau?de={theirs.prescriber_id}").status_code == 404


@pytest.mark.long
def test_no_list_and_no_export_says_a_word_of_another_s(two: Two) -> None:
    theirs = two.theirs
    asked = (
        "", "?format=csv", f"?convention={theirs.agreement_number}", f"?prescripteur={theirs.prescriber_id}&format=csv",
        f"?numero={theirs.stock_number}", f"?etat=issued&lieu={theirs.counter_words[1]}", f"?financeur={theirs.issuer_id}",
        f"?texte=Inconnue&lot={theirs.agreement_number}",
    )  # fmt: skip
    walked = 0
    for role, rule in two.rules():
        if rule.arguments or "GET" not in (rule.methods or ()) or rule.endpoint in OPEN_TO_ALL_FINANCE:
            continue
        for query in asked:
            answer = two.clients[role].get(rule.rule + query, follow_redirects=True)
            assert answer.status_code in (200, 403), f"{role} at {rule}"
            walked += 1
            words = theirs.counter_words if SCOPES[role] == "structure_id" else theirs.office_words
            for word in words:
                if word in query:
                    continue  # the page says again what was typed
                assert word not in answer.text, f"{role} reads « {word} » at {rule}{query}"
    assert walked > 150


def test_finance_held_for_one_issuer_does_not_open_the_books_of_all(two: Two) -> None:
    for role in (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER):
        for path in (
            "/registre/comptes",
            "/registre/comptes/1",
            "/registre/ecritures",
            f"/registre/ecritures/{new_id()}",
        ):
            assert two.clients[role].get(path).status_code == 403
    before = everything(two.database)
    with two.database.read() as session:
        account_id = session.get_one(Agreement, two.theirs.agreement_id).paying_account_id
        iban = session.get_one(PayingAccount, account_id).iban
    content = statement("R9", iban, NOW.date() + timedelta(days=1), 1_234, [])
    token = two.token(Role.FINANCE_PREPARER)
    answer = two.clients[Role.FINANCE_PREPARER].post(
        "/finances/banque/importer", data={"csrf_token": token, "file": (BytesIO(content), "r.xml")}
    )
    assert "n’est pas l’un de vos comptes payeurs" in answer.text
    assert everything(two.database) == before


def test_a_post_of_another_role_is_refused_and_the_auditor_changes_nothing(two: Two) -> None:
    clients = dict(two.clients)
    for role in (Role.AUDITOR, Role.PROGRAMME):
        clients[role] = signed_in_client(two.app, two.database, role)
    tokens = {role: csrf_token(client.get("/personnes/moi").text) for role, client in clients.items()}
    before = everything(two.database)
    for rule in two.app.url_map.iter_rules():
        roles = access_of(two.app, rule.endpoint) or frozenset()
        if not roles or "POST" not in (rule.methods or ()):
            continue
        values: dict[str, Any] = {name: sample(rule._converters[name]) for name in rule.arguments}
        with two.app.test_request_context():
            path = two.app.url_for(rule.endpoint, **values)
        for role, client in clients.items():
            if role not in roles:
                assert client.post(path, data={"csrf_token": tokens[role]}).status_code == 403, f"{role} at {rule}"
    auditor = clients[Role.AUDITOR]
    token = tokens[Role.AUDITOR]
    path = f"/finances/reglements/{two.ours.advice_id}"
    assert auditor.post(path, data={"csrf_token": token, "reason": "Pour voir"}).status_code == 403
    assert everything(two.database) == before


def test_a_mediator_redeems_for_their_own_open_place_alone(sqlite_database: Database) -> None:
    app, issued = app_for(sqlite_database, NOW), handed_over_booklets(sqlite_database)
    ours, theirs = a_counter(sqlite_database), a_counter(sqlite_database)
    code = scanned_codes(sqlite_database, issued.first_booklet_number)[0]
    person_id = a_person(sqlite_database, Role.MEDIATOR, ours.structure_id, now=NOW)
    client = sign_in(app, sqlite_database, person_id)
    token = csrf_token(client.get("/personnes/moi").text)

    def answer_at(place_id: UUID) -> str:
        body = {"place": str(place_id), "id": str(new_id()), "codes": [code], "service": "everyday_digital_tools"}
        answer = client.post("/comptoir/api/redeem", json=body, headers={"X-CSRFToken": token})
        return str((answer.json or {}).get("code", answer.status_code))

    assert answer_at(theirs.place_id) == "place_closed"
    assert answer_at(new_id()) == "place_closed"
    suspend_structure(sqlite_database, ours.structure_id, "Contrôle", by=SOMEONE, now=NOW)
    assert answer_at(ours.place_id) == "structure_suspended"
    revoke_role(sqlite_database, person_id, Role.MEDIATOR, by=SOMEONE, now=NOW)
    assert answer_at(ours.place_id) == "401"
