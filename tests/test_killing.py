"""The harness that kills: it sees a command that is made twice, and one that is made by half."""

import pytest

from tests.acts import two_funders
from tests.builders import NOW, SOMEONE
from tests.killing import Killer, When
from tests.parties import a_funder
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.programme.parties import NewFunder, register_funder


@pytest.mark.kill
def test_a_command_that_is_not_whole_is_caught(database: Database, killer: Killer) -> None:
    with pytest.raises(AssertionError, match="two_funders killed, then run again"):
        killer.everywhere(two_funders, now=NOW)


@pytest.mark.kill
def test_a_kill_after_the_commit_keeps_what_a_kill_before_it_does_not(database: Database, killer: Killer) -> None:
    a_funder(database)
    before, funder = killer.state(), NewFunder(new_id(), "Région", "region")
    for moment in ((When.STATEMENT, 1), (When.COMMIT, 1)):
        killer.dies(moment, register_funder, funder, by=SOMEONE, now=NOW)
        assert killer.state() == before
    killer.dies((When.COMMITTED, 1), register_funder, funder, by=SOMEONE, now=NOW)
    assert killer.state() != before
