"""The page in the hand: what is in view at once, what the thumb reaches, what a zoom of 400 % leaves uncovered, what axe says."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import DESK, NARROW, PHONE, axe, chromium, overflow, screenshot
from tests.builders import Issued, scanned_codes
from tests.counter.standing import at_the_counter
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter

pytestmark = pytest.mark.browser
ZOOMED = ViewportSize(width=320, height=256)  # 1280 × 1024 at 400 %
_IS_COVERED = """() => {
  const one = document.activeElement;
  if (one === document.body || one.tagName === "MAIN") return null;
  const { left, right, top, bottom } = one.getBoundingClientRect();
  const [x, y] = [(left + right) / 2, (Math.max(0, top) + Math.min(innerHeight, bottom)) / 2];
  const seen = document.elementFromPoint(x, y);
  return seen && (one.contains(seen) || seen.contains(one) || seen.closest("label")?.contains(one)) ? null : one.outerHTML;
}"""


def is_in_view(page: Page, selector: str) -> bool:
    """Say whether the whole of an element is on the first screen, under nothing."""
    script = """one => { const { top, bottom, left, right } = one.getBoundingClientRect();
        const seen = document.elementFromPoint((left + right) / 2, bottom - 3);
        return top >= 0 && bottom <= innerHeight && (one.contains(seen) || seen.contains(one)); }"""
    return bool(page.locator(selector).first.evaluate(script))


def test_all_that_matters_is_in_view_and_within_the_thumb_s_reach(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        page.evaluate("code => Pass.scanned(code, 'keys')", codes[0])
        expect(page.locator("[data-tray] li")).to_have_count(1)
        for part in (
            ".here strong",
            "[data-network]",
            "[data-scanner-toggle]",
            "#code",
            "[data-tray] li",
            "[data-main-act]",
        ):
            assert is_in_view(page, part), part
        assert not page.get_by_role("link", name="Aujourd’hui").is_visible(), "the menu is folded away"
        page.get_by_label("Aide aux démarches administratives").check()
        expect(page.locator("[data-other-services] summary")).to_have_text(
            "Service : Aide aux démarches administratives"
        )
        page.locator("[data-main-act]").click()
        page.locator("[data-result-close]").click()
        expect(page.locator("[data-last]")).to_contain_text("Dernier : 1 chèque, 10 €.")
        assert is_in_view(page, "[data-undo-last]")
        box = page.locator("[data-undo-last]").bounding_box()
        assert box is not None
        assert box["y"] > PHONE["height"] * 0.6
        # The place's default is now the service it renders, in one tap with the last two others.
        page.reload()
        expect(page.locator("[name=service]:checked")).to_have_value("administrative_procedures")
        assert page.locator("[name=service]").first.is_visible()


def test_zoomed_to_400_nothing_covers_what_has_the_focus(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        for size in (ZOOMED, NARROW, PHONE):
            page = at_the_counter(browser, address, sqlite_database, counter, viewport=size, reduced_motion="reduce")
            page.evaluate("codes => codes.forEach((code) => Pass.scanned(code, 'keys'))", codes[:3])
            expect(page.locator("[data-tray] li")).to_have_count(3)
            covered = []
            for key in ["Tab"] * 30 + ["Shift+Tab"] * 30:
                page.keyboard.press(key)
                page.wait_for_timeout(20)
                covered.append(page.evaluate(_IS_COVERED))
            assert [one for one in covered if one] == [], size
            page.evaluate("() => Pass.result.show('no', 'Non', 'Ce chèque a déjà été encaissé. '.repeat(5), 'Rien.')")
            shape = page.locator(".result-shape")
            top = "one => { one.closest('dialog').scrollTop = 0; return one.getBoundingClientRect().top; }"
            assert shape.evaluate(top) >= 0, "the word can be read whole"
            page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str, scheme: str
) -> None:
    code = scanned_codes(sqlite_database, issued.first_booklet_number)[0]
    with chromium() as browser:
        for size in (NARROW, PHONE, DESK):
            page = at_the_counter(browser, address, sqlite_database, counter, viewport=size, color_scheme=scheme)
            page.evaluate("code => Pass.scanned(code, 'keys')", code)
            expect(page.locator("[data-tray] li")).to_have_count(1)
            page.locator(".folded summary").click()
            assert (axe(page), overflow(page)) == ([], 0), size
            screenshot(page, f"counter-{size['width']}-{scheme}")
            page.context.close()
        for kind, word in (
            ("kept", "Gardé"),
            ("valid", "Valable"),
            ("undone", "Annulé"),
            ("no", "Non"),
            ("wait", "En attente"),
        ):
            page = at_the_counter(browser, address, sqlite_database, counter, color_scheme=scheme)
            page.evaluate("([kind, word]) => Pass.result.show(kind, word, '2 chèques.')", [kind, word])
            assert axe(page) == [], kind
            assert page.locator("[data-shape]:visible").count() == 1
            page.context.close()
        page = at_the_counter(browser, address, sqlite_database, counter, viewport=NARROW, color_scheme=scheme)
        page.goto(f"{address}/comptoir/papier")
        assert (axe(page), overflow(page)) == ([], 0)
