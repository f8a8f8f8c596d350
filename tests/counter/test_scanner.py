"""The counter's script in a real Chromium: a code before the camera, a code typed, a network that fails."""

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser import axe, chromium, overflow
from tests.builders import Issued, scanned_codes, typed_codes
from tests.counter.standing import at_the_counter, redemption_count
from tests.desk import show_to_camera
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter

pytestmark = pytest.mark.browser


def test_a_code_before_the_camera_is_laid_redeemed_and_undone(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str, tmp_path: Path
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium(*show_to_camera(codes[0], tmp_path / "voucher.y4m")) as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        main_act = page.locator("[data-main-act]")
        # Allowed already, the camera starts by itself.
        expect(main_act).to_have_text("Encaisser 1 chèque — 10 €", timeout=20_000)
        page.get_by_label("Utilisation sécurisée du numérique").check()
        main_act.click()
        result = page.locator("dialog")
        expect(result).to_contain_text("Confirmé")
        expect(result).to_contain_text("Il reste 9 chèques dans le carnet.")
        assert axe(page) == []
        page.wait_for_timeout(2_500)
        expect(result).to_be_visible()  # until a tap
        result.click(position={"x": 5, "y": 5})
        expect(result).to_be_hidden()
        assert redemption_count(sqlite_database) == 1
        page.get_by_role("button", name="Éteindre la caméra").click()
        page.get_by_role("button", name="Annuler", exact=True).click()
        expect(result).to_contain_text("Annulé")
        page.reload()
        expect(page.get_by_label("Utilisation sécurisée du numérique")).to_be_checked()


def test_typing_lays_three_vouchers_and_an_answer_that_was_lost_is_asked_again(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    typed = typed_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        assert axe(page) == []
        assert overflow(page) == 0
        for rank, code in enumerate(typed[:3], 1):
            page.get_by_label("Code du chèque").fill(code)
            page.keyboard.press("Enter")
            expect(page.locator("[data-tray] li")).to_have_count(rank)
        page.get_by_label("Utilisation sécurisée du numérique").check()
        bodies: list[str] = []

        def lose_the_first_answer(route: Route) -> None:
            bodies.append(route.request.post_data or "")
            if len(bodies) == 1:
                route.fetch()  # the server does its work; nobody hears of it
                route.abort()
            else:
                route.continue_()

        page.route("**/api/redeem", lose_the_first_answer)
        page.get_by_role("button", name="Encaisser 3 chèques — 30 €").click()
        result = page.locator("dialog")
        expect(result).to_contain_text("En attente de réponse")
        expect(result).to_contain_text("C’est fait, à")  # it went again by itself
        expect(result).to_contain_text("3 chèques, 30 €.")
        assert bodies[0] == bodies[1]
        assert redemption_count(sqlite_database) == 1


def test_a_refusal_stays_until_it_is_read(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        page.get_by_label("Code du chèque").fill("0000 0000 0000 1")
        page.keyboard.press("Enter")
        result = page.locator("dialog")
        expect(result).to_contain_text("Rien n’a été débité.")
        expect(result.get_by_role("link")).to_have_attribute("href", "tel:0199001234")
        page.wait_for_timeout(2_500)
        expect(result).to_be_visible()
        result.get_by_role("button", name="Continuer").click()
        expect(page.get_by_label("Code du chèque")).to_have_value("")
