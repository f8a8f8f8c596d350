"""Import a file of places; read the report, line by line."""

from functools import partial
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from flask_wtf.file import FileField, FileRequired
from werkzeug.wrappers import Response
from wtforms import HiddenField

from issuer_portal.programme.folder import blueprint
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.network import read_imports
from voucher.network.import_places import import_places
from voucher.network.import_report import Outcome, ReportLine
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line, note_act
from voucher.web.filters import plural
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader
from voucher.web.uploads import takes_files
from voucher.web.views import id_of

OUTCOMES = {
    Outcome.CREATED: "Ajouté",
    Outcome.UPDATED: "Mis à jour",
    Outcome.UNCHANGED: "Inchangé",
    Outcome.REFUSED: "Refusé",
}
OUTCOME_TAGS = {
    Outcome.CREATED: "success",
    Outcome.UPDATED: "success",
    Outcome.UNCHANGED: "neutral",
    Outcome.REFUSED: "danger",
}


class ImportForm(HouseForm):
    """A file of the standard."""

    id = HiddenField()
    file = FileField("Fichier CSV des lieux", validators=[FileRequired("Choisissez un fichier.")])


IMPORTS = Table(
    "Imports de lieux",
    (
        Column[read_imports.ImportLine](
            "file_name", "Fichier", link=lambda row: url_for("programme.import_report", import_id=row.id)
        ),
        Column("imported_at", "Le", Kind.INSTANT, is_sorted=True),
        Column("taken_count", "Lignes prises", Kind.COUNT),
        Column("unchanged_count", "Inchangées", Kind.COUNT),
        Column("refused_count", "Refusées", Kind.COUNT),
    ),
    default_sort="-imported_at",
    one="import",
)
REPORT = Table(
    "Lignes du fichier",
    (
        Column[ReportLine]("line", "Ligne", Kind.RANK, lambda row: row.number, is_sorted=True),
        Column("external_id", "Identifiant", under="name"),
        Column("name", "Lieu"),
        Column(
            "outcome",
            "Résultat",
            Kind.TAG,
            lambda row: OUTCOMES[row.outcome],
            tag=lambda row: OUTCOME_TAGS[row.outcome],
        ),
        Column("sentences", "Remarques", value=lambda row: " ".join(row.sentences)),
    ),
    default_sort="line",
    filters=("issue", "dit"),
    one="ligne",
    file_name="compte-rendu-import",
    what="ce compte rendu",
)


@blueprint.get("/lieux/imports")
@staff(Role.PROGRAMME, Role.AUDITOR)
def imports() -> str | Response:
    """List imports, the newest first."""
    listing = read_listing(request.args, IMPORTS)
    find = partial(read_imports.imports, services().database)
    if listing.wants_file:
        return list_file(IMPORTS, listing, find)
    return render_template("programme/imports.html", lines=drawn(IMPORTS, listing, find))


@blueprint.route("/lieux/importer", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@leaves_line("importer des lieux")
@takes_files
def import_file() -> str | Response:
    """Import a file of the standard, whole."""
    form = ImportForm(id=str(new_id()))
    if form.validate_on_submit():
        import_id, upload = id_of(form), form.file.data
        try:
            counts = import_places(
                services().database,
                import_id,
                upload.filename or "lieux.csv",
                upload.read(),
                by=viewer().account_id,
                now=services().now(),
            )
        except Refused as refused:
            refused.field = refused.field or "file"
            show_refusal(form, refused)
        else:
            said = (
                f"{plural(counts.taken_count, 'ligne prise', 'lignes prises')}, "
                f"{plural(counts.unchanged_count, 'inchangée')}, {plural(counts.refused_count, 'refusée')}."
            )
            note_act(f"{upload.filename} : {said}")
            flash(f"Le fichier est lu : {said}", "warn" if counts.refused_count else "success")
            return redirect(url_for("programme.import_report", import_id=import_id))
    return render_template("programme/import_file.html", form=form)


@blueprint.get("/lieux/imports/<uuid:import_id>")
@staff(Role.PROGRAMME, Role.AUDITOR)
def import_report(import_id: UUID) -> str | Response:
    """Show the report of an import, line by line."""
    listing = read_listing(request.args, REPORT)
    page = read_imports.import_report(
        services().database,
        import_id,
        outcome=listing.filters.get("issue", ""),
        only_told=listing.filters.get("dit") == "oui",
    )
    if page is None:
        abort(404)
    find = rows_reader(page.report, {"line": lambda row: row.number}, lambda _: ())
    if listing.wants_file:
        return list_file(REPORT, listing, find)
    return render_template(
        "programme/import_report.html",
        listing=listing,
        page=page,
        lines=drawn(REPORT, listing, find),
        outcomes=OUTCOMES,
    )
