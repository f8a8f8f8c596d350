"""One demonstration account for each role."""

from datetime import date
from uuid import UUID

from voucher.access.accounts import NewAccount, open_account
from voucher.access.changes import grant_role, stand_in
from voucher.access.links import print_link, use_link
from voucher.access.rules import Role
from voucher.demonstration.story import Story

DEMO_PASSWORD = "trois noix sous la lanterne"  # noqa: S105 - printed on the screen, for invented data alone

DEMO_STAFF = {
    Role.PROGRAMME: ("programme@pass.example", "Dominique Lebrun"),
    Role.ISSUER: ("emetteur@pass.example", "Nadia Ferrand"),
    Role.PRESCRIBER: ("prescripteur@pass.example", "Yann Kermoal"),
    Role.MEDIATOR: ("mediation@pass.example", "Inès Vasseur"),
    Role.PLACE_MANAGER: ("lieu@pass.example", "Bruno Castel"),
    Role.FINANCE_PREPARER: ("preparation@pass.example", "Alice Roy"),
    Role.FINANCE_APPROVER: ("validation@pass.example", "Claire Morel"),
    Role.AUDITOR: ("controle@pass.example", "Étienne Gauthier"),
}

SECOND_OF_PROGRAMME = ("programme-2@pass.example", "Samir Haddad")
"""Who confirms in the pages what the first person of the programme asks. They come at the story's end."""


def open_accounts(story: Story) -> None:
    """Open the accounts, as the host does; roles are given once their organisations exist."""
    for role, person in DEMO_STAFF.items():
        story.by[role] = _open(story, *person)
    for role in (Role.PROGRAMME, Role.FINANCE_PREPARER, Role.FINANCE_APPROVER, Role.AUDITOR):
        give_role(story, role, None)


def add_second_of_programme(story: Story) -> None:
    """Add a second person of the programme, as the host does while there is one: from then on two of them confirm in the pages."""
    waiting = grant_role(
        story.database,
        _open(story, *SECOND_OF_PROGRAMME),
        Role.PROGRAMME,
        None,
        by=story.by[Role.PROGRAMME],
        now=story.now,
    )
    if waiting is not None:
        stand_in(story.database, waiting, now=story.now)


def give_role(story: Story, role: Role, scope_id: UUID | None, *, until_on: date | None = None) -> None:
    """Give a role, asked by the programme's one person; the host stands in for the second, who is not there."""
    by = None if role is Role.PROGRAMME else story.by[Role.PROGRAMME]
    waiting = grant_role(story.database, story.by[role], role, scope_id, by=by, now=story.now, until_on=until_on)
    if waiting is not None:
        stand_in(story.database, waiting, now=story.now)


def _open(story: Story, email: str, name: str) -> UUID:
    account_id = story.some_id()
    open_account(story.database, NewAccount(account_id, email, name), by=None, now=story.now)
    token = print_link(story.database, email, now=story.now).rpartition("/")[2]
    use_link(story.database, token, DEMO_PASSWORD, now=story.now)
    return account_id
