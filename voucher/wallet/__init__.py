"""The citizen's pages: what a voucher is worth, where to use it, what to do when it is lost.

No account, no cookie, no script needed. A code in an address is a bearer secret: nothing of it is logged, kept or sent on, and
looking at it changes nothing.
"""

from voucher.wallet import funds as funds
from voucher.wallet import journal as journal
from voucher.wallet import places as places
from voucher.wallet.pages import blueprint as blueprint
from voucher.web.navigation import NavItem

NAVIGATION: tuple[NavItem, ...] = ()
