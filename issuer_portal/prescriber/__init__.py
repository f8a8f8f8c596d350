"""Pages of a prescriber's agent: hand a booklet over in thirty seconds, print the letter, know what is in stock.

Nothing is asked about the person, and a prescriber never sees where a voucher was used.
"""

from issuer_portal.prescriber.pages import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("Remettre un carnet", "prescriber.home", (Role.PRESCRIBER,), is_exact=True),
    NavItem("Mon stock", "prescriber.stock", (Role.PRESCRIBER,)),
)
