"""People who work here: sign-in, one's own password, accounts and roles day by day, the audit trail."""

from issuer_portal.staff import acts as acts
from issuer_portal.staff import links as links
from issuer_portal.staff import people as people
from issuer_portal.staff import roles as roles
from issuer_portal.staff import second_person as second_person
from issuer_portal.staff import trail as trail
from issuer_portal.staff.accounts import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("Personnes", "staff.people", (Role.PROGRAMME,), group="Accès"),
    NavItem("Rôles, jour par jour", "staff.roles", (Role.PROGRAMME, Role.AUDITOR), group="Accès"),
    NavItem("Journal des accès", "staff.trail", (Role.PROGRAMME, Role.AUDITOR), group="Accès"),
)
