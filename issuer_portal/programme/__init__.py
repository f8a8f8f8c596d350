"""Pages of the programme: envelopes, funders, issuers, agreements, structures, places and their import.

The programme acts; the auditor reads the same pages; finance reads structures. Nothing here knows a voucher.
"""

from issuer_portal.programme import agreements as agreements
from issuer_portal.programme import end_share as end_share
from issuer_portal.programme import home as home
from issuer_portal.programme import imports as imports
from issuer_portal.programme import money as money
from issuer_portal.programme import parties as parties
from issuer_portal.programme import paying_terms as paying_terms
from issuer_portal.programme import payment_terms as payment_terms
from issuer_portal.programme import places as places
from issuer_portal.programme import structures as structures
from issuer_portal.programme.folder import blueprint as blueprint
from voucher.access.rules import Role
from voucher.web.navigation import NavItem

_READERS = (Role.PROGRAMME, Role.AUDITOR)
NAVIGATION = (
    NavItem("Vue d’ensemble", "programme.home", _READERS, is_exact=True, group="Programme"),
    NavItem("Enveloppes", "programme.envelopes", _READERS, group="Programme"),
    NavItem("Conventions", "programme.agreements", _READERS, group="Programme"),
    NavItem(
        "Structures",
        "programme.structures",
        (*_READERS, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER),
        group="Programme",
    ),
    NavItem("Lieux", "programme.places", _READERS, group="Programme"),
)
