"""The programme opens accounts, sees who works here, takes roles; the programme and the auditor read the audit trail."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import InputRequired

from issuer_portal.staff.accounts import blueprint
from issuer_portal.staff.acts import PasswordAgain, confirm_actor
from issuer_portal.staff.scopes import scope_names
from voucher.access import accounts, links, read
from voucher.access.read_changes import changes_of, links_of, waiting_changes
from voucher.access.rules import ROLE_NAMES, Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.forms import show_refusal
from voucher.web.listing import file_response, read_listing
from voucher.web.services import services
from voucher.web.tags import CHANGE_TAGS

ROLE_CHOICES = [(str(role), name) for role, name in ROLE_NAMES.items()]


class PersonForm(PasswordAgain):
    """A new staff account: its person chooses the password with a link; the first role is given on the next page."""

    id = HiddenField()
    name = StringField("Prénom et nom", validators=[InputRequired()])
    email = EmailField("Adresse électronique", validators=[InputRequired()])


@blueprint.get("/")
@staff(Role.PROGRAMME)
def people() -> str | Response:
    """List who works here."""
    listing = read_listing(request.args, sorts=("name", "email"), default_sort="name", filters=("nom", "role"))
    rows, total = read.people(
        services().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = ((row.name, row.email, ", ".join(ROLE_NAMES[role] for role, _ in row.roles)) for row in rows)
        return file_response("personnes", ["Nom", "Adresse", "Rôles"], lines)
    database = services().database
    return render_template(
        "staff/people.html",
        listing=listing,
        rows=rows,
        total=total,
        role_names=ROLE_NAMES,
        role_choices=ROLE_CHOICES,
        links=links_of(database, [row.id for row in rows]),
        waiting_count=len(waiting_changes(database)),
        now=services().now(),
    )


@blueprint.route("/nouvelle", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
def open_person() -> str | Response:
    """Open an account."""
    form = PersonForm(id=str(new_id()))
    if form.validate_on_submit():
        try:
            account_id = UUID(str(form.id.data))
        except ValueError:
            abort(400)
        account = accounts.NewAccount(account_id, form.email.data, form.name.data)
        try:
            confirm_actor(form)
            accounts.open_account(services().database, account, by=viewer().account_id, now=services().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"L’invitation part à {form.email.data}. Donnez maintenant un rôle à {form.name.data}.", "success")
            return redirect(url_for("staff.person", account_id=account.id))
    return render_template("staff/open_person.html", form=form)


@blueprint.get("/<uuid:account_id>")
@staff(Role.PROGRAMME)
def person(account_id: UUID) -> str:
    """Show a person: how they sign in, their roles, what took two people."""
    database = services().database
    found = read.person(database, account_id)
    if found is None:
        abort(404)
    return render_template(
        "staff/person.html",
        person=found,
        link=links_of(database, [account_id]).get(account_id),
        changes=changes_of(database, account_id),
        outcomes=CHANGE_TAGS,
        role_names=ROLE_NAMES,
        scopes=scope_names(database),
        now=services().now(),
    )


@blueprint.post("/<uuid:account_id>/liens/annuler")
@staff(Role.PROGRAMME)
def cancel_links(account_id: UUID) -> Response:
    """End the links that were sent and not used."""
    try:
        count = links.cancel_links(services().database, account_id, by=viewer().account_id, now=services().now())
    except Refused:
        abort(404)
    flash("Le lien ne sert plus." if count else "Aucun lien ne servait encore.", "success")
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.post("/<uuid:account_id>/roles/<role>/retirer")
@staff(Role.PROGRAMME)
def take_role(account_id: UUID, role: str) -> Response:
    """Take a role away."""
    if role not in set(Role) or read.person(services().database, account_id) is None:
        abort(404)
    accounts.revoke_role(services().database, account_id, Role(role), by=viewer().account_id, now=services().now())
    flash("Le rôle est retiré. La personne doit se reconnecter.", "success")
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.get("/journal")
@staff(Role.PROGRAMME, Role.AUDITOR)
def trail() -> str | Response:
    """List who saw or changed what."""
    listing = read_listing(request.args, sorts=("at",), default_sort="-at", filters=("qui", "action"))
    rows, total = read.trail(
        services().database,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = ((row.at, row.who, row.action, row.subject) for row in rows)
        return file_response("journal-des-acces", ["Quand", "Qui", "Quoi", "Sur quoi"], lines)
    return render_template("staff/trail.html", listing=listing, rows=rows, total=total)
