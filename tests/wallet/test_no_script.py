"""No page that is open without signing in runs a script: neither in what it says nor in what its policy would let in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask, template_rendered
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from tests.builders import (
    NOW,
    SOMEONE,
    a_counter,
    entrusted_booklets,
    handed_over_booklets,
    scanned_codes,
    typed_codes,
)
from tests.clients import app_for
from voucher import wallet
from voucher.distribution.stop import stop_booklet
from voucher.funding.publish import publish_backing
from voucher.issuing.keys import revoke_key
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.proof.sealing import seal_now
from voucher.redemption.citizen_view import HolderState, HolderView
from voucher.redemption.redeem import redeem
from voucher.web.access import EVERYONE, access_of

POLICY = "Content-Security-Policy"
TEMPLATES = {f"wallet/{path.name}" for path in (Path(wallet.__file__).parent / "templates" / "wallet").glob("*.html")}
# Pieces that a page includes; they are no page.
PIECES = {"wallet/how.html", "wallet/place.html"}
NEXT_DAY = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
ENDED = datetime(2027, 2, 1, 12, 0, tzinfo=UTC)


# The doors of staff, to which citizens' pages lead too: a passkey takes our script there, and it is ours alone (ADR 36).
DOORS = {"/personnes/connexion", "/connexion/deuxieme-preuve"}
OF_A_DOOR = {"<script>", "a policy that lets scripts in"}


class Scripts(HTMLParser):
    """Gathers whatever in a page could run: elements, attributes that listen, addresses that are code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): (value or "").strip() for name, value in attrs}
        if tag in {"script", "iframe", "object", "embed", "frame"}:
            self.found.append(f"<{tag}>")
        if tag == "link" and ("modulepreload" in given.get("rel", "") or given.get("as") == "script"):
            self.found.append("<link> to a script")
        self.found += [name for name in given if name.startswith("on") or name == "srcdoc"]
        code = ("javascript:", "data:text/html", "vbscript:")
        self.found += [name for name, value in given.items() if "".join(value.split()).lower().startswith(code)]
        if tag == "a":
            self.links.append(given.get("href", ""))


def troubles_of(page: str, headers: Headers) -> list[str]:
    """Return what on a page could run a script, and how its policy would let one in."""
    directives = dict(one.strip().partition(" ")[::2] for one in headers.get(POLICY, "").split(";"))
    is_shut = directives.get("script-src", directives.get("default-src")) == "'none'"
    loose = [name for name in directives if name.startswith("script-src-") and directives[name] != "'none'"]
    return Scripts(page).found + ([] if is_shut else ["a policy that lets scripts in"]) + loose


@contextmanager
def watched(app: Flask) -> Iterator[tuple[set[str], set[HolderState]]]:
    """Note which templates are shown, and which states of a voucher."""
    templates: set[str] = set()
    states: set[HolderState] = set()

    def note(_: Flask, template: object, context: dict[str, object], **_words: object) -> None:
        templates.add(str(getattr(template, "name", "")))
        if isinstance(view := context.get("view"), HolderView):
            states.add(view.state)

    with template_rendered.connected_to(note, app):
        yield templates, states


def followed(app: Flask, *begin: str) -> Iterator[tuple[str, TestResponse]]:
    """Open each page that a person who is not signed in comes to from the first ones, once."""
    client, seen = app.test_client(), set()
    waiting = list(begin)
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path)
        yield path, answer
        if answer.mimetype == "text/html":
            there = [urlsplit(urljoin(f"http://localhost{path}", link)) for link in Scripts(answer.text).links]
            waiting += [
                f"{one.path}?{one.query}" if one.query else one.path for one in there if one.netloc == "localhost"
            ]


def public_pages(app: Flask) -> list[str]:
    """Return every address without a variable part that is open without signing in."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    return [rule.rule for rule in rules if access_of(app, rule.endpoint) == EVERYONE]


def path_of(code: str) -> str:
    return "/V/" + code.rpartition("/")[2]


def test_no_page_that_is_open_without_signing_in_runs_a_script(database: Database) -> None:
    stock, _ = entrusted_booklets(database, 1)
    held, used, stopped, revoked = (handed_over_booklets(database) for _ in range(4))
    counter = a_counter(database)
    redeem(
        database,
        new_id(),
        scanned_codes(database, used.first_booklet_number),
        "everyday_digital_tools",
        counter,
        by=SOMEONE,
        now=NOW,
    )
    stop_booklet(database, new_id(), stopped.first_booklet_number, "lost", by=SOMEONE, now=NOW)
    revoke_key(database, revoked.agreed.key_id, by=SOMEONE, now=NOW)
    first = [scanned_codes(database, one.first_booklet_number)[0] for one in (stock, held, used, stopped, revoked)]
    with database.read() as session:
        numbers = [one.first_booklet_number for one in (stock, held, used, stopped)]
        covers = [f"/V/{stored_codes(session, number, 1)[0].cover.to_text()}" for number in numbers]
    forged = path_of(first[1])[:-1] + ("A" if first[1][-1] != "A" else "B")
    codes = [*map(path_of, first), *covers, forged, path_of(first[1])[:40], "/V/", "/v/abc", path_of(first[1]).lower()]
    app = app_for(database, NEXT_DAY)
    settings = app.extensions["services"].settings
    troubles: dict[str, list[str]] = {}
    with watched(app) as (templates, states):
        begin = [
            *public_pages(app),
            *codes,
            "/nulle-part",
            "/lieux?code_postal=51100",
            "/lieux?departement=51",
            "/lieux?code_postal=x",
        ]
        for path, answer in followed(app, *begin):
            troubles[path] = troubles_of(answer.text, answer.headers) if answer.mimetype == "text/html" else []
        # The figure and the journal once something stands there.
        seal_now(database, settings, NEXT_DAY)
        publish_backing(database, settings, NEXT_DAY)
        for path, answer in followed(app, "/fonds"):
            troubles[f"later {path}"] = (
                troubles_of(answer.text, answer.headers) if answer.mimetype == "text/html" else []
            )
        # The thirteenth wrong guess is told to wait.
        guesses = [typed_codes(database, held.first_booklet_number)[0], "", "abc", *["000000000000"] * 12]
        for rank, guess in enumerate(guesses):
            answer = app.test_client().post("/cheque", data={"code": guess})
            troubles[f"typed {rank}"] = troubles_of(answer.text, answer.headers)
        assert answer.status_code == 429
    late = app_for(database, ENDED)
    with watched(late) as (_, late_states):
        for path in codes:
            answer = late.test_client().get(path)
            troubles[f"late {path}"] = troubles_of(answer.text, answer.headers)
    doors = {
        path: set(found) for path, found in troubles.items() if path.removeprefix("later ").partition("?")[0] in DOORS
    }
    assert all(found <= OF_A_DOOR for found in doors.values()), doors
    assert {path: found for path, found in troubles.items() if found and path not in doors} == {}
    assert states | late_states == set(HolderState)
    assert templates >= (TEMPLATES - PIECES) | {"problem.html", "staff/sign_in.html"}


SHUT = Headers({POLICY: "default-src 'none'; script-src 'none'; style-src 'self'"})


@pytest.mark.parametrize(
    "planted",
    [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=/static/site.js></SCRIPT>",
        "<a href='/aide' onclick='go()'>",
        "<svg><animate ONBEGIN=x /></svg>",
        "<a href=' java\nscript:x'>",
        "<iframe src=/aide></iframe>",
        "<link rel=preload as=script href=/x.js>",
    ],
)
def test_a_script_that_is_planted_is_seen(planted: str) -> None:
    assert troubles_of(f"<p>Bonjour</p>{planted}", SHUT) != []
    assert troubles_of("<p>Bonjour on a <b>tout</b></p>", SHUT) == []


@pytest.mark.parametrize(
    "policy",
    ["", "default-src 'none'; script-src 'self'", "default-src 'self'", "script-src 'none'; script-src-elem 'self'"],
)
def test_a_policy_that_lets_scripts_in_is_seen(policy: str) -> None:
    assert troubles_of("<p>Bonjour</p>", Headers({POLICY: policy})) != []
