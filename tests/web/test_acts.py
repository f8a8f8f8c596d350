"""Every act of somebody signed in leaves its line in the audit trail: every POST is walked, to where it writes one, or says why it does not."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from flask import Flask
from sqlalchemy import select

from tests.clients import app_for, csrf_token, signed_in_client
from tests.web.test_asks_again import posts
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.trail.model import AuditLine
from voucher.web.acts import NOTED_BY_USE_CASES, SUBJECT_LENGTH, words_of

WITHOUT = {
    "kept with its mediator and its place, one booklet at a time: the redemption itself says who and when": {
        "counter.act", "counter.api_check", "counter.api_redeem", "counter.api_undo", "counter.undo_redemption",
    },
    "reads what an attempt was answered, and changes nothing": {"counter.api_answer"},
    "chooses where one stands: each redemption says it": {"counter.choose"},
    "kept with who handed over, one booklet at a time": {"prescriber.home", "prescriber.hand_over"},
    "begins a proof that is not given yet": {"own_account.begin_passkey", "sign_in.begin_confirmation"},
    "goes on with an order whose line stands": {"issuer.make"},
}  # fmt: skip
"""What leaves no line, and why. A line here is a decision: read it twice."""

CONTACT = re.compile(r'\bColumn(\[[\w.]+\])?\(\s*"(email|emails|contact_email|phone|contact_phone)"')
OURS = ("voucher.access", "voucher.web", "issuer_portal", "merchant_portal")
WRITE = {"voucher.access.audit.note", "voucher.access.audit.note_access", "voucher.web.acts.note_act"}


def unwrapped(app: Flask, endpoint: str) -> Any:
    return inspect.unwrap(app.view_functions[endpoint])


def reached(function: Any) -> Iterator[FunctionType]:
    """Give the functions of ours that one calls, and those that they call."""
    waiting, known = [function], {function}
    while waiting:
        one = waiting.pop()
        yield one
        for called in _called(one):
            if isinstance(called, FunctionType) and called.__module__.startswith(OURS) and called not in known:
                known.add(called)
                waiting.append(called)


def _called(function: FunctionType) -> Iterator[object]:
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Name):
            yield inspect.unwrap(function.__globals__.get(node.id))  # type: ignore[arg-type]  # what is no function stays
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            room = function.__globals__.get(node.value.id)
            yield getattr(room, node.attr, None) if isinstance(room, ModuleType) else None


def writes(function: FunctionType) -> bool:
    return f"{function.__module__}.{function.__name__}" in WRITE


def says_success(function: FunctionType) -> bool:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "flash"
        and any(isinstance(one, ast.Constant) and one.value == "success" for one in node.args)
        for node in ast.walk(tree)
    )


def leads(function: FunctionType, *ends: Callable[[FunctionType], bool]) -> bool:
    return any(end(one) for one in reached(function) for end in ends)


def test_every_act_of_somebody_signed_in_leaves_its_line_or_says_why_not(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    endpoints = set(posts(app).values())
    silent = set()
    for endpoint in endpoints:
        ends = (writes, says_success) if words_of(app, endpoint) else (writes,)
        is_of_accounts = endpoint.partition(".")[0] in NOTED_BY_USE_CASES
        if not (words_of(app, endpoint) or is_of_accounts) or not leads(unwrapped(app, endpoint), *ends):
            silent.add(endpoint)
    without = [endpoint for reason in WITHOUT.values() for endpoint in reason]
    assert silent == set(without)
    assert len(without) == len(set(without))


def test_the_words_of_an_act_fit_the_line(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    words = {words for endpoint in posts(app).values() if (words := words_of(app, endpoint))}
    assert len(words) > 60
    assert max(map(len, words)) <= AuditLine.__table__.columns["action"].type.length  # type: ignore[attr-defined]
    assert AuditLine.__table__.columns["subject"].type.length == SUBJECT_LENGTH  # type: ignore[attr-defined]


def gives_contacts(view: Any) -> bool:
    """Say whether a view gives a file whose columns hold how to reach somebody."""
    source = inspect.getsource(view)
    module = inspect.getsource(inspect.getmodule(view) or view)
    return "list_file(" in source and CONTACT.search(module) is not None


def test_every_file_that_holds_how_to_reach_people_leaves_a_line(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    found = {endpoint for endpoint in app.view_functions if gives_contacts(unwrapped(app, endpoint))}
    assert {"staff.people", "staff.roles", "staff.trail", "programme.issuers", "programme.places"} <= found
    assert {one for one in found if not leads(unwrapped(app, one), writes)} == set()


def lines(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.execute(select(AuditLine.action, AuditLine.subject).order_by(AuditLine.at, AuditLine.id))
        return [(row.action, row.subject) for row in rows if row.action != "signed_in"]


def test_what_was_done_is_a_line_and_what_was_refused_is_none(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    client = signed_in_client(app, sqlite_database, Role.PROGRAMME)
    token = csrf_token(client.get("/programme/financeurs/nouveau").text)
    name = "Région d’un nom si long " * 5
    form = {"csrf_token": token, "id": str(new_id()), "kind": "state"}
    assert client.post("/programme/financeurs/nouveau", data={**form, "name": ""}).status_code == 200
    assert lines(sqlite_database) == []
    assert client.post("/programme/financeurs/nouveau", data={**form, "name": name}).status_code == 302
    ((action, subject),) = lines(sqlite_database)
    assert action == "Enregistrer un financeur"
    assert name.strip() in subject
    assert len(subject) <= SUBJECT_LENGTH
