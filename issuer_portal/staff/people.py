"""The programme opens accounts, sees who works here, takes roles."""

from dataclasses import dataclass
from uuid import UUID

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import InputRequired

from issuer_portal.staff.accounts import blueprint
from issuer_portal.staff.scopes import scope_names
from issuer_portal.staff.state import AccountState, account_state, proofs_of
from voucher.access import accounts, links, read
from voucher.access.audit import note_access
from voucher.access.factors.held import factors_of, who_have_factors
from voucher.access.open_sessions import end_sessions_of, open_sessions
from voucher.access.provider.identities import linked, unlink
from voucher.access.read_changes import changes_of, links_of, waiting_changes
from voucher.access.read_roles import roles_of
from voucher.access.rules import ROLE_NAMES, Role
from voucher.access.unused_accounts import Unused, unused
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked, Page
from voucher.kernel.refusals import Refused
from voucher.web.access import staff, viewer
from voucher.web.asks_again import asks_again
from voucher.web.forms import HouseForm, show_refusal
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, length_text, list_file, read_listing
from voucher.web.tags import CHANGE_TAGS
from voucher.web.views import flash_refusal, id_of

ROLE_CHOICES = [(str(role), name) for role, name in ROLE_NAMES.items()]


class PersonForm(HouseForm):
    """A new staff account: its person chooses the password with a link; the first role is given on the next page."""

    id = HiddenField()
    name = StringField("Prénom et nom", validators=[InputRequired()])
    email = EmailField("Adresse électronique", validators=[InputRequired()])


@dataclass(frozen=True, slots=True)
class PersonLine:
    """A person in the list, where their account stands, and whether they show a second factor."""

    person: read.Person
    state: AccountState
    has_factor: bool


PEOPLE = Table(
    "Personnes",
    (
        Column[PersonLine](
            "name",
            "Nom",
            value=lambda row: row.person.name,
            is_sorted=True,
            link=lambda row: url_for("staff.person", account_id=row.person.id),
        ),
        Column("email", "Adresse", value=lambda row: row.person.email, is_sorted=True),
        Column(
            "roles", "Rôles", value=lambda row: ", ".join(ROLE_NAMES[role] for role, _ in row.person.roles) or "aucun"
        ),
        Column("factor", "Deuxième preuve", value=lambda row: "oui" if row.has_factor else "non"),
        Column("used_at", "Dernière connexion", Kind.INSTANT, lambda row: row.person.used_at, is_sorted=True),
        Column("state", "État", Kind.TAG, lambda row: row.state.word, tag=lambda row: row.state.tag),
        Column("state_at", "Invitation, le", Kind.INSTANT, lambda row: row.state.at, under="state"),
    ),
    default_sort="name",
    filters=("nom", "role"),
    one="personne",
)


def _people(asked: Asked) -> Page[PersonLine]:
    database, now = services().database, services().now()
    page = read.people(database, asked, now=now)
    ids = [row.id for row in page.rows]
    sent, shown = links_of(database, ids), who_have_factors(database, ids)
    return page.of(PersonLine(row, account_state(row, sent.get(row.id), now), row.id in shown) for row in page.rows)


@blueprint.get("/")
@staff(Role.PROGRAMME)
def people() -> str | Response:
    """List who works here."""
    listing = read_listing(request.args, PEOPLE)
    if listing.wants_file:
        taken = f"{length_text(_people, listing)} lignes"
        note_access(services().database, viewer().account_id, "Export des personnes", taken, services().now())
        return list_file(PEOPLE, listing, _people)
    return render_template(
        "staff/people.html",
        listing=listing,
        lines=drawn(PEOPLE, listing, _people),
        role_choices=ROLE_CHOICES,
        waiting_count=len(waiting_changes(services().database)),
    )


@blueprint.route("/nouvelle", methods=["GET", "POST"])
@staff(Role.PROGRAMME)
@asks_again("ouvrir un compte")
def open_person() -> str | Response:
    """Open an account."""
    form = PersonForm(id=str(new_id()))
    if form.validate_on_submit():
        account = accounts.NewAccount(id_of(form), form.email.data, form.name.data)
        try:
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
    database, now = services().database, services().now()
    found = read.person(database, account_id, now=now)
    if found is None:
        abort(404)
    held, idle = roles_of(database, account_id), unused(database, account_id, now=now)
    sent = links_of(database, [account_id]).get(account_id)
    factors, by_provider = factors_of(database, account_id), linked(database, account_id)
    return render_template(
        "staff/person.html",
        person=found,
        state=account_state(found, sent, now),
        link=sent if sent is not None and (sent.ends_at is None or sent.ends_at > now) else None,
        changes=changes_of(database, account_id),
        proofs=proofs_of(factors),
        has_factor=factors.is_any or by_provider.linked_at is not None,
        linked=by_provider,
        outcomes=CHANGE_TAGS,
        role_names=ROLE_NAMES,
        scopes=scope_names(database),
        session_count=len(open_sessions(database, account_id, idle=services().settings.idle_limits, now=now)),
        is_told=idle is Unused.TOLD,
        is_kept=idle is Unused.STAYS,
        held=[one for one in held if one.holds_at(now)],
        over=[one for one in held if not one.holds_at(now)],
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


@blueprint.post("/<uuid:account_id>/proconnect/retirer")
@staff(Role.PROGRAMME)
@asks_again("retirer ProConnect à un compte")
def unlink_provider(account_id: UUID) -> Response:
    """Let no account at the provider open this one any more: it is lost, or somebody else's."""
    try:
        was_linked = unlink(services().database, account_id, by=viewer().account_id, now=services().now())
    except Refused as refused:
        flash_refusal(refused)
    else:
        flash("ProConnect n’ouvre plus ce compte." if was_linked else "ProConnect n’ouvrait pas ce compte.", "success")
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.post("/<uuid:account_id>/connexions/fermer")
@staff(Role.PROGRAMME)
@asks_again("fermer les connexions d’une personne")
def end_sessions(account_id: UUID) -> Response:
    """End every session of a person: a computer was lost, or somebody else is in."""
    try:
        count = end_sessions_of(services().database, account_id, by=viewer().account_id, now=services().now())
    except Refused:
        abort(404)
    flash(
        "Ses connexions sont fermées. La personne en est avertie." if count else "Aucune connexion n’était ouverte.",
        "success",
    )
    return redirect(url_for("staff.person", account_id=account_id))


@blueprint.post("/<uuid:account_id>/roles/<role>/retirer")
@staff(Role.PROGRAMME)
@asks_again("retirer un rôle")
def take_role(account_id: UUID, role: str) -> Response:
    """Take a role away."""
    if role not in set(Role) or read.person(services().database, account_id, now=services().now()) is None:
        abort(404)
    accounts.revoke_role(services().database, account_id, Role(role), by=viewer().account_id, now=services().now())
    flash("Le rôle est retiré. La personne doit se reconnecter.", "success")
    return redirect(url_for("staff.person", account_id=account_id))
