"""Codes tried after a right password: counted before they are looked at, by person and by network, in the shared store.

Whoever comes this far knows the password: a person whose codes are tried too often is told so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from voucher.access.audit import note
from voucher.access.letters import write_to_person
from voucher.access.model import StaffAccount
from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.kernel.tries import Limit

TOO_MANY = "too_many_codes"
"""The refusal of a code that was not looked at."""

_BY_NETWORK = Limit("codes/network", count_max=30, window=timedelta(minutes=10))
_TOLD = Limit("codes/told", count_max=1, window=timedelta(days=1))


@dataclass(frozen=True, slots=True)
class CodeTries:
    """How often one person's codes of a kind may be tried: a few in a quarter of an hour, and a few more in a day.

    Twenty in a day leave whoever has the password one chance in 16,000 to meet one of the three codes of six digits that are good.
    """

    name: str

    def count(self, database: Database, account_id: UUID, network: str, now: datetime) -> None:
        """Count a try. Raises Refused where it may not be made; then the person is told, once a day."""
        for limit, key, wait in self._limits(account_id, network):
            if not limit.take(database, key, now):
                if limit is not _BY_NETWORK:
                    _tell(database, account_id, now)
                raise Refused(TOO_MANY, f"Trop d’essais. Ce code n’a pas été regardé. {wait}")

    def forget(self, database: Database, account_id: UUID, network: str, now: datetime) -> None:
        """Forget one try: it was right."""
        for limit, key, _ in self._limits(account_id, network):
            limit.uncount(database, key, now)

    def _limits(self, account_id: UUID, network: str) -> tuple[tuple[Limit, str, str], ...]:
        quarter = Limit(f"{self.name}/quarter", count_max=5, window=timedelta(minutes=15))
        day = Limit(f"{self.name}/day", count_max=20, window=timedelta(days=1))
        return (
            (_BY_NETWORK, network, "Attendez dix minutes, puis recommencez."),
            (quarter, str(account_id), "Attendez un quart d’heure, puis recommencez."),
            (day, str(account_id), "Recommencez demain, ou voyez « Téléphone perdu »."),
        )


def note_wrong_code(database: Database, account_id: UUID, what: str, now: datetime) -> None:
    """Leave a line in the trail: a code was wrong, after a right password."""
    with database.write() as session:
        note(session, account_id, "code_failed", what, now)


def _tell(database: Database, account_id: UUID, now: datetime) -> None:
    if not _TOLD.take(database, str(account_id), now):
        return
    with database.write() as session:
        person = session.execute(
            select(StaffAccount.email, StaffAccount.name).where(StaffAccount.id == account_id)
        ).one()
        line_id = note(session, account_id, "codes_limited", "", now)
        write_to_person(
            session,
            email=person.email,
            name=person.name,
            about_id=line_id,
            subject="des codes faux sont essayés sur votre compte",
            sentence=(
                f"Quelqu’un a donné votre mot de passe, puis trop de codes faux, le {french_instant(now)}. Si ce n’est pas vous,"
                " changez votre mot de passe avec « Mot de passe oublié »."
            ),
            now=now,
        )
