"""Finance's first page: what is owed, and what waits for an act, by who acts."""

from flask import render_template

from issuer_portal.finance.folder import READERS, blueprint, scope
from voucher.accounting.produce import accounts_due
from voucher.mail.read import MessageState, message_counts
from voucher.reporting.closings import CLOSE_WORDS, closings
from voucher.reporting.finance_alerts import finance_alerts
from voucher.settlement.batches.read_periods import to_do, to_settle
from voucher.settlement.deadlines.payment_deadlines import late_now
from voucher.settlement.payable.hold_by_hand import payment_holds
from voucher.settlement.payable.ribs_to_confirm import rib_count
from voucher.settlement.reconciliation.read import line_counts
from voucher.settlement.reconciliation.read_proposals import waiting_proposals
from voucher.settlement.recoveries.read_overpayments import overpayment_sums
from voucher.settlement.reports.read_duplicates import duplicate_batches
from voucher.settlement.reports.read_payees import payee_batches
from voucher.web.access import deputyship, staff
from voucher.web.services import services

NEXT_CLOSINGS = 4


@blueprint.get("/")
@staff(*READERS, deputies=True)
def home() -> str:
    """Show what needs an act, then the agreements that owe something."""
    database, issuer_id = services().database, scope()
    return render_template(
        "finance/home.html",
        todo=to_do(database, issuer_id=issuer_id),
        payees=payee_batches(database, issuer_id=issuer_id),
        doubled=duplicate_batches(database, issuer_id=issuer_id),
        lines=line_counts(database, issuer_id=issuer_id),
        proposals=waiting_proposals(database, issuer_id=issuer_id),
        periods=to_settle(database, issuer_id=issuer_id),
        sums=overpayment_sums(
            database, days=services().settings.revenue_order_days, now=services().now(), issuer_id=issuer_id
        ),
        clock=late_now(database, services().now(), issuer_id=issuer_id),
        hold_count=len(payment_holds(database, is_live=True, issuer_id=issuer_id)),
        rib_count=rib_count(database, issuer_id=issuer_id),
        given_up_count=message_counts(database, issuer_id=issuer_id)[MessageState.GIVEN_UP],
        alerts=finance_alerts(
            database, now=services().now(), statement_days=services().settings.statement_days, issuer_id=issuer_id
        ),
        closings=closings(database, now=services().now(), issuer_id=issuer_id)[:NEXT_CLOSINGS],
        close_words=CLOSE_WORDS,
        accounts_due=accounts_due(database, now=services().now(), issuer_id=issuer_id),
        reads_funding=deputyship() is None,
        now=services().now(),
    )
