"""A day of a counter by dice: bursts of keys, codes before the camera, slow typing, taps, reloads, a network that loses; no scan is lost.

The suite plays a short day; `make scans` a long one, of another seed each time (PASS_SCANS_SEED plays one again).
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests.browser import chromium, serve
from tests.builders import a_counter, handed_over_booklets, scanned_codes, typed_codes
from tests.clients import app_for
from tests.counter.standing import at_the_counter, key_of
from tests.desk import show_to_camera
from voucher.issuing.code import read_code
from voucher.kernel.database import Database
from voucher.redemption.model import RedeemedVoucher
from voucher.reporting.verify import verify

pytestmark = [pytest.mark.browser, pytest.mark.long]
EVENTS = int(os.environ.get("PASS_SCANS_EVENTS", "70"))
SEED = int(os.environ.get("PASS_SCANS_SEED", "10"))
NETWORKS = (
    {"delay": 0, "losesRequest": 0, "losesAnswer": 0},
    {"delay": 900, "losesRequest": 0, "losesAnswer": 0},
    {"delay": 200, "losesRequest": 0.3, "losesAnswer": 0.3},
)
HANDS = (Path(__file__).parent / "hands.js").read_text()


class Day:
    """The page, the dice, and the vouchers that were scanned so far."""

    def __init__(self, page: Page, codes: list[str], typed: list[str]) -> None:
        self.page = page
        self.dice = random.Random(SEED)
        self._left = list(zip(codes, typed, strict=True))
        self.scanned: set[int] = set()

    def next_code(self, *, is_typed: bool = False) -> str:
        """Take a voucher nobody showed yet, or now and then one that was shown before."""
        scanned, typed = self._left.pop()
        self.scanned.add(read_code(scanned).payload.serial)
        if self.dice.random() < 0.1:
            self._left.insert(0, (scanned, typed))
        return typed if is_typed else scanned

    def burst(self) -> None:
        text = self.next_code()
        is_azerty = self.dice.random() < 0.5
        keys = [key_of(character, is_azerty=is_azerty) for character in text]
        keys += [{"key": key, "code": key} for key in self.dice.choice([["Enter"], ["Tab"], [], ["Enter", "Enter"]])]
        self.page.evaluate("([keys, gap]) => strike(keys, gap)", [keys, self.dice.choice([3, 5, 12, 30])])
        if keys[-1]["key"] not in ("Enter", "Tab") or self.dice.random() < 0.5:
            self.hears(text)

    def camera(self) -> None:
        text = self.next_code()
        self.page.evaluate("text => { held = [text]; }", text)
        self.hears(text)
        if self.dice.random() < 0.6:
            self.page.evaluate("() => { held = []; }")

    def hears(self, text: str) -> None:
        self.page.wait_for_function("text => heard.includes(text)", arg=text, timeout=20_000)

    def person(self) -> None:
        text = self.next_code(is_typed=True)
        self.tap()
        self.page.locator("#code").focus()
        self.page.evaluate("() => { document.querySelector('#code').value = ''; }")
        keys = [{"key": character, "code": ""} for character in text] + [{"key": "Enter", "code": "Enter"}]
        self.page.evaluate("keys => strike(keys, 120)", keys)

    def tap(self) -> None:
        self.page.evaluate("() => Pass.result.close()")

    def focus(self) -> None:
        script = """at => { const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary")]
            .filter((one) => one.checkVisibility()); all[Math.floor(at * all.length)].focus(); }"""
        self.page.evaluate(script, self.dice.random())

    def redeem(self) -> None:
        self.tap()
        self.page.evaluate("() => document.querySelector('[data-main-act]').click()")

    def reload(self) -> None:
        """The page goes: what was read is stored within a tenth of a second."""
        self.page.wait_for_timeout(100)
        network = self.page.evaluate("() => network")
        self.page.reload()
        self.page.evaluate(
            "([given, seed]) => { network = given; throwDice = dice(seed); }", [network, self.dice.getrandbits(32)]
        )

    def network(self) -> None:
        self.page.evaluate("given => { network = given; }", self.dice.choice(NETWORKS))

    def play(self, count: int) -> None:
        """Play events by the dice; scans are most of them."""
        weighed: dict[Callable[[], None], int] = {
            self.burst: 30, self.camera: 25, self.person: 8, self.tap: 12, self.focus: 10, self.redeem: 8,
            self.network: 5, self.reload: 2,
        }  # fmt: skip
        for act in self.dice.choices(list(weighed), list(weighed.values()), k=count):
            act()


def test_no_scan_is_lost_in_a_day_by_dice(sqlite_database: Database, tmp_path: Path) -> None:
    booklet_count = EVENTS // 10 + 2
    issued, counter = handed_over_booklets(sqlite_database, booklet_count), a_counter(sqlite_database)
    numbers = range(issued.first_booklet_number, issued.first_booklet_number + booklet_count)
    codes = [code for number in numbers for code in scanned_codes(sqlite_database, number)]
    typed = [code for number in numbers for code in typed_codes(sqlite_database, number)]
    film = show_to_camera("RIEN", tmp_path / "nothing.y4m")
    with serve(app_for(sqlite_database)) as address, chromium(*film) as browser:
        page = at_the_counter(browser, address, sqlite_database, counter, init_script=HANDS)
        problems: list[str] = []
        page.on("pageerror", lambda problem: problems.append(str(problem)))
        page.get_by_label("Aide aux démarches administratives").check()
        day = Day(page, codes, typed)
        day.play(EVENTS)
        page.evaluate("given => { network = given; }", NETWORKS[0])
        page.evaluate("() => window.dispatchEvent(new Event('online'))")
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=120_000)
        expect(page.locator("[data-waiting]")).to_be_hidden(timeout=120_000)
        lying = page.evaluate(
            "() => [...document.querySelectorAll('[data-tray] [name=label]')].map((one) => one.value)"
        )
    with sqlite_database.read() as session:
        redeemed = list(session.scalars(select(RedeemedVoucher.serial)))
    on_the_tray = {int("".join(filter(str.isdigit, label))) for label in lying}
    assert problems == [], f"seed {SEED}"
    assert len(day.scanned) > EVENTS // 3
    assert day.scanned - set(redeemed) - on_the_tray == set(), f"lost, with the seed {SEED}"
    assert len(redeemed) == len(set(redeemed))
    assert [violation for result in verify(sqlite_database) for violation in result.violations] == []
