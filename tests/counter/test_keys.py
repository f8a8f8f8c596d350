"""A USB scanner in a real Chromium: five milliseconds a key, wherever the focus is, whatever the page is doing."""

import pytest
from playwright.sync_api import expect

from tests.browser import chromium
from tests.builders import Issued, entrusted_booklets, scanned_codes, typed_codes
from tests.clients import settings_for
from tests.counter.standing import Scanner, at_the_counter, redemption_count, signed_in
from voucher.access.rules import Role
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter

pytestmark = pytest.mark.browser


_FOCUSABLE = "a[href], button, input:not([type=hidden]), summary, main"
_SERVICE = "() => document.querySelector('[data-counter]').elements.namedItem('service').value"


def test_a_scan_is_laid_wherever_the_focus_is_and_presses_nothing(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    endings = [("Enter",), ("Tab",), (), ("Enter", "Enter")]
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        scanner, tray = Scanner(page), page.locator("[data-tray] li")
        places = [one for one in page.locator(_FOCUSABLE).element_handles() if one.is_visible() and one.is_enabled()]
        assert len(places) > 10
        where, service = page.url, page.evaluate(_SERVICE)
        for turn, place in enumerate(places):
            place.focus()
            scanner.scan(codes[turn % 10], is_azerty=turn % 2 == 0, endings=endings[turn % 4])
            expect(tray).to_have_count(min(turn + 1, 10))
            assert place.evaluate("one => document.activeElement === one"), place.evaluate("one => one.outerHTML")
            assert (page.url, page.evaluate(_SERVICE)) == (where, service)
            assert page.get_by_label("Code du chèque").input_value() == ""
        assert redemption_count(sqlite_database) == 0


def test_scans_during_a_check_and_during_a_result_wait_their_turn(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        scanner, tray, result = Scanner(page), page.locator("[data-tray] li"), page.locator("[data-result]")

        # The network itself is slow: a handler of the test would hold the scanner's keys too.
        slow = {"offline": False, "latency": 4000, "downloadThroughput": -1, "uploadThroughput": -1}
        line = page.context.new_cdp_session(page)
        line.send("Network.enable")
        line.send("Network.emulateNetworkConditions", slow)
        for code in codes[:3]:
            scanner.scan(code)
        expect(page.locator("[data-say]")).to_have_text("Code lu.", timeout=200)
        line.send("Network.emulateNetworkConditions", slow | {"latency": 0})
        expect(tray).to_have_count(3, timeout=15_000)
        labels = tray.locator("[name=label]").evaluate_all("all => all.map((one) => one.value)")
        assert labels == sorted(labels), "in the order they came"
        # A refusal is shown; its button has the focus when the next scan comes.
        page.keyboard.type("0000 0000 0000", delay=70)
        page.keyboard.press("Enter")
        expect(result).to_be_visible()
        scanner.scan(codes[3], is_azerty=True)
        expect(tray).to_have_count(4)
        assert redemption_count(sqlite_database) == 0


def test_slow_keys_are_a_persons_and_go_to_the_field(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    typed = typed_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        page.locator("[data-main-act]").focus()
        page.keyboard.type(typed[0], delay=70)
        page.keyboard.press("Enter")
        expect(page.locator("[data-tray] li")).to_have_count(1)
        # One wrong character is said without asking the server.
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        wrong = typed[1][:-1] + ("0" if typed[1][-1] != "0" else "1")
        page.get_by_label("Code du chèque").fill(wrong)
        page.keyboard.press("Enter")
        expect(page.locator("[data-result]")).to_contain_text("Un caractère a été mal tapé.")
        assert [url for url in asked if "/api/" in url] == []
        # A whole code that is pasted is taken at once.
        page.keyboard.press("Escape")
        field = page.get_by_label("Code du chèque")
        field.fill("")
        field.focus()
        page.keyboard.insert_text(scanned_codes(sqlite_database, issued.first_booklet_number)[2])
        expect(page.locator("[data-tray] li")).to_have_count(2)


def test_the_hand_over_page_has_the_same_collector(sqlite_database: Database, address: str) -> None:
    booklets, prescriber_id = entrusted_booklets(sqlite_database)
    with sqlite_database.read() as session:
        first, second = stored_codes(session, booklets.first_booklet_number, 2)
    base_url = settings_for(sqlite_database).base_url
    with chromium() as browser:
        page = signed_in(browser, address, sqlite_database, Role.PRESCRIBER, prescriber_id)
        page.goto(f"{address}/prescripteur/")
        scanner = Scanner(page)
        page.get_by_role("button", name="Voir ce carnet").focus()
        scanner.scan(first.cover.to_url(base_url), is_azerty=True, endings=())
        hand_over = page.get_by_role("button", name="Remettre le carnet")
        expect(hand_over).to_be_visible()
        shown = page.get_by_role("heading", level=1).inner_text()
        # On the booklet's page a scan shows the other booklet; its Enter hands nothing over.
        hand_over.focus()
        scanner.scan(second.cover.to_url(base_url))
        expect(page.get_by_role("heading", level=1)).not_to_have_text(shown)
        expect(hand_over).to_be_visible()
        page.goto(f"{address}/prescripteur/")
        expect(page.get_by_role("heading", name="Vos dernières remises")).to_have_count(0)
