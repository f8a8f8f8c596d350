"""What our e-mails tell."""

from enum import StrEnum


class LetterKind(StrEnum):
    """What an e-mail tells: each room writes its own, and adds their kinds here."""

    ACCOUNT_LINK = "account_link"
    ACCOUNT_NEWS = "account_news"
    ACCOUNT_TO_CONFIRM = "account_to_confirm"
    DEPUTY_NAMED = "account_deputy_named"
    DEPUTY_TO_ACCEPT = "account_deputy_to_accept"
    DEPUTY_DECIDED = "account_deputy_decided"
    DEPUTY_DECIDED_TOO = "account_deputy_decided_too"  # the same, told to the other of the two
    DEPUTY_ENDED = "account_deputy_ended"
    DEPUTY_ENDED_TOO = "account_deputy_ended_too"
    DEPUTY_APPROVED = "account_deputy_approved"
    ADDRESS_CHANGED = "address_changed"
    RIB_RECORDED = "rib_recorded"
    RIB_CONFIRMED = "rib_confirmed"
    RIB_DISMISSED = "rib_dismissed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_DECIDED = "dispute_decided"
    ADVICE_SENT = "advice_sent"
    ADVICE_REJECTED = "advice_rejected"
    ADVICE_RETURNED = "advice_returned"
    PAYMENT_LETTER = "payment_letter"
