"""ProConnect in a real Chromium, over a provider of another site: linked by an invitation, in, proved again, out."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.browser import chromium, serve
from tests.clients import a_person, app_for
from tests.desk import Desk
from tests.issuer_portal.test_passkey_browser import free_port, looked_at
from tests.stub_provider import Somebody, open_provider
from voucher.access import links
from voucher.access.model import StaffAccount, StaffSession
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.web.services import utc_now

EMAIL = "lea@pass.example"


@pytest.mark.browser
def test_a_person_comes_in_by_the_provider_proves_it_again_and_leaves(sqlite_database: Database) -> None:
    port = free_port()
    a_person(sqlite_database, Role.PROGRAMME, email=EMAIL)
    with sqlite_database.write() as session:
        session.execute(update(StaffAccount).values(password_hash=None))
    with open_provider() as provider:
        # Another host is another site: what a browser holds back between sites is held back here.
        provider.issuer = f"http://localhost:{provider.server.server_port}/api/v2"
        app = app_for(sqlite_database, base_url=f"http://127.0.0.1:{port}", **provider.settings)
        with serve(app, port), chromium() as browser:
            context = browser.new_context(locale="fr-FR")
            desk = Desk(context.new_page(), f"http://127.0.0.1:{port}")
            spoken: list[str] = []
            desk.page.on("console", lambda said: spoken.append(f"{said.location['url']} {said.text}"))
            desk.open(links.print_link(sqlite_database, EMAIL, now=utc_now())).sees("Ou entrer par ProConnect")
            looked_at(desk.page, "provider-link")
            desk.follow("Relier mon compte ProConnect")
            desk.page.get_by_role("button", name="Se déconnecter").wait_for()
            desk.open("/mon-compte/proconnect").sees("C’est votre seul moyen d’entrer.")
            looked_at(desk.page, "provider-own")

            desk.open("/personnes/nouvelle").fill(name="Luce Arbre", email="luce@lieu.example")
            with sqlite_database.write() as session:
                session.execute(update(StaffSession).values(confirmed_at=utc_now() - timedelta(hours=1)))
            desk.press("Ouvrir le compte et envoyer l’invitation").sees("Qui est là ?")
            looked_at(desk.page, "provider-again")
            with context.expect_page() as opened:
                desk.follow("Prouver avec ProConnect")
            opened.value.get_by_role("heading", name="C’est bien vous").wait_for()
            looked_at(opened.value, "provider-confirmed")
            opened.value.close()
            desk.press("Continuer").sees("L’invitation part à luce@lieu.example.")

            desk.page.get_by_role("button", name="Se déconnecter").click()
            desk.page.get_by_text("Vous êtes déconnecté, chez ProConnect aussi.").wait_for()
            assert provider.count("/session/end") == 1
            looked_at(desk.page, "provider-sign-in")
            desk.follow("S’identifier avec ProConnect")
            desk.page.get_by_role("button", name="Se déconnecter").wait_for()

            provider.lies.is_down = {"/session/end"}
            desk.page.get_by_role("button", name="Se déconnecter").click()
            desk.page.wait_for_url("**/session/end?*")
            without = Desk(browser.new_context(java_script_enabled=False).new_page(), desk.address)
            without.open("/personnes/connexion?suite=/personnes/moi").follow("S’identifier avec ProConnect")
            without.page.get_by_text("Mon compte").first.wait_for()
            assert without.page.url.endswith("/personnes/moi")
            provider.somebody = Somebody(sub="quelqu’un d’autre")
            stranger = Desk(browser.new_context().new_page(), desk.address)
            stranger.open("/personnes/connexion").follow("S’identifier avec ProConnect")
            stranger.page.get_by_text("Une adresse électronique ne suffit pas.").wait_for()
            looked_at(stranger.page, "provider-refused")
        assert [said for said in spoken if said.startswith(desk.address)] == []
