"""E-mails to structures: how many wait, were sent or failed; each of them; and sending one again."""

from functools import partial
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.refusals import Refused
from voucher.mail import read
from voucher.settlement.batches.write_to_structures import send_again_to_structure
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, length_text, list_file, read_listing, state_column
from voucher.web.tags import MESSAGE_TAGS
from voucher.web.views import flash_refusal

MESSAGE_READERS = (*READERS, Role.PROGRAMME)
MAY_SEND = (Role.FINANCE_PREPARER, Role.PROGRAMME)
STATE_CHOICES = [(str(state), word) for state, word in read.STATE_WORDS.items()]


def _scope() -> UUID | None:
    return scope(Role.PROGRAMME)


def _with_accounts() -> bool:
    return viewer().may(Role.PROGRAMME)


MESSAGES = Table(
    "Messages",
    (
        Column[read.MessageRow](
            "created_at",
            "Écrit le",
            Kind.INSTANT,
            is_sorted=True,
            link=lambda row: url_for("finance.message", message_id=row.id),
        ),
        Column("recipient", "À"),
        Column("subject", "Objet"),
        state_column("state", "État", MESSAGE_TAGS, lambda row: row.state),
        Column("try_count", "Essais", Kind.COUNT),
        Column("sent_at", "Envoyé le", Kind.INSTANT, under="state"),
        Column("failure", "Échec", under="state"),
    ),
    default_sort="-created_at",
    filters=("etat", "texte"),
    one="message",
)


@blueprint.get("/messages")
@staff(*MESSAGE_READERS, deputies=True)
def messages() -> str | Response:
    """List the messages, the newest first, with how many stand where."""
    here = services()
    listing = read_listing(request.args, MESSAGES)
    find = partial(read.messages, here.database, issuer_id=_scope(), with_accounts=_with_accounts())
    if listing.wants_file:
        taken = length_text(find, listing)
        note_access(here.database, viewer().account_id, "Adresses de messages téléchargées", taken, here.now())
        return list_file(MESSAGES, listing, find)
    counts = read.message_counts(here.database, issuer_id=_scope(), with_accounts=_with_accounts())
    return render_template(
        "finance/messages.html",
        listing=listing,
        lines=drawn(MESSAGES, listing, find),
        counts={str(state): count for state, count in counts.items()},
        given_up_count=counts[read.MessageState.GIVEN_UP],
        has_server=here.settings.smtp_url is not None,
        choices=STATE_CHOICES,
    )


@blueprint.get("/messages/<uuid:message_id>")
@staff(*MESSAGE_READERS, deputies=True)
def message(message_id: UUID) -> str:
    """Show a message as it is sent."""
    here = services()
    found = read.message(here.database, message_id, issuer_id=_scope(), with_accounts=_with_accounts())
    if found is None:
        abort(404)
    return render_template(
        "finance/message.html",
        row=found,
        word=MESSAGE_TAGS[found.state],
        page=f"{here.settings.base_url.rstrip('/')}{found.path}" if found.path else "",
        may_send=viewer().may(*MAY_SEND),
        is_for_account=found.kind in read.ACCOUNT_LETTERS,
    )


@blueprint.post("/messages/<uuid:message_id>/renvoyer")
@staff(*MAY_SEND)
@leaves_line("renvoyer un message")
def send_again(message_id: UUID) -> Response:
    """Send a message again that did not leave, to the address that the structure has now."""
    here = services()
    if read.message(here.database, message_id, issuer_id=_scope()) is None:
        abort(404)
    try:
        send_again_to_structure(here.database, message_id, by=viewer().account_id, now=here.now(), issuer_id=_scope())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("Le message repart au prochain tour, à l’adresse de la fiche de la structure.", "success")
    return redirect(url_for("finance.message", message_id=message_id))
