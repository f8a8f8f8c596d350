"""In a real Chromium: an approver adds a phone, signs in with its codes, loses it, and comes back by two people; then without a script."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium, serve
from tests.clients import PASSWORD, a_person, app_for
from tests.desk import Desk
from tests.factors import add_totp, code_at
from tests.issuer_portal.test_passkey_browser import looked_at
from tests.web.test_asks_again import NOW, wait
from voucher.access.rules import Role
from voucher.kernel.database import Database

ALICE, PAT, QUENTIN = "alice@lieu.example", "pat@lieu.example", "quentin@lieu.example"
MINUTE = timedelta(minutes=1)


def desk_of(browser: Browser, address: str, *, has_script: bool = True) -> Desk:
    return Desk(browser.new_context(locale="fr-FR", java_script_enabled=has_script).new_page(), address)


def gives_password(desk: Desk, email: str) -> Desk:
    return desk.open("/personnes/connexion").fill(email=email, password=PASSWORD).press("Se connecter")


@pytest.mark.browser
def test_an_approver_loses_a_phone_and_comes_back_by_two_people(sqlite_database: Database) -> None:
    alice_id = a_person(sqlite_database, Role.FINANCE_APPROVER, email=ALICE, now=NOW)
    secrets = {
        email: add_totp(sqlite_database, a_person(sqlite_database, Role.PROGRAMME, email=email, now=NOW), NOW)
        for email in (PAT, QUENTIN)
    }
    app = app_for(sqlite_database, NOW, second_factor_required=True)
    with serve(app) as address, chromium() as browser:
        alice, pat, quentin = (desk_of(browser, address) for _ in range(3))
        # Her role asks for a second proof: nothing else opens before she has added her telephone.
        gives_password(alice, ALICE).sees("Votre rôle demande une deuxième preuve.").open("/finances/lots")
        alice.sees("Les autres pages s’ouvrent ensuite.")
        looked_at(alice.page, "factors-lacking")
        alice.follow("Ajouter une application de codes")
        alice.page.locator("summary").click()
        looked_at(alice.page, "totp")
        secret = alice.page.locator("code.key").inner_text().replace(" ", "")
        alice.fill(code=code_at(secret, NOW + timedelta(hours=2))).press("Ajouter cette application")
        alice.sees("Votre téléphone avance de 2 h 00.")
        looked_at(alice.page, "totp-refused")
        alice.fill(code=code_at(secret, NOW)).press("Ajouter cette application").sees("Dix codes à imprimer")
        looked_at(alice.page, "recovery-codes")
        alice.press("Faire mes codes").sees("Elle ne se montre qu’une fois.")
        looked_at(alice.page, "new-codes")
        codes = [one.inner_text() for one in alice.page.locator("code.typing-code").all()]
        assert len(codes) == 10
        alice.open("/finances/lots")
        # A code of the telephone, a minute later; then a code of the sheet.
        later = wait(app, sqlite_database, MINUTE)
        gives_password(alice, ALICE).sees("Encore une étape")
        looked_at(alice.page, "second-factor")
        alice.fill(code=code_at(secret, later)).press("Continuer").sees("Se déconnecter")
        gives_password(alice, ALICE).follow("Utiliser un code de secours")
        looked_at(alice.page, "recovery-code")
        alice.fill(code=codes[0].lower()).press("Continuer").sees("Il vous en reste 9.")
        alice.open("/mon-compte/deuxieme-preuve").sees("Il vous reste 9 codes de secours.")
        looked_at(alice.page, "factors")
        # The telephone and the sheet are gone.
        gives_password(alice, ALICE).follow("Téléphone perdu")
        alice.sees("Deux personnes du programme vérifient que c’est bien vous.")
        looked_at(alice.page, "lost-phone")
        for desk, email in ((pat, PAT), (quentin, QUENTIN)):
            gives_password(desk, email).fill(code=code_at(secrets[email], later)).press("Continuer")
        pat.open(f"/personnes/{alice_id}").follow("Téléphone perdu : remettre à zéro")
        looked_at(pat.page, "reset")
        pat.press("Demander la remise à zéro").sees("La demande attend une autre personne du programme")
        quentin.open("/personnes/a-confirmer").follow("Confirmer ou refuser").sees("Vérifiez de vive voix")
        looked_at(quentin.page, "reset-confirm")
        quentin.press("Confirmer la remise à zéro").sees("est remise à zéro.")
        looked_at(quentin.page, "person")
        # What she had opens nothing; the password leads to a new telephone.
        gives_password(alice, ALICE).sees("Votre rôle demande une deuxième preuve.").follow("Ajouter une application")
        new = alice.page.locator("code.key").text_content() or ""
        assert new.replace(" ", "") != secret
        alice.fill(code=code_at(new.replace(" ", ""), later)).press("Ajouter cette application")
        alice.open("/finances/lots").sees("Se déconnecter")
        later = wait(app, sqlite_database, 2 * MINUTE)
        plain = gives_password(desk_of(browser, address, has_script=False), ALICE)
        plain.fill(code=code_at(new.replace(" ", ""), later)).press("Continuer").open("/finances/lots")
