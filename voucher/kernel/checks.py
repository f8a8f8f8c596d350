"""What a check of `voucher verify` returns: each violation of an invariant, with the row that shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that the database does not keep. `check` names the promise, `subject` the row, `detail` says the figures."""

    check: str
    subject: str
    detail: str
