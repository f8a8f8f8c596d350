"""What a person manages alone on their own account: factors, sessions, what they did lately. Its first page is `staff.me`."""

from issuer_portal.own_account import factors as factors
from issuer_portal.own_account import identity as identity
from issuer_portal.own_account import passkeys as passkeys
from issuer_portal.own_account import sessions as sessions
from issuer_portal.own_account.folder import blueprint as blueprint
from issuer_portal.own_account.provider import unlink_provider as unlink_provider
from voucher.web.navigation import NavItem

NAVIGATION: tuple[NavItem, ...] = ()
