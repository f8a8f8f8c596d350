"""The ledger as people read it: the programme's money by stage and funder, accounts, entries. Nothing is changed here."""

from issuer_portal.ledger import proofs as proofs
from issuer_portal.ledger.pages import READERS
from issuer_portal.ledger.pages import blueprint as blueprint
from voucher.web.navigation import NavItem

NAVIGATION = (
    NavItem("L’argent par étape", "ledger.stages", READERS, group="Comptabilité"),
    NavItem("Comptes", "ledger.accounts", READERS, group="Comptabilité"),
    NavItem("Écritures", "ledger.entries", READERS, group="Comptabilité"),
)
