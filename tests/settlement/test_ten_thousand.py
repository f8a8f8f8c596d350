"""Ten thousand structures with one redemption each: frozen, approved, sent in parts and paid by one statement, the books whole."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from lxml import etree
from sqlalchemy import func, select, update

from tests.builders import SOMEONE, a_counter, an_agreement, an_iban, issued_booklets, scanned_codes
from tests.settlement.town import APPROVER, NOW, PREPARER, Town, give_rib, wrong_books
from voucher.demonstration.bank import BookedLine, statement
from voucher.issuing.model import Voucher
from voucher.kernel.bulk import copy_rows
from voucher.kernel.database import Base, Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import AccountKey
from voucher.ledger.model import Entry, Movement
from voucher.ledger.post import open_accounts
from voucher.network.model import BankDetails, Place, Structure
from voucher.programme.model import PayingAccount
from voucher.programme.paying_account import PayingTerms, change_paying_terms
from voucher.redemption.answers import Redeemed
from voucher.redemption.model import RedeemedVoucher, Redemption
from voucher.redemption.redeem import redeem
from voucher.settlement.bank_in.import_statement import import_statement
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.formats_out.pain001 import namespace_of
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch

COUNT = 10_000
SIZE = 10  # vouchers of a booklet
FACE_CENTS = 1_000
TABLES = (Structure, Place, BankDetails, Redemption, RedeemedVoucher, Entry)


@pytest.mark.long
def test_ten_thousand_structures_with_one_redemption_each_are_paid_whole(database: Database) -> None:
    agreement_id = ten_thousand_redemptions(database)
    with database.read() as session:
        account_id, iban = session.execute(select(PayingAccount.id, PayingAccount.iban)).one()
    change_paying_terms(database, account_id, PayingTerms(None, "pain.001.001.09", 3_000), by=APPROVER, now=NOW)
    batch_id, total_cents = new_id(), COUNT * FACE_CENTS
    frozen = freeze_batch(database, batch_id, agreement_id, by=PREPARER, now=NOW)
    assert (frozen.advice_count, frozen.total_cents, frozen.held_count) == (COUNT, total_cents, 0)
    approve_batch(database, batch_id, by=APPROVER, now=NOW, seen_total_cents=total_cents)
    files = export_batch(database, batch_id, by=PREPARER, now=NOW)
    path = f"{{{namespace_of(files[0].kind)}}}EndToEndId"
    told = [[one.text for one in etree.fromstring(file.content).iter(path)] for file in files]
    assert [len(references) for references in told] == [2_500] * 4
    references = [str(reference) for part in told for reference in part]
    assert len(set(references)) == COUNT
    lines = [
        BookedLine(reference=f"T{rank}", amount_cents=FACE_CENTS, is_credit=False, end_to_end_id=reference)
        for rank, reference in enumerate(references)
    ]
    content = statement("R1", iban, NOW.date(), 2 * total_cents, lines)
    done = import_statement(database, "releve.xml", content, by=PREPARER, now=NOW)
    assert (done.new_count, done.paid_count, done.unknown_count) == (COUNT, COUNT, 0)
    with database.read() as session:
        paid = select(func.count(PaymentAdvice.structure_id.distinct())).where(PaymentAdvice.state == "paid")
        assert session.scalar(paid) == COUNT
        assert session.scalars(select(SettlementBatch.state)).one() == "closed"
    assert wrong_books(database) == []


def ten_thousand_redemptions(database: Database) -> UUID:
    """Redeem one voucher by the use cases; the other rows, of the ledger too, are its copies. Return the agreement."""
    agreed = an_agreement(database, is_handover_required=False)
    issued = issued_booklets(database, COUNT // SIZE, agreed=agreed)
    town = Town(database, agreed, (a_counter(database),))
    give_rib(database, town.structure_ids[0], 1)
    codes = scanned_codes(database, issued.first_booklet_number)
    redemption_id = new_id()
    answer = redeem(database, redemption_id, codes[:1], "everyday_digital_tools", town.counters[0], by=SOMEONE, now=NOW)
    assert isinstance(answer, Redeemed)
    with database.write() as session:
        one = {table: row_of(session, table, redemption_id) for table in TABLES}
        moves = [
            dict(row)
            for row in session.execute(
                select(*Movement.__table__.columns).where(Movement.entry_id == one[Entry]["id"])
            ).mappings()
        ]
        rows: dict[type[Base], list[dict[str, Any]]] = {table: [] for table in (*TABLES, Movement)}
        key = AccountKey("4670", agreement_id=agreed.agreement_id, structure_id=town.structure_ids[0])
        keys = [replace(key, structure_id=new_id()) for _ in range(COUNT - 1)]
        open_accounts(session, keys)
        for rank, account in enumerate(keys, 1):
            structure, place, redemption, entry = account.structure_id, new_id(), new_id(), new_id()
            booklet = issued.first_booklet_number + rank // SIZE
            changes: dict[type[Base], dict[str, object]] = {
                Structure: {"id": structure, "pivot": f"W{rank:09d}"},
                Place: {"id": place, "structure_id": structure, "external_id": f"P{rank}"},
                BankDetails: {"id": new_id(), "structure_id": structure, "iban": an_iban(3_000_000 + rank)},
                Redemption: {
                    "id": redemption, "structure_id": structure, "place_id": place, "booklet_number": booklet,
                    "remaining_count": SIZE - 1 - rank % SIZE,
                },
                RedeemedVoucher: {"redemption_id": redemption, "serial": issued.first_serial + rank},
                Entry: {"id": entry, "event_id": redemption},
            }  # fmt: skip
            for table, change in changes.items():
                rows[table].append(one[table] | change)
            for move in moves:
                ids = {name: account.id if move[name] == key.id else move[name] for name in move if "account" in name}
                rows[Movement].append(move | {"entry_id": entry} | ids)
        for table in (*TABLES[:-1], Movement, Entry):
            names = table.__table__.columns.keys()
            copy_rows(session, table, [[row[name] for name in names] for row in rows[table]])
        last = issued.first_serial + COUNT - 1
        session.execute(
            update(Voucher).where(Voucher.serial.between(issued.first_serial, last)).values(state="redeemed")
        )
    return agreed.agreement_id


def row_of(session: Any, table: type[Base], redemption_id: UUID) -> dict[str, Any]:
    """Return the one row of a table; of the ledger, the entry of the redemption."""
    query = select(*table.__table__.columns)
    if table is Entry:
        query = query.where(Entry.event_id == redemption_id)
    return dict(session.execute(query).mappings().one())
