"""Pages of finance: close a period, check, approve, pay, reconcile. Preparers prepare, approvers approve, auditors read.

Finance may be held for one issuer: every page passes that scope on, and what lies outside is not found.
"""

from issuer_portal.finance import advices as advices
from issuer_portal.finance import bank as bank
from issuer_portal.finance import bank_line as bank_line
from issuer_portal.finance import batches as batches
from issuer_portal.finance import calendar as calendar
from issuer_portal.finance import dashboard as dashboard
from issuer_portal.finance import dashboard_batches as dashboard_batches
from issuer_portal.finance import deputies as deputies
from issuer_portal.finance import disputes as disputes
from issuer_portal.finance import duplicates as duplicates
from issuer_portal.finance import holds as holds
from issuer_portal.finance import home as home
from issuer_portal.finance import line_calls as line_calls
from issuer_portal.finance import line_notes as line_notes
from issuer_portal.finance import line_proposals as line_proposals
from issuer_portal.finance import line_refunds as line_refunds
from issuer_portal.finance import messages as messages
from issuer_portal.finance import overpayments as overpayments
from issuer_portal.finance import ribs as ribs
from issuer_portal.finance import structures as structures
from issuer_portal.finance import urgent as urgent
from issuer_portal.finance.folder import READERS
from issuer_portal.finance.folder import blueprint as blueprint
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("À faire", "finance.home", READERS, is_exact=True, group="Finances"),
    NavItem("Lots de règlement", "finance.batches", READERS, group="Finances"),
    NavItem("Rapprochement", "finance.reconciliation", READERS, is_exact=True, group="Finances"),
    NavItem("Lignes de banque", "finance.lines", READERS, group="Finances"),
)
