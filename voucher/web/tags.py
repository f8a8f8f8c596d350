"""Tags of pages: the word of a state, as its room says it, with the kind of tag that draws it (`ui.tag`).

Rooms know states and words; which one is green or has a cross is said here alone.
"""

from collections.abc import Mapping
from typing import Any

from voucher.access.words import OUTCOMES
from voucher.distribution.words import BOOKLET_STATES
from voucher.funding.read import STATES as CALL_STATES
from voucher.mail.read import STATE_WORDS as MESSAGE_STATES
from voucher.redemption.read import STANDINGS
from voucher.settlement.batches.read_deputies import DEPUTY_STATES
from voucher.settlement.deadlines.payment_deadlines import STAGE_WORDS
from voucher.settlement.reports.read_duplicates import DUPLICATE_STANDINGS
from voucher.settlement.reports.read_payees import PAYEE_WORDS
from voucher.settlement.words.labels import ADVICE_STATES, BATCH_STATES, DISPUTE_STATES, OVERPAYMENT_STATES

Tags = Mapping[str | None, tuple[str, str]]


def _tags(words: Mapping[Any, str], **kinds: str) -> Tags:
    """Return the tag of each state, by the value that the database and addresses hold; every state must have its kind."""
    found = {state if state is None else str(state): word for state, word in words.items()}
    return {state: (word, kinds[(state or "none").replace("-", "_")]) for state, word in found.items()}


BATCH_TAGS = _tags(BATCH_STATES, frozen="wait", approved="wait", exported="info", closed="success")
ADVICE_TAGS = _tags(
    ADVICE_STATES,
    held="warn",
    due="wait",
    in_file="info",
    paid="success",
    rejected="danger",
    returned="danger",
    taken_up="neutral",
    settled="success",
)
DEPUTY_TAGS = _tags(
    DEPUTY_STATES,
    waiting="wait",
    coming="neutral",
    lasting="success",
    over="neutral",
    ended="neutral",
    refused="neutral",
)
DISPUTE_TAGS = _tags(DISPUTE_STATES, open="wait", dismissed="success", upheld="warn")
OVERPAYMENT_TAGS = _tags(
    OVERPAYMENT_STATES, open="wait", due="warn", claimed="info", settled="success", written_off="neutral"
)
PAYEE_TAGS = _tags(PAYEE_WORDS, RCVC="success", RVMC="warn", RVNM="danger", RVNA="neutral", RVCM="warn", RVNC="wait")
DUPLICATE_TAGS = _tags(
    DUPLICATE_STANDINGS,
    contrary="danger",
    one_of_two="wait",
    unanswered="warn",
    debited="success",
    stands="info",
    never_came="neutral",
    failed="neutral",
)
STAGE_TAGS = _tags(
    STAGE_WORDS,
    en_cours="neutral",
    a_arreter="wait",
    a_valider="wait",
    a_transmettre="wait",
    transmis="info",
    refuse="danger",
    en_attente="warn",
)
MESSAGE_TAGS = _tags(MESSAGE_STATES, attente="wait", nouvel_essai="warn", envoye="success", abandonne="danger")
CHANGE_TAGS = _tags(
    OUTCOMES, none="wait", confirmed="success", refused="neutral", dropped="neutral", alone="neutral", before="neutral"
)
CALL_TAGS = _tags(CALL_STATES, called="wait", partly_paid="info", paid="success", cancelled="neutral", overdue="danger")
BOOKLET_TAGS = _tags(BOOKLET_STATES, issued="info", handed_over="success", stopped="danger", void="neutral")
REDEMPTION_TAGS = _tags(STANDINGS, confirmed="success", disputed="warn", reversed="neutral", undone="neutral")
