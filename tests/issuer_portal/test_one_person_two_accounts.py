"""One person of the programme tries, each way there is, to be the two people that an act takes; no way leads there.

Pat reads two mailboxes and may do all that a page of the programme lets do. Alice and Claire are finance's two people, Quentin the
other person of the programme, who confirms nothing here. What Pat controls is found as Pat would: by signing in.
"""

import ast
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select

import voucher
from tests.clients import a_person, app_for, csrf_token, sign_in
from tests.listed import listed
from tests.soft_key import SoftKey, add_passkey, enter_by_passkey
from voucher.access import links, sessions
from voucher.access.read import Person, people
from voucher.access.read_changes import had_hand_in, waiting_changes
from voucher.access.rules import TWO_PEOPLE_ROLES, Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.keyset import Asked
from voucher.kernel.refusals import Refused
from voucher.kernel.tries import TryCount
from voucher.mail.model import OutboxMessage
from voucher.settlement.batches import deputies
from voucher.web.access import SESSION_COOKIE, access_of
from voucher.web.asks_again import act_of

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
PATS, PATS_OTHER = "pat@lieu.example", "pat.bis@ailleurs.example"
KNOWN_TO_PAT = "trois noix sous la lanterne"
FINANCE = {Role.FINANCE_PREPARER, Role.FINANCE_APPROVER}

ACTS: dict[str, tuple[str, set[Role]]] = {
    "access/changes.py": ("staff.confirm", {Role.PROGRAMME}),
    "accounting/stock_count.py": ("books.count", {Role.ISSUER}),
    "network/confirm_rib.py": ("finance.confirm_rib", FINANCE | {Role.PROGRAMME}),
    "ledger/close_year.py": ("books.close", {Role.FINANCE_PREPARER, Role.FINANCE_APPROVER}),
    "settlement/reports/answer_duplicates.py": ("finance.batch_duplicates", FINANCE),
    "settlement/batches/approve.py": ("finance.approve", FINANCE),
    "settlement/reconciliation/proposals.py": ("finance.confirm_line", FINANCE),
    "settlement/batches/deputies.py": ("finance.one_deputy", {Role.PROGRAMME, Role.FINANCE_APPROVER}),
    "settlement/recoveries/dispute.py": ("finance.dispute", FINANCE),
    "settlement/recoveries/repay_or_write_off.py": ("finance.give_up", FINANCE),
}
"""Where one is refused for being the first person: the page of the second one, and the roles of the two."""


def test_every_use_case_that_takes_two_people_is_known_here() -> None:
    root = Path(voucher.__path__[0])
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused" and node.args:
                code = getattr(node.args[0], "value", "")
                if code in ("four_eyes", "same_person"):
                    found.add(str(path.relative_to(root)))
    assert found == set(ACTS)


def test_each_takes_roles_that_nobody_gives_alone(sqlite_database: Database) -> None:
    app = app_for(sqlite_database)
    for endpoint, roles in ACTS.values():
        assert roles <= TWO_PEOPLE_ROLES, endpoint
        assert (access_of(app, endpoint) or frozenset()) & roles, endpoint
        assert act_of(app, endpoint) is not None, "who is there is asked again of whoever counts among two"


@dataclass
class World:
    """Pat, and the others."""

    app: Flask
    database: Database
    pat: UUID
    alice: UUID
    claire: UUID
    client: FlaskClient
    keys: list[SoftKey] = field(default_factory=list)  # passkeys of Pat's

    def post(self, path: str, **data: object) -> int:
        """Post a form as Pat, who has just signed in; return the status."""
        token = csrf_token(self.client.get("/personnes/moi").text)
        return self.client.post(path, data={"csrf_token": token} | data).status_code

    def invite(self, email: str) -> UUID:
        """Invite somebody as Pat."""
        account_id = new_id()
        assert self.post("/personnes/nouvelle", id=str(account_id), name="Alice Roy", email=email) == 302
        return account_id

    def ask(self, account_id: UUID, role: Role) -> None:
        """Give a role as Pat, then try to confirm whatever waits."""
        self.post(f"/personnes/{account_id}/roles", role=str(role), scope="")
        self.confirm_all(self.client)

    def confirm_all(self, client: FlaskClient) -> None:
        """Confirm whatever waits, as whoever is signed in."""
        token = csrf_token(client.get("/personnes/moi").text)
        for waiting in waiting_changes(self.database):
            client.post(f"/personnes/a-confirmer/{waiting.id}", data={"csrf_token": token})

    def as_quentin(self) -> FlaskClient:
        """Return a client signed in as the other person of the programme."""
        found, _ = listed(people(self.database, Asked(sort="name", limit=9, filters={"name": "quentin"}), now=NOW))
        return sign_in(self.app, self.database, found[0].id)

    def confirm_as_quentin(self) -> None:
        """Confirm whatever waits, as the other person of the programme."""
        self.confirm_all(self.as_quentin())

    def with_role(self, role: Role) -> list[Person]:
        """Return who holds a role."""
        return listed(people(self.database, Asked(sort="name", limit=9, filters={"role": role}), now=NOW))[0]

    def read_mail(self) -> None:
        """Follow every link that reaches a mailbox of Pat's, and choose a password there."""
        with self.database.read() as session:
            letters = session.execute(
                select(OutboxMessage.about_id, OutboxMessage.recipient)
                .where(OutboxMessage.kind == "account_link")
                .where(OutboxMessage.recipient.in_((PATS, PATS_OTHER)))
            ).all()
        for letter in letters:
            path = links.make_path(self.database, letter.about_id, letter.recipient, NOW)
            if path is None:
                continue
            client = self.app.test_client()
            form = {"csrf_token": csrf_token(client.get(path).text), "wanted": KNOWN_TO_PAT, "again": KNOWN_TO_PAT}
            assert client.post(path, data=form).status_code == 302

    def controlled(self) -> list[set[Role]]:
        """Return the roles of each account that Pat can sign in to: with a password chosen by a link, and Pat's own."""
        found, _ = listed(people(self.database, Asked(sort="name", limit=99), now=NOW))
        return [{role for role, _ in row.roles} for row in found if row.id == self.pat or self._opens(row)]

    def others(self) -> list[UUID]:
        """Return the accounts beside Pat's own that Pat can sign in to."""
        found, _ = listed(people(self.database, Asked(sort="name", limit=99), now=NOW))
        return [row.id for row in found if row.id != self.pat and self._opens(row)]

    def plant_passkey(self, email: str) -> None:
        """Add a passkey of Pat's own to an account that Pat's password opens."""
        found = sessions.viewer_of(
            self.database, sessions.sign_in(self.database, email, KNOWN_TO_PAT, now=NOW), now=NOW
        )
        assert found is not None
        self.keys.append(add_passkey(self.database, found, NOW))

    def _opens(self, row: Person) -> bool:
        later = NOW + timedelta(hours=1)
        ways: list[Callable[[], str]] = [partial(sessions.sign_in, self.database, row.email, KNOWN_TO_PAT, now=later)]
        ways += [partial(enter_by_passkey, self.database, key, later) for key in self.keys]
        opened = set()
        for way in ways:
            with suppress(Refused):
                entered = sessions.viewer_of(self.database, way(), now=later)
                opened.add(entered.account_id if entered else None)
        # None is put off for the tries before it: Pat has time.
        with self.database.write() as session:
            session.execute(delete(TryCount))
        return row.id in opened


@pytest.fixture
def world(database: Database) -> World:
    app = app_for(database, NOW)
    pat = a_person(database, Role.PROGRAMME, now=NOW, email=PATS)
    a_person(database, Role.PROGRAMME, now=NOW, email="quentin@lieu.example")
    alice = a_person(database, Role.FINANCE_PREPARER, now=NOW, email="alice@lieu.example")
    claire = a_person(database, Role.FINANCE_APPROVER, now=NOW, email="claire@lieu.example")
    return World(app, database, pat, alice, claire, sign_in(app, database, pat))


def setting_their_passwords(world: World) -> None:
    for account_id in (world.alice, world.claire):
        for path in ("mot-de-passe", "lien", "adresse", ""):
            world.post(f"/personnes/{account_id}/{path}", wanted=KNOWN_TO_PAT, again=KNOWN_TO_PAT, email="")


def sending_them_a_reset(world: World) -> None:
    for account_id in (world.alice, world.claire):
        assert world.post(f"/personnes/{account_id}/lien") == 302


def asking_for_their_forgotten_passwords(world: World) -> None:
    for email in ("alice@lieu.example", "claire@lieu.example"):
        world.post("/personnes/mot-de-passe-oublie", email=email)


def changing_their_address_then_a_reset(world: World) -> None:
    for account_id, email in ((world.alice, PATS_OTHER), (world.claire, "pat.ter@ailleurs.example")):
        world.post(f"/personnes/{account_id}/adresse", email=email)
        world.confirm_all(world.client)
        world.post(f"/personnes/{account_id}/lien")


def taking_their_role_then_their_address_then_giving_it_back(world: World) -> None:
    assert world.post(f"/personnes/{world.alice}/roles/finance_preparer/retirer") == 302
    world.post(f"/personnes/{world.alice}/adresse", email=PATS_OTHER)
    world.confirm_all(world.client)
    world.post(f"/personnes/{world.alice}/lien")
    world.read_mail()
    world.ask(world.alice, Role.FINANCE_PREPARER)


def inviting_oneself_at_a_second_address(world: World) -> None:
    other = world.invite(PATS_OTHER)
    world.read_mail()
    for role in sorted(TWO_PEOPLE_ROLES):
        world.ask(other, role)


def asking_first_and_choosing_the_password_after(world: World) -> None:
    other = world.invite(PATS_OTHER)
    world.ask(other, Role.FINANCE_APPROVER)
    world.read_mail()
    world.confirm_all(world.client)


def confirming_from_the_second_account(world: World) -> None:
    other = world.invite(PATS_OTHER)
    world.read_mail()
    third = world.invite("pat.ter@ailleurs.example")
    for account_id, role in ((other, Role.PROGRAMME), (third, Role.FINANCE_PREPARER), (other, Role.AUDITOR)):
        world.ask(account_id, role)
    client = world.app.test_client()
    token = csrf_token(client.get("/personnes/connexion").text)
    form = {"csrf_token": token, "email": PATS_OTHER, "password": KNOWN_TO_PAT}
    assert client.post("/personnes/connexion", data=form).status_code == 302
    world.confirm_all(client)


def giving_oneself_the_role(world: World) -> None:
    for role in sorted(TWO_PEOPLE_ROLES):
        world.ask(world.pat, role)


def planting_a_password_then_moving_the_account_to_somebody_honest(world: World) -> None:
    other = world.invite(PATS_OTHER)
    world.read_mail()
    assert world.post(f"/personnes/{other}/adresse", email="luce@lieu.example") == 302
    world.ask(other, Role.FINANCE_PREPARER)
    # Quentin asks Luce, whose address it is, and confirms.
    world.confirm_as_quentin()
    assert other in {row.id for row in world.with_role(Role.FINANCE_PREPARER)}


def planting_a_passkey_then_moving_the_account_to_somebody_honest(world: World) -> None:
    """A passkey opens an account by itself: it would go on doing so for whoever planted it."""
    other = world.invite(PATS_OTHER)
    world.read_mail()
    world.plant_passkey(PATS_OTHER)
    assert world.post(f"/personnes/{other}/adresse", email="luce@lieu.example") == 302
    # A factor makes the address one that two people see.
    world.confirm_as_quentin()
    world.ask(other, Role.FINANCE_PREPARER)
    world.confirm_as_quentin()
    assert other in {row.id for row in world.with_role(Role.FINANCE_PREPARER)}


def asking_from_within_for_the_address_of_somebody_honest(world: World) -> None:
    """A second account asks for its own address, and Pat confirms alone: what was planted there must not stay."""
    other = world.invite(PATS_OTHER)
    world.read_mail()
    world.plant_passkey(PATS_OTHER)
    client = world.app.test_client()
    client.set_cookie(SESSION_COOKIE, enter_by_passkey(world.database, world.keys[-1], NOW))
    token = csrf_token(client.get("/personnes/moi").text)
    form = {"csrf_token": token, "email": "luce@lieu.example"}
    assert client.post("/mon-compte/adresse", data=form).status_code == 302
    assert [row.asked_by for row in waiting_changes(world.database)] == [other]
    world.confirm_all(world.client)
    world.ask(other, Role.FINANCE_PREPARER)
    world.confirm_as_quentin()
    assert other in {row.id for row in world.with_role(Role.FINANCE_PREPARER)}


def having_planted_a_passkey_with_a_password_that_one_had_set(world: World) -> None:
    luce = a_person(world.database, None, now=NOW, email="luce@lieu.example", password=KNOWN_TO_PAT)
    world.plant_passkey("luce@lieu.example")
    assert world.others() == [luce]
    world.ask(luce, Role.FINANCE_APPROVER)
    world.confirm_as_quentin()
    assert luce in {row.id for row in world.with_role(Role.FINANCE_APPROVER)}


def having_set_a_password_when_one_still_could(world: World) -> None:
    luce = a_person(world.database, None, now=NOW, email="luce@lieu.example", password=KNOWN_TO_PAT)
    assert world.others() == [luce]
    world.ask(luce, Role.FINANCE_APPROVER)
    world.confirm_as_quentin()
    assert luce in {row.id for row in world.with_role(Role.FINANCE_APPROVER)}


def moving_somebody_honest_to_one_s_own_address_while_it_waits(world: World) -> None:
    luce = world.invite("luce@lieu.example")
    world.ask(luce, Role.FINANCE_PREPARER)
    # Quentin is about to confirm what he saw for Luce.
    (waiting,) = waiting_changes(world.database)
    assert world.post(f"/personnes/{luce}/adresse", email=PATS_OTHER) == 302
    client = world.as_quentin()
    token = csrf_token(client.get("/personnes/moi").text)
    client.post(f"/personnes/a-confirmer/{waiting.id}", data={"csrf_token": token})


def pointing_a_waiting_message_elsewhere(world: World) -> None:
    world.post(f"/personnes/{world.alice}/lien")
    with world.database.read() as session:
        message_id = session.scalar(select(OutboxMessage.id).where(OutboxMessage.kind == "account_link"))
    assert world.post(f"/finances/messages/{message_id}/renvoyer", recipient=PATS_OTHER, email=PATS_OTHER) == 404


def taking_over_a_place_manager(world: World) -> None:
    """A role that one person gives: the account is Pat's, then; what it records, Pat does not confirm."""
    manager = a_person(world.database, Role.PLACE_MANAGER, new_id(), now=NOW, email="bruno@lieu.example")
    assert world.post(f"/personnes/{manager}/adresse", email=PATS_OTHER) == 302
    assert world.post("/personnes/mot-de-passe-oublie", email=PATS_OTHER) == 302
    world.read_mail()
    assert world.others() == [manager]


def coming_back_through_a_closed_account(world: World) -> None:
    assert world.post(f"/personnes/{world.claire}/fermer") == 302
    for act in ("lien", "adresse", "roles"):
        assert (
            world.post(f"/personnes/{world.claire}/{act}", email=PATS_OTHER, role="finance_approver", scope="") == 404
        )


def closing_the_other_person_of_the_programme(world: World) -> None:
    other = world.invite(PATS_OTHER)
    world.ask(other, Role.FINANCE_APPROVER)
    quentin, _ = listed(people(world.database, Asked(sort="name", limit=9, filters={"name": "quentin"}), now=NOW))
    assert world.post(f"/personnes/{quentin[0].id}/fermer") == 302
    world.read_mail()
    world.confirm_all(world.client)


def taking_over_a_deputy(world: World) -> None:
    """An account without a role, which an approver named: its address takes two people from then on."""
    luce = world.invite("luce@lieu.example")
    days = {"from_on": NOW.date(), "until_on": NOW.date()}
    new = deputies.NewDeputy(id=new_id(), deputy_id=luce, issuer_id=None, **days)
    claire = deputies.Person(world.claire, "Claire", "claire@lieu.example")
    theirs = deputies.Person(luce, "Luce", "luce@lieu.example")
    deputies.name_deputy(world.database, new, by=claire, deputy=theirs, programme=[], now=NOW)
    world.post(f"/personnes/{luce}/adresse", email=PATS_OTHER)
    world.post(f"/personnes/{luce}/lien")
    world.read_mail()
    assert world.others() == []


WAYS: tuple[Callable[[World], None], ...] = (
    setting_their_passwords,
    sending_them_a_reset,
    asking_for_their_forgotten_passwords,
    changing_their_address_then_a_reset,
    taking_their_role_then_their_address_then_giving_it_back,
    inviting_oneself_at_a_second_address,
    asking_first_and_choosing_the_password_after,
    confirming_from_the_second_account,
    giving_oneself_the_role,
    planting_a_password_then_moving_the_account_to_somebody_honest,
    planting_a_passkey_then_moving_the_account_to_somebody_honest,
    asking_from_within_for_the_address_of_somebody_honest,
    having_planted_a_passkey_with_a_password_that_one_had_set,
    having_set_a_password_when_one_still_could,
    moving_somebody_honest_to_one_s_own_address_while_it_waits,
    pointing_a_waiting_message_elsewhere,
    taking_over_a_place_manager,
    taking_over_a_deputy,
    coming_back_through_a_closed_account,
    closing_the_other_person_of_the_programme,
)


@pytest.mark.parametrize("way", WAYS)
def test_one_person_never_is_the_two_people_of_any_act(world: World, way: Callable[[World], None]) -> None:
    way(world)
    world.read_mail()
    controlled = world.controlled()
    assert {Role.PROGRAMME} in controlled
    for endpoint, roles in ACTS.values():
        assert sum(bool(held & roles) for held in controlled) <= (Role.PROGRAMME in roles), endpoint
    for other in world.others():
        assert had_hand_in(world.database, other, world.pat), "what this account records, Pat does not confirm"
    # Nor has anybody lost what two people gave, but by leaving.
    assert all(not held & FINANCE for held in controlled)


def test_a_second_account_of_one_s_own_is_found_where_it_exists(world: World) -> None:
    """The walk above can see: an account at Pat's other address is Pat's."""
    other = world.invite(PATS_OTHER)
    world.read_mail()
    world.ask(other, Role.AUDITOR)
    assert sorted(map(sorted, world.controlled())) == [[Role.AUDITOR], [Role.PROGRAMME]]
