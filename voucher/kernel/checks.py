"""What a check of `voucher verify` returns: each violation of an invariant, with the row that shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that the database does not keep. `check` names the promise, `subject` the row, `detail` says the figures."""

    check: str
    subject: str
    detail: str


Check = Callable[[Session], list[Violation]]
"""A check only reads. The first line of its docstring is the promise, in French: `voucher verify` prints it."""
