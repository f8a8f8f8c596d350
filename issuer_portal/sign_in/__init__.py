"""The doors: second factors, passkeys, identity providers, the day a phone is lost. The first page is `staff.sign_in`."""

from issuer_portal.sign_in import passkeys as passkeys
from issuer_portal.sign_in import second_factor as second_factor
from issuer_portal.sign_in.folder import blueprint as blueprint
from issuer_portal.sign_in.provider import by_provider as by_provider
from voucher.web.navigation import NavItem

NAVIGATION: tuple[NavItem, ...] = ()
