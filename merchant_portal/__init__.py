"""Pages of places that take vouchers. This package is the mediator's counter; `place` is the manager's.

Pages call use cases and reads, and know no table. A counter is a place and its structure: the structure comes from the
person's role, the place from the session, never from the address.
"""

from merchant_portal import api as api
from merchant_portal import scan as scan
from merchant_portal.counter import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("Encaisser", "counter.scan", (Role.MEDIATOR,), is_exact=True),
    NavItem("Aujourd’hui", "counter.today", (Role.MEDIATOR,)),
    NavItem("Mon lieu", "counter.places", (Role.MEDIATOR,)),
)
