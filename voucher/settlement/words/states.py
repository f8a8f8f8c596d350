"""The states and kinds that settlement's tables hold: each word is what the database holds."""

from enum import StrEnum


class ReportKind(StrEnum):
    """What a bank says of a transfer: that it is a second sending, that it refuses it, what it found of the payee's name."""

    DUPLICATE = "duplicate"
    REJECTION = "rejection"
    PAYEE = "payee"


class ReportLevel(StrEnum):
    """Of what it says so: the whole file, its payment block, or the transfer alone."""

    FILE = "file"
    BLOCK = "block"
    TRANSFER = "transfer"


class DuplicateOutcome(StrEnum):
    """What a person found: the first sending stands at the bank, or the bank never had it."""

    STANDS = "stands"
    NEVER_CAME = "never_came"


class DisputeReason(StrEnum):
    """Why a redemption is contested: facts about the service, never about a person."""

    NOT_RENDERED = "not_rendered"
    WRONG_COUNT = "wrong_count"
    TWICE = "twice"
    OUT_OF_SCOPE = "out_of_scope"
    COMPLAINT = "complaint"
    CONTROL = "control"
    OTHER = "other"


class DisputeOutcome(StrEnum):
    """How a dispute ends: the redemption stands, or it is reversed."""

    DISMISSED = "dismissed"
    UPHELD = "upheld"


class RecoveryKind(StrEnum):
    """How an overpayment comes back, or is given up."""

    NETTED = "netted"
    REPAID = "repaid"
    WRITTEN_OFF = "written_off"


class MatchKind(StrEnum):
    """What a line is: the payment of advices, a transfer that came back, the bank's charges, a funder's money, a refund.

    `offset`: a line that another of the same account undoes, the bank's mistake and its correction.
    """

    PAYMENT = "payment"
    RETURN = "return"
    CHARGE = "charge"
    FUNDS = "funds"
    ADVANCE_REFUND = "advance_refund"
    ADVANCE_RETURN = "advance_return"
    OVERPAYMENT = "overpayment"
    REFUND = "refund"
    REFUND_DEBIT = "refund_debit"
    OFFSET = "offset"


class ProposalKind(StrEnum):
    """What a person proposes for a bank line, that another confirms: an account of the chart, undoing, sending the money back."""

    ACCOUNT = "account"
    UNDO = "undo"
    REFUND = "refund"


class RefundState(StrEnum):
    """Money sent back to its sender: asked for, in a file once another person confirmed, then paid, come back or refused."""

    PROPOSED = "proposed"
    WITHDRAWN = "withdrawn"
    IN_FILE = "in_file"
    PAID = "paid"
    RETURNED = "returned"
    REJECTED = "rejected"


class BatchState(StrEnum):
    """The steps of a batch, in their order; an open period is the step before."""

    FROZEN = "frozen"
    APPROVED = "approved"
    EXPORTED = "exported"
    CLOSED = "closed"


class AdviceState(StrEnum):
    """An advice is due, then in a file, then paid by a booked bank line; what failed is owed again by the next batch.

    `held` could not be put into the file (no bank details, structure suspended); `held`, `rejected` and `returned` become
    `taken_up` when a later advice carries their amount. `settled` needs no transfer: what the structure owed back paid it whole.
    """

    HELD = "held"
    DUE = "due"
    IN_FILE = "in_file"
    PAID = "paid"
    REJECTED = "rejected"
    RETURNED = "returned"
    TAKEN_UP = "taken_up"
    SETTLED = "settled"


class PaymentFileKind(StrEnum):
    """A file that leaves: transfers for a bank, in one of two versions, or what a public accountant pays by."""

    TRANSFERS = "pain.001.001.09"
    OLD_TRANSFERS = "pain.001.001.03"
    LIQUIDATION_CSV = "liquidation_csv"
    LIQUIDATION_JSON = "liquidation_json"
    LIQUIDATION_PDF = "liquidation_pdf"
    SUPPORTING_CSV = "supporting_csv"


class BankFileKind(StrEnum):
    """What came in: the bank's statements, its reports on our files, the return file of a public accountant."""

    STATEMENT = "statement"
    REPORT = "report"
    ACCOUNTANT_RETURN = "accountant_return"


class LineOrigin(StrEnum):
    """Who says a booked line, and how it is told apart: by the bank's own reference (`named`), by what a camt file says of it
    (`unnamed`) or by its CFONB record, none of which shares a key; or a public accountant's return file said it first.
    """

    NAMED = "named"
    UNNAMED = "unnamed"
    CFONB = "cfonb"
    ACCOUNTANT = "accountant"


class LineNature(StrEnum):
    """Where an advice's amount comes from; the source is a period, an advice, a dispute, or a recovery (the last two).

    `netted` takes an overpayment away; `restored` gives it back, when the advice is set aside before it leaves.
    """

    PERIOD = "period"
    CARRIED_OVER = "carried_over"
    RELEASED = "released"
    NETTED = "netted"
    RESTORED = "restored"
