"""What a public accountant sends back: what it changes, what is refused with its line, and what changes nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from tests.killing import Killer
from tests.settlement.camt_files import Account, Booked, Transaction, camt
from tests.settlement.town import APPROVER, NOW, PREPARER, a_town, give_rib, wrong_books
from tests.typed import typed_amounts
from voucher.demonstration.bank import statement
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.ledger.model import Entry
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.accountant_return import Returned, import_accountant_return
from voucher.settlement.bank_in.import_bank_file import import_bank_file
from voucher.settlement.bank_in.import_statement import Imported
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile
from voucher.settlement.batches import read
from voucher.settlement.batches.approve import approve_batch
from voucher.settlement.batches.export import export_batch
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.freeze_urgent import freeze_urgent_batch
from voucher.settlement.formats_in.accountant_file import ReturnStatus, UnreadableReturn, is_table, read_return
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.model.batches import BankFile, BankLine, PaymentAdvice
from voucher.settlement.reconciliation.daily_balances import days
from voucher.settlement.reconciliation.undo_match import undo_match

HEADS = "Référence;Montant;Statut;Date;Motif\n"
LATER = NOW + timedelta(days=10)
TODAY = LATER.date()


class Owing:
    """An état liquidatif that left: two structures, 30 € and 40 €."""

    def __init__(self, database: Database, *, channel: str = "public_accountant") -> None:
        self.database = database
        self.town = a_town(database, channel=channel)
        self.town.redeem(0, 3)
        self.town.redeem(1, 4)
        self.batch_id = new_id()
        freeze_batch(database, self.batch_id, self.town.agreement_id, by=PREPARER, now=NOW)
        approve_batch(database, self.batch_id, by=APPROVER, now=NOW)
        self.files = {file.kind: file for file in export_batch(database, self.batch_id, by=PREPARER, now=NOW)}
        with database.read() as session:
            self.first, self.second = session.scalars(
                select(PaymentAdvice.reference)
                .where(PaymentAdvice.batch_id == self.batch_id)
                .order_by(PaymentAdvice.amount_cents)
            ).all()

    def take(self, *rows: str, issuer_id: UUID | None = None) -> Returned:
        content = (HEADS + "\n".join(rows)).encode()
        return import_accountant_return(
            self.database, "retour.csv", content, by=PREPARER, now=LATER, issuer_id=issuer_id
        )

    def refusal(self, *rows: str, issuer_id: UUID | None = None) -> list[tuple[int, str]]:
        before = self.counts()
        with pytest.raises(RefusedBankFile) as refused:
            self.take(*rows, issuer_id=issuer_id)
        assert self.counts() == before
        return [(error.line, error.reason) for error in refused.value.errors]

    def states(self) -> dict[str, tuple[str, date | None]]:
        with self.database.read() as session:
            rows = session.execute(select(PaymentAdvice.reference, PaymentAdvice.state, PaymentAdvice.paid_on))
            return {row[0]: (row[1], row[2]) for row in rows}

    def counts(self) -> list[int | None]:
        with self.database.read() as session:
            return [session.scalar(select(func.count()).select_from(table)) for table in (BankFile, BankLine, Entry)]


@pytest.fixture
def owing(database: Database) -> Iterator[Owing]:
    owing = Owing(database)
    yield owing
    assert wrong_books(database) == []


def test_what_the_accountant_paid_is_paid_on_its_day(owing: Owing) -> None:
    done = owing.take(f"{owing.first};30,00;payé;24/11/2026;", f"{owing.second};40,00;Payé;2026-11-25;")
    assert done == Returned(
        is_known=False, line_count=2, paid_count=2, rejected_count=0, returned_count=0, known_count=0
    )
    assert owing.states() == {
        owing.first: ("paid", date(2026, 11, 24)),
        owing.second: ("paid", date(2026, 11, 25)),
    }
    page = read.batch(owing.database, owing.batch_id)
    assert page is not None
    assert page.state == "closed"


def test_what_it_rejected_is_owed_again_and_paid_by_an_urgent_batch(owing: Owing) -> None:
    done = owing.take(f"{owing.first};30,00;payé;24/11/2026;", f"{owing.second};40;rejeté;24/11/2026;Compte clos")
    assert (done.paid_count, done.rejected_count) == (1, 1)
    assert owing.states()[owing.second][0] == "rejected"
    with owing.database.read() as session:
        reason = session.scalars(
            select(PaymentAdvice.state_reason).where(PaymentAdvice.reference == owing.second)
        ).one()
    assert explain(reason).sentence == "Le compte de la structure est fermé. Le comptable dit : « Compte clos »."
    structure_id = owing.town.structure_ids[1]
    give_rib(owing.database, structure_id, 80)
    again = freeze_urgent_batch(
        owing.database, new_id(), owing.town.agreement_id, [structure_id], by=PREPARER, now=LATER
    )
    assert again.total_cents == 4_000


def test_what_came_back_after_it_was_paid_is_owed_again(owing: Owing) -> None:
    owing.take(f"{owing.first};30,00;payé;24/11/2026;")
    done = owing.take(f"{owing.first};30,00;retourné;30/11/2026;AC04")
    assert done.returned_count == 1
    assert owing.states()[owing.first][0] == "returned"
    with owing.database.read() as session:
        reason = session.scalars(select(PaymentAdvice.state_reason).where(PaymentAdvice.reference == owing.first)).one()
    assert "fermé" in explain(reason).sentence
    both = owing.take(f"{owing.second};40,00;retourné;30/11/2026;Compte clos", f"{owing.second};40,00;payé;24/11/2026;")
    assert (both.paid_count, both.returned_count) == (1, 1)


def test_the_same_file_twice_and_lines_said_again_change_nothing(owing: Owing) -> None:
    row = f"{owing.first};30,00;payé;24/11/2026;"
    owing.take(row)
    before = owing.counts()
    assert owing.take(row) == Returned(
        is_known=True, line_count=1, paid_count=0, rejected_count=0, returned_count=0, known_count=1
    )
    assert owing.counts() == before
    more = owing.take(row, f"{owing.second};40,00;rejeté;24/11/2026;RIB faux")
    assert (more.paid_count, more.rejected_count, more.known_count) == (0, 1, 1)
    again = owing.take(f"{owing.second};40,00;rejeté;24/11/2026;RIB faux", row)
    assert (again.is_known, again.known_count) == (False, 2)


def test_what_was_rejected_then_paid_all_the_same_is_paid(owing: Owing) -> None:
    owing.take(f"{owing.first};30,00;rejeté;24/11/2026;Engagement absent")
    assert owing.take(f"{owing.first};30,00;payé;27/11/2026;").paid_count == 1
    assert owing.states()[owing.first] == ("paid", date(2026, 11, 27))


def test_each_wrong_line_is_said_with_its_reason_and_nothing_is_kept(owing: Owing) -> None:
    assert owing.refusal(
        f"{owing.first};30,00;payé;24/11/2026;",
        "PN-INCONNU;40,00;payé;24/11/2026;",
        f"{owing.second};40,01;payé;24/11/2026;",
    ) == [
        (3, "Aucun règlement ne porte la référence « PN-INCONNU ». Recopiez celle de l’état liquidatif."),
        (
            4,
            "La ligne dit 40,01\u00a0€, le règlement est de 40,00\u00a0€. Demandez au comptable ce qui a été payé.",
        ),
    ]
    before_export = owing.refusal(f"{owing.first};30,00;payé;22/11/2026;")
    assert "transmis le 23\u00a0novembre" in before_export[0][1]
    future = owing.refusal(f"{owing.first};30,00;payé;{(TODAY + timedelta(days=1)).isoformat()};")
    assert "pas encore venu" in future[0][1]
    not_paid = owing.refusal(f"{owing.first};30,00;retourné;24/11/2026;AC04")
    assert "Écrivez « rejeté »" in not_paid[0][1]


def test_a_payment_said_paid_on_another_day_is_refused(owing: Owing) -> None:
    owing.take(f"{owing.first};30,00;payé;24/11/2026;")
    ((_, reason),) = owing.refusal(f"{owing.first};30,00;payé;25/11/2026;")
    assert "déjà payé le 24\u00a0novembre" in reason
    ((_, reason),) = owing.refusal(f"{owing.first};30,00;rejeté;25/11/2026;Compte clos")
    assert "écrivez « retourné »" in reason


def test_what_a_later_batch_took_up_cannot_be_paid_under_its_old_reference(owing: Owing) -> None:
    owing.take(f"{owing.second};40,00;rejeté;24/11/2026;Pièce manquante")
    owing.town.redeem(0, 1, now=NOW + timedelta(days=2))
    freeze_batch(owing.database, new_id(), owing.town.agreement_id, by=PREPARER, now=LATER)
    ((_, reason),) = owing.refusal(f"{owing.second};40,00;payé;25/11/2026;")
    assert "Un lot suivant a repris" in reason


def test_what_came_back_and_was_taken_up_may_be_said_again_beside_what_is_new(owing: Owing) -> None:
    paid, back = f"{owing.first};30,00;payé;24/11/2026;", f"{owing.first};30,00;retourné;30/11/2026;AC04"
    owing.take(paid, back)
    give_rib(owing.database, owing.town.structure_ids[0], 81)
    freeze_batch(owing.database, new_id(), owing.town.agreement_id, by=PREPARER, now=LATER)
    more = owing.take(paid, back, f"{owing.second};40,00;payé;25/11/2026;")
    assert (more.paid_count, more.returned_count, more.known_count) == (1, 0, 2)
    ((_, reason),) = owing.refusal(f"{owing.first};30,00;payé;27/11/2026;")
    assert "Un lot suivant a repris" in reason


def test_another_agreements_or_issuers_reference_is_refused(owing: Owing) -> None:
    other = Owing(owing.database)
    ((line, reason),) = owing.refusal(f"{owing.first};30,00;payé;24/11/2026;", f"{other.first};30,00;payé;24/11/2026;")
    assert line == 3
    assert "Faites un fichier pour chaque convention" in reason
    ((_, reason),) = owing.refusal(f"{other.first};30,00;payé;24/11/2026;", issuer_id=owing.town.agreed.issuer_id)
    assert "Aucun règlement ne porte" in reason
    assert owing.take(f"{owing.first};30,00;payé;24/11/2026;", issuer_id=owing.town.agreed.issuer_id).paid_count == 1


def test_an_operators_transfer_is_never_paid_by_this_file(database: Database) -> None:
    owing = Owing(database, channel="mandated_operator")
    ((_, reason),) = owing.refusal(f"{owing.first};30,00;payé;24/11/2026;")
    assert "opérateur mandaté" in reason


def test_a_day_that_a_statement_proves_is_not_booked_twice(owing: Owing) -> None:
    with owing.database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    day = date(2026, 11, 24)
    import_bank_file(owing.database, "releve.xml", statement("R1", iban, day, 100_000, []), by=PREPARER, now=LATER)
    ((_, reason),) = owing.refusal(f"{owing.first};30,00;payé;24/11/2026;")
    assert "Le relevé de la banque couvre déjà" in reason
    assert owing.take(f"{owing.first};30,00;payé;25/11/2026;").paid_count == 1


@pytest.mark.parametrize("is_whole", [True, False], ids=["one entry", "two entries"])
def test_a_statement_that_comes_after_proves_what_the_accountant_said_and_books_nothing_twice(
    owing: Owing, *, is_whole: bool
) -> None:
    owing.take(f"{owing.first};30,00;payé;24/11/2026;", f"{owing.first};30,00;retourné;25/11/2026;AC04")
    with owing.database.read() as session:
        iban = session.execute(select(PayingAccount.iban)).scalar_one()
    first, second = Transaction(-3_000, owing.first), Transaction(-4_000, owing.second)
    entries = (
        [Booked(-7_000, "G1", (first, second))] if is_whole else [Booked(-3_000, "T1", (first,)), Booked(-4_000, "T2", (second,))]
    )  # fmt: skip
    back = Booked(3_000, "B1", (Transaction(3_000, owing.first, return_reason="AC04"),), day=date(2026, 11, 25))
    account = Account(iban, date(2026, 11, 25), [*(replace(one, day=date(2026, 11, 24)) for one in entries), back],
                      first_day=date(2026, 11, 24))  # fmt: skip
    for kind, name in (("054", "avis.xml"), ("053", "releve.xml"), ("053", "encore.xml")):
        content = camt(kind, "08", account, message=name)
        done = import_bank_file(owing.database, name, content, by=PREPARER, now=LATER)
        assert isinstance(done, Imported)
        assert done.new_count == (1 if kind == "054" else 0)
    assert {state for state, _ in owing.states().values()} == {"returned", "paid"}
    (day,) = days(owing.database)
    assert (day.gap_cents, day.announced_cents) == (0, 0)


def test_the_door_of_bank_files_knows_it(owing: Owing) -> None:
    content = f"{HEADS}{owing.first};30,00;payé;24/11/2026;".encode("utf-8-sig")
    done = import_bank_file(owing.database, "retour.csv", content, by=PREPARER, now=LATER)
    assert isinstance(done, Returned)
    with owing.database.read() as session:
        assert session.scalars(select(BankFile.kind)).one() == "accountant_return"


@pytest.mark.kill
def test_a_return_killed_anywhere_and_imported_again_changes_each_payment_once(owing: Owing, killer: Killer) -> None:
    rows = [f"{owing.first};30,00;payé;24/11/2026;", f"{owing.second};40,00;rejeté;24/11/2026;Compte clos"]
    content = (HEADS + "\n".join(rows)).encode()
    done, again = killer.everywhere(import_accountant_return, "retour.csv", content, by=PREPARER, now=LATER)
    assert (done.paid_count, done.rejected_count, done.is_known, again.is_known) == (1, 1, False, True)
    assert {state for state, _ in owing.states().values()} == {"paid", "rejected"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_any_spreadsheet_can_write_it(encoding: str, separator: str) -> None:
    rows = [
        ["N° mandat", "Date de paiement", "RÉFÉRENCE", "Montant en euros", "État", "Motif de rejet"],
        ["12", "24/11/2026", "pn-1", '"1\u00a0234,50"', "Réglé", ""],
        ["13", "24.11.2026", "PN-2", '"30,00 "', "REJETÉ", "Clé RIB fausse"],
    ]
    content = "\r\n".join(separator.join(row) for row in rows).encode(encoding)
    assert is_table(content[:4096])
    first, second = read_return(content)
    assert (first.reference, first.amount_cents, first.status) == ("PN-1", 123_450, ReturnStatus.PAID)
    assert (second.line, second.on, second.reason) == (3, date(2026, 11, 24), "Clé RIB fausse")


@pytest.mark.parametrize(("typed", "cents"), typed_amounts())
def test_an_amount_is_read_as_a_field_reads_it(typed: str, cents: str) -> None:
    content = f"{HEADS}A;{typed};payé;01/12/2026;".encode()
    if cents == "refused":
        with pytest.raises(UnreadableReturn):
            read_return(content)
    else:
        assert read_return(content)[0].amount_cents == int(cents)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("Référence;Montant;Date\nA;1;01/12/2026", 1, "« Statut » manque"),
        ("Référence;Montant;Statut;Date;Référence\n", 1, "2 fois"),
        (HEADS, 0, "aucun règlement"),
        (f"{HEADS}A;;payé;01/12/2026;", 2, "« Montant » est vide"),
        (f"{HEADS}A;douze;payé;01/12/2026;", 2, "« douze » contient une lettre"),
        (f"{HEADS}A;-5;payé;01/12/2026;", 2, "« -5 » est négatif"),
        (f"{HEADS}A;0;payé;01/12/2026;", 2, "au-dessus de zéro"),
        (f"{HEADS}A;5;versé;01/12/2026;", 2, "« versé » n’est pas connu"),
        (f"{HEADS}A;5;payé;31/02/2026;", 2, "31/02/2026"),
        (f"{HEADS}A;5;rejeté;01/12/2026;", 2, "Le motif manque"),
        (f"{HEADS}\nA;5;payé;01/12/2026;\nA;5;payé;01/12/2026;", 4, "déjà à la ligne 3"),
        ("Référence,Montant,Statut,Date\nA,1 234,50,payé,01/12/2026", 2, "plus de cases"),
        (f'{HEADS}A;"5;payé;01/12/2026;', 2, "guillemet"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(UnreadableReturn) as refused:
        read_return(text.encode())
    assert refused.value.errors[0].line == line
    assert reason in refused.value.errors[0].reason


@pytest.mark.parametrize(
    "head", [b"<?xml version='1.0'?>", b"\xef\xbb\xbf<Document;a,b>", b"%PDF-1.7;", b"a;b\x00\x01", b"bonjour", b""]
)
def test_what_is_no_table_is_left_to_others(head: bytes) -> None:
    assert not is_table(head)


def test_what_was_rejected_then_paid_then_undone_is_said_again_without_harm(owing: Owing) -> None:
    rejected = f"{owing.first};30,00;rejeté;24/11/2026;Budget"
    owing.take(rejected)
    paid = f"{owing.first};30,00;payé;25/11/2026;"
    owing.take(paid)
    with owing.database.read() as session:
        line_id = session.scalars(select(BankLine.id)).one()
    undo_match(owing.database, line_id, "Mauvaise ligne.", by=PREPARER, now=LATER)
    assert owing.states()[owing.first][0] == "rejected"
    ((line, why),) = owing.refusal(paid, f"{owing.second};40,00;payé;25/11/2026;")
    assert line == 2
    assert "Rapprochez la ligne qui attend" in why
    done = owing.take(rejected, f"{owing.second};40,00;payé;25/11/2026;")
    assert (done.known_count, done.paid_count) == (1, 1)
