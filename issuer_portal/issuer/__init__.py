"""Pages of an issuer: order, print, entrust stock to prescribers, see where it is, stop what is lost.

Every page is held to the issuer of the person who looks: what another issuer owns is not found.
"""

from issuer_portal.issuer import booklets as booklets
from issuer_portal.issuer import orders as orders
from issuer_portal.issuer import prescribers as prescribers
from issuer_portal.issuer.home import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("Stock", "issuer.home", (Role.ISSUER,), is_exact=True),
    NavItem("Commandes", "issuer.orders", (Role.ISSUER,)),
    NavItem("Prescripteurs", "issuer.prescribers", (Role.ISSUER,)),
    NavItem("Carnets", "issuer.booklets", (Role.ISSUER,)),
)
