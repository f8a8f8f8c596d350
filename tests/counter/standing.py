"""Stand at a counter in a real browser, with a scanner in the hand."""

import time
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect
from sqlalchemy import func, select

from tests.browser import PHONE
from tests.clients import PASSWORD, a_person
from voucher.access import sessions
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.answers import Counter
from voucher.redemption.model import Redemption
from voucher.web.access import SESSION_COOKIE
from voucher.web.services import utc_now

KEY_SECONDS = 0.005
# Where a QWERTY scanner strikes each character: the key, and whether with capitals. Then what an AZERTY computer writes there.
_NAMED = {":": ("Semicolon", True), "/": ("Slash", False), ".": ("Period", False), "-": ("Minus", False)}
_ON_AZERTY = {
    **dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "QBCDEFGHIJKL?NOPARSTUVZXYW", strict=True)),
    **dict(zip("1234567890:/.-", "&é\"'(-è_çàM!:)", strict=True)),
}
ENDINGS = {"Enter": ("Enter", "\r", 13), "Tab": ("Tab", "\t", 9)}


def signed_in(browser: Browser, address: str, database: Database, role: Role, scope_id: Any, **options: Any) -> Page:
    """Return a page of a new person with this role, signed in."""
    email = options.pop("email", f"{new_id().hex[-12:]}@lieu.example")
    a_person(database, role, scope_id, email=email)
    token = sessions.sign_in(database, email, PASSWORD, now=utc_now())
    script = options.pop("init_script", "")
    context = browser.new_context(**({"viewport": PHONE, "permissions": ["camera"], "locale": "fr-FR"} | options))
    context.add_init_script(script)
    context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": address}])
    return context.new_page()


def at_the_counter(browser: Browser, address: str, database: Database, counter: Counter, **options: Any) -> Page:
    """Return the Scan page of a mediator on a phone."""
    page = signed_in(browser, address, database, Role.MEDIATOR, counter.structure_id, **options)
    page.goto(f"{address}/comptoir/lieux")
    expect(page.locator("[data-main-act]")).to_be_visible()
    return page


def redemption_count(database: Database) -> int:
    """Count the redemptions that were ever made."""
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Redemption)) or 0


def key_of(character: str, *, is_azerty: bool) -> dict[str, Any]:
    """Return the key that a QWERTY scanner strikes for a character, and what the computer writes of it."""
    code, is_shifted = _NAMED.get(character) or (
        (f"Digit{character}", False) if character.isdigit() else (f"Key{character.upper()}", character.isupper())
    )
    return {
        "key": _ON_AZERTY.get(character, character) if is_azerty else character,
        "code": code,
        "shiftKey": is_shifted,
    }


class Scanner:
    """A USB scanner, set to QWERTY, plugged into the computer of a page: keys as the browser's debugger sends them, each with its instant."""

    def __init__(self, page: Page) -> None:
        self._keyboard: CDPSession = page.context.new_cdp_session(page)
        self._at = 0.0

    def scan(self, text: str, *, is_azerty: bool = False, endings: Sequence[str] = ("Enter",)) -> None:
        """Write a text as the scanner does: five milliseconds a key, wherever the focus is."""
        self._at = max(self._at + 0.2, time.time())
        for character in text:
            key = key_of(character, is_azerty=is_azerty)
            self._strike(key["key"], key["code"], key["key"], 0, is_shifted=key["shiftKey"])
        for ending in endings:
            key, written, number = ENDINGS[ending]
            self._strike(key, key, written, number, is_shifted=False)

    def _strike(self, key: str, code: str, written: str, number: int, *, is_shifted: bool) -> None:
        self._at += KEY_SECONDS
        of_key = {
            "key": key,
            "code": code,
            "modifiers": 8 if is_shifted else 0,
            "windowsVirtualKeyCode": number or ord(written.upper()[0]),
            "timestamp": self._at,
        }
        self._keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": written, **of_key})
        if number:  # a letter that goes up does nothing
            self._keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **of_key})
