"""What a bank finds of the names that we pay: shown for each transfer with the name that it knows, and no state changes."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from tests.clients import app_for, csrf_token, signed_in_client
from tests.settlement.test_import_statement import Paid, debit
from tests.settlement.town import NOW, PREPARER, wrong_books
from voucher.access.rules import Role
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.settlement.bank_in.import_report import Reported, import_report
from voucher.settlement.formats_in.pain002 import PAYEE_CODES, read_status_report
from voucher.settlement.formats_out.references import message_id, payment_information_id
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.reports.read_payees import PAYEE_WORDS, doubtful_names, payee_batches, payee_checks
from voucher.web.tags import PAYEE_TAGS

CASE = (Path(__file__).parent / "files" / "pain002-payee-rvmc.xml").read_text()
NAME = "ASSOCIATION LES TILLEULS D ESSAI"


class Names:
    """A batch that left, of 30 € and 40 €, of which the bank says what it thinks of the names."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.paid = Paid(database)
        with database.read() as session:
            self.batch_id = session.execute(select(SettlementBatch.id)).scalar_one()

    def case(self) -> bytes:
        ours = {
            "{EXPORTED_MSGID}": message_id(self.batch_id),
            "{PMTINFID}": payment_information_id(self.batch_id),
            "{END_TO_END_ID}": self.paid.first,
        }
        content = CASE
        for blank, value in ours.items():
            content = content.replace(blank, value)
        return content.encode()

    def report(self, *, group: str = "", version: str = "10", **transfers: tuple[str, str]) -> Reported:
        """Import a report: of the file, and of `first` and `second`, a status and the bank's words."""
        single = "".join(
            f"<TxInfAndSts><OrgnlEndToEndId>{getattr(self.paid, which)}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
            f"<StsRsnInf>{''.join(f'<AddtlInf>{piece}</AddtlInf>' for piece in words.split('|') if piece)}</StsRsnInf>"
            "</TxInfAndSts>"
            for which, (status, words) in transfers.items()
        )
        content = (
            f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}"><CstmrPmtStsRpt>'
            f"<GrpHdr><MsgId>{new_id().hex}</MsgId></GrpHdr><OrgnlGrpInfAndSts>"
            f"<OrgnlMsgId>{message_id(self.batch_id)}</OrgnlMsgId>{f'<GrpSts>{group}</GrpSts>' if group else ''}"
            f"</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>{payment_information_id(self.batch_id)}"
            f"</OrgnlPmtInfId>{single}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
        )
        return import_report(self.database, "noms.xml", content.encode(), by=PREPARER, now=NOW)

    def sentences(self) -> list[str]:
        """Return what pages say of each transfer, the smallest first."""
        checks = payee_checks(self.database, self.batch_id)
        ids = (self.paid.first_id, self.paid.second_id)
        return [checks[one].sentence.replace("\u00a0", " ") if one in checks else "" for one in ids]


@pytest.fixture
def names(database: Database) -> Names:
    return Names(database)


def test_a_name_that_nearly_matches_is_shown_as_the_bank_knows_it_and_changes_no_state(names: Names) -> None:
    done = import_report(names.database, "noms.xml", names.case(), by=PREPARER, now=NOW)
    assert (done.rejected_count, done.duplicate_count, done.payee_counts, done.ignored) == (0, 0, {"RVMC": 1}, ())
    assert names.paid.states() == ["in_file", "in_file"]
    (check,) = payee_checks(names.database, names.batch_id).values()
    assert (check.bank_name, check.may_wait, PAYEE_TAGS[check.code]) == (NAME, True, ("Nom presque juste", "warn"))
    assert names.sentences()[0].endswith(f"La banque connaît « {NAME} ».")
    assert import_report(names.database, "encore.xml", names.case(), by=PREPARER, now=NOW).is_known
    assert wrong_books(names.database) == []


@pytest.mark.parametrize("version", [f"{number:02d}" for number in range(3, 16)])
def test_every_version_that_is_read_tells_the_name(sqlite_database: Database, version: str) -> None:
    names = Names(sqlite_database)
    names.report(version=version, first=("RVMC", f"“{NAME}"), second=("RVNM", ""))
    assert names.sentences() == [
        f"Le nom est presque celui du titulaire du compte. La banque connaît « {NAME} ».",
        "Le nom n’est pas celui du titulaire du compte.",
    ]


def test_each_answer_has_its_sentence_and_only_a_doubt_may_make_the_file_wait(names: Names) -> None:
    assert set(PAYEE_WORDS) == PAYEE_CODES
    names.report(group="RVCM", first=("RCVC", ""), second=("RVNA", "Compte hors zone"))
    assert names.sentences() == [
        "La banque confirme le nom du titulaire du compte.",
        "La banque n’a pas pu vérifier le nom du titulaire du compte. Elle ajoute : « Compte hors zone ».",
    ]
    assert doubtful_names(payee_checks(names.database, names.batch_id).values()) == []
    names.report(first=("RVNM", ""), second=("RVMC", ""))
    assert doubtful_names(payee_checks(names.database, names.batch_id).values()) == [
        ("Nom presque juste", 1), ("Autre nom", 1),
    ]  # fmt: skip
    assert [(one.transfer_count, one.amount_cents) for one in payee_batches(names.database)] == [(2, 7_000)]
    assert payee_batches(names.database, issuer_id=new_id()) == []


@pytest.mark.parametrize(
    "code, sentence", [("RVCM", "sans dire lesquels"), ("RVNC", "pas fini de vérifier"), ("RCVC", "confirme")]
)
def test_what_is_said_of_the_whole_file_is_said_of_each_transfer(
    sqlite_database: Database, code: str, sentence: str
) -> None:
    names = Names(sqlite_database)
    assert names.report(group=code).payee_counts == {code: 2}
    assert [sentence in one for one in names.sentences()] == [True, True]


def test_a_long_name_in_pieces_is_joined_as_the_bank_cut_it() -> None:
    long = "ASSOCIATION " * 10
    pieces = f"<AddtlInf>{long[:105]}</AddtlInf><AddtlInf>{long[105:].strip()}</AddtlInf>"
    content = (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>'
        "<OrgnlMsgId>X</OrgnlMsgId></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>B</OrgnlPmtInfId><TxInfAndSts>"
        f"<OrgnlEndToEndId>E</OrgnlEndToEndId><TxSts>RVMC</TxSts><StsRsnInf>{pieces}</StsRsnInf></TxInfAndSts>"
        "</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    )
    (transfer,) = read_status_report(content.encode()).transfers
    assert transfer.additional == long.strip()


def test_a_name_in_doubt_pays_and_is_paid_as_any_other(names: Names) -> None:
    names.report(first=("RVNM", ""))
    names.paid.take(debit("T1", 3_000, names.paid.first))
    assert names.paid.states() == ["paid", "in_file"]
    assert payee_batches(names.database) == [], "it waits for nobody's authorisation any more"
    assert names.sentences()[0] == "Le nom n’est pas celui du titulaire du compte."
    assert wrong_books(names.database) == []


def read(client: FlaskClient, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, page
    return answer.get_data(as_text=True).replace("\u00a0", " ")


def test_the_pages_ask_for_the_right_name_and_say_that_the_file_may_wait(sqlite_database: Database) -> None:
    names = Names(sqlite_database)
    app = app_for(sqlite_database, NOW + timedelta(hours=1))
    preparer = signed_in_client(app, sqlite_database, Role.FINANCE_PREPARER)
    upload = "/finances/banque/importer"
    data = {"csrf_token": csrf_token(read(preparer, upload)), "file": (io.BytesIO(names.case()), "noms.xml")}
    said = preparer.post(upload, data=data, follow_redirects=True).get_data(as_text=True).replace("\u00a0", " ")
    receipt = "la banque ne rejette aucun virement. Noms des titulaires : nom presque juste, 1 virement. Le fichier peut attendre"
    assert receipt in said
    batch = read(preparer, f"/finances/lots/{names.batch_id}")
    assert "La banque doute du nom de titulaires." in batch
    assert "Nom presque juste : 1 virement" in batch
    assert f"La banque connaît « {NAME} »." in batch
    assert NAME in read(preparer, f"/finances/lots/{names.batch_id}?format=csv")
    with sqlite_database.read() as session:
        structure_id = session.get_one(PaymentAdvice, names.paid.first_id).structure_id
    advice = read(preparer, f"/finances/reglements/{names.paid.first_id}")
    assert "Demandez à la structure le nom exact du titulaire du compte" in advice
    assert f"/programme/structures/{structure_id}" in advice
    assert "peut attendre une autorisation à la banque" in advice
    home = read(preparer, "/finances/")
    assert "Noms à vérifier" in home
    assert "Rien n’attend." not in home
    assert read(preparer, f"/programme/structures/{structure_id}")
