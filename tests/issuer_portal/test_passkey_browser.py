"""Passkeys in a real Chromium, whose virtual authenticator stands for a phone's fingerprint."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page

from tests.browser import DESK, NARROW, PHONE, axe, chromium, overflow, screenshot, serve
from tests.clients import a_person, app_for
from tests.desk import Desk
from tests.web.test_asks_again import NOW, wait
from voucher.access.factors.passkeys import own_passkeys
from voucher.access.rules import Role
from voucher.kernel.database import Database

MINE = "/mon-compte/cles-d-acces"
EMAIL = "lea@lieu.example"
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextmanager
def device(context: BrowserContext, page: Page) -> Iterator[tuple[CDPSession, str]]:
    """Give a browser a device that knows its person's finger."""
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield cdp, made["authenticatorId"]


@pytest.mark.browser
def test_a_person_adds_a_passkey_and_enters_with_a_finger(sqlite_database: Database) -> None:
    port = free_port()
    lea = a_person(sqlite_database, Role.PROGRAMME, email=EMAIL, now=NOW)
    app = app_for(sqlite_database, NOW, base_url=f"http://127.0.0.1:{port}")
    with serve(app, port), chromium() as browser:
        context = browser.new_context(locale="fr-FR")
        desk = Desk(context.new_page(), f"http://localhost:{port}")
        spoken: list[str] = []
        desk.page.on("console", lambda said: spoken.append(said.text) if said.type == "error" else None)
        with device(context, desk.page) as (cdp, phone):
            desk.open("/personnes/connexion").fill(email=EMAIL, password="quatre mots bien longs").press("Se connecter")
            desk.open(MINE).sees("Aucune clé d’accès.")
            looked_at(desk.page, "passkeys-empty")
            desk.page.get_by_role("button", name="Ajouter une clé d’accès").click()
            desk.page.get_by_text("Remplissez ce champ.").wait_for()
            desk.fill(label="téléphone de Léa").press("Ajouter une clé d’accès").sees("Votre clé d’accès est ajoutée.")
            desk.sees("Dix codes à imprimer").open(MINE)
            looked_at(desk.page, "passkeys-one")
            looked_at(desk.follow("téléphone de Léa").page, "passkey")
            looked_at(desk.follow("Retirer cette clé d’accès").page, "passkey-remove")
            desk.open(MINE)
            desk.page.get_by_role("button", name="Ajouter une clé d’accès").scroll_into_view_if_needed()
            desk.fill(label="encore ici").page.get_by_role("button", name="Ajouter une clé d’accès").click()
            desk.page.get_by_text("Cet appareil a déjà une clé d’accès").wait_for()
            desk.page.get_by_role("button", name="Se déconnecter").click()
            desk.sees("Avec une clé d’accès")
            looked_at(desk.page, "sign-in")
            desk.press("Utiliser ma clé d’accès")
            desk.sees("Se déconnecter")
            wait(app, sqlite_database)
            desk.open("/personnes/nouvelle").fill(name="Luce Arbre", email="luce@lieu.example").press("Ouvrir")
            desk.sees("Qui est là ?")
            looked_at(desk.page, "asks-again")
            desk.press("Continuer avec ma clé d’accès").sees("L’invitation part à luce@lieu.example.")
            desk.page.get_by_role("button", name="Se déconnecter").click()
            desk.fill(email=EMAIL, password="quatre mots bien longs").press("Se connecter").sees("Encore une étape")
            looked_at(desk.page, "second-passkey")
            desk.press("Utiliser ma clé d’accès").sees("Se déconnecter")
            desk.page.get_by_role("button", name="Se déconnecter").click()
            cdp.send("WebAuthn.setUserVerified", {"authenticatorId": phone, "isUserVerified": False})
            desk.page.get_by_role("button", name="Utiliser ma clé d’accès").click()
            desk.page.get_by_text("Votre appareil n’a pas répondu, ou vous avez annulé.").wait_for()
            looked_at(desk.page, "sign-in-cancelled")
        assert own_passkeys(sqlite_database, lea)[0].used_at is not None
        assert [said for said in spoken if "409" not in said] == []
        elsewhere = Desk(context.new_page(), f"http://127.0.0.1:{port}").open("/personnes/connexion")
        elsewhere.sees(f"Les clés d’accès servent à l’adresse http://localhost:{port} seulement.")
        assert elsewhere.page.get_by_role("button", name=re.compile("clé d’accès")).count() == 0
        older = browser.new_context().new_page()
        older.add_init_script("Object.defineProperty(window, 'PublicKeyCredential', { value: undefined })")
        Desk(older, f"http://localhost:{port}").open("/personnes/connexion").sees("Ce navigateur ne peut pas utiliser")
        assert older.get_by_role("button", name=re.compile("clé d’accès")).count() == 0
        without = browser.new_context(java_script_enabled=False)
        Desk(without.new_page(), f"http://localhost:{port}").open("/personnes/connexion").sees(
            "Ce navigateur ne peut pas utiliser de clé d’accès. Connectez-vous avec votre mot de passe."
        ).fill(email=EMAIL, password="quatre mots bien longs").press("Se connecter")


def looked_at(page: Page, name: str) -> None:
    """Hold a page to axe and to its width, as it stands; keep its pictures."""
    for width, viewport in (("320", NARROW), ("390", PHONE), ("1280", DESK)):
        page.set_viewport_size(viewport)
        screenshot(page, f"{name}-{width}")
        assert overflow(page) == 0, f"{name} at {width}"
    assert axe(page) == []
