"""« Notre structure »: what a structure says of itself, its places and its RIB. The place manager writes, the mediator reads.

Every page is held to the structure of the person who looks: another structure's place is not found.
"""

from merchant_portal.place import bank as bank
from merchant_portal.place import places as places
from merchant_portal.place.folder import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (NavItem("Notre structure", "place.home", (Role.PLACE_MANAGER, Role.MEDIATOR)),)
