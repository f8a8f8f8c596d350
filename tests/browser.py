"""A real Chromium for tests: start it, look at a page with axe, measure it, keep a picture.

    with serve(app) as address, chromium() as browser:
        page = browser.new_page(viewport=PHONE, color_scheme="dark")
        page.goto(address + "/office")
        assert axe(page) == []
        assert overflow(page) == 0

Pictures are kept only where PASS_TEST_PICTURES names a folder.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from playwright.sync_api import Browser, Page, Playwright, ViewportSize, sync_playwright
from werkzeug.serving import make_server

from tools.chromium import find as find_chromium

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NARROW = ViewportSize(width=320, height=640)
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=900)
AXE = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PICTURES_VARIABLE = "PASS_TEST_PICTURES"


@contextmanager
def serve(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve an application on 127.0.0.1, on a free port unless one is given, for the length of the block; give its address."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Driver:
    """One Playwright for as long as any browser is open: it cannot run twice in a process, nor stay beside asyncio."""

    def __init__(self) -> None:
        self._running: Playwright | None = None
        self._user_count = 0

    @contextmanager
    def running(self) -> Iterator[Playwright]:
        if self._running is None:
            self._running = sync_playwright().start()
        self._user_count += 1
        try:
            yield self._running
        finally:
            self._user_count -= 1
            if self._user_count == 0:
                self._running.stop()
                self._running = None


_driver = _Driver()


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Start Chromium, the one `make test` found or installed; `arguments` are added to the command line."""
    executable = find_chromium()  # before Playwright runs: it may have to be asked
    with _driver.running() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


def axe(page: Page, *, tags: list[str] | None = None) -> list[str]:
    """Return what axe-core finds wrong on a page, one line for each element: rule, place, what to mend."""
    # The page's own policy forbids foreign scripts; axe is evaluated by the browser's debugger, which it does not bind.
    page.evaluate(AXE.read_text())
    # What passes is not described, element by element: that took longer than looking.
    options = {"runOnly": tags or AXE_TAGS, "resultTypes": ["violations"]}
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))}: {node.get('failureSummary', '')}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its window: zero when nothing scrolls sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def screenshot(page: Page, name: str, *, full_page: bool = True) -> None:
    """Keep a picture of a page as `name`.png, where PASS_TEST_PICTURES names a folder."""
    folder = os.environ.get(PICTURES_VARIABLE)
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=full_page)
