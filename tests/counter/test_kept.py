"""What lies on the counter survives: a reload, a lost answer, an ended session, another tab, a browser that keeps nothing."""

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import delete, select

from tests.browser import axe, chromium
from tests.builders import Issued, a_counter, handed_over_booklets, scanned_codes
from tests.clients import PASSWORD
from tests.counter.standing import at_the_counter, redemption_count
from voucher.access.model import StaffSession
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.redemption.answers import Counter
from voucher.redemption.model import Redemption

pytestmark = pytest.mark.browser
SERVICE = "Utilisation sécurisée du numérique"
REFUSES = (
    "Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('refused', 'SecurityError'); } });"
)
FULL = "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };"


@pytest.fixture
def issued(sqlite_database: Database) -> Issued:
    return handed_over_booklets(sqlite_database, 2)


def lay(page: Page, *codes: str) -> None:
    """Scan codes and wait until they lie on the tray."""
    before = page.locator("[data-tray] li").count()
    for code in codes:
        page.evaluate("code => Pass.scanned(code, 'keys')", code)
    expect(page.locator("[data-tray] li")).to_have_count(before + len(codes))


def lose(route: Route) -> None:
    """Let the server do its work; nobody hears of it."""
    route.fetch()
    route.abort()


def sign_in_again(page: Page, email: str) -> None:
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter", exact=True).click()


def test_a_lost_answer_a_reload_and_an_ended_session_lose_nothing(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter, email="lea@lieu.example")
        tray, result, waiting = (page.locator(f"[data-{name}]") for name in ("tray", "result", "waiting"))
        lay(page, *codes[:2])
        page.get_by_label(SERVICE).check()
        page.reload()
        expect(tray.locator("li")).to_have_count(2)
        assert page.locator(f"label:has-text('{SERVICE}') input").is_checked()
        # The server acts, the answer is lost, a code waits, the page dies.
        page.route("**/api/redeem", lose)
        page.get_by_role("button", name="Encaisser 2 chèques — 20 €").click()
        expect(result).to_contain_text("En attente de réponse")
        result.get_by_role("button", name="Continuer").click()
        expect(waiting).to_contain_text("L’encaissement de 2 chèques, 20 €, demandé à")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/check" in request.url else None)
        page.evaluate("code => Pass.scanned(code, 'keys')", codes[2])
        expect(page.locator("[data-queue]")).to_contain_text("Un code lu attend")
        assert axe(page) == []
        page.wait_for_timeout(3_000)
        assert asked == [], "nothing else is sent before it is settled"
        with sqlite_database.write() as session:
            session.execute(delete(StaffSession))
        page.unroute("**/api/redeem")
        page.locator("[data-waiting-again]").click()
        expect(page.locator("[data-signed-out]")).to_contain_text("Votre connexion est terminée.")
        page.get_by_role("link", name="Se reconnecter").click()
        sign_in_again(page, "lea@lieu.example")
        expect(result).to_contain_text("C’est fait, à", timeout=15_000)
        expect(result).to_contain_text("2 chèques, 20 €.")
        expect(tray.locator("li")).to_have_count(1)  # the code that waited had its turn
        assert redemption_count(sqlite_database) == 1
        # An undo whose answer is lost goes again by itself too.
        page.route("**/api/undo", lose, times=1)
        result.get_by_role("button", name="Annuler cet encaissement").click()
        expect(result).to_contain_text("Annulé", timeout=15_000)
        expect(waiting).to_be_hidden()


def test_another_person_hears_what_became_of_the_act_that_was_left(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter)
        other = at_the_counter(browser, address, sqlite_database, counter)
        result = page.locator("[data-result]")
        # Left twice: once the server acted, once it never heard.
        for code, leave, heard in (
            (codes[0], lose, "C’est fait, à"),
            (codes[1], lambda route: route.abort(), "L’encaissement n’est pas passé."),
        ):
            lay(page, code)
            page.get_by_label("Aide aux démarches administratives").check()
            page.route("**/api/redeem", leave)
            page.locator("[data-main-act]").click()
            expect(result).to_contain_text("En attente de réponse")
            page.context.clear_cookies()
            page.context.add_cookies(other.context.cookies())  # type: ignore[arg-type]
            page.unroute("**/api/redeem")
            page.route("**/api/answer", lambda route: route.abort())
            page.reload()
            expect(result).to_contain_text("En attente de réponse")
            page.evaluate("code => Pass.scanned(code, 'keys')", codes[5])
            expect(page.locator("[data-queue]")).to_contain_text("Un code lu attend")
            page.unroute("**/api/answer")
            expect(result).to_contain_text(heard, timeout=15_000)
            # What the first person laid is gone; what the second scanned meanwhile is theirs.
            expect(page.locator("[data-tray] [name=label]")).to_have_count(1)
            result.get_by_role("button", name="Continuer").click()
            page.locator("[data-tray] button").click()
            other = at_the_counter(browser, address, sqlite_database, counter)
        assert redemption_count(sqlite_database) == 1


def test_two_tabs_share_one_tray_and_each_redeems_where_it_says(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with sqlite_database.read() as session:
        cover = stored_codes(session, issued.first_booklet_number + 1, 1)[0].cover.to_url("http://127.0.0.1:8000")
    with chromium() as browser:
        first = at_the_counter(browser, address, sqlite_database, counter)
        elsewhere = a_counter(sqlite_database, structure_id=counter.structure_id)
        second = first.context.new_page()
        second.goto(f"{address}/comptoir/lieux")
        name = second.locator(f"li:has(input[value='{elsewhere.place_id}']) h2").inner_text()
        second.locator(f"form:has(input[value='{elsewhere.place_id}']) button").click()
        for tab in (first, second):
            expect(tab.locator("[data-tabs]")).to_contain_text("Un autre onglet est ouvert pour")
        expect(first.locator("[data-tabs]")).to_contain_text(name)
        lay(second, codes[0])
        expect(first.locator("[data-tray] li")).to_have_count(1)
        # A cover lays as many as the mediator says; a second booklet is said at once, where it is mended.
        lay(first, cover)
        expect(first.locator("[data-several]")).to_contain_text("Des chèques de 2 carnets sont posés.")
        for _ in range(3):
            first.get_by_role("button", name="Un chèque de plus").click()
        first.get_by_role("button", name="Un chèque de moins").click()
        expect(first.get_by_role("group", name="Combien de chèques")).to_contain_text("3 chèques")
        expect(second.locator("[data-tray-total]")).to_contain_text("4 chèques, 40 €")
        # The service is missing: said where it is chosen, and nothing is sent.
        first.locator("[data-main-act]").click()
        expect(first.locator("[data-service-missing]")).to_be_visible()
        first.get_by_label("Aide aux démarches administratives").check()
        first.get_by_role("button", name="Encaisser le carnet").click()
        expect(first.locator("[data-result]")).to_contain_text("1 chèque, 10 €.")
        first.locator("[data-result-close]").click()
        first.get_by_role("button", name="Encaisser 3 chèques — 30 €").click()
        expect(first.locator("[data-result]")).to_contain_text("3 chèques, 30 €.")
        expect(first.locator("[data-result]")).to_contain_text("Il reste 7 chèques dans le carnet.")
        expect(second.locator("[data-tray] li")).to_have_count(0)
        with sqlite_database.read() as session:
            assert set(session.scalars(select(Redemption.place_id))) == {counter.place_id}


@pytest.mark.parametrize("storage", [REFUSES, FULL], ids=["refused", "full"])
def test_a_browser_that_keeps_nothing_says_so_and_redeems_all_the_same(
    sqlite_database: Database, issued: Issued, counter: Counter, address: str, storage: str
) -> None:
    codes = scanned_codes(sqlite_database, issued.first_booklet_number)
    with chromium() as browser:
        page = at_the_counter(browser, address, sqlite_database, counter, init_script=storage)
        expect(page.locator("[data-unkept]")).to_contain_text("Ce navigateur ne garde rien.")
        lay(page, *codes[:2])
        page.get_by_label("Aide aux démarches administratives").check()
        page.get_by_role("button", name="Encaisser 2 chèques — 20 €").click()
        expect(page.locator("[data-result]")).to_contain_text("Confirmé")
