"""The accountant's pages: what each says, for whom, and what they do; finance held for one issuer sees no other's books."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.accounting.office import SIREN, Office, an_office
from tests.accounting.year import end_periods
from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.town import wrong_books
from voucher.access.rules import Role
from voucher.accounting.balance import auxiliaries, totals, trial_balance
from voucher.accounting.fec_checker import check_fec
from voucher.accounting.year_end import before_closing
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.ledger.chart import Book
from voucher.ledger.chart_file import WrongChart
from voucher.ledger.model import Account
from voucher.ledger.read import balances_in
from voucher.programme.model import PayingAccount
from voucher.trail.model import AuditLine

OCTOBER = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 14, 9, 0, tzinfo=UTC)
APRIL = datetime(2027, 4, 2, 9, 0, tzinfo=UTC)
MODEL = Path(__file__).resolve().parents[2] / "docs" / "plan-comptable.toml"


@pytest.fixture
def office(sqlite_database: Database) -> Office:
    """A paid batch of October and uses of December."""
    office = an_office(sqlite_database)
    office.town.redeem(0, 3, now=OCTOBER)
    office.town.redeem(1, 4, now=OCTOBER)
    office.pay(office.settle(OCTOBER), date(2026, 10, 7), OCTOBER + timedelta(days=3))
    office.town.redeem(0, 5, now=DECEMBER)
    office.letter(DECEMBER)
    return office


@pytest.fixture
def app(office: Office) -> Flask:
    return app_for(office.database, APRIL, chart_file=MODEL)


def page(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.get_data(as_text=True).replace("\u00a0", " ").replace("\u202f", " ")


def send(client: FlaskClient, page_address: str, address: str, **fields: str) -> str:
    token = csrf_token(client.get(page_address).get_data(as_text=True))
    answer = client.post(address, data={"csrf_token": token, **fields}, follow_redirects=True)
    assert answer.status_code == 200
    return answer.get_data(as_text=True).replace("\u00a0", " ").replace("\u202f", " ")


def account_of(office: Office, code: str) -> int:
    with office.database.read() as session:
        return session.execute(
            select(Account.id).where(Account.code == code).order_by(Account.id).limit(1)
        ).scalar_one()


def signed(office: Office, reason: str, year: int = 2026) -> dict[str, str]:
    """Return what a person types to sign the list of a year: a reason for each thing left."""
    fields = {}
    for line in before_closing(office.database, year):
        fields[f"seen_{line.item}"] = f"{line.count}:{line.cents}"
        if line.count:
            fields[f"reason_{line.item}"] = reason
    return fields


def test_two_people_close_a_year_from_their_pages(app: Flask, office: Office) -> None:
    preparer = signed_in_client(app, office.database, Role.FINANCE_PREPARER)
    approver = signed_in_client(app, office.database, Role.FINANCE_APPROVER)
    year = "/comptabilite/exercices/2026"
    assert "Préparer la clôture 2026" in page(preparer, "/comptabilite/")
    before = page(preparer, year)
    assert "Bloque la clôture" in before
    assert "Proposer de clore" not in before, "what blocks is put right first"
    blocked = send(preparer, year, f"{year}/proposer", **signed(office, "Vu."))
    assert "2026 ne peut pas être clos avant" in blocked
    end_periods(office.database, APRIL)
    assert "Comptes sans relevé jusqu’au 31 décembre" in page(preparer, year)
    assert "Remplissez ce champ" in send(preparer, year, f"{year}/proposer", **signed(office, ""))
    stale = signed(office, "Vu.") | {"seen_uses_not_called": "1:1"}
    assert "ce chiffre vient de changer" in send(preparer, year, f"{year}/proposer", **stale)
    assert "est proposée" in send(preparer, year, f"{year}/proposer", **signed(office, "Premier avis."))
    assert "Proposer la clôture" not in page(preparer, year)
    assert "n’est plus proposée" in send(approver, year, f"{year}/renoncer")
    send(preparer, year, f"{year}/proposer", **signed(office, "Relevé demandé à la banque."))
    confirm = page(approver, year)
    assert "Relevé demandé à la banque." in confirm
    assert "Premier avis." not in confirm
    done = send(approver, year, f"{year}/clore", **signed(office, "Vu avec la banque."))
    assert "L’exercice 2026 est clos" in done
    for reader in (preparer, signed_in_client(app, office.database, Role.AUDITOR)):
        said = page(reader, year)
        assert "Relevé demandé à la banque." in said
        assert "Vu avec la banque." in said
    assert "est déjà clos" in send(preparer, year, f"{year}/proposer", **signed(office, "Encore."))
    next_year = f"{year[:-4]}2027"
    assert "Cet exercice n’est pas fini" in page(preparer, next_year)
    assert "n’est pas fini" in send(preparer, next_year, f"{next_year}/proposer", **signed(office, "Tôt.", 2027))
    assert "120,00 €" in page(preparer, "/comptabilite/balance?annee=2027")
    assert wrong_books(office.database) == []


def test_the_balance_leads_to_accounts_and_to_their_ledgers(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.AUDITOR)
    trial = page(client, "/comptabilite/balance?annee=2026")
    assert "4670000" in trial
    assert "Structures, chèques à régler" in trial
    assert "pas équilibrée" not in trial
    before = page(client, "/comptabilite/balance?annee=2026&jour=2026-10-31&livre=general")
    assert "8050" not in before
    structures = page(client, "/comptabilite/balance/4670?annee=2026&tri=-solde")
    assert "2 comptes" in structures
    assert "1 compte" in page(client, "/comptabilite/balance/4670?annee=2026&ouverts=oui")
    bank = page(client, f"/comptabilite/comptes/{account_of(office, '5120')}?annee=2026")
    assert "−30,00 €" in bank or "−40,00 €" in bank
    assert "−70,00 €" in bank
    transit = page(client, f"/comptabilite/comptes/{account_of(office, '5115')}?annee=2026")
    assert "AAA" in transit
    assert "Aucun mouvement" in page(
        client, f"/comptabilite/comptes/{account_of(office, '5115')}?annee=2026&lettrage=non"
    )
    months = page(client, "/comptabilite/journaux?annee=2026")
    assert "journal=CH" in months
    for address in ("/comptabilite/balance/9999", "/comptabilite/comptes/12"):
        assert client.get(address).status_code == 404


def test_each_book_has_its_totals_and_each_balance_its_side(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.AUDITOR)
    trial = page(client, "/comptabilite/balance?annee=2026")
    assert trial.count("<tfoot") == 2
    assert "Suivi budgétaire, hors bilan" in trial
    assert "Solde créditeur" in trial
    assert '<option value="2026" selected>' in trial
    assert "-70,00" not in trial
    assert page(client, "/comptabilite/balance?annee=2026&livre=budget").count("<tfoot") == 1
    general = totals(row.sums for row in trial_balance(office.database, 2026, book=Book.GENERAL))
    budget = totals(row.sums for row in trial_balance(office.database, 2026, book=Book.BUDGET))
    assert general.is_balanced
    assert budget.is_balanced
    assert general.closing_debit_cents != budget.closing_debit_cents
    accounts, total = auxiliaries(office.database, "4670", 2026, None, Asked(sort="third"))
    assert len(accounts.rows) == accounts.count
    assert total == totals(row.sums for row in accounts.rows)


def test_a_balance_stops_today_and_says_which_year_or_day_it_cannot_show(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.AUDITOR)
    assert "Arrêtée au 2 avril 2027" in page(client, "/comptabilite/balance")
    assert "Arrêtée au 31 décembre 2026" in page(client, "/comptabilite/balance?annee=2026")
    assert "Arrêtée au 5 octobre 2026" in page(client, "/comptabilite/balance?jour=2026-10-05")
    for query, sentence in (
        ("annee=1999", "Nous n’avons pas d’exercice « 1999 »."),
        ("jour=2024-05-01", "Nous n’avons pas d’exercice « 2024 »."),
        ("annee=2026&jour=2027-01-05", "Le 5 janvier 2027 n’est pas dans l’exercice 2026."),
        ("annee=2026&jour=hier", "« hier » n’est pas une date."),
        ("annee=1999&format=csv", "Nous n’avons pas d’exercice « 1999 »."),
    ):
        answer = client.get(f"/comptabilite/balance?{query}")
        assert answer.status_code == 302, query
        assert sentence in page(client, answer.headers["Location"]), query


def test_lists_are_files_too(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.PROGRAMME)
    lines = page(client, "/comptabilite/balance?annee=2026&format=csv").lstrip("\ufeff").splitlines()
    assert lines[0].startswith("Livre;Code;Compte;Nom")
    assert any(
        line.startswith("Comptabilité générale;5120;5120000;Banque ou Trésor;0,00;0,00;0,00;70,00;0,00;70,00")
        for line in lines
    )
    ledger = f"/comptabilite/comptes/{account_of(office, '4670')}?annee=2026&format=csv"
    assert "Lettre" in page(client, ledger)
    for address in ("journaux?annee=2026", "balance/4670?annee=2026", "valeurs-inactives", "recolements"):
        joint = "&" if "?" in address else "?"
        assert client.get(f"/comptabilite/{address}{joint}format=xlsx").data.startswith(b"PK")


def test_a_search_finds_by_amount_days_journal_account_and_third_party(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.AUDITOR)
    structure_id = office.town.structure_ids[1]
    for query, found in (
        ("montant=70", "2 écritures"),
        ("de=70&a=120&journal=RG", "2 écritures"),
        ("journal=RG", "2 écritures"),
        ("du=2026-12-01&au=2026-12-31&quoi=vouchers_redeemed", "1 écriture"),
        ("compte=5120", "2 écritures"),
        (f"tiers={structure_id}&journal=CH", "1 écriture"),
        ("montant=douze", "« douze » contient une lettre."),
        ("compte=9999", "0 écriture"),
        ("du=hier", "« hier » n’est pas une date."),
        ("montant=999999999999999999999", "trop grand"),
        ("montant=12€50", "0 écriture"),
        ("montant=1 2", "ne sépare pas des milliers"),
    ):
        assert found in page(client, f"/registre/ecritures?{query}"), query


def test_the_chart_shows_the_accountants_numbers_and_what_events_move(app: Flask, office: Office) -> None:
    text = page(signed_in_client(app, office.database, Role.PROGRAMME), "/comptabilite/plan")
    assert "1190000" in text
    assert "Encaissement de chèques" in text
    own = app_for(office.database, APRIL)
    assert "codes servent de numéros" in page(
        signed_in_client(own, office.database, Role.PROGRAMME), "/comptabilite/plan"
    )


def test_an_application_does_not_start_on_a_wrong_chart(office: Office, tmp_path: Path) -> None:
    wrong = tmp_path / "plan.toml"
    wrong.write_text('[comptes.4670]\nnumero = "1"\n')
    with pytest.raises(WrongChart, match="4670"):
        app_for(office.database, APRIL, chart_file=wrong)


def test_the_fec_is_downloaded_right_and_leaves_a_line_in_the_trail(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.FINANCE_APPROVER)
    listed = page(client, "/comptabilite/fec")
    assert SIREN in listed
    assert "il n’y a pas de fichier" not in listed
    answer = client.get(f"/comptabilite/fec/{SIREN}/2026.txt")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{SIREN}FEC20261231-provisoire.txt"'
    assert check_fec(answer.data.splitlines(keepends=True), name=f"{SIREN}FEC20261231-provisoire.txt") == []
    latin = client.get(f"/comptabilite/fec/{SIREN}/2026.txt?encodage=iso8859-15")
    name = f"{SIREN}FEC20261231-provisoire-iso8859-15.txt"
    assert latin.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert check_fec(latin.data.splitlines(keepends=True), name=name) == []
    refused = client.get("/comptabilite/fec/123456789/2026.txt", follow_redirects=True)
    assert "fiche du compte payeur" in refused.get_data(as_text=True)
    with office.database.read() as session:
        assert session.scalars(select(AuditLine.action).where(AuditLine.action == "FEC téléchargé")).all()


def test_an_annual_account_is_recalled_in_april_then_produced(app: Flask, office: Office) -> None:
    preparer = signed_in_client(app, office.database, Role.FINANCE_PREPARER)
    assert "compte annuel de 2026 à produire avant le 31 mai 2027" in page(preparer, "/finances/")
    address = f"/comptabilite/comptes-annuels/{office.town.agreement_id}/2026"
    assert "Le registre dit les mêmes sommes" in page(preparer, address)
    assert "Produit" not in page(preparer, "/comptabilite/comptes-annuels?annee=2026")
    command = str(new_id())
    for _ in range(2):
        assert "est produit" in send(preparer, address, address, id=command)
    assert "à produire avant" not in page(preparer, "/finances/")
    text = page(preparer, address)
    link = text.split('href="/comptabilite/comptes-annuels/fichiers/')[1].split('"')[0]
    assert preparer.get(f"/comptabilite/comptes-annuels/fichiers/{link}").data.startswith(b"%PDF")
    assert "Commandés (chèques)" in page(preparer, f"{address}.csv")
    auditor = signed_in_client(app, office.database, Role.AUDITOR)
    token = csrf_token(auditor.get("/comptabilite/").get_data(as_text=True))
    assert auditor.post(address, data={"csrf_token": token, "id": str(new_id())}).status_code == 403
    assert preparer.get(f"/comptabilite/comptes-annuels/{new_id()}/2026").status_code == 404


def test_two_people_of_an_issuer_count_and_sign(app: Flask, office: Office) -> None:
    issuer_id = office.town.agreed.issuer_id
    first, second = (signed_in_client(app, office.database, Role.ISSUER, issuer_id) for _ in range(2))
    new = "/comptabilite/recolements/nouveau"
    command = str(new_id())
    answer = send(first, new, new, id=command, prescriber_id="", counted_on="2026-12-31", ranges="99999")
    assert "Une autre personne doit maintenant le signer" in answer
    assert "inconnu de votre collectivité" in answer
    assert "ne se lit pas" in send(first, new, new, id=str(new_id()), counted_on="2026-12-31", ranges="douze")
    count = f"/comptabilite/recolements/{command}"
    assert "Vous avez compté" in send(first, new, count)
    assert "est signé" in send(second, new, count)
    assert second.get(f"{count}/pv.pdf").data.startswith(b"%PDF")
    assert "Signé" in page(first, "/comptabilite/recolements?etat=signe")
    assert "Le registre dit la même somme" in page(first, "/comptabilite/valeurs-inactives")
    other = an_office(office.database)
    stranger = signed_in_client(app, office.database, Role.ISSUER, other.town.agreed.issuer_id)
    assert stranger.get(count).status_code == 404
    auditor = signed_in_client(app, office.database, Role.AUDITOR)
    assert auditor.get(count).status_code == 200


def test_finance_held_for_one_issuer_sees_its_own_alone(app: Flask, office: Office) -> None:
    other = an_office(office.database)
    other.town.redeem(0, 1, now=DECEMBER)
    scoped = signed_in_client(app, office.database, Role.FINANCE_PREPARER, office.town.agreed.issuer_id)
    for address in ("balance", "balance/4670", "journaux", "fec", f"comptes/{account_of(office, '5120')}"):
        assert scoped.get(f"/comptabilite/{address}").status_code == 403
    assert scoped.get(f"/comptabilite/fec/{SIREN}/2026.txt").status_code == 403
    home = page(scoped, "/comptabilite/")
    assert "Exercices" not in home
    yearly = page(scoped, "/comptabilite/comptes-annuels?annee=2026")
    assert str(office.town.agreement_id) in yearly
    assert str(other.town.agreement_id) not in yearly
    assert scoped.get(f"/comptabilite/comptes-annuels/{other.town.agreement_id}/2026").status_code == 404
    assert scoped.get("/comptabilite/valeurs-inactives").status_code == 200


def test_the_sums_of_an_agreement_are_those_of_the_whole(office: Office) -> None:
    """What reads an agreement's movements alone finds the balances that the whole ledger gives."""
    agreement_id: UUID = office.town.agreement_id
    with office.database.read() as session:
        every = [one for one in balances_in(session) if one.agreement_id == agreement_id]
        assert balances_in(session, {agreement_id}) == every


def test_the_reconciliation_of_each_account_is_shown_at_any_day_and_downloaded(app: Flask, office: Office) -> None:
    client = signed_in_client(app, office.database, Role.AUDITOR)
    listed = page(client, "/comptabilite/rapprochement?jour=2026-10-06")
    assert "Juste au centime" in listed
    assert "Aucun à ce jour" in listed
    (account,) = re.findall(r'href="(/comptabilite/rapprochement/[0-9a-f-]+)\?jour=2026-10-06"', listed)
    before = page(client, f"{account}?jour=2026-10-06")
    assert "Virements transmis, pas encore débités" in before
    assert "−30,00 €" in before
    assert "−70,00 €" in before
    after = page(client, f"{account}?jour=2026-10-07")
    assert "Aucune : la banque et les livres comptent les mêmes lignes" in after
    document = client.get(f"{account}.pdf?jour=2026-10-06")
    assert document.data.startswith(b"%PDF")
    assert document.data == client.get(f"{account}.pdf?jour=2026-10-06").data
    with office.database.read() as session:
        acts = session.scalars(select(AuditLine.action)).all()
    assert "État de rapprochement téléchargé" in acts
    assert ";Juste au centime;0,00" in page(client, "/comptabilite/rapprochement?jour=2026-10-06&format=csv")
    for asked, said in (("demain", "ne se lit pas"), ("2027-04-03", "n’est pas encore venu")):
        answer = client.get(f"{account}?jour={asked}", follow_redirects=True).get_data(as_text=True)
        assert said in answer
    assert client.get(f"/comptabilite/rapprochement/{new_id()}").status_code == 404


def test_finance_of_one_issuer_sees_the_reconciliation_of_its_accounts_alone(app: Flask, office: Office) -> None:
    other = an_office(office.database)
    client = signed_in_client(app, office.database, Role.FINANCE_PREPARER, office.town.agreed.issuer_id)
    with office.database.read() as session:
        rows = dict(session.execute(select(PayingAccount.iban, PayingAccount.id)).all())
    assert client.get(f"/comptabilite/rapprochement/{rows[office.iban]}").status_code == 200
    assert client.get(f"/comptabilite/rapprochement/{rows[other.iban]}").status_code == 404
    assert client.get(f"/comptabilite/rapprochement/{rows[other.iban]}.pdf").status_code == 404
    assert str(rows[other.iban]) not in page(client, "/comptabilite/rapprochement")
    assert client.get("/comptabilite/exercices/2026").status_code == 403
