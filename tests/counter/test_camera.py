"""What the camera sees, in a real Chromium: several codes, a refused one that stays, a reader that rejects, a camera taken away."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import chromium
from tests.builders import Issued, scanned_codes
from tests.counter.standing import at_the_counter
from tests.desk import show_to_camera
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter

pytestmark = pytest.mark.browser

# A browser's own reader, that sees what the test holds before the camera: `held` is a list of codes with their left edge.
OWN_READER = """
window.held = [];
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect() {
    if (window.rejects) throw new DOMException("no", "NotSupportedError");
    return window.held.map(([rawValue, left]) => ({
      rawValue,
      cornerPoints: [[0, 0], [100, 0], [100, 100], [0, 100]].map(([x, y]) => ({ x: left + x, y: 190 + y })),
    }));
  }
};
delete AbortSignal.timeout;
"""


def hold(page: Page, *codes: tuple[str, int]) -> None:
    """Hold codes before the camera, each with its left edge in a picture 640 wide."""
    page.evaluate("codes => { window.held = codes; }", [list(code) for code in codes])


def test_what_is_held_before_the_camera_is_taken_once_and_in_turn(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str, tmp_path: Path
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium(*show_to_camera("RIEN", tmp_path / "nothing.y4m")) as browser:
        page = at_the_counter(browser, address, sqlite_database, counter, init_script=OWN_READER)
        tray, result, status = (
            page.locator("[data-tray] li"),
            page.locator("[data-result]"),
            page.locator("[data-scanner-status]"),
        )
        expect(status).to_contain_text("Rien n’est lu. Approchez le code", timeout=15_000)
        # A second one while the first is checked.
        held_up = page.context.new_cdp_session(page)
        held_up.send("Network.enable")
        slow = {"offline": False, "latency": 1200, "downloadThroughput": -1, "uploadThroughput": -1}
        held_up.send("Network.emulateNetworkConditions", slow)
        hold(page, (codes[0], 270))
        expect(page.locator("[data-scanner-outlines] .aimed")).to_have_count(1)
        hold(page, (codes[1], 270))
        expect(tray).to_have_count(2)
        held_up.send("Network.emulateNetworkConditions", slow | {"latency": 0})
        # Three at once: all are outlined, the one in the aim is taken.
        hold(page, (codes[2], 10), (codes[3], 270), (codes[4], 520))
        expect(page.locator("[data-scanner-outlines] polygon")).to_have_count(3)
        expect(tray).to_have_count(3)
        hold(page, (codes[2], 10), (codes[4], 520))
        expect(status).to_contain_text("Plusieurs codes sont visibles.")
        expect(tray).to_have_count(3)
        # A refused one that stays ten seconds is told once, whatever is laid beside it.
        refusals: list[str] = []
        page.on(
            "request", lambda request: refusals.append(request.post_data or "") if "/check" in request.url else None
        )
        hold(page, ("https://ailleurs.example/menu", 270))
        expect(result).to_contain_text("Non")
        page.locator("[data-result-close]").click()
        page.wait_for_timeout(9_000)
        expect(result).to_be_hidden()
        assert len(refusals) == 1
        hold(page, ("https://ailleurs.example/menu", 10), (codes[5], 270))
        expect(tray).to_have_count(4)
        assert len(refusals) == 2


def test_a_reader_that_rejects_leads_to_the_bundled_one_and_a_camera_taken_away_is_said(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str, tmp_path: Path
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    rejects = OWN_READER + "window.rejects = true;"
    with chromium(*show_to_camera(codes[0], tmp_path / "voucher.y4m")) as browser:
        page = at_the_counter(browser, address, sqlite_database, counter, init_script=rejects)
        expect(page.locator("[data-tray] li")).to_have_count(1, timeout=30_000)
        status = page.locator("[data-scanner-status]")
        page.evaluate(
            "() => { const track = document.querySelector('video').srcObject.getTracks()[0]; track.stop(); track.dispatchEvent(new Event('ended')); }"
        )
        expect(status).to_contain_text("La caméra s’est coupée.")
        page.get_by_role("button", name="Allumer la caméra").click()
        expect(page.get_by_role("button", name="Éteindre la caméra")).to_be_visible()
        expect(status).not_to_contain_text("coupée")
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter, permissions=[], init_script=OWN_READER)
        page.get_by_role("button", name="Allumer la caméra").click()
        expect(page.locator("[data-scanner-status]")).to_contain_text("Tapez le code")
