"""Recovery codes: ten, shown once to be printed, each good once, for the day a phone is lost.

`AB3D K7QM 2XTR` is sixty bits of Crockford's Base32; what is stored is its beginning, which finds it, and its argon2id hash.
"""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update

from voucher.access.audit import note
from voucher.access.factors.held import has_second_factor, live_code, refuse_without_proof
from voucher.access.factors.tries import begin_code, note_wrong_code
from voucher.access.find import locked_open_account
from voucher.access.letters import write_to_person
from voucher.access.model import RecoveryCode
from voucher.access.passwords import hash_password, is_password
from voucher.access.sessions import NOWHERE, WAITING_OVER, Viewer, Visit, hold_session, open_waiting
from voucher.access.tries import Guess, was_right
from voucher.kernel.base32 import ALPHABET, as_printed
from voucher.kernel.calendar import french_instant
from voucher.kernel.characters import compact
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused

CODE_COUNT = 10
CHARACTERS = 12
FEW = 3
"""From how many left a person is asked to print new ones."""

_BEGINNING = 4


def new_codes(database: Database, viewer: Viewer, *, now: datetime) -> list[str]:
    """Return ten new codes of twelve characters; those before serve no more. Raises Refused for who has no second factor, or is no more signed in."""
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS)) for _ in range(CODE_COUNT)]
    hashes = [hash_password(code) for code in codes]  # slow on purpose: nobody waits for it with the writer's turn
    with database.write() as session:
        account = locked_open_account(session, viewer.account_id)
        refuse_without_proof(session, account.id, door=viewer.door, is_strong=viewer.is_strong)
        hold_session(session, viewer)
        if not has_second_factor(session, account.id):
            raise Refused(
                "no_factor",
                "Ajoutez d’abord une clé d’accès ou une application de codes : les codes de secours la remplacent.",
            )
        session.execute(update(RecoveryCode).where(live_code(account.id)).values(ended_at=now))
        session.execute(
            insert(RecoveryCode),
            [
                {
                    "id": new_id(),
                    "account_id": account.id,
                    "beginning": code[:_BEGINNING],
                    "code_hash": hashed,
                    "made_at": now,
                }
                for code, hashed in zip(codes, hashes, strict=True)
            ],
        )
        line_id = note(session, account.id, "codes_made", "", now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="vos codes de secours sont faits",
            sentence=f"Dix codes de secours ont été faits pour votre compte le {french_instant(now)}. Ceux d’avant ne servent plus.",
            now=now,
        )
    return codes


def show_recovery_code(
    database: Database, account_id: UUID, token: str, typed: str, *, now: datetime, visit: Visit = NOWHERE
) -> tuple[str, int]:
    """Open the session that waits with a recovery code; return the open one's token and how many codes are left.

    Raises Refused, and then the session still waits: TooManyTries, or a code that is wrong or has served, in the same words.
    """
    code = as_printed(compact(typed))
    if len(code) != CHARACTERS:
        raise Refused("not_a_code", "Un code de secours a douze lettres et chiffres. Écrivez-le en entier.", "code")
    one = begin_code(database, Guess.RECOVERY, account_id, visit, now)
    with database.read() as session:
        rows = session.execute(
            select(RecoveryCode.id, RecoveryCode.code_hash).where(
                live_code(account_id), RecoveryCode.beginning == code[:_BEGINNING]
            )
        ).all()
    right = [row.id for row in rows if is_password(row.code_hash, code)]
    if not rows:
        is_password(None, code)  # a code that nothing begins like takes as long
    wrong = Refused("wrong_code", "Ce code ne va pas, ou il a déjà servi. Prenez le suivant de votre feuille.", "code")
    if not right:
        note_wrong_code(database, account_id, "code de secours", now)
        raise wrong
    with database.write() as session:
        account = locked_open_account(session, account_id)
        use = update(RecoveryCode).where(live_code(account_id), RecoveryCode.id == right[0])
        if changed(session, use.values(used_at=now)) == 0:
            raise wrong
        opened = open_waiting(session, token, "code de secours", now=now, visit=visit)
        if opened is None:
            raise Refused("waiting_over", WAITING_OVER)
        was_right(session, one)
        left = session.scalar(select(func.count()).select_from(RecoveryCode).where(live_code(account_id))) or 0
        line_id = note(session, account_id, "recovery_code_used", f"il en reste {left}", now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="un code de secours a servi",
            sentence=f"Un code de secours a ouvert votre compte le {french_instant(now)}. Il vous en reste {left}.",
            now=now,
        )
    return opened, left
