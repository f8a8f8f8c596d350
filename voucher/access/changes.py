"""Roles given, addresses changed, second factors reset: at once, or, where one person could become two, once a second person confirmed
(ADR 20, ADR 35).

Somebody of the programme asks; another one of the programme confirms. Where the programme has nobody else, a command on the
host stands in (`stand_in`). All of it takes turns, so that who may confirm does not change meanwhile.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.orm import Session

from voucher.access.audit import note
from voucher.access.factors.held import does_provider_open, has_second_factor
from voucher.access.factors.reset import RESET, reset_factors
from voucher.access.find import (
    counts_among_two,
    has_way_in,
    locked_open_account,
    new_address,
    refuse_known_address,
    take_turn_on_accounts,
)
from voucher.access.grants import give, holds_on, refuse_grant, until
from voucher.access.letters import tell_second_people, write_to_person
from voucher.access.links import end_links, end_password, is_password_own, queue_link
from voucher.access.model import AccountChange, RoleGrant, StaffAccount
from voucher.access.provider.identities import end_identity
from voucher.access.rules import (
    ROLE_NAMES,
    SCOPED_ROLES,
    TWO_PEOPLE_ROLES,
    UNSCOPED_ROLES,
    ChangeKind,
    ChangeOutcome,
    LinkEnd,
    Origin,
    Role,
)
from voucher.kernel.calendar import french_instant, not_before, paris_day
from voucher.kernel.database import Database, changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused

Account = Row[*tuple[Any, ...]]


def grant_role(
    database: Database,
    account_id: UUID,
    role: Role,
    scope_id: UUID | None,
    *,
    by: UUID | None,
    now: datetime,
    until_on: date | None = None,
) -> UUID | None:
    """Give a role within a scope, to the end of a day or until it is taken away. Return None when it is given, or the id of the change that waits for a second person.

    `by` None is the host, which gives at once what nobody of the programme could confirm: the first accounts. Raises Refused
    when the role excludes one already held, the scope does not fit, or the same change waits already.
    """
    if role in SCOPED_ROLES and scope_id is None:
        raise Refused("scope_missing", f"Le rôle « {ROLE_NAMES[role]} » demande un organisme. Choisissez-le.", "scope")
    if role in UNSCOPED_ROLES and scope_id is not None:
        raise Refused("scope_unwanted", f"Le rôle « {ROLE_NAMES[role]} » vaut pour tout le programme.", "scope")
    with database.write() as session:
        take_turn_on_accounts(session)
        account = locked_open_account(session, account_id)
        refuse_grant(session, account_id, role, scope_id, until_on, now)
        given: dict[str, Any] = {"role": role, "scope_id": scope_id, "until_on": until_on}
        if role not in TWO_PEOPLE_ROLES:
            give(session, account, **given, change_id=None, by=by, now=now)
            return None
        change_id = _ask(session, account, ChangeKind.ROLE, by, now, given)
        if by is None and not _second_people(session, None, now):
            _decide(session, change_id, ChangeOutcome.CONFIRMED, Origin.HOST, None, now)
            give(session, account, **given, change_id=change_id, by=None, now=now)
            return None
        note(session, by, "role_asked", f"{account.email} : {ROLE_NAMES[role]}{until(until_on)}", now)
        return change_id


def change_address(
    database: Database, account_id: UUID, email: str, *, by: UUID | None, now: datetime, is_deputy: bool = False
) -> UUID | None:
    """Change an account's address. Return None when it is done, or the id of the change that waits for a second person.

    It waits where the person holds, or ever held, a role of `TWO_PEOPLE_ROLES`, or was ever named an approver's deputy (`is_deputy`,
    which the caller knows): taking the address is taking the account. It waits too where the person has a second factor, which ends
    with the old address: that takes two. Asked by its own person (`by`), it always waits.
    Done by one person alone, it ends the password and ProConnect too: who read the old address may know it, and the new one gets a link. Links that
    were sent serve no more, and the old address is told. Raises Refused.
    """
    wanted = new_address(email)
    with database.write() as session:
        take_turn_on_accounts(session)
        account = locked_open_account(session, account_id)
        if wanted == account.email:
            raise Refused("same_address", "Ce compte a déjà cette adresse. Écrivez la nouvelle.", "email")
        refuse_known_address(session, wanted)
        takes_two = is_deputy or counts_among_two(session, account_id) or has_second_factor(session, account_id)
        if by != account_id and not takes_two:
            end_password(session, account.id, now)
            end_identity(session, account.id, now)
            _put_address(session, account, wanted, by, now)
            session.execute(
                insert(AccountChange).values(
                    id=new_id(),
                    account_id=account.id,
                    kind=ChangeKind.ADDRESS,
                    new_email=wanted,
                    known_email=account.email,
                    asked_by=by,
                    asked_at=now,
                    decided_by=by,
                    decided_at=now,
                    outcome=ChangeOutcome.ALONE,
                    decided_from=Origin.HOST if by is None else Origin.OFFICE,
                )
            )
            return None
        change_id = _ask(session, account, ChangeKind.ADDRESS, by, now, {"new_email": wanted})
        if by is None and not _second_people(session, None, now):
            _decide(session, change_id, ChangeOutcome.CONFIRMED, Origin.HOST, None, now)
            _put_address(session, account, wanted, by, now)
            return None
        line_id = note(session, by, "address_asked", f"{account.email} : {wanted}", now)
        sentence = f"Une demande du {french_instant(now)} remplace votre adresse par {wanted}. Une seconde personne doit la confirmer."
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="votre adresse va changer",
            sentence=sentence,
            now=now,
        )
        return change_id


def ask_reset(database: Database, account_id: UUID, *, by: UUID | None, now: datetime) -> UUID | None:
    """Ask that a person's factors, recovery codes and sessions end: the phone is lost. Two people always decide it.

    Return the id of the change that waits, or None where the host (`by` None) has decided it alone, since nobody of the programme
    could: the person themselves, who cannot come in, is not one of the two. Raises Refused.
    """
    with database.write() as session:
        take_turn_on_accounts(session)
        account = locked_open_account(session, account_id)
        if by == account_id:
            raise Refused(
                "own_reset", "C’est votre compte, et vous êtes connecté : changez de téléphone dans « Mon compte »."
            )
        if not (has_second_factor(session, account_id) or does_provider_open(session, account_id)):
            raise Refused("no_factor", "Cette personne n’a pas de deuxième preuve : il n’y a rien à remettre à zéro.")
        change_id = _ask(session, account, ChangeKind.FACTORS, by, now, {})
        if by is None and not _second_people(session, None, now, account_id):
            _decide(session, change_id, ChangeOutcome.CONFIRMED, Origin.HOST, None, now)
            reset_factors(session, account, None, now)
            return None
        line_id = note(session, by, "factors_asked", account.email, now)
        write_to_person(
            session,
            email=account.email,
            name=account.name,
            about_id=line_id,
            subject="votre deuxième preuve va être remise à zéro",
            sentence=f"Une demande du {french_instant(now)} remet à zéro votre deuxième preuve. Une seconde personne doit la confirmer.",
            now=now,
        )
        return change_id


def confirm_change(database: Database, change_id: UUID, *, by: UUID, now: datetime) -> None:
    """Confirm what somebody else asked; the same person again changes nothing. Raises Refused: it is one's own, it was decided, or one is
    not of the programme.
    """
    with database.write() as session:
        take_turn_on_accounts(session)
        change = _change(session, change_id)
        if change.outcome == ChangeOutcome.CONFIRMED and change.decided_by == by:
            return
        _refuse_decided(change)
        if change.asked_by == by:
            raise Refused(
                "four_eyes", "Vous avez fait cette demande. Une autre personne du programme doit la confirmer."
            )
        if by == _who_cannot(change):
            raise Refused("own_reset", "C’est votre compte. Une autre personne du programme doit confirmer.")
        if by not in {person.id for person in _second_people(session, change.asked_by, now)}:
            raise Refused("not_of_programme", "Seule une personne du programme confirme une demande. Prévenez-la.")
        _confirm(session, change, Origin.OFFICE, by, now)


def stand_in(database: Database, change_id: UUID, *, now: datetime) -> None:
    """Confirm in the place of the second person, from the host. Raises Refused where the programme has one."""
    with database.write() as session:
        take_turn_on_accounts(session)
        change = _change(session, change_id)
        _refuse_decided(change)
        if others := _second_people(session, change.asked_by, now, _who_cannot(change)):
            names = ", ".join(other.name for other in others)
            raise Refused(
                "somebody_else", f"Une autre personne du programme doit confirmer, sur sa page « Personnes » : {names}."
            )
        _confirm(session, change, Origin.HOST, None, now)


def refuse_change(database: Database, change_id: UUID, *, by: UUID, now: datetime) -> None:
    """Refuse what somebody else asked, or take back what one asked; the same person again changes nothing. Raises Refused."""
    with database.write() as session:
        take_turn_on_accounts(session)
        change = _change(session, change_id)
        if change.outcome == ChangeOutcome.REFUSED and change.decided_by == by:
            return
        _refuse_decided(change)
        _decide(session, change_id, ChangeOutcome.REFUSED, Origin.OFFICE, by, now)
        note(session, by, "change_refused", f"{change.known_email} : {_what(change)}", now)


def drop_changes(session: Session, account_id: UUID, by: UUID | None, now: datetime) -> None:
    """End what waits for an account that is no more what was asked about: closed, or at another address."""
    session.execute(
        update(AccountChange)
        .where(AccountChange.account_id == account_id, AccountChange.outcome.is_(None))
        .values(
            outcome=ChangeOutcome.DROPPED,
            decided_at=now,
            decided_by=by,
            decided_from=Origin.HOST if by is None else Origin.OFFICE,
        )
    )


def _ask(
    session: Session,
    account: Account,
    kind: ChangeKind,
    by: UUID | None,
    now: datetime,
    what: Mapping[str, Any],
) -> UUID:
    waits = exists().where(
        AccountChange.account_id == account.id,
        AccountChange.kind == kind,
        AccountChange.role == what.get("role", ""),
        AccountChange.outcome.is_(None),
    )
    if session.scalar(select(waits)):
        raise Refused("already_asked", "Cette demande attend déjà une seconde personne. Voyez « À confirmer ».")
    change_id = new_id()
    values = {"kind": kind, "known_email": account.email, "asked_by": by, "asked_at": now, **what}
    session.execute(insert(AccountChange).values(id=change_id, account_id=account.id, **values))
    others = _second_people(session, by, now, account.id if kind is ChangeKind.FACTORS else None)
    tell_second_people(session, [(person.email, person.name) for person in others], account.name, now)
    return change_id


def _confirm(session: Session, change: Row[*tuple[Any, ...]], origin: Origin, by: UUID | None, now: datetime) -> None:
    account = locked_open_account(session, change.account_id)
    if account.email != change.known_email:
        raise Refused("address_changed", "L’adresse de ce compte a changé depuis la demande. Demandez de nouveau.")
    if change.kind == ChangeKind.ROLE:
        refuse_grant(session, account.id, Role(change.role), change.scope_id, change.until_on, now)
    elif change.kind == ChangeKind.ADDRESS:
        refuse_known_address(session, change.new_email)
    _decide(session, change.id, ChangeOutcome.CONFIRMED, origin, by, now)
    note(session, by, "change_confirmed", f"{account.email} : {_what(change)}", now)
    if change.kind == ChangeKind.ROLE:
        # What two people gave is its person's alone: nobody who set the password, before links, has it too.
        if account.password_hash is not None and not is_password_own(session, account.id):
            end_password(session, account.id, now)
            asked_from = Origin.HOST if change.asked_by is None else Origin.OFFICE
            queue_link(session, locked_open_account(session, account.id), asked_from, change.asked_by, now)
        give(
            session,
            account,
            role=Role(change.role),
            scope_id=change.scope_id,
            until_on=change.until_on,
            change_id=change.id,
            by=change.asked_by,
            now=now,
        )
    elif change.kind == ChangeKind.ADDRESS:
        # Who asks for one's own and who confirms may be one person with two accounts, until two gave this one a role; and who read the
        # old address may have added a factor.
        is_doubtful = change.asked_by == account.id or has_second_factor(session, account.id)
        if is_doubtful and not counts_among_two(session, account.id):
            end_password(session, account.id, now)
            end_identity(session, account.id, now)
        _put_address(session, account, change.new_email, by, now)
    else:
        reset_factors(session, account, by, now)


def _decide(
    session: Session, change_id: UUID, outcome: ChangeOutcome, origin: Origin, by: UUID | None, now: datetime
) -> None:
    # What is decided on an account is dated in its order, whatever the clocks say.
    whose = select(AccountChange.account_id).where(AccountChange.id == change_id).scalar_subquery()
    earlier = session.scalar(select(func.max(AccountChange.decided_at)).where(AccountChange.account_id == whose))
    at = not_before(now, earlier)
    decision = update(AccountChange).where(AccountChange.id == change_id, AccountChange.outcome.is_(None))
    if changed(session, decision.values(outcome=outcome, decided_at=at, decided_by=by, decided_from=origin)) == 0:
        raise Refused("already_decided", "Cette demande vient d’être décidée. Relisez la page.")


def _put_address(session: Session, account: Account, email: str, by: UUID | None, now: datetime) -> None:
    end_links(session, account.id, LinkEnd.CANCELLED, now)
    drop_changes(session, account.id, by, now)
    session.execute(update(StaffAccount).where(StaffAccount.id == account.id).values(email=email))
    sentence = f"L’adresse de votre compte a été remplacée le {french_instant(now)}. C’est maintenant {email}."
    note(session, by, "address_changed", f"{account.email} : {email}", now)
    moved = locked_open_account(session, account.id)
    if account.password_hash is not None and moved.password_hash is None:
        sentence += " Votre mot de passe ne sert plus : un lien envoyé à cette adresse permet d’en choisir un autre."
    for told in (account.email, email):
        write_to_person(
            session,
            email=told,
            name=account.name,
            about_id=new_id(),
            subject="votre adresse a changé",
            sentence=sentence,
            now=now,
        )
    if not moved.has_way_in and by is not None:
        queue_link(session, moved, Origin.OFFICE, by, now)


def _who_cannot(change: Row[*tuple[Any, ...]]) -> UUID | None:
    """Return who is not one of the two: the person whose factors are reset, who cannot come in."""
    return change.account_id if change.kind == ChangeKind.FACTORS else None


def _second_people(
    session: Session, asked_by: UUID | None, now: datetime, cannot: UUID | None = None
) -> list[Row[UUID, str, str]]:
    """Return who of the programme, but `cannot`, could confirm what `asked_by` asks: an open account that they can enter, the role."""
    query = (
        select(StaffAccount.id, StaffAccount.email, StaffAccount.name)
        .join(RoleGrant, RoleGrant.account_id == StaffAccount.id)
        .where(RoleGrant.role == Role.PROGRAMME, holds_on(paris_day(now)))
        .where(StaffAccount.closed_at.is_(None), has_way_in())
        .order_by(StaffAccount.name, StaffAccount.id)
    )
    for one in (asked_by, cannot):
        if one is not None:
            query = query.where(StaffAccount.id != one)
    return list(session.execute(query))


def _change(session: Session, change_id: UUID) -> Row[*tuple[Any, ...]]:
    row = session.execute(select(*AccountChange.__table__.columns).where(AccountChange.id == change_id)).one_or_none()
    if row is None:
        raise Refused("unknown_change", "Cette demande n’existe pas. Choisissez-la dans la liste.")
    return row


def _refuse_decided(change: Row[*tuple[Any, ...]]) -> None:
    if change.outcome is not None:
        raise Refused(
            "already_decided",
            f"Cette demande a déjà été décidée le {french_instant(change.decided_at)}. Il n’y a rien à faire.",
        )


def _what(change: Row[*tuple[Any, ...]]) -> str:
    if change.kind == ChangeKind.ROLE:
        return f"{ROLE_NAMES[Role(change.role)]}{until(change.until_on)}"
    return str(change.new_email) if change.kind == ChangeKind.ADDRESS else RESET
