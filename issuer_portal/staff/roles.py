"""Who had which role on a day: what an auditor asks of a signature of that day."""

from dataclasses import replace
from datetime import date
from functools import partial

from flask import render_template, request, url_for
from werkzeug.wrappers import Response

from issuer_portal.staff.accounts import blueprint
from issuer_portal.staff.people import ROLE_CHOICES
from issuer_portal.staff.scopes import scope_names, scope_word
from voucher.access.audit import note_access
from voucher.access.read_roles import RoleHeld, roles_held_on
from voucher.access.rules import ROLE_NAMES, Role
from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.typed_days import asked_day
from voucher.web.access import staff, viewer
from voucher.web.services import services
from voucher.web.tables import Column, Kind, Table, drawn, length_text, list_file, read_listing

HOST = "le serveur"


def _table(day: date) -> Table[RoleHeld]:
    """Return the list of a day, which its files are called by; whoever may open a person's page gets a link to it."""
    here = services()
    scopes, may_open, now = scope_names(here.database), viewer().may(Role.PROGRAMME), here.now()
    return Table(
        f"Rôles le {french_date(day)}",
        (
            Column[RoleHeld](
                "name",
                "Personne",
                is_sorted=True,
                link=lambda row: url_for("staff.person", account_id=row.account_id) if may_open else None,
            ),
            Column("email", "Adresse", under="name"),
            Column("role", "Rôle", value=lambda row: ROLE_NAMES[row.role], is_sorted=True),
            Column("scope", "Pour", value=lambda row: scope_word(scopes, row.scope_id)),
            Column("granted_at", "Donné", Kind.INSTANT, is_sorted=True),
            Column("granted_by", "Donné par", value=lambda row: row.granted_by_name or HOST),
            Column("confirmed_by", "Confirmé par", value=_confirmer),
            Column("until_on", "Dernier jour", Kind.DAY),
            Column("ended_at", "Fini", Kind.INSTANT, lambda row: None if row.holds_at(now) else row.ended_at),
        ),
        default_sort="name",
        filters=("jour", "nom", "role"),
        one="rôle",
        file_name=f"roles-{day.isoformat()}",
    )


def _confirmer(row: RoleHeld) -> str:
    return (row.confirmed_by_name or HOST) if row.is_confirmed else ""


@blueprint.get("/roles")
@staff(Role.PROGRAMME, Role.AUDITOR)
def roles() -> str | Response:
    """List who had which role on a day, today unless another is asked."""
    here = services()
    today = paris_day(here.now())
    typed = request.args.get("jour", "").strip()
    asked = asked_day(typed)
    day = min(asked or today, today)
    table = _table(day)
    listing = read_listing(request.args, table)
    # The page, its links and its files say the day that is shown, whatever was typed.
    listing = replace(listing, filters={**listing.filters, "jour": day.isoformat()})
    find = partial(roles_held_on, here.database, day)
    if listing.wants_file:
        taken = f"{french_date(day)}, {length_text(find, listing)} lignes"
        note_access(here.database, viewer().account_id, "Export des rôles", taken, here.now())
        return list_file(table, listing, find)
    return render_template(
        "staff/roles.html",
        listing=listing,
        lines=drawn(table, listing, find),
        day=day,
        is_today=day == today,
        is_to_come=asked is not None and asked > today,
        unreadable=typed if asked is None else "",
        role_choices=ROLE_CHOICES,
    )
