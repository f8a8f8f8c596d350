"""`voucher verify`: every check of every room, over the database as it stands. It changes nothing."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voucher.access import checks as access
from voucher.accounting import checks as accounting
from voucher.distribution import checks as distribution
from voucher.funding import checks as funding
from voucher.issuing import checks as issuing
from voucher.issuing.checks_signatures import Sample, draw_sample
from voucher.kernel.checks import Check, Violation
from voucher.kernel.database import Database, expect_whole_tables
from voucher.ledger import checks as ledger
from voucher.ledger import checks_seals as seals
from voucher.ledger.checks_seals import Witness, hear_witness
from voucher.mail import checks as mail
from voucher.network import checks as network
from voucher.programme import checks as programme
from voucher.redemption import checks as redemption
from voucher.reporting import checks as reporting
from voucher.reporting.names import in_words
from voucher.settlement.checks import batches as settlement
from voucher.trail import checks as trail

ROOMS: Sequence[tuple[str, Sequence[Check]]] = (
    ("ledger", (*ledger.CHECKS, *seals.CHECKS)),
    ("access", access.CHECKS),
    ("trail", trail.CHECKS),
    ("mail", mail.CHECKS),
    ("programme", programme.CHECKS),
    ("funding", funding.CHECKS),
    ("network", network.CHECKS),
    ("issuing", issuing.CHECKS),
    ("distribution", distribution.CHECKS),
    ("redemption", redemption.CHECKS),
    ("settlement", settlement.CHECKS),
    ("accounting", accounting.CHECKS),
    ("reporting", reporting.CHECKS),
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check that was run: its room, its sentence, what it found, how long it took."""

    room: str
    sentence: str
    violations: tuple[Violation, ...]
    seconds: float


def verify(database: Database, witness: Witness | None = None, sample: Sample | None = None) -> Iterator[CheckResult]:
    """Run all checks in the rooms' order, over one state of the database; each result is given as it comes, in words.

    A witness says what is known of the sealed journal from outside: the programme's key, checkpoints that left the house. The
    sample says whose signatures are read: a day's part of the codes, or all.
    """
    with database.read() as session:
        hear_witness(session, witness or Witness())
        draw_sample(session, sample or Sample())
        expect_whole_tables(session)
        for room, checks in ROOMS:
            for check in checks:
                started = time.perf_counter()
                violations = in_words(session, check(session))
                sentence = (check.__doc__ or check.__name__).strip().splitlines()[0]
                yield CheckResult(room, sentence, violations, time.perf_counter() - started)
