"""The books as an accountant asks for them: fiscal years, chart, trial balance, journals, FEC, annual accounts, stock.

Finance held for one issuer sees its annual accounts, its stock and its bank accounts alone: the rest holds every issuer's accounts.
"""

from issuer_portal.books import annual as annual
from issuer_portal.books import balance as balance
from issuer_portal.books import closing as closing
from issuer_portal.books import counts as counts
from issuer_portal.books import fec as fec
from issuer_portal.books import home as home
from issuer_portal.books import reconciliation as reconciliation
from issuer_portal.books.folder import READERS
from issuer_portal.books.folder import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("Livres et exercices", "books.home", READERS, group="Comptabilité"),
    NavItem("Récolements", "books.counts_list", (Role.ISSUER,)),
)
