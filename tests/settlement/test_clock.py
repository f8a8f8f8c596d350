"""What is due, by when and who holds it; who may block a payment; what structures are written."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.builders import SOMEONE, an_iban
from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.bank import Bank
from tests.settlement.town import APPROVER, PREPARER, Town, a_town, give_rib, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.model import OutboxMessage
from voucher.network.model import Structure
from voucher.network.structures import suspend_structure
from voucher.programme.change_payment_terms import PaymentTerms, change_payment_terms
from voucher.programme.model import Agreement, PayingAccount
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import Frozen, freeze_batch
from voucher.settlement.batches.leave_out import set_aside
from voucher.settlement.batches.preview import preview_batch
from voucher.settlement.batches.write_to_structures import notify_failed, notify_sent
from voucher.settlement.deadlines.finance_calendar import calendar
from voucher.settlement.deadlines.payment_deadlines import Due, Stage, clock_counts, dues, structure_dues
from voucher.settlement.model.batches import PaymentAdvice
from voucher.settlement.payable.hold_by_hand import NewHold, lift_hold, payment_holds, place_hold

NOVEMBER_3 = datetime(2026, 11, 3, 9, tzinfo=UTC)
DECEMBER_2 = datetime(2026, 12, 2, 9, tzinfo=UTC)
DUE_ON = date(2026, 12, 30)
ON_TIME = datetime(2026, 12, 28, 9, tzinfo=UTC)
LATE = datetime(2027, 1, 4, 9, tzinfo=UTC)


def freeze(town: Town, now: datetime = DECEMBER_2) -> Frozen:
    return freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=now)


def sent(town: Town, now: datetime = DECEMBER_2) -> tuple[Frozen, bytes]:
    frozen = freeze(town, now)
    approve_batch(town.database, frozen.batch_id, by=APPROVER, now=now)
    return frozen, export_batch(town.database, frozen.batch_id, by=PREPARER, now=now)[0].content


def pivot_of(town: Town, rank: int) -> str:
    with town.database.read() as session:
        return session.execute(select(Structure.pivot).where(Structure.id == town.structure_ids[rank])).scalar_one()


def hold(town: Town, rank: int = 0, *, everywhere: bool = False, **more: Any) -> UUID:
    command = NewHold(new_id(), pivot_of(town, rank), None if everywhere else town.agreement_id, "RIB à vérifier")
    place_hold(town.database, command, by=PREPARER, now=DECEMBER_2, **more)
    return command.id


def only(found: list[Due]) -> Due:
    (one,) = found
    return one


def test_the_clock_says_who_holds_the_money_at_each_step_and_for_how_many_days(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 3, now=NOVEMBER_3)
    assert dues(database, DECEMBER_2) == [], "due in four weeks"
    waiting = only(dues(database, ON_TIME))
    assert (waiting.stage, waiting.due_on, waiting.days_left, waiting.is_late) == (Stage.NOT_FROZEN, DUE_ON, 2, False)
    assert (waiting.since_on, waiting.holder) == (date(2026, 11, 30), "La personne qui prépare les lots")
    frozen = freeze(town)
    unapproved = only(dues(database, LATE))
    assert (unapproved.stage, unapproved.days_left) == (Stage.NOT_APPROVED, -5)
    assert (unapproved.holder, unapproved.since_on) == ("La personne qui valide les lots", date(2026, 12, 2))
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    assert only(dues(database, LATE)).stage is Stage.NOT_SENT
    export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    left = only(dues(database, LATE))
    assert (left.stage, left.holder) == (Stage.LEFT, "La banque")
    counts = clock_counts(dues(database, LATE))
    assert (counts.late_count, counts.late_cents, counts.soon_count) == (1, 3_000, 0)
    assert dues(database, LATE, issuer_id=new_id()) == []
    assert dues(database, LATE, issuer_id=town.agreed.issuer_id) == [left]


def test_what_was_paid_is_not_on_the_clock_and_what_was_refused_waits_for_the_structure(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    _, content = sent(town)
    with database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    with Bank(today=DECEMBER_2.date(), iban=iban) as bank:
        bank.close_account(an_iban(7002))
        answers = [one.content for one in bank.send(content) if one.type.startswith("pain.002")]
        bank.advance_to(DECEMBER_2.date() + timedelta(days=2))
        for file in [*answers, *bank.statements()]:
            import_bank_file(database, "banque.xml", file, by=PREPARER, now=DECEMBER_2 + timedelta(days=2))
    refused = only(dues(database, LATE))
    assert (refused.stage, refused.holder, refused.amount_cents) == (Stage.FAILED, "La structure", 4_000)
    assert refused.act == "Compte fermé : demandez un nouveau RIB à la structure."
    assert only(structure_dues(database, town.structure_ids[1], LATE)).advice_id == refused.advice_id
    assert structure_dues(database, town.structure_ids[0], LATE) == []


def test_a_held_payment_says_why_and_who_can_lift_it(database: Database) -> None:
    town = a_town(database, structure_count=5, with_rib=4)
    for rank in range(5):
        town.redeem(rank, 3 if rank < 4 else 1, now=NOVEMBER_3)
    hold(town, 1)
    suspend_structure(database, town.structure_ids[2], "Contrôle en cours", by=SOMEONE, now=DECEMBER_2)
    with database.write() as session:
        session.execute(update(Agreement).values(minimum_payment_cents=3_000))
    town.redeem(3, 1, now=NOVEMBER_3)
    give_rib(database, town.structure_ids[4], 50)
    freeze(town)
    who = {one.amount_cents: one.holder for one in dues(database, LATE) if one.stage is Stage.HELD}
    held = [one.act for one in dues(database, LATE) if one.stage is Stage.HELD]
    assert len(held) == 3
    assert any(act.startswith("Paiement bloqué : RIB à vérifier") for act in held)
    assert any(act.startswith("Structure suspendue : Contrôle en cours") for act in held)
    assert who[1_000] == "Personne", "below the minimum: a later batch pays it"


def test_an_on_demand_agreement_that_nobody_settles_shows_late(database: Database) -> None:
    town = a_town(database, structure_count=1)
    change_payment_terms(database, town.agreement_id, PaymentTerms("on_demand", 0, 30), by=SOMEONE, now=NOVEMBER_3)
    town.redeem(0, 1, now=NOVEMBER_3)
    late = only(dues(database, DECEMBER_2 + timedelta(days=7)))
    assert (late.stage, late.due_on, late.is_late) == (Stage.NOT_FROZEN, date(2026, 12, 3), True)


def test_the_calendar_shows_each_agreement_the_late_ones_first(database: Database) -> None:
    quiet, late = a_town(database, structure_count=1), a_town(database, structure_count=1)
    late.redeem(0, 3, now=NOVEMBER_3)
    late.redeem(0, 2, now=DECEMBER_2)
    first, second = calendar(database, DECEMBER_2)
    assert (first.agreement_id, second.agreement_id) == (late.agreement_id, quiet.agreement_id)
    assert [one.stage for one in first.steps] == [Stage.NOT_FROZEN, Stage.RUNNING]
    assert (first.cut_off_on, first.next_due_on, first.may_freeze) == (date(2026, 12, 31), DUE_ON, True)
    assert (second.cut_off_on, second.steps, second.next_due_on) == (None, (), None)
    assert calendar(database, LATE)[0].late_cents == 3_000
    assert calendar(database, LATE, issuer_id=new_id()) == []


def test_payment_terms_change_within_bounds(database: Database) -> None:
    town = a_town(database, structure_count=1)
    for _ in range(2):
        change_payment_terms(
            database, town.agreement_id, PaymentTerms("monthly", 2_000, 45), by=SOMEONE, now=NOVEMBER_3
        )
    town.redeem(0, 3, now=NOVEMBER_3)
    freeze(town)
    with database.read() as session:
        assert session.execute(select(PaymentAdvice.due_on)).scalar_one() == date(2027, 1, 14)
    for terms, field in (
        (PaymentTerms("weekly", 0, 30), "settlement_rhythm"),
        (PaymentTerms("monthly", -1, 30), "minimum_payment_cents"),
        (PaymentTerms("monthly", 200_000, 30), "minimum_payment_cents"),
        (PaymentTerms("monthly", 0, 0), "payment_days"),
        (PaymentTerms("monthly", 0, 61), "payment_days"),
        (PaymentTerms("monthly", 0, 30, 0), "cut_off_day"),
        (PaymentTerms("monthly", 0, 30, 32), "cut_off_day"),
    ):
        with pytest.raises(Refused) as refused:
            change_payment_terms(database, town.agreement_id, terms, by=SOMEONE, now=NOVEMBER_3)
        assert refused.value.field == field
    with pytest.raises(Refused, match="n’existe pas"):
        change_payment_terms(database, new_id(), PaymentTerms("monthly", 0, 30), by=SOMEONE, now=NOVEMBER_3)


def test_a_blocked_structure_is_not_paid_until_it_is_unblocked_and_is_owed_all_the_while(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    hold_id = hold(town)
    preview = preview_batch(database, town.agreement_id, now=DECEMBER_2)
    assert preview is not None
    assert [one.why_held for one in preview.owed if one.why_held] == ["Paiement bloqué : RIB à vérifier"]
    assert freeze(town).total_cents == 4_000
    assert [(row.id, row.waiting_cents) for row in payment_holds(database, is_live=True)] == [(hold_id, 3_000)]
    assert wrong_books(database) == []
    for _ in range(2):
        lift_hold(database, hold_id, "RIB confirmé", by=PREPARER, now=DECEMBER_2)
    with pytest.raises(Refused, match="déjà été levé"):
        lift_hold(database, hold_id, "RIB confirmé", by=SOMEONE, now=DECEMBER_2)
    assert payment_holds(database, is_live=True) == []
    assert freeze(town).total_cents == 3_000
    assert wrong_books(database) == []


def test_a_block_after_the_freeze_keeps_the_payment_from_leaving(database: Database) -> None:
    town = a_town(database)
    town.redeem(0, 3, now=NOVEMBER_3)
    town.redeem(1, 4, now=NOVEMBER_3)
    frozen = freeze(town)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    hold(town, everywhere=True)
    with pytest.raises(Refused, match="Rien n’est parti"):
        export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    with database.read() as session:
        advice_id = session.execute(
            select(PaymentAdvice.id).where(PaymentAdvice.structure_id == town.structure_ids[0])
        ).scalar_one()
    set_aside(database, advice_id, "Paiement bloqué", by=PREPARER, now=DECEMBER_2)
    approve_batch(database, frozen.batch_id, by=APPROVER, now=DECEMBER_2)
    export_batch(database, frozen.batch_id, by=PREPARER, now=DECEMBER_2)
    assert wrong_books(database) == []


def test_a_block_is_placed_once_by_whom_it_concerns_and_in_its_scope(database: Database) -> None:
    town = a_town(database, structure_count=1)
    own, stranger = town.agreed.issuer_id, new_id()
    command = NewHold(new_id(), pivot_of(town, 0), town.agreement_id, "Doute")
    for _ in range(2):
        place_hold(database, command, by=PREPARER, now=DECEMBER_2, issuer_id=own)
    cases: list[tuple[NewHold, UUID | None, str]] = [
        (NewHold(new_id(), pivot_of(town, 0), town.agreement_id, "Doute"), own, "already_held"),
        (NewHold(command.id, pivot_of(town, 0), town.agreement_id, "Autre raison"), own, "same_id_other_content"),
        (NewHold(new_id(), "W000000000", town.agreement_id, "Doute"), own, "unknown_structure"),
        (NewHold(new_id(), pivot_of(town, 0), town.agreement_id, "Doute"), stranger, "unknown_agreement"),
        (NewHold(new_id(), pivot_of(town, 0), None, "Doute"), own, "agreement_missing"),
        (NewHold(new_id(), pivot_of(town, 0), town.agreement_id, " "), own, "missing"),
    ]
    for wrong, issuer_id, code in cases:
        with pytest.raises(Refused) as refused:
            place_hold(database, wrong, by=PREPARER, now=DECEMBER_2, issuer_id=issuer_id)
        assert refused.value.code == code
    everywhere = hold(town, everywhere=True)
    with pytest.raises(Refused, match="est du programme"):
        lift_hold(database, everywhere, "Fini", by=PREPARER, now=DECEMBER_2, issuer_id=own)
    assert [row.id for row in payment_holds(database, is_live=True, issuer_id=own)] == [command.id]
    assert payment_holds(database, is_live=True, issuer_id=stranger) == []


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


class Office:
    """A town and its people at their screens."""

    def __init__(self, database: Database) -> None:
        self.town = a_town(database)
        give_address(self.town, 0, "tresor@association.example")
        self.town.redeem(0, 3, now=NOVEMBER_3)
        self.town.redeem(1, 4, now=NOVEMBER_3)
        self.database = database
        self.app = app_for(database, DECEMBER_2)

    def seat(self, role: Role, scope_id: UUID | None = None) -> FlaskClient:
        return signed_in_client(self.app, self.database, role, scope_id)

    def post(self, client: FlaskClient, page: str, act: str = "", **fields: object) -> str:
        said = client.get(page).get_data(as_text=True)
        form_id = re.search(r'name="id"[^>]*value="([^"]+)"', said)
        given = {"csrf_token": csrf_token(said), **({"id": form_id[1]} if form_id else {}), **fields}
        return client.post(act or page, data=given, follow_redirects=True).get_data(as_text=True)


def test_the_pages_show_what_is_due_block_and_unblock(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    preparer, auditor = office.seat(Role.FINANCE_PREPARER), office.seat(Role.AUDITOR)
    for page in ("/finances/calendrier", "/finances/delais", "/finances/blocages", "/finances/messages"):
        for client in (preparer, auditor, office.seat(Role.FINANCE_APPROVER)):
            assert client.get(page).status_code == 200, page
    assert "30\u00a0novembre\u00a02026" not in preparer.get("/finances/calendrier").get_data(as_text=True)
    assert "30\u00a0décembre\u00a02026" in preparer.get("/finances/calendrier").get_data(as_text=True)
    assert preparer.get("/finances/delais?format=csv").mimetype == "text/csv"
    said = office.post(preparer, "/finances/blocages/nouveau", pivot="W0", agreement_id="", reason="Doute")
    assert "Aucune structure ne porte ce numéro" in said
    assert "Doute" in said, "what was typed is kept"
    said = office.post(
        preparer, "/finances/blocages/nouveau", pivot=pivot_of(office.town, 1), agreement_id="", reason="Doute sérieux"
    )
    assert "Doute sérieux" in said
    lift = re.search(r"/finances/blocages/[0-9a-f-]+/lever", said)
    assert lift is not None
    freezing = preparer.get(f"/finances/conventions/{office.town.agreement_id}/arreter").get_data(as_text=True)
    assert "Paiement bloqué : Doute sérieux" in freezing
    assert "Levez le blocage quand sa raison n’est plus." in freezing
    said = office.post(preparer, lift[0], reason="Vérifié")
    assert "Aucun paiement n’est bloqué." in said
    assert "Vérifié" in said
    stranger = office.seat(Role.FINANCE_PREPARER, new_id())
    assert stranger.get(lift[0]).status_code == 404
    assert auditor.get(lift[0]).status_code == 403


def test_messages_can_be_read_and_sent_again(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    sent(office.town)
    (letter,) = letters(sqlite_database)
    preparer, programme = office.seat(Role.FINANCE_PREPARER), office.seat(Role.PROGRAMME)
    listed = preparer.get("/finances/messages").get_data(as_text=True)
    assert "Aucun serveur de messagerie" in listed
    assert "tresor@association.example" in listed
    page = f"/finances/messages/{letter.id}"
    assert "Ce compte n’est plus le vôtre" in programme.get(page).get_data(as_text=True)
    with sqlite_database.write() as session:
        session.execute(update(OutboxMessage).values(given_up_at=DECEMBER_2, failure="550 inconnu", try_count=1))
    assert "1\u00a0message aux structures n’a pas pu partir." in preparer.get("/finances/").get_data(as_text=True)
    give_address(office.town, 0, "nouvelle@association.example")
    assert "repart au prochain tour" in office.post(programme, page, f"{page}/renvoyer")
    assert letters(sqlite_database)[0].recipient == "nouvelle@association.example"
    stranger = office.seat(Role.FINANCE_PREPARER, new_id())
    assert stranger.get(page).status_code == 404
    assert "Aucun message" in stranger.get("/finances/messages").get_data(as_text=True)
    auditor = office.seat(Role.AUDITOR)
    token = csrf_token(auditor.get("/finances/").get_data(as_text=True))
    assert auditor.post(f"{page}/renvoyer", data={"csrf_token": token}).status_code == 403
    assert stranger.post(
        f"{page}/renvoyer", data={"csrf_token": csrf_token(stranger.get("/finances/").get_data(as_text=True))}
    ).status_code == 404  # fmt: skip


def test_the_programme_changes_payment_terms_on_a_page(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    programme = office.seat(Role.PROGRAMME)
    page = f"/programme/conventions/{office.town.agreement_id}/paiement"
    said = office.post(
        programme, page, settlement_rhythm="on_demand", minimum_payment_cents="25", payment_days="45", cut_off_day="25"
    )
    assert "Les conditions de paiement sont changées." in said
    assert "À la demande" in said
    said = office.post(
        programme, page, settlement_rhythm="monthly", minimum_payment_cents="0", payment_days="90", cut_off_day="31"
    )
    assert "Écrivez un délai de 1 à 60 jours." in said


def test_a_structure_sees_the_day_by_which_it_is_paid_and_who_holds_it(sqlite_database: Database) -> None:
    office = Office(sqlite_database)
    manager = office.seat(Role.PLACE_MANAGER, office.town.structure_ids[0])
    said = manager.get("/comptoir/paiements/").get_data(as_text=True)
    assert "30\u00a0décembre\u00a02026" in said
    assert "Le service des finances" in said
