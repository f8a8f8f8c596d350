"""What a person is told by e-mail of what was done on their account. No secret is ever here: a link is made when it is sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from voucher.access.rules import LINK_LIVES, LinkPurpose, Origin
from voucher.kernel.identifiers import new_id
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import Letter, queue

NOT_YOU = "Si ce n’est pas ce que vous attendiez, prévenez tout de suite la personne qui gère le programme."
SIGN_IN_PATH = "/personnes/connexion"
MADE_WHEN_SENT = ""
"""The path of a message whose link is made when it leaves."""


def write_to_person(
    session: Session,
    *,
    email: str,
    name: str,
    about_id: UUID,
    subject: str,
    sentence: str,
    now: datetime,
    path: str = SIGN_IN_PATH,
) -> None:
    """Tell a person what was done; `about_id` is a fact that is told once, `path` the page to open next."""
    body = f"Bonjour {name},\n\n{sentence}\n\n{NOT_YOU}"
    queue(
        session,
        [
            Letter(
                kind=LetterKind.ACCOUNT_NEWS,
                about_id=about_id,
                issuer_id=None,
                recipient=email,
                subject=subject,
                body=body,
                path=path,
            )
        ],
        now,
    )


def tell_second_people(session: Session, people: Sequence[tuple[str, str]], whose: str, now: datetime) -> None:
    """Tell each of `people` (address, name) that a demand on the account of `whose` waits for one of them."""
    letters = [
        Letter(
            kind=LetterKind.ACCOUNT_TO_CONFIRM,
            about_id=new_id(),
            issuer_id=None,
            recipient=email,
            subject="une demande attend votre confirmation",
            body=f"Bonjour {name},\n\nUne demande sur le compte de {whose} attend une seconde personne du programme. Vérifiez-la"
            " auprès de la personne, puis confirmez ou refusez.",
            path="/personnes/a-confirmer",
        )
        for email, name in people
    ]
    queue(session, letters, now)


def send_link(
    session: Session, link_id: UUID, *, purpose: LinkPurpose, asked_from: Origin, email: str, name: str, now: datetime
) -> None:
    """Put into the outbox which link is to be made, and for whom."""
    life = _words(LINK_LIVES[purpose])
    if purpose is LinkPurpose.INVITATION:
        subject = "choisissez votre mot de passe"
        asked = "Un compte vous attend. Choisissez votre mot de passe avec le lien ci-dessous, puis connectez-vous."
    elif asked_from is Origin.PERSON:
        subject = "un nouveau mot de passe"
        asked = "Vous avez demandé un nouveau mot de passe. Choisissez-le avec le lien ci-dessous."
    else:
        subject = "un nouveau mot de passe"
        asked = "La personne qui gère le programme vous envoie de quoi choisir un nouveau mot de passe, avec le lien ci-dessous."
    rest = f"Ce lien sert une fois, pendant {life}. Ne le transmettez à personne : il ouvre votre compte."
    if asked_from is Origin.PERSON:
        not_asked = "Vous n’avez rien demandé ? Ne faites rien : votre mot de passe reste le même."
    else:
        not_asked = NOT_YOU
    body = f"Bonjour {name},\n\n{asked}\n\n{rest}\n\n{not_asked}"
    queue(
        session,
        [
            Letter(
                kind=LetterKind.ACCOUNT_LINK,
                about_id=link_id,
                issuer_id=None,
                recipient=email,
                subject=subject,
                body=body,
                path=MADE_WHEN_SENT,
            )
        ],
        now,
    )


def _words(life: timedelta) -> str:
    return f"{life.days} jours" if life.days > 1 else f"{life // timedelta(hours=1)} heures"
