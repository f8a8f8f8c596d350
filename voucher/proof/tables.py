"""Which tables the audit archive gives, which of their columns it keeps back, and which tables it leaves out, each with its reason.

What is given lets a stranger recompute every balance and every promise. What would let somebody forge a code, read a
person's life or take money is not in it. Staff are ids without a name: four eyes can be counted, nobody can be named. A test
holds this list against all tables of the house, and its columns against words that tell of secrets and persons.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Column, Table

from voucher.business_models import Base

LEDGER: Mapping[str, frozenset[str]] = {
    "account": frozenset(),
    "seal": frozenset(),
    "entry": frozenset(),
    "movement": frozenset(),
    "checkpoint": frozenset(),
    "seal_handover": frozenset(),
    # Hashes of lines, not the lines: with a line's id, who guesses the rest could see that they guessed right.
    "trail_seal": frozenset({"line_id"}),
    "trail_checkpoint": frozenset({"peaks"}),
}
"""The journal and its proof: what an archive up to a day holds too. Each table with the columns kept back."""

STATE: Mapping[str, frozenset[str]] = {
    "funder": frozenset(),
    "envelope": frozenset(),
    "issuer": frozenset({"contact_email", "contact_phone"}),
    "paying_account": frozenset({"holder_name", "iban", "bic"}),
    "agreement": frozenset(),
    "agreement_share": frozenset(),
    "past_share": frozenset(),
    "share_ending": frozenset(),
    "share_ending_part": frozenset(),
    "kept_part": frozenset(),
    "credit_release": frozenset(),
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
    "approver_deputy": frozenset(),
    "settlement_batch": frozenset(),
    # Bank details: a structure may be one person. The advice's reference stands in the bank's own file.
    "payment_advice": frozenset({"holder_name", "iban", "bic"}),
    "payment_event": frozenset(),
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
    "bank_match": frozenset({"why", "undone_reason"}),
    "line_proposal": frozenset({"reason"}),
    "line_refund": frozenset({"holder_name", "iban", "file_content"}),
    "transfer_report": frozenset({"words"}),
    "duplicate_answer": frozenset({"reason", "withdrawn_reason"}),
    "funds_call": frozenset(),
    "funds_call_use": frozenset(),
    "funds_receipt": frozenset(),
    "funding_close": frozenset(),
    "advance_refund": frozenset(),
    "advance_return": frozenset(),
    "funding_document": frozenset({"content"}),
    "backing_figure": frozenset(),
    "backing_line": frozenset(),
    "revenue_order": frozenset({"pdf", "csv"}),
    "annual_account": frozenset({"content"}),
    "stock_count": frozenset(),
    "stock_count_gap": frozenset(),
    "fiscal_year": frozenset(),
    "opening_balance": frozenset(),
    "close_check": frozenset(),
    "rule_start": frozenset(),
}
"""The facts that the journal tells, as they stand when the archive is made."""

LEFT_OUT: Mapping[str, str] = {
    "line_note": "what people write to each other beside a bank line; no money moves by it",
    "matching_letter": "letters put on the movements of an account; no money moves by them",
    "lettered_movement": "the same",
    "lettered_period": "the same",
    "letter_undone": "the same",
    "bank_set_aside": "what a bank file held that is counted nowhere; words of the bank's file",
    "outbox_message": "e-mails: persons",
    "payment_letter": "e-mails that persons wrote to structures",
    "seal_node": "recomputed from the seals",
    "bank_details": "bank details; each payment names its structure",
    "prescriber": "who hands over is no part of the money's proof; contacts of persons",
    "place": "published as open data; a redemption names its structure",
    "places_import": "no money",
    "refused_attempt": "nothing happened; what was typed may be half a code",
    "try_count": "guesses counted for some minutes; nothing happened",
    "wrong_codes": "wrong codes typed, by hour: an alarm; nothing happened",
    "staff_account": "persons, and what their passwords are checked with",
    "role_grant": "persons",
    "staff_session": "keys of sessions that are open",
    "staff_browser": "persons: browsers in which they signed in before",
    "staff_network": "persons: networks from which they signed in before",
    "passkey": "persons: what their passkeys are checked with",
    "totp_device": "secrets of persons",
    "recovery_code": "what codes of persons are checked with",
    "provider_identity": "persons: who they are at an identity provider",
    "sign_in_step": "sign-ins that were begun and not ended",
    "account_link": "persons: who was sent a link to choose a password",
    "link_secret": "what such links are checked with",
    "account_change": "persons: who asked and confirmed their roles and addresses; the auditor reads it in the application",
    "audit_line": "who looked at what: persons; trail_seal has the digest of each line, the auditor reads it in the application",
}

SEPARATE = frozenset({"entry", "movement", "seal", "checkpoint", "trail_seal", "trail_checkpoint"})
"""Tables whose rows are given in the seals' order, by queries of their own."""


def given_columns(name: str) -> Iterator[Column[object]]:
    """Give the columns of a table that the archive holds."""
    kept_back = {**LEDGER, **STATE}[name]
    yield from (column for column in table_of(name).columns if column.name not in kept_back)


def table_of(name: str) -> Table:
    """Return a table by its name."""
    return Base.metadata.tables[name]
