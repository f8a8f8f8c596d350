"""Which tables the audit archive gives, which of their columns it keeps back, and which tables it leaves out, each with its reason.

What is given lets a stranger recompute every balance and every promise. What would let somebody forge a code, read a
person's life or take money is not in it. Staff are ids without a name: four eyes can be counted, nobody can be named. A test
holds this list against all tables of the house, and its columns against words that tell of secrets and persons.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Column, Table

import voucher.models  # noqa: F401 - every room's tables enter Base.metadata
from voucher.kernel.database import Base

LEDGER: Mapping[str, frozenset[str]] = {
    "account": frozenset(),
    "seal": frozenset(),
    "entry": frozenset(),
    "movement": frozenset(),
    "checkpoint": frozenset(),
}
"""The journal and its proof: what an archive up to a day holds too. Each table with the columns kept back."""

STATE: Mapping[str, frozenset[str]] = {
    "funder": frozenset(),
    "envelope": frozenset(),
    "issuer": frozenset({"contact_email", "contact_phone"}),
    "paying_account": frozenset({"holder_name", "iban", "bic"}),
    "agreement": frozenset(),
    "agreement_share": frozenset(),
    "commitment": frozenset(),
    "credit": frozenset(),
    "issuer_key": frozenset({"sealed_private_key"}),
    "serial_counter": frozenset(),
    "issue_batch": frozenset(),
    "batch_share": frozenset(),
    # With the tag or the signature of a voucher anybody could print it.
    "booklet": frozenset({"tag", "signature"}),
    "voucher": frozenset({"tag", "signature"}),
    "handover": frozenset(),
    "stop_order": frozenset(),
    "stock_void": frozenset(),
    "stock_slip": frozenset(),
    "lapse": frozenset(),
    "structure": frozenset({"contact_email", "state_reason"}),
    "period": frozenset(),
    # Who stood at the counter is not needed to count what was used there.
    "redemption": frozenset({"fingerprint", "mediator_id"}),
    "redeemed_voucher": frozenset(),
    "settlement_batch": frozenset(),
    # Bank details: a structure may be one person. The advice's reference stands in the bank's own file.
    "payment_advice": frozenset({"holder_name", "iban", "bic"}),
    "advice_line": frozenset(),
    "payment_hold": frozenset({"reason", "lift_reason"}),
    "dispute": frozenset({"facts", "decision"}),
    "overpayment": frozenset({"write_off_reason"}),
    "recovery": frozenset(),
    # The bytes are the bank's business: the archive gives their SHA-256 and each transfer's reference and amount.
    "payment_file": frozenset({"content"}),
    "bank_file": frozenset({"content"}),
    "bank_statement": frozenset(),
    "bank_line": frozenset({"counterparty", "counterparty_iban", "remittance", "note"}),
    "fiscal_year": frozenset(),
    "opening_balance": frozenset(),
}
"""The facts that the journal tells, as they stand when the archive is made."""

LEFT_OUT: Mapping[str, str] = {
    "seal_node": "recomputed from the seals",
    "bank_details": "bank details; each payment names its structure",
    "prescriber": "who hands over is no part of the money's proof; contacts of persons",
    "place": "published as open data; a redemption names its structure",
    "places_import": "no money",
    "refused_attempt": "nothing happened; what was typed may be half a code",
    "staff_account": "persons, and what their passwords are checked with",
    "role_grant": "persons",
    "staff_session": "keys of sessions that are open",
    "audit_line": "who looked at what: persons; the auditor reads it in the application",
}

SEPARATE = frozenset({"entry", "movement", "seal", "checkpoint"})
"""Tables whose rows are given in the seals' order, by queries of their own."""


def given_columns(name: str) -> Iterator[Column[object]]:
    """Give the columns of a table that the archive holds."""
    kept_back = {**LEDGER, **STATE}[name]
    yield from (column for column in table_of(name).columns if column.name not in kept_back)


def table_of(name: str) -> Table:
    """Return a table by its name."""
    return Base.metadata.tables[name]
