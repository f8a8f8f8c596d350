"""Every page that a person of each role can reach, looked at in a real browser over the demonstration: axe finds nothing,
nothing scrolls sideways on a small telephone, and the console stays silent."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page

from tests.browser import DESK, NARROW, axe, chromium, overflow, screenshot, serve
from tests.clients import app_for
from tests.demonstrated import NOW
from tests.engines import Run
from voucher.access.rules import Role
from voucher.demonstration import DEMO_PASSWORD, DEMO_STAFF
from voucher.kernel.database import Database

PAGES_OF_ONE_KIND_MAX = 2
DOWNLOADS = (
    "format=csv",
    "format=xlsx",
    ".pdf",
    ".csv",
    ".txt",
    ".tlog-proof",
    "/.well-known/",
    ".xml",
    "/pdf",
    "/telecharger",
    "/imprimer",
    "/fichiers/",
    "/export",
)


@pytest.fixture(scope="module")
def demonstration(open_demonstration: Callable[[str], AbstractContextManager[Database]]) -> Iterator[Flask]:
    with open_demonstration("sqlite") as database:
        yield app_for(database, NOW, is_demo=True)


@pytest.fixture(scope="module")
def address(demonstration: Flask) -> Iterator[str]:
    with serve(demonstration) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def links_of(page: Page, address: str) -> list[str]:
    """Return the pages of this site that a page links to, downloads left out."""
    found = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    whole = [urljoin(page.url, str(link)) for link in found]
    return [
        link.split("#")[0]
        for link in whole
        if link.startswith(address) and not any(mark in link for mark in DOWNLOADS) and "/static/" not in link
    ]


def kind_of(app: Flask, link: str) -> str:
    """Return which page a link leads to, whatever the row: its rule, and whether it filters."""
    parts = urlsplit(link)
    adapter = app.url_map.bind("127.0.0.1")
    endpoint, _ = adapter.match(parts.path, method="GET")
    return f"{endpoint}?" if parts.query else str(endpoint)


def sign_in(page: Page, address: str, role: Role) -> None:
    page.goto(f"{address}/personnes/connexion")
    page.fill("input[name=email]", DEMO_STAFF[role][0])
    page.fill("input[name=password]", DEMO_PASSWORD)
    page.click("main button[type=submit]")


def troubles_of(page: Page, name: str) -> list[str]:
    """Return what axe finds on the page that is shown, and whether it scrolls sideways on a small telephone."""
    page.set_viewport_size(DESK)
    screenshot(page, f"{name}-desk")
    page.set_viewport_size(NARROW)
    found = [f"axe: {violation}" for violation in axe(page)]
    if overflow(page) > 0:
        found.append(f"scrolls {overflow(page)} px sideways at 320 px")
    screenshot(page, f"{name}-narrow")
    return found


def walk(
    app: Flask, browser: Browser, address: str, role: Role | None, is_first: Callable[[str], bool]
) -> tuple[dict[str, list[str]], set[str]]:
    """Follow every link from a person's first page; return the troubles by page, and the kinds of pages seen.

    Axe looks at each kind of page once, whoever came first; `is_first` knows, for all workers of the run.
    """
    page = browser.new_page()
    spoken: list[str] = []
    page.on("console", lambda said: spoken.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: spoken.append(str(error)))
    if role is None:
        page.goto(f"{address}/")
    else:
        sign_in(page, address, role)
    waiting, seen, kinds, troubles = [page.url, *links_of(page, address)], set(), {}, {}  # type: ignore[var-annotated]
    while waiting:
        link = waiting.pop(0)
        kind = kind_of(app, link)
        if link in seen or kinds.get(kind, 0) >= PAGES_OF_ONE_KIND_MAX:
            continue
        seen.add(link)
        kinds[kind] = kinds.get(kind, 0) + 1
        answer = page.goto(link)
        waiting += links_of(page, address)
        found = [] if answer and answer.ok else [f"answered {answer.status if answer else 'nothing'}"]
        if found == [] and is_first(f"page-{kind}"):
            found = troubles_of(page, f"{role or 'public'}-{kind.replace('.', '-').rstrip('?')}")
        if found or spoken:
            troubles[link.removeprefix(address)] = [*found, *spoken]
        spoken.clear()
    page.close()
    return troubles, {kind.rstrip("?") for kind in kinds}


@pytest.mark.browser
@pytest.mark.parametrize("role", [None, *Role])
def test_every_page_of_a_role_can_be_read_by_everyone(
    demonstration: Flask, browser: Browser, address: str, databases: Run, role: Role | None
) -> None:
    troubles, kinds = walk(demonstration, browser, address, role, databases.is_first)
    assert troubles == {}, "\n".join(f"{link}: {one}" for link, found in troubles.items() for one in found)
    assert len(kinds) >= 3, "a person has more than a page"
