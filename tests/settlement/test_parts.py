"""A batch that leaves in several files: each valid, each told apart by the bank, refused or paid on its own."""

from datetime import date
from uuid import UUID

import pytest
from lxml import etree
from sqlalchemy import insert, select, update

from tests.builders import CONFIRMER, an_iban
from tests.killing import Killer
from tests.settlement.bank import Bank
from tests.settlement.reports import status_report
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import AccountKey, EventType, Movement
from voucher.ledger.post import Event, post
from voucher.network.model import BankDetails, Structure
from voucher.programme.model import PayingAccount
from voucher.programme.paying_account import PayingTerms, change_paying_terms
from voucher.settlement.bank_in.import_report import import_report
from voucher.settlement.batches import read
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.even_parts import even_parts, part_count_of
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.files_of_batch import ExportedFile
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.formats_out.pain001 import namespace_of
from voucher.settlement.formats_out.references import message_id, part_of_message, payment_information_id
from voucher.settlement.formats_out.schemas import validate
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.states import Cause, write_first
from voucher.settlement.words.states import AdviceState, BatchState
from voucher.settlement.words.transitions import PaymentWhy

MONDAY = NOW.date()
TUESDAY = date(2026, 11, 24)


def set_terms(database: Database, *, schema: str = "pain.001.001.09", transfers_per_file: int = 10_000) -> str:
    """Change the terms of the one paying account; return its IBAN."""
    with database.read() as session:
        account_id, iban = session.execute(select(PayingAccount.id, PayingAccount.iban)).one()
    terms = PayingTerms(None, schema, transfers_per_file)
    change_paying_terms(database, account_id, terms, by=APPROVER, now=NOW)
    return str(iban)


def sent(town: Town) -> tuple[UUID, tuple[ExportedFile, ...]]:
    """Freeze, approve and export what a town owes."""
    batch_id = new_id()
    freeze_batch(town.database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    approve_batch(town.database, batch_id, by=APPROVER, now=NOW)
    return batch_id, export_batch(town.database, batch_id, by=PREPARER, now=NOW)


def three_structures(database: Database) -> Town:
    town = a_town(database, structure_count=3)
    for rank in range(3):
        town.redeem(rank, rank + 1)
    return town


def texts(file: ExportedFile, name: str) -> list[str | None]:
    return [one.text for one in etree.fromstring(file.content).iter(f"{{{namespace_of(file.kind)}}}{name}")]


def states(database: Database) -> dict[str, str]:
    with database.read() as session:
        return {row[0]: row[1] for row in session.execute(select(PaymentAdvice.reference, PaymentAdvice.state))}


def test_a_batch_is_cut_into_even_parts_told_by_their_number(database: Database) -> None:
    town = three_structures(database)
    set_terms(database, transfers_per_file=2)
    batch_id, files = sent(town)
    assert [file.part for file in files] == [1, 2]
    assert [len(texts(file, "EndToEndId")) for file in files] == [2, 1]
    assert [texts(file, "MsgId") for file in files] == [[batch_id.hex], [f"{batch_id.hex}002"]]
    assert [texts(file, "PmtInfId") for file in files] == [[f"{batch_id.hex}-1"], [f"{batch_id.hex}002"]]
    assert all(file.name.endswith(f"-{file.part}-sur-2.xml") for file in files)
    paid = [text for file in files for text in texts(file, "EndToEndId")]
    assert paid == sorted(states(database))
    page = read.batch(database, batch_id)
    assert page is not None
    assert (page.control.file_cents, page.control.is_equal) == (6_000, True)
    for file in files:
        kept = read.kept_file(database, batch_id, file.kind, file.part)
        assert kept == file
    assert export_batch(database, batch_id, by=APPROVER, now=NOW) == files
    assert wrong_books(database) == []


def test_a_bank_accepts_each_part_and_pays_them_all(database: Database) -> None:
    town = three_structures(database)
    iban = set_terms(database, transfers_per_file=1)
    _, files = sent(town)
    with Bank(today=MONDAY, iban=iban) as bank:
        for file in files:
            answer = bank.answer(file.content)
            assert b"<GrpSts>ACCP</GrpSts>" in answer
            report = import_report(database, "rapport.xml", answer, by=PREPARER, now=NOW)
            assert report.rejected_count == 0
        bank.advance_to(TUESDAY)
        (statement,) = bank.statements()
    assert sum(file.content.count(b"<EndToEndId>") for file in files) == 3
    assert all(reference.encode() in statement for reference in states(database))


@pytest.mark.parametrize(("group", "block"), [("FF01", ""), ("", "FF01")])
def test_a_part_that_the_bank_refuses_rejects_that_part_alone(database: Database, group: str, block: str) -> None:
    town = three_structures(database)
    set_terms(database, transfers_per_file=2)
    batch_id, files = sent(town)
    refused = status_report(batch_id, part=2, group=group, block=block)
    done = import_report(database, "rapport.xml", refused, by=PREPARER, now=NOW)
    assert (done.batch_id, done.rejected_count) == (batch_id, 1)
    found = states(database)
    assert {found[str(text)] for text in texts(files[0], "EndToEndId")} == {AdviceState.IN_FILE}
    assert {found[str(text)] for text in texts(files[1], "EndToEndId")} == {AdviceState.REJECTED}
    assert wrong_books(database) == []


def test_a_report_on_a_part_says_nothing_of_the_transfers_of_another(database: Database) -> None:
    town = three_structures(database)
    set_terms(database, transfers_per_file=2)
    batch_id, files = sent(town)
    elsewhere = str(texts(files[0], "EndToEndId")[0])
    report = status_report(batch_id, part=2, transfers={elsewhere: "AC04"})
    assert import_report(database, "rapport.xml", report, by=PREPARER, now=NOW).rejected_count == 0
    assert set(states(database).values()) == {AdviceState.IN_FILE}


def test_a_part_that_was_not_sent_is_none_of_our_files(database: Database) -> None:
    town = three_structures(database)
    batch_id, _ = sent(town)
    report = status_report(batch_id, part=2, group="FF01")
    assert import_report(database, "rapport.xml", report, by=PREPARER, now=NOW).rejected_count == 0
    assert part_of_message(message_id(batch_id, 7)) == (batch_id, 7)
    assert part_of_message(message_id(batch_id, 999)) == (batch_id, 999)
    for wrong in (f"{batch_id.hex}001", f"{batch_id.hex}1", batch_id.hex.upper(), f"{batch_id.hex}-2", "LOT"):
        assert part_of_message(wrong) is None
    assert len(message_id(batch_id, 999)) == len(payment_information_id(batch_id, 999)) == 35


def test_a_bank_that_asks_for_the_old_version_gets_it_and_takes_it(database: Database) -> None:
    town = three_structures(database)
    iban = set_terms(database, schema="pain.001.001.03")
    batch_id, (file,) = sent(town)
    assert file.kind == "pain.001.001.03"
    assert validate(file.content, "pain.001.001.03") == []
    assert texts(file, "ReqdExctnDt") == [MONDAY.isoformat()]
    with Bank(today=MONDAY, iban=iban) as bank:
        answer = bank.answer(file.content)
    assert b"<GrpSts>ACCP</GrpSts>" in answer
    assert read.kept_file(database, batch_id, "pain.001.001.09") is None
    assert wrong_books(database) == []


def test_a_rib_changed_in_one_part_stops_them_all(database: Database) -> None:
    town = three_structures(database)
    set_terms(database, transfers_per_file=1)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    give_rib(database, town.structure_ids[2], 99)
    with pytest.raises(Refused, match="Rien n’est parti"):
        export_batch(database, batch_id, by=PREPARER, now=NOW)
    assert set(states(database).values()) == {AdviceState.DUE}


def test_a_batch_that_would_make_a_thousand_files_is_told_what_to_do(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 1)
    batch_id = a_large_batch(database, town, 1_000)
    set_terms(database, transfers_per_file=1)
    with pytest.raises(Refused, match="999 au plus"):
        export_batch(database, batch_id, by=PREPARER, now=NOW)


@pytest.mark.kill
def test_an_export_in_parts_killed_anywhere_gives_the_same_bytes_when_run_again(
    database: Database, killer: Killer
) -> None:
    town = three_structures(database)
    set_terms(database, transfers_per_file=1)
    batch_id = new_id()
    freeze_batch(database, batch_id, town.agreement_id, by=PREPARER, now=NOW)
    approve_batch(database, batch_id, by=APPROVER, now=NOW)
    files, again = killer.everywhere(export_batch, batch_id, by=PREPARER, now=NOW)
    assert [texts(file, "MsgId") for file in files] == [[message_id(batch_id, part)] for part in (1, 2, 3)]
    assert again == files
    assert wrong_books(database) == []


def a_large_batch(database: Database, town: Town, count: int) -> UUID:
    """Freeze and approve the town's batch, then make it one of so many structures, rows and entry alike."""
    batch_id = new_id()
    with database.write() as session:
        ids = [new_id() for _ in range(count)]
        session.execute(
            insert(Structure),
            [
                {"id": one, "pivot": f"X{rank:08d}", "name": f"S{rank}", "state": "qualified", "created_at": NOW, "state_changed_at": NOW}
                for rank, one in enumerate(ids)
            ],
        )  # fmt: skip
        details = [
            {"id": new_id(), "structure_id": one, "holder_name": f"S {rank}", "iban": an_iban(rank), "recorded_by": PREPARER, "recorded_at": NOW,
             "confirmed_by": CONFIRMER, "confirmed_at": NOW}
            for rank, one in enumerate(ids)
        ]  # fmt: skip
        session.execute(insert(BankDetails), details)
        channel = "mandated_operator"
        session.execute(
            insert(SettlementBatch).values(
                id=batch_id, number="GRAND/01", agreement_id=town.agreement_id, period_id=None, channel=channel,
                state=BatchState.APPROVED, advice_count=count, total_cents=count * 100, frozen_at=NOW, frozen_by=PREPARER,
                approved_at=NOW, approved_by=APPROVER,
            )
        )  # fmt: skip
        write_first(
            session,
            [
                {
                    "id": new_id(), "batch_id": batch_id, "structure_id": one, "reference": f"PN-{rank:07d}", "amount_cents": 100,
                    "voucher_count": 1, "holder_name": f"S {rank}", "iban": an_iban(rank), "state": AdviceState.DUE,
                    "state_reason": "", "is_payable": True, "due_on": MONDAY,
                }
                for rank, one in enumerate(ids)
            ],
            Cause(why=PaymentWhy.FROZEN, by=PREPARER, at=NOW),
        )  # fmt: skip
        of = [{"agreement_id": town.agreement_id, "structure_id": one} for one in ids]
        movements = [Movement(AccountKey("4670", **one), AccountKey("4675", **one), 100) for one in of]
        post(session, Event(EventType.BATCH_FROZEN, batch_id, NOW, "Lot GRAND/01", PREPARER), movements)
    return batch_id


@pytest.mark.parametrize(("count", "limit", "lengths"), [(1, 5, [1]), (5, 5, [5]), (6, 5, [3, 3]), (11, 5, [4, 4, 3])])
def test_parts_are_even_so_that_none_is_a_leftover(count: int, limit: int, lengths: list[int]) -> None:
    parts = even_parts(range(count), part_count_of(count, limit))
    assert [len(part) for part in parts] == lengths
    assert [item for part in parts for item in part] == list(range(count))


def test_terms_are_checked_before_they_are_kept(database: Database) -> None:
    a_town(database, structure_count=1)
    with pytest.raises(Refused, match="de 1 à"):
        set_terms(database, transfers_per_file=0)
    with pytest.raises(Refused):
        set_terms(database, schema="pain.008.001.02")
    with database.write() as session:
        session.execute(update(PayingAccount).values(siren=None))
    with pytest.raises(Refused, match="existe pas"):
        change_paying_terms(database, new_id(), PayingTerms(None, "pain.001.001.09", 5), by=APPROVER, now=NOW)
