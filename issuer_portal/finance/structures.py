"""A structure for finance: owed, paid, messages, disputes, RIBs; and writing to it about one payment."""

from typing import Any
from uuid import UUID

from flask import abort, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.access.audit import note_access
from voucher.access.rules import Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.mail.queue import SUBJECT_CHARACTERS_MAX, is_address
from voucher.network.read_structures import STATE_NAMES, structure
from voucher.reporting.structure_account import structure_account
from voucher.settlement.batches.read_advice import advice
from voucher.settlement.batches.write_letter import BODY_LENGTH_MAX, NewLetter, prepared_letter, write_letter
from voucher.settlement.payable.read_payment_facts import said_of
from voucher.settlement.words.labels import DISPUTE_REASONS
from voucher.web.access import staff, viewer
from voucher.web.acts import leaves_line
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.tags import DISPUTE_TAGS, MESSAGE_TAGS
from voucher.web.views import id_of

WRITERS = (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)


class LetterForm(HouseForm):
    """A prepared message, edited."""

    id = HiddenField()
    subject = StringField("Objet", validators=[InputRequired(), Length(max=SUBJECT_CHARACTERS_MAX)])
    body = TextAreaField("Message", validators=[InputRequired(), Length(max=BODY_LENGTH_MAX)])


@blueprint.get("/structures/<uuid:structure_id>")
@staff(*READERS, deputies=True)
def structure_page(structure_id: UUID) -> str:
    """Show a structure's account."""
    here = services()
    found = structure_account(here.database, structure_id, now=here.now(), issuer_id=scope())
    if found is None:
        abort(404)
    if found.page.bank_details:
        note_access(here.database, viewer().account_id, "Lecture d’un RIB", f"structure {structure_id}", here.now())
    return render_template(
        "finance/structure.html",
        found=found,
        told=said_of(here.database, [payment.id for payment in found.payments], here.now()),
        line=found.page.line,
        states=STATE_NAMES,
        message_tags=MESSAGE_TAGS,
        dispute_tags=DISPUTE_TAGS,
        may_write=viewer().may(*WRITERS),
        lots={payment.id: payment.batch_number for payment in found.payments},
        reasons=DISPUTE_REASONS,
        now=here.now(),
    )


@blueprint.route("/reglements/<uuid:advice_id>/ecrire", methods=["GET", "POST"])
@staff(*WRITERS)
@leaves_line("écrire à une structure")
def write(advice_id: UUID) -> str | Response:
    """Write to the structure of a payment: a prepared e-mail, edited, then sent through the outbox."""
    here = services()
    page = advice(here.database, advice_id, now=here.now(), issuer_id=scope())
    if page is None:
        abort(404)
    subject, body = prepared_letter(page, f"{viewer().name}, {page.issuer_name}")
    form: Any = LetterForm(id=str(new_id()), subject=subject, body=body)
    if form.validate_on_submit():
        new = NewLetter(id_of(form), advice_id, form.subject.data, form.body.data)
        try:
            address = write_letter(here.database, new, by=viewer().account_id, now=here.now(), issuer_id=scope())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"Le message est prêt à partir à {address}. Il est gardé sur cette page.", "success")
            return redirect(url_for("finance.structure_page", structure_id=page.structure_id, _anchor="messages"))
    told = structure(here.database, page.structure_id)
    address = told.contact_email if told else ""
    return render_template("finance/write.html", form=form, page=page, address=address, has_address=is_address(address))
