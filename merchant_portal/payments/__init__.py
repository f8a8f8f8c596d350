"""« Nos paiements »: what a structure was paid, what it will be, and why not yet. Only its own place managers look."""

from merchant_portal.payments.pages import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (NavItem("Nos paiements", "payments.home", (Role.PLACE_MANAGER,)),)
