"""The ledger as people read it: the programme's money by stage and funder, accounts, entries. Nothing is changed here."""

from issuer_portal.ledger import proofs as proofs
from issuer_portal.ledger.pages import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

READERS = (Role.AUDITOR, Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER)

NAVIGATION = (
    NavItem("L’argent par étape", "ledger.stages", READERS, group="Comptabilité"),
    NavItem("Comptes", "ledger.accounts", READERS, group="Comptabilité"),
    NavItem("Écritures", "ledger.entries", READERS, group="Comptabilité"),
)
