"""Rules of the books that came after some of them were written: what was written before stays, and its checks leave it alone."""

from typing import Any

from sqlalchemy import ColumnElement, or_, select

from voucher.ledger.model import RuleStart

BANK_DAY = "bank_day"
"""What a bank line causes takes effect on the bank's booking date (migration 0018)."""

CLOSE_CHECKS = "close_checks"
"""Two people sign a list before a year is closed (migration 0022)."""

RULE_WORDS = {BANK_DAY: "jour de la banque", CLOSE_CHECKS: "liste avant une clôture"}
"""Each rule in French."""


def written_under(rule: str, instant: Any) -> ColumnElement[bool]:
    """Return the condition that what was written at an instant was under a rule: always, where nothing was written before it."""
    start = select(RuleStart.written_until).where(RuleStart.rule == rule).scalar_subquery()
    return or_(start.is_(None), instant > start)
