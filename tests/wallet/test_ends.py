"""What a citizen reads of a paper that is worth nothing any more: stopped, void, lapsed, of a revoked key; scanned, typed, by its cover."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from tests.builders import (
    NOW,
    SOMEONE,
    Issued,
    a_counter,
    an_agreement,
    entrusted_booklets,
    handed_over_booklets,
    scanned_codes,
    typed_codes,
)
from tests.clients import app_for
from tests.redemption.test_undo_after_lapse import LAST_DAY, MIDNIGHT
from voucher.distribution.lapse import lapse
from voucher.distribution.stop import stop_booklet
from voucher.distribution.void_stock import NewStockVoid, void_stock
from voucher.issuing.keys import revoke_key
from voucher.issuing.model import IssueBatch
from voucher.issuing.recognise_code import stored_codes
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.redemption.redeem import redeem

GOOD = ("vaut", "Utilisez-le", "Où l’utiliser", "Comment l’utiliser")
"""What only a good paper says."""


def stopped(database: Database) -> tuple[Issued, datetime]:
    issued = handed_over_booklets(database)
    stop_booklet(database, new_id(), issued.first_booklet_number, "lost", by=SOMEONE, now=NOW)
    return issued, NOW


def void(database: Database) -> tuple[Issued, datetime]:
    issued, _ = entrusted_booklets(database, 1)
    new = NewStockVoid(new_id(), issued.agreed.issuer_id, issued.first_booklet_number, 1, "Carnets abîmés")
    void_stock(database, new, by=SOMEONE, now=NOW)
    return issued, NOW


def lapsed(database: Database) -> tuple[Issued, datetime]:
    agreed = an_agreement(database, use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY)
    issued = handed_over_booklets(database, agreed=agreed)
    assert len(lapse(database, by=None, now=MIDNIGHT)) == 1
    return issued, MIDNIGHT


def over_but_not_lapsed(database: Database) -> tuple[Issued, datetime]:
    agreed = an_agreement(database, use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY)
    return handed_over_booklets(database, agreed=agreed), MIDNIGHT


def revoked(database: Database) -> tuple[Issued, datetime]:
    issued = handed_over_booklets(database)
    with database.read() as session:
        key_id = session.execute(select(IssueBatch.key_id)).scalar_one()
    revoke_key(database, key_id, by=SOMEONE, now=NOW)
    return issued, NOW + timedelta(minutes=1)


SAYS = {
    stopped: (200, "Ce {paper} est bloqué.", "Personne ne peut l’utiliser."),
    void: (200, "Ce {paper} est bloqué.", "Personne ne peut l’utiliser."),
    lapsed: (200, "Ce {paper} n’est plus valable.", "Il fallait l’utiliser jusqu’au 31\u00a0décembre\u00a02026."),
    over_but_not_lapsed: (200, "Ce {paper} n’est plus valable.", "Il fallait l’utiliser jusqu’au 31\u00a0décembre\u00a02026."),
    revoked: (410, "Ce code n’est pas bon.", "Ce chèque a été retiré. Demandez un autre carnet"),
}  # fmt: skip


@pytest.mark.parametrize("end", SAYS, ids=lambda end: end.__name__)
def test_a_paper_that_is_worth_nothing_says_why_by_each_way_of_opening_it(
    database: Database, end: Callable[[Database], tuple[Issued, datetime]]
) -> None:
    issued, now = end(database)
    status, title, words = SAYS[end]
    number = issued.first_booklet_number
    with database.read() as session:
        cover = stored_codes(session, number, 1)[0].cover.to_text()
    client = app_for(database, now).test_client()
    for paper, answer in (
        ("chèque", client.get("/V/" + scanned_codes(database, number)[0].rpartition("/")[2])),
        ("chèque", client.post("/cheque", data={"code": typed_codes(database, number)[3]})),
        ("carnet", client.get("/V/" + cover)),
    ):
        assert answer.status_code == status
        assert f"<h1>{title.format(paper=paper)}</h1>" in answer.text
        assert words in answer.text
        assert [word for word in GOOD if word in answer.text] == []


@pytest.mark.parametrize("has_lapsed", [False, True])
def test_a_used_voucher_of_a_booklet_that_is_over_does_not_promise_the_others(
    database: Database, has_lapsed: bool
) -> None:
    agreed = an_agreement(database, use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY)
    number = handed_over_booklets(database, agreed=agreed).first_booklet_number
    codes = scanned_codes(database, number)
    redeem(database, new_id(), codes[:1], "everyday_digital_tools", a_counter(database), by=SOMEONE, now=NOW)
    if has_lapsed:
        lapse(database, by=None, now=MIDNIGHT)
    page = app_for(database, MIDNIGHT).test_client().get("/V/" + codes[0].rpartition("/")[2]).text
    assert "Ce chèque est déjà utilisé." in page
    assert "Il reste" not in page


def test_a_booklet_used_to_its_end_is_said_finished_after_its_last_day_too(database: Database) -> None:
    agreed = an_agreement(database, use_by=LAST_DAY, grace_until=LAST_DAY, present_by=LAST_DAY)
    number = handed_over_booklets(database, agreed=agreed).first_booklet_number
    codes = scanned_codes(database, number)
    redeem(database, new_id(), codes, "everyday_digital_tools", a_counter(database), by=SOMEONE, now=NOW)
    with database.read() as session:
        cover = stored_codes(session, number, 1)[0].cover.to_text()
    for now in (NOW, MIDNIGHT):
        assert "<h1>Ce carnet est fini.</h1>" in app_for(database, now).test_client().get("/V/" + cover).text
