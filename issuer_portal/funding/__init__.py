"""Pages of funders' money: calls for funds, statements, final balances, and the backing of what is in circulation.

Finance prepares calls; the programme and the auditor read the same pages. Finance may be held for one issuer: every page passes
that scope on, and what lies outside is not found.
"""

from issuer_portal.funding import backing as backing
from issuer_portal.funding import calls as calls
from issuer_portal.funding import home as home
from issuer_portal.funding import statements as statements
from issuer_portal.funding.folder import READERS
from issuer_portal.funding.folder import blueprint as blueprint
from voucher.web.navigation import NavItem

NAVIGATION = (NavItem("Financement", "funding.home", READERS, group="Finances"),)
