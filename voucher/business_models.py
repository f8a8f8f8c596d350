"""Every table of the business, all but those of access: importing this module fills the metadata.

What carries or proves the books (`proof`, `takeover`) reads tables here, for it may not know who signs in.
"""

from voucher.accounting import model as accounting
from voucher.distribution import model as distribution
from voucher.funding import model as funding
from voucher.issuing import model as issuing
from voucher.kernel import tries
from voucher.kernel.database import Base
from voucher.ledger import model as ledger
from voucher.ledger import seal_model as seals
from voucher.mail import model as mail
from voucher.network import model as network
from voucher.programme import model as programme
from voucher.redemption import model as redemption
from voucher.settlement.model import bank, deputies, letters, proposals, refunds
from voucher.settlement.model import bank_reports as reports
from voucher.settlement.model import batches as settlement
from voucher.settlement.model import recoveries as overpayments
from voucher.settlement.model import states as payment_states
from voucher.trail import model as trail

__all__ = [
    "Base",
    "accounting",
    "bank",
    "deputies",
    "distribution",
    "funding",
    "issuing",
    "ledger",
    "letters",
    "mail",
    "network",
    "overpayments",
    "payment_states",
    "programme",
    "proposals",
    "redemption",
    "refunds",
    "reports",
    "seals",
    "settlement",
    "trail",
    "tries",
]
