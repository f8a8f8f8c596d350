"""What the bank sends, and what it means: import, reconciliation, lines one by one."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask_wtf.file import FileRequired, MultipleFileField
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from issuer_portal.finance.report_receipt import has_doubtful_names, report_receipt
from voucher.access.read import names_of
from voucher.access.rules import Role
from voucher.kernel.calendar import paris_day
from voucher.settlement.bank_in.accountant_return import Returned
from voucher.settlement.bank_in.import_bank_files import FileOutcome, import_bank_files
from voucher.settlement.bank_in.import_report import Reported
from voucher.settlement.bank_in.import_statement import Imported
from voucher.settlement.formats_in.bank_stages import Ignored
from voucher.settlement.reconciliation import daily_balances as bank_days
from voucher.settlement.reconciliation import read as read_bank
from voucher.settlement.reconciliation.missing_pages import missing_pages
from voucher.settlement.reconciliation.read import LineRow
from voucher.settlement.reconciliation.read_bank_files import imported_files
from voucher.settlement.reconciliation.read_ignored_parts import ignored_parts
from voucher.settlement.reconciliation.read_proposals import waiting_proposals
from voucher.settlement.words.labels import MATCH_KINDS
from voucher.settlement.words.states import MatchKind
from voucher.web.access import staff, viewer
from voucher.web.acts import note_act
from voucher.web.asks_again import asks_again
from voucher.web.filters import plural
from voucher.web.forms import HouseForm
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing
from voucher.web.uploads import takes_files

SHOWN_MAX = 20
DAYS_SHOWN_MAX = 31
LINE_CHOICES = [("a-identifier", "À identifier"), ("rapprochee", "Rapprochée")]


class BankFilesForm(HouseForm):
    """Files that the bank sent."""

    file = MultipleFileField(
        "Fichiers de la banque ou du comptable", validators=[FileRequired("Choisissez au moins un fichier.")]
    )


@blueprint.get("/banque")
@staff(*READERS, deputies=True)
def reconciliation() -> str:
    """Show what waits to be identified, what each line could be, and the balance of each day."""
    database, issuer_id = services().database, scope()
    waiting = read_bank.waiting(database, limit=SHOWN_MAX, issuer_id=issuer_id)
    return render_template(
        "finance/reconciliation.html",
        people=names_of(database, {line.assignee_id for line, _ in waiting if line.assignee_id}),
        counts=read_bank.line_counts(database, issuer_id=issuer_id),
        proposals=waiting_proposals(database, issuer_id=issuer_id),
        waiting=waiting,
        days=bank_days.days(database, issuer_id=issuer_id)[:DAYS_SHOWN_MAX],
        aside=ignored_parts(database, limit=SHOWN_MAX, issuer_id=issuer_id),
        files=imported_files(database, limit=SHOWN_MAX, issuer_id=issuer_id),
        pages=missing_pages(database, issuer_id=issuer_id),
        shown_max=SHOWN_MAX,
        days_max=DAYS_SHOWN_MAX,
        today=paris_day(services().now()),
    )


@blueprint.route("/banque/importer", methods=["GET", "POST"])
@staff(Role.FINANCE_PREPARER)
@asks_again("importer des fichiers de banque")
@takes_files
def import_file() -> str | Response:
    """Import statements, reports and returns, several at once or in zips; each file says what it changed, or why it is refused."""
    here, issuer_id = services(), scope()
    form: Any = BankFilesForm()
    outcomes: list[FileOutcome] = []
    if form.validate_on_submit():
        outcomes = import_bank_files(
            here.database,
            [(upload.filename or "", upload.stream) for upload in form.file.data],
            by=viewer().account_id,
            now=here.now(),
            issuer_id=issuer_id,
        )
        for outcome in outcomes:
            if outcome.done is not None and not outcome.done.is_known:
                note_act(f"{outcome.name} : {_receipt(outcome.done)}")
        done = outcomes[0].done
        if len(outcomes) == 1 and done is not None and not _aside(outcomes[0]):
            flash(f"{_receipt(done)} Format : {outcomes[0].format}.", "info" if done.is_known else "success")
            if isinstance(done, Reported) and done.duplicate_count:
                return redirect(url_for("finance.batch_duplicates", batch_id=done.batch_id))
            if isinstance(done, Reported) and has_doubtful_names(done):
                return redirect(url_for("finance.batch", batch_id=done.batch_id))
            return redirect(url_for("finance.reconciliation"))
    return render_template(
        "finance/import.html",
        form=form,
        reports=[
            (outcome, "" if outcome.done is None else _receipt(outcome.done), _aside(outcome)) for outcome in outcomes
        ],
        kept_count=sum(outcome.done is not None for outcome in outcomes),
        duplicates=[
            outcome.done.batch_id
            for outcome in outcomes
            if isinstance(outcome.done, Reported) and outcome.done.duplicate_count
        ],
        pages=missing_pages(here.database, issuer_id=issuer_id) if outcomes else [],
    )


def _aside(outcome: FileOutcome) -> tuple[Ignored, ...]:
    """Return what of a file that was kept is counted nowhere."""
    return () if outcome.done is None or isinstance(outcome.done, Returned) else outcome.done.ignored


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


def _matched_with(row: LineRow) -> str:
    if row.kind is None:
        return ""
    parts = (
        f", {plural(row.part_count, 'règlement' if row.kind is MatchKind.PAYMENT else 'part')}"
        if row.part_count > 1
        else ""
    )
    return row.advice_reference or f"{MATCH_KINDS[row.kind]}{parts}"


def _assignee(row: LineRow) -> str:
    """Say who is on a line; few lines have somebody."""
    if row.assignee_id is None:
        return ""
    return f"{names_of(services().database, {row.assignee_id}).get(row.assignee_id, 'Une personne')} s’en occupe"


def _advice_url(row: LineRow) -> str | None:
    return url_for("finance.advice_page", advice_id=row.advice_id) if row.advice_id else None


LINES = Table(
    "Lignes de banque",
    (
        Column[LineRow](
            "booked_on", "Jour", Kind.DAY, is_sorted=True, link=lambda row: url_for("finance.line", line_id=row.id)
        ),
        Column("valued_on", "Date de valeur", Kind.DAY, under="booked_on"),
        Column("end_to_end_id", "Référence"),
        Column("account_name", "Compte", under="end_to_end_id"),
        Column("counterparty", "Autre partie"),
        Column("remittance", "Libellé", under="counterparty"),
        Column(
            "state",
            "État",
            Kind.TAG,
            lambda row: "Rapprochée" if row.is_matched else "À identifier",
            tag=lambda row: "success" if row.is_matched else "warn",
        ),
        Column("matched_with", "Rapprochée avec", value=_matched_with, under="state", link=_advice_url),
        Column("structure_name", "Structure", under="state"),
        Column("why", "Pourquoi", under="state"),
        Column("assignee", "Suivi", value=_assignee, under="state"),
        Column("written_note", "Note", under="state"),
        Column("amount", "Montant", Kind.EUROS, lambda row: row.signed_cents, is_sorted=True, is_summed=True),
        Column(
            "left", "Reste à identifier", Kind.EUROS, lambda row: row.signed_left_cents, is_summed=True, hides_zero=True
        ),
    ),
    default_sort="-booked_on",
    filters=("etat", "texte"),
    one="ligne",
)


@blueprint.get("/banque/lignes")
@staff(*READERS, deputies=True)
def lines() -> str | Response:
    """List the bank's lines."""
    listing = read_listing(request.args, LINES)
    read = partial(read_bank.lines, services().database, issuer_id=scope())
    if listing.wants_file:
        return list_file(LINES, listing, read)
    return render_template(
        "finance/lines.html", listing=listing, lines=drawn(LINES, listing, read), choices=LINE_CHOICES
    )


@blueprint.get("/banque/soldes/<uuid:account_id>/<day>")
@staff(*READERS, deputies=True)
def bank_day(account_id: UUID, day: str) -> str:
    """Show the balance of an account at the end of a day, bank and ledger, and the lines that no statement proves."""
    database, issuer_id = services().database, scope()
    found = [one for one in bank_days.days(database, issuer_id=issuer_id) if one.account_id == account_id]
    one = next((one for one in found if one.closed_on.isoformat() == day), None)
    if one is None:
        abort(404)
    announced = bank_days.announced_lines(database, account_id, one.closed_on, issuer_id=issuer_id)
    return render_template("finance/bank_day.html", day=one, announced=announced)
