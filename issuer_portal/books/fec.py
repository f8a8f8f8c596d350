"""The FEC of each holder of paying accounts, for each year; the trail keeps who took it."""

from flask import Response, redirect, render_template, request, stream_with_context, url_for
from werkzeug.wrappers import Response as BaseResponse

from issuer_portal.books.folder import READERS, blueprint, numbers
from voucher.access.audit import note_access
from voucher.accounting.fec import fec_file, holders, years_with_entries
from voucher.kernel.refusals import Refused
from voucher.ledger.close_year import years
from voucher.web.access import staff, viewer
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.views import flash_refusal, whole_programme

LATIN9 = "iso8859-15"


@blueprint.get("/fec")
@staff(*READERS)
def fec_home() -> str:
    """List the holders and the years."""
    whole_programme()
    here = services()
    found, every = holders(here.database), years(here.database, now=here.now())
    written = {
        one.siren: years_with_entries(here.database, one.siren, [year.year for year in every])
        for one in found
        if one.siren
    }
    return render_template("books/fec.html", holders=found, years=every, written=written)


@blueprint.get("/fec/<siren>/<int:year>.txt")
@staff(*READERS)
@takes_long
def fec_download(siren: str, year: int) -> BaseResponse:
    """Download a FEC, streamed as it is written."""
    whole_programme()
    here = services()
    encoding = LATIN9 if request.args.get("encodage") == LATIN9 else "utf-8"
    try:
        found = fec_file(here.database, siren, year, numbers=numbers(), now=here.now(), encoding=encoding)
    except Refused as refused:
        flash_refusal(refused)
        return redirect(url_for("books.fec_home"))
    note_access(here.database, viewer().account_id, "FEC téléchargé", found.name, here.now())
    response = Response(stream_with_context(found.chunks), content_type=f"text/plain; charset={encoding}")
    response.headers["Content-Disposition"] = f'attachment; filename="{found.name}"'
    response.headers["Cache-Control"] = "no-store"
    return response
