"""The pages of issuers and prescribers in a real Chromium: narrow and wide, light and dark, with axe."""

import pytest
from playwright.sync_api import Browser

from tests.browser import DESK, PHONE, axe, chromium, overflow, screenshot, serve
from tests.builders import NOW, a_prescriber, entrusted_booklets, issued_booklets
from tests.clients import PASSWORD, a_person, app_for
from voucher.access.read import person
from voucher.access.rules import Role
from voucher.access.sessions import sign_in
from voucher.distribution.hand_over import hand_over
from voucher.issuing.code import Kind
from voucher.issuing.order import order_vouchers
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.web.access import SESSION_COOKIE

LOOKS = (("390-dark", PHONE, "dark"), ("1280-light", DESK, "light"))


def token(database: Database, role: Role, scope_id: object) -> str:
    found = person(database, a_person(database, role, scope_id, now=NOW), now=NOW)  # type: ignore[arg-type]
    assert found is not None
    return sign_in(database, found.email, PASSWORD, now=NOW)


def look(browser: Browser, address: str, session: str, pages: dict[str, str], faults: list[str]) -> None:
    for name, size, scheme in LOOKS:
        context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        context.add_cookies([{"name": SESSION_COOKIE, "value": session, "url": address}])
        page = context.new_page()
        for title, path in pages.items():
            answer = page.goto(address + path)
            assert answer is not None
            assert answer.status == 200, path
            faults += [f"{title} {name}: {fault}" for fault in axe(page)]
            if overflow(page):
                faults.append(f"{title} {name}: {overflow(page)} px too wide")
            screenshot(page, f"{title}-{name}")
        context.close()


@pytest.mark.browser
def test_pages_of_issuers_and_prescribers_have_no_fault(sqlite_database: Database) -> None:
    database = sqlite_database
    issued, prescriber_id = entrusted_booklets(database, 12)
    agreed = issued.agreed
    issued_booklets(database, 5, agreed=agreed)
    a_prescriber(database, agreed.issuer_id)
    waiting = order_vouchers(database, new_id(), agreed.agreement_id, 300, by=agreed.issuer_id, now=NOW)
    handover = hand_over(database, new_id(), 1, prescriber_id, by=agreed.issuer_id, now=NOW)
    office = {
        "emetteur": "/emetteur/",
        "convention": f"/emetteur/conventions/{agreed.agreement_id}",
        "commander": f"/emetteur/conventions/{agreed.agreement_id}/commander",
        "commandes": "/emetteur/commandes",
        "lot": f"/emetteur/commandes/{issued.batch_id}",
        "lot-en-cours": f"/emetteur/commandes/{waiting.batch_id}",
        "prescripteurs": "/emetteur/prescripteurs",
        "prescripteur": f"/emetteur/prescripteurs/{prescriber_id}",
        "nouveau-prescripteur": "/emetteur/prescripteurs/nouveau",
        "confier": "/emetteur/bordereaux/nouveau",
        "carnets": "/emetteur/carnets",
        "carnet": "/emetteur/carnets/1",
        "annuler": "/emetteur/carnets/annuler",
    }
    desk = {
        "remettre": "/prescripteur/",
        "recu": f"/prescripteur/remises/{handover.handover_id}",
        "stock": "/prescripteur/stock",
    }
    faults: list[str] = []
    with serve(app_for(database, NOW)) as address, chromium() as browser:
        look(browser, address, token(database, Role.ISSUER, agreed.issuer_id), office, faults)
        look(browser, address, token(database, Role.PRESCRIBER, prescriber_id), desk, faults)
    assert faults == []


@pytest.mark.browser
def test_a_booklet_is_handed_over_with_the_keyboard_alone(sqlite_database: Database) -> None:
    issued, prescriber_id = entrusted_booklets(sqlite_database, 1)
    with sqlite_database.read() as session:
        payload = stored_codes(session, issued.first_booklet_number, 1)[0].cover.payload
    with serve(app_for(sqlite_database, NOW)) as address, chromium() as browser:
        context = browser.new_context(viewport=PHONE)
        session_token = token(sqlite_database, Role.PRESCRIBER, prescriber_id)
        context.add_cookies([{"name": SESSION_COOKIE, "value": session_token, "url": address}])
        page = context.new_page()
        page.goto(address + "/prescripteur/")
        # A USB scanner types the code where the cursor already is, then the return key.
        page.keyboard.type(typing_code(payload.serial, payload.tag, Kind.BOOKLET))
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Remettre le carnet").press("Enter")
        page.get_by_text("Le carnet 0001 est remis.").wait_for()
        context.close()
