"""What all pages share: their look, forms, lists, headers, error pages and charts.

It owns no business and asks no database. It may not know any portal, and says nothing about vouchers that a portal has not
handed to it. The composition root calls `install(app)` once; the application is made with `static_folder=None`, since the
static files are served from here.
"""

from voucher.web.install import install
from voucher.web.shell import Link, Person, Shell

__all__ = ["Link", "Person", "Shell", "install"]
