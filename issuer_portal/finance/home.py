"""Finance's first page: what is owed, and what waits for an act, by who acts."""

from flask import render_template

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.settlement.read_bank import line_counts
from voucher.settlement.read_periods import to_do, to_settle
from voucher.web.access import staff
from voucher.web.house import house


@blueprint.get("/")
@staff(*READERS)
def home() -> str:
    """Show what needs an act, then the agreements that owe something."""
    database, issuer_id = house().database, scope()
    return render_template(
        "finance/home.html",
        todo=to_do(database, issuer_id=issuer_id),
        lines=line_counts(database, issuer_id=issuer_id),
        periods=to_settle(database, issuer_id=issuer_id),
        now=house().now(),
    )
