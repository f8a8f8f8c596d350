"""Pages of proof: the checkpoints that left the house, the proof of one entry, the audit archive."""

from functools import partial
from tempfile import TemporaryFile
from uuid import UUID

from flask import abort, make_response, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from issuer_portal.ledger.pages import READERS, blueprint
from voucher.access.rules import Role
from voucher.ledger import read_seals
from voucher.proof.export_audit import export_audit
from voucher.proof.sealing import journal_key, published_key, seal_now
from voucher.trail.read import last_note, trail_state
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line, note_act
from voucher.web.patience import takes_long
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing
from voucher.web.views import whole_programme

OLD_AFTER_HOURS = 48


CHECKPOINTS = Table(
    "Points de contrôle, jour après jour",
    (
        Column[read_seals.CheckpointLine]("sealed_at", "Jour", Kind.INSTANT),
        Column(
            "size",
            "Écritures scellées",
            Kind.COUNT,
            is_sorted=True,
            link=lambda row: url_for("wallet.journal_checkpoint_of", size=row.size),
            link_label=lambda _: "la note signée de ce point",
        ),
        Column("root", "Racine"),
    ),
    default_sort="-size",
    one="point de contrôle",
    many="points de contrôle",
    file_name="points-de-controle",
)


@blueprint.get("/preuves")
@staff(*READERS)
def proofs() -> str | Response:
    """Show the last checkpoint, what waits to be sealed, checkpoints by day, and how to verify."""
    whole_programme()
    here = services()
    listing = read_listing(request.args, CHECKPOINTS)
    find = partial(read_seals.checkpoints, here.database)
    if listing.wants_file:
        return list_file(CHECKPOINTS, listing, find)
    waiting = read_seals.waiting(here.database)
    age_hours = (here.now() - waiting.oldest_at).total_seconds() // 3600 if waiting.oldest_at else 0
    return render_template(
        "ledger/proofs.html",
        lines=drawn(CHECKPOINTS, listing, find),
        latest=read_seals.latest_checkpoint(here.database),
        last_note=last_note(here.database),
        trail=trail_state(here.database),
        waiting=waiting,
        age_hours=int(age_hours),
        is_late=age_hours > OLD_AFTER_HOURS,
        key=published_key(here.settings),
        base_url=here.settings.base_url,
        may_export=viewer().may(Role.AUDITOR),
    )


@blueprint.get("/ecritures/<uuid:entry_id>/preuve.tlog-proof")
@staff(*READERS)
def entry_proof(entry_id: UUID) -> Response:
    """Give the text that proves an entry under the last checkpoint (C2SP tlog-proof)."""
    whole_programme()
    proof = read_seals.proof_of(services().database, entry_id)
    if proof is None:
        abort(404)
    response = make_response(proof)
    response.mimetype = "text/plain"
    response.headers["Content-Disposition"] = f'attachment; filename="{entry_id}.tlog-proof"'
    return response


@blueprint.post("/preuves/archive-audit.zip")
@staff(Role.AUDITOR)
@leaves_line("télécharger l’archive d’audit")
@takes_long
def audit_archive() -> Response:
    """Seal what waits, then give the audit archive; it leaves a line in the audit trail."""
    here = services()
    seal_now(here.database, here.settings, here.now())
    origin, key = journal_key(here.settings)
    # A file without a name: it goes with the answer, whoever stops reading.
    out = TemporaryFile(dir=here.settings.data_folder if here.settings.data_folder.is_dir() else None)  # noqa: SIM115
    made = export_audit(here.database, out, origin=origin, key=key)
    out.seek(0)
    note_act(f"{made.sealed_count} écritures")
    name = f"audit-{made.sealed_count}.zip"
    return send_file(out, "application/zip", as_attachment=True, download_name=name)
