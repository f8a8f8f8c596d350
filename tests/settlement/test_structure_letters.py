"""What structures are written, by e-mail, of what leaves and of what was refused."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests.builders import an_iban
from tests.settlement.bank import Bank
from tests.settlement.test_clock import DECEMBER_2, NOVEMBER_3, freeze, sent
from tests.settlement.town import APPROVER, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.model import OutboxMessage
from voucher.network.model import Structure
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.write_to_structures import notify_failed, notify_sent


def give_address(town: Town, rank: int, address: str) -> None:
    with town.database.write() as session:
        session.execute(update(Structure).where(Structure.id == town.structure_ids[rank]).values(contact_email=address))


def letters(database: Database) -> list[OutboxMessage]:
    with database.read() as session:
        told = select(OutboxMessage).where(
            OutboxMessage.kind.not_in((LetterKind.RIB_RECORDED, LetterKind.RIB_CONFIRMED))
        )  # a RIB that tests change is told too
        found = list(session.scalars(told.order_by(OutboxMessage.created_at, OutboxMessage.kind)))
        session.expunge_all()
    return found


def test_structures_are_written_what_leaves_and_never_a_whole_iban(database: Database) -> None:
    town = a_town(database)
    give_address(town, 0, "tresor@association.example")
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    frozen, _ = sent(town)
    (letter,) = letters(database)
    assert (letter.recipient, letter.issuer_id) == ("tresor@association.example", town.agreed.issuer_id)
    assert "3 chèques" in letter.body
    assert frozen.number in letter.body
    assert "du 3\u00a0novembre\u00a02026 au 30\u00a0novembre\u00a02026" in letter.body
    assert "Il est attendu sur le compte pour le 4\u00a0décembre\u00a02026." in letter.body
    assert an_iban(7001) not in letter.body
    assert f"finit par {an_iban(7001)[-4:]}." in letter.body
    assert letter.path.startswith("/comptoir/paiements/")
    with database.write() as session:
        notify_sent(session, frozen.batch_id, DECEMBER_2)
    assert len(letters(database)) == 1, "told once"
    assert wrong_books(database) == []


def test_the_public_accountants_structures_are_told_the_last_day(database: Database) -> None:
    town = a_town(database, structure_count=1, channel="public_accountant")
    give_address(town, 0, "tresor@association.example")
    town.redeem(0, 3, now=NOVEMBER_3)
    sent(town)
    assert "au plus tard le 30\u00a0décembre\u00a02026" in letters(database)[0].body


def test_a_refused_export_writes_to_nobody(database: Database) -> None:
    town = a_town(database, structure_count=1)
    give_address(town, 0, "tresor@association.example")
    town.redeem(0, 3, now=NOVEMBER_3)
    frozen = freeze(town)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    give_rib(database, town.structure_ids[0], 60)
    with pytest.raises(Refused):
        export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    assert letters(database) == []


def test_a_refused_transfer_asks_for_another_rib_once(database: Database) -> None:
    town = a_town(database, structure_count=1)
    give_address(town, 0, "tresor@association.example")
    town.redeem(0, 3, now=NOVEMBER_3)
    _, content = sent(town)
    with database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    with Bank(today=DECEMBER_2.date(), iban=iban) as bank:
        bank.close_account(an_iban(7001))
        answers = [one.content for one in bank.send(content) if one.type.startswith("pain.002")]
    later = DECEMBER_2 + timedelta(hours=1)
    for file in answers:
        import_bank_file(database, "banque.xml", file, by=PREPARER, now=later)
    with database.write() as session:
        notify_failed(session, later)
    told = [letter for letter in letters(database) if letter.kind == "advice_rejected"]
    assert len(told) == 1
    assert (
        "Rejeté par la banque le 2\u00a0décembre\u00a02026. Le compte de la structure est fermé. La somme reste due."
        in told[0].body
    )
    assert "lot suivant" not in told[0].body
    assert told[0].path == "/comptoir/lieu/rib"
    assert "donnez un nouveau RIB" in told[0].subject
