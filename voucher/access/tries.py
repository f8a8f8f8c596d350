"""What is guessed at: passwords, codes. Counted before they are looked at, so that tries sent together are all counted.

    one = begin_try(database, Guess.CODE, str(account_id), visit=visit, account_id=account_id, now=now)    raises TooManyTries
    …                                                                                  look at what was typed
    was_right(session, one)                                       it was right: in the transaction that lets the person in

A stranger's tries make the next one wait, longer and longer, by the account that is tried and by the address that tries: whoever
has no account too, so that a wait tells nothing. A browser in which the person signed in before has a count of its own: whatever
strangers try, it passes. Nobody is locked out by another (ADR 39).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.browsers import known_browser
from voucher.access.visits import Visit
from voucher.kernel.database import Database
from voucher.kernel.money import NO_BREAK_SPACE
from voucher.kernel.refusals import Refused
from voucher.kernel.tries import GrowingDelay

_MINUTE = timedelta(minutes=1)
ACCOUNT_WAITS = (
    timedelta(), timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=15),
    2 * _MINUTE, 6 * _MINUTE, 18 * _MINUTE, 54 * _MINUTE, 90 * _MINUTE,
)  # fmt: skip
"""CNIL 2022-100, case 2: more than a minute after five failures, growing, 25 tries at most in 24 hours."""

ADDRESS_FREE_COUNT = 20
ADDRESS_WAITS = (*[timedelta()] * (ADDRESS_FREE_COUNT - 1), *(timedelta(seconds=2**n) for n in range(9)), 5 * _MINUTE)
"""An office shares one address: it may mistype twenty times. Whoever goes on tries one account after the other."""

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SECONDS_OF_A_MINUTE = 60


class Guess(StrEnum):
    """What is tried; each is counted apart."""

    PASSWORD = "password"  # noqa: S105 - what is tried, at the sign-in
    AGAIN = "again"  # the password or a code, by who is signed in
    CODE = "code"  # the code of an application, after the password
    RECOVERY = "recovery"
    FORGOTTEN = "forgotten"  # whose address is asked a link for
    LINK = "link"  # an address of a one-time link


TOO_MANY = "too_many_tries"
"""The refusal of a try that was not looked at."""


class TooManyTries(Refused):
    """It was tried too often: nothing was looked at. `seconds` say when to come back; `by_account`: this account, not this network."""

    def __init__(self, until: datetime, now: datetime, *, by_account: bool) -> None:
        self.by_account = by_account
        self.seconds = max(1, -int((now - until).total_seconds() // 1))
        super().__init__(TOO_MANY, f"Trop d’essais de suite. Attendez {_in_words(self.seconds)}, puis recommencez.")


@dataclass(frozen=True, slots=True)
class Try:
    """A try that was counted, and where: what is cleared when it was right, and what is only given back."""

    cleared: tuple[tuple[GrowingDelay, str], ...]
    given_back: tuple[tuple[GrowingDelay, str], ...] = ()


def begin_try(
    database: Database, guess: Guess, whose: str | None, *, visit: Visit, account_id: UUID | None = None, now: datetime
) -> Try:
    """Count a try, committed before its answer is looked at. Raises TooManyTries: it comes too early, and is counted nowhere.

    `whose` names the account: its id, or the address typed, which may be nobody's; None where what is tried names none.
    `account_id`: the account, where there is one, whose browsers pass.
    """
    with database.write() as session:
        browser_id = known_browser(session, account_id, visit)
        if browser_id is not None:
            one = Try(((_delay(guess, "browser"), str(browser_id)),))
        else:
            one = Try(
                ((_delay(guess, "account"), _hidden(whose)),) if whose is not None else (),
                ((_delay(guess, "network", ADDRESS_WAITS, HOUR), visit.address),) if visit.address else (),
            )
        for delay, key in (*one.cleared, *one.given_back):
            if (until := delay.take(session, key, now)) is not None:
                raise TooManyTries(until, now, by_account=(delay, key) in one.cleared)
    return one


def was_right(session: Session, one: Try) -> None:
    """Forget what was counted, inside the caller's transaction: it was no wrong guess.

    Of an address one try alone is forgotten: whoever has an account here does not try those of others with it.
    """
    for delay, key in one.cleared:
        delay.clear(session, key)
    for delay, key in one.given_back:
        delay.uncount(session, key)


def note_failure(database: Database, account_id: UUID | None, now: datetime) -> None:
    """Leave a line in the trail: a password was wrong; whose is not said where the address typed is nobody's."""
    with database.write() as session:
        note(session, account_id, "sign_in_failed", "", now)


def _delay(
    guess: Guess, by: str, waits: tuple[timedelta, ...] = ACCOUNT_WAITS, forget: timedelta = DAY
) -> GrowingDelay:
    return GrowingDelay(f"{guess} by {by}", waits, forget)


def _hidden(whose: str) -> str:
    """Return a key of fixed length that does not keep an address that may be nobody's here."""
    return hashlib.sha256(whose.strip().lower().encode()).hexdigest()


def _in_words(seconds: int) -> str:
    if seconds < 2 * SECONDS_OF_A_MINUTE:
        return f"{seconds}{NO_BREAK_SPACE}seconde{'s' if seconds > 1 else ''}"
    return f"{-(-seconds // SECONDS_OF_A_MINUTE)}{NO_BREAK_SPACE}minutes"
