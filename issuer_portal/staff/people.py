"""The programme opens accounts, gives and takes roles; the programme and the auditor read the audit trail."""

from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Optional

from issuer_portal.staff.accounts import blueprint
from issuer_portal.staff.scopes import misfit, scope_choices, scope_names
from voucher.access import accounts, read
from voucher.access.rules import ROLE_NAMES, Role
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.forms import HouseForm, SelectField, show_refusal
from voucher.web.house import house
from voucher.web.listing import file_response, read_listing

ROLE_CHOICES = [(str(role), name) for role, name in ROLE_NAMES.items()]


class PersonForm(HouseForm):
    """A new staff account; its first role is given on the next page."""

    id = HiddenField()
    name = StringField("Prénom et nom", validators=[InputRequired()])
    email = EmailField("Adresse électronique", validators=[InputRequired()])
    password = PasswordField("Premier mot de passe", validators=[InputRequired()])


class RoleForm(HouseForm):
    """A role and, where it asks for one, its organisation."""

    role = SelectField("Rôle", choices=ROLE_CHOICES)
    scope = SelectField("Pour quel organisme", validators=[Optional()])


class NewPasswordForm(HouseForm):
    """A new password for a person who lost theirs."""

    password = PasswordField("Nouveau mot de passe", validators=[InputRequired()])


@blueprint.get("/")
@staff(Role.PROGRAMME)
def people() -> str | Response:
    """List who works here."""
    listing = read_listing(request.args, sorts=("name", "email"), default_sort="name", filters=("nom", "role"))
    rows, total = read.people(
        house().database,
        sort=listing.sort,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = ((row.name, row.email, ", ".join(ROLE_NAMES[role] for role, _ in row.roles)) for row in rows)
        return file_response("personnes", ["Nom", "Adresse", "Rôles"], lines)
    return render_template(
        "staff/people.html", listing=listing, rows=rows, total=total, role_names=ROLE_NAMES, role_choices=ROLE_CHOICES
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
        account = accounts.NewAccount(account_id, form.email.data, form.name.data, form.password.data)
        try:
            accounts.open_account(house().database, account, by=viewer().account_id, now=house().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"Le compte de {form.name.data} est ouvert. Donnez-lui un rôle.", "success")
            return redirect(url_for("staff.person", account_id=account.id))
    return render_template("staff/open_person.html", form=form)


@blueprint.route("/<uuid:account_id>", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
def person(account_id: UUID) -> str | Response:
    """Show a person; give a role."""
    found = read.person(house().database, account_id)
    if found is None:
        abort(404)
    form = RoleForm()
    form.scope.choices = [("", "Tout le programme"), *scope_choices(house().database)]
    if form.validate_on_submit():
        scope_id = UUID(form.scope.data) if form.scope.data else None
        role = Role(form.role.data)
        try:
            if scope_id is not None and (sentence := misfit(house().database, role, scope_id)):
                raise Refused("scope_misfit", sentence, "scope")
            accounts.grant_role(house().database, account_id, role, scope_id, by=viewer().account_id, now=house().now())
        except Refused as refused:
            show_refusal(form, refused)
        else:
            flash(f"{found.name} a maintenant le rôle « {ROLE_NAMES[role]} ».", "success")
            return redirect(url_for("staff.person", account_id=account_id))
    return render_template(
        "staff/person.html",
        form=form,
        password_form=NewPasswordForm(formdata=None),
        person=found,
        role_names=ROLE_NAMES,
        scopes=scope_names(house().database),
    )


@blueprint.post("/<uuid:account_id>/mot-de-passe")
@staff(Role.PROGRAMME)
def give_password(account_id: UUID) -> Response:
    """Give a person a new password, and open a locked account again."""
    form = NewPasswordForm()
    if read.person(house().database, account_id) is None:
        abort(404)
    if form.validate_on_submit():
        try:
            accounts.set_password(
                house().database, account_id, form.password.data, by=viewer().account_id, now=house().now()
            )
            flash("Le nouveau mot de passe est en place. Donnez-le de vive voix.", "success")
        except Refused as refused:
            flash(refused.sentence, "danger")
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.post("/<uuid:account_id>/roles/<role>/retirer")
@staff(Role.PROGRAMME)
def take_role(account_id: UUID, role: str) -> Response:
    """Take a role away."""
    if role not in set(Role):
        abort(404)
    accounts.revoke_role(house().database, account_id, Role(role), by=viewer().account_id, now=house().now())
    flash("Le rôle est retiré. La personne doit se reconnecter.", "success")
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.post("/<uuid:account_id>/fermer")
@staff(Role.PROGRAMME)
def close_person(account_id: UUID) -> Response:
    """Close an account."""
    if account_id == viewer().account_id:
        flash("Vous ne pouvez pas fermer votre propre compte. Demandez à un collègue.", "danger")
    else:
        accounts.close_account(house().database, account_id, by=viewer().account_id, now=house().now())
        flash("Le compte est fermé.", "success")
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.get("/journal")
@staff(Role.PROGRAMME, Role.AUDITOR)
def trail() -> str | Response:
    """List who saw or changed what."""
    listing = read_listing(request.args, sorts=("at",), default_sort="-at", filters=("qui", "action"))
    rows, total = read.trail(
        house().database,
        descending=listing.descending,
        limit=listing.limit,
        offset=listing.offset,
        filters=listing.filters,
    )
    if listing.wants_file:
        lines = ((row.at, row.who, row.action, row.subject) for row in rows)
        return file_response("journal-des-acces", ["Quand", "Qui", "Quoi", "Sur quoi"], lines)
    return render_template("staff/trail.html", listing=listing, rows=rows, total=total)
