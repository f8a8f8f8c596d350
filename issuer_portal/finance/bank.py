"""What the bank sends, and what it means: import, reconciliation, lines one by one."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask_wtf.file import FileField, FileRequired
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from issuer_portal.finance.report_receipt import report_receipt
from voucher.access.rules import Role
from voucher.kernel.calendar import paris_day
from voucher.settlement import bank_days, read_bank
from voucher.settlement.accountant_return import Returned
from voucher.settlement.bank_files import RefusedBankFile
from voucher.settlement.import_bank_file import import_bank_file
from voucher.settlement.import_report import Reported
from voucher.settlement.import_statement import Imported
from voucher.settlement.read_set_aside import set_aside
from voucher.settlement.words import MATCH_KINDS
from voucher.web.access import staff, viewer
from voucher.web.filters import plural
from voucher.web.forms import HouseForm
from voucher.web.house import house
from voucher.web.listing import euros_cell, file_response, read_listing
from voucher.web.uploads import takes_files

SHOWN_MAX = 20
DAYS_SHOWN_MAX = 31
LINE_CHOICES = [("a-identifier", "À identifier"), ("rapprochee", "Rapprochée")]


class BankFileForm(HouseForm):
    """A file that the bank sent."""

    file = FileField("Fichier de la banque", validators=[FileRequired("Choisissez un fichier.")])


@blueprint.get("/banque")
@staff(*READERS)
def reconciliation() -> str:
    """Show what waits to be identified, what each line could be, and the balance of each day."""
    database, issuer_id = house().database, scope()
    return render_template(
        "finance/reconciliation.html",
        counts=read_bank.line_counts(database, issuer_id=issuer_id),
        waiting=read_bank.waiting(database, limit=SHOWN_MAX, issuer_id=issuer_id),
        days=bank_days.days(database, issuer_id=issuer_id)[:DAYS_SHOWN_MAX],
        aside=set_aside(database, limit=SHOWN_MAX, issuer_id=issuer_id),
        today=paris_day(house().now()),
    )


@blueprint.route("/banque/importer", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@takes_files
def import_file() -> str | Response:
    """Import a statement or a status report; a refused file says every reason with its line."""
    here = house()
    form: Any = BankFileForm()
    errors: tuple[Any, ...] = ()
    if form.validate_on_submit():
        upload = form.file.data
        try:
            done = import_bank_file(
                here.database,
                upload.filename or "",
                upload.stream,
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
            )
        except RefusedBankFile as refused:
            errors = refused.errors
        else:
            flash(_receipt(done), "info" if done.is_known else "success")
            aside = () if isinstance(done, Returned) else done.set_aside
            if not aside:
                if isinstance(done, Reported) and done.duplicate_count:
                    return redirect(url_for("finance.batch_duplicates", batch_id=done.batch_id))
                return redirect(url_for("finance.reconciliation"))
            return render_template("finance/import.html", form=form, errors=(), aside=aside)
    return render_template("finance/import.html", form=form, errors=errors, aside=())


def _receipt(done: Any) -> str:
    """Say what a file changed."""
    if done.is_known:
        return "Ce fichier est déjà importé. Rien n’a changé."
    if isinstance(done, Returned):
        return _returned(done)
    if not isinstance(done, Imported):
        return report_receipt(done)
    parts = [
        plural(done.new_count, "ligne nouvelle", "lignes nouvelles"),
        plural(done.paid_count, "règlement payé", "règlements payés"),
        plural(done.returned_count, "virement retourné", "virements retournés"),
        *([f"{plural(done.charge_count, 'ligne')} de frais"] if done.charge_count else []),
        *([plural(done.funds_count, "appel de fonds reçu", "appels de fonds reçus")] if done.funds_count else []),
        f"{plural(done.unknown_count, 'ligne')} à identifier",
    ]
    pending = ""
    if done.pending_count:
        entries = plural(
            done.pending_count, "écriture en attente ou d’information", "écritures en attente ou d’information"
        )
        pending = f" {entries} : rien n’en est compté."
    return f"Le relevé est importé : {', '.join(parts)}.{pending}"


def _returned(done: Returned) -> str:
    """Say what an accountant's return file changed."""
    parts = [
        plural(done.paid_count, "règlement payé", "règlements payés"),
        plural(done.rejected_count, "règlement rejeté", "règlements rejetés"),
        plural(done.returned_count, "règlement revenu", "règlements revenus"),
        *([plural(done.duplicate_count, "doublon annoncé", "doublons annoncés")] if done.duplicate_count else []),
    ]
    known = f" {plural(done.known_count, 'ligne déjà connue', 'lignes déjà connues')}." if done.known_count else ""
    return f"Le retour du comptable est importé : {', '.join(parts)}.{known}"


@blueprint.get("/banque/lignes")
@staff(*READERS)
def lines() -> str | Response:
    """List the bank's lines."""
    listing = read_listing(
        request.args, sorts=("booked_on", "amount"), default_sort="-booked_on", filters=("etat", "texte")
    )
    rows, total = read_bank.lines(
        house().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
        issuer_id=scope(),
    )
    if listing.wants_file:
        headers = [
            "Jour",
            "Date de valeur",
            "Compte",
            "Montant (€)",
            "Référence",
            "Autre partie",
            "Libellé",
            "Rapprochée avec",
            "Structure",
            "Pourquoi",
        ]
        cells = (
            (
                row.booked_on,
                row.valued_on,
                row.account_name,
                euros_cell(row.signed_cents),
                row.end_to_end_id,
                row.counterparty,
                row.remittance,
                row.advice_reference or (MATCH_KINDS[row.kind] if row.kind else ""),
                row.structure_name,
                row.why,
            )
            for row in rows
        )
        return file_response("lignes-de-banque", headers, cells)
    kinds = {str(kind): word for kind, word in MATCH_KINDS.items()}
    return render_template(
        "finance/lines.html", listing=listing, rows=rows, total=total, choices=LINE_CHOICES, match_words=kinds
    )


@blueprint.get("/banque/soldes/<uuid:account_id>/<day>")
@staff(*READERS)
def bank_day(account_id: UUID, day: str) -> str:
    """Show the balance of an account at the end of a day, bank and ledger, and the lines that no statement proves."""
    database, issuer_id = house().database, scope()
    found = [one for one in bank_days.days(database, issuer_id=issuer_id) if one.account_id == account_id]
    one = next((one for one in found if one.closed_on.isoformat() == day), None)
    if one is None:
        abort(404)
    announced = bank_days.announced_lines(database, account_id, one.closed_on, issuer_id=issuer_id)
    return render_template("finance/bank_day.html", day=one, announced=announced)
