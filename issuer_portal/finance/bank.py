"""What the bank sends, and what it means: import, reconciliation, lines one by one."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask_wtf.file import FileField, FileRequired
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, flash_refusal, scope
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.refusals import Refused
from voucher.settlement import read_bank
from voucher.settlement.accountant_return import Returned
from voucher.settlement.bank_files import RefusedBankFile
from voucher.settlement.import_bank_file import import_bank_file
from voucher.settlement.import_statement import Imported
from voucher.settlement.match_line import match_line
from voucher.settlement.reasons import explain
from voucher.web.access import staff, viewer
from voucher.web.filters import plural
from voucher.web.forms import HouseForm, show_refusal
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
        days=read_bank.days(database, issuer_id=issuer_id)[:DAYS_SHOWN_MAX],
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
                upload.read(),
                by=viewer().account_id,
                now=here.now(),
                issuer_id=scope(),
            )
        except RefusedBankFile as refused:
            show_refusal(form, refused)
            errors = refused.errors
        else:
            flash(_receipt(done), "info" if done.is_known else "success")
            return redirect(url_for("finance.reconciliation"))
    return render_template("finance/import.html", form=form, errors=errors)


def _receipt(done: Any) -> str:
    """Say what a file changed."""
    if done.is_known:
        return "Ce fichier est déjà importé. Rien n’a changé."
    if isinstance(done, Returned):
        return _returned(done)
    if not isinstance(done, Imported):
        if not done.rejected_count:
            return f"Lot {done.batch_number} : la banque ne rejette aucun virement. Il reste à attendre le relevé."
        return f"Lot {done.batch_number} : {plural(done.rejected_count, 'virement rejeté', 'virements rejetés')}. Le lot suivant les reprendra."
    parts = [
        plural(done.new_count, "ligne nouvelle", "lignes nouvelles"),
        plural(done.paid_count, "règlement payé", "règlements payés"),
        plural(done.returned_count, "virement retourné", "virements retournés"),
        f"{plural(done.unknown_count, 'ligne')} à identifier",
    ]
    return f"Le relevé est importé : {', '.join(parts)}."


def _returned(done: Returned) -> str:
    """Say what an accountant's return file changed."""
    parts = [
        plural(done.paid_count, "règlement payé", "règlements payés"),
        plural(done.rejected_count, "règlement rejeté", "règlements rejetés"),
        plural(done.returned_count, "règlement revenu", "règlements revenus"),
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
            "Compte",
            "Montant (€)",
            "Référence",
            "Autre partie",
            "Libellé",
            "Règlement",
            "Structure",
            "Pourquoi",
        ]
        cells = (
            (
                row.booked_on,
                row.account_name,
                euros_cell(row.signed_cents),
                row.end_to_end_id,
                row.counterparty,
                row.remittance,
                row.advice_reference,
                row.structure_name,
                row.why,
            )
            for row in rows
        )
        return file_response("lignes-de-banque", headers, cells)
    return render_template("finance/lines.html", listing=listing, rows=rows, total=total, choices=LINE_CHOICES)


@blueprint.get("/banque/lignes/<uuid:line_id>")
@staff(*READERS)
def line(line_id: UUID) -> str:
    """Show a line, and the payments it could be."""
    here = house()
    found = read_bank.line(here.database, line_id, issuer_id=scope())
    if found is None:
        abort(404)
    one, candidates = found
    if one.counterparty_iban:
        note_access(here.database, viewer().account_id, "Lecture d’un IBAN", f"ligne de banque {one.id}", here.now())
    why = explain(one.return_reason) if one.return_reason else None
    return render_template("finance/line.html", line=one, candidates=candidates, why=why)


@blueprint.post("/banque/lignes/<uuid:line_id>/rapprocher")
@staff(Role.FINANCE_PREPARER)
def match(line_id: UUID) -> Response:
    """Match a line with a payment, by hand."""
    here = house()
    if read_bank.line(here.database, line_id, issuer_id=scope()) is None:
        abort(404)
    try:
        advice_id = UUID(request.form.get("advice_id", ""))
    except ValueError:
        abort(400)
    try:
        match_line(here.database, line_id, advice_id, by=viewer().account_id, now=here.now(), issuer_id=scope())
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("finance.line", line_id=line_id))
    flash("La ligne est rapprochée. Le règlement a changé d’état.", "success")
    return redirect(url_for("finance.reconciliation"))
