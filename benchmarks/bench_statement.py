"""Import a camt.053 of 100,000 entries that pay 100,000 transfers, beside reading its XML and copying its rows, no more."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from lxml import etree
from sqlalchemy import text

from benchmarks.table import Row
from tests.builders import SOMEONE, an_agreement, an_iban
from tests.settlement.town import APPROVER, NOW
from voucher.kernel.database import Database
from voucher.ledger.chart import AccountKey, Code
from voucher.ledger.post import open_accounts
from voucher.programme.model import Agreement, PayingAccount

ENTRIES = 100_000
STRUCTURES = 1_000
FIRST_CENTS = 1_000
OPENING_CENTS = 100_000_000_000
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def run(postgres_url: str) -> list[Row]:
    """Seed as many transfers sent, write the bank's statement, and import it in a process of its own."""
    database = Database(postgres_url)
    iban = _seed(database)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "releve.xml"
        _write_statement(path, iban)
        read_seconds, copy_seconds = _bare_read_seconds(path), _bare_copy_seconds(database)
        child = [sys.executable, "-m", "benchmarks.statement_child", postgres_url, str(path)]
        found = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        size_mb = path.stat().st_size / 1_000_000
    assert found["paid_count"] == ENTRIES
    database.dispose()
    limit = read_seconds + copy_seconds
    return [
        Row(
            f"import and match a camt.053 of {ENTRIES:,} entries",
            f"{found['seconds']:.1f} s, {found['peak_mb']:.0f} MB",
            f"{limit:.2f} s",
            f"{limit / found['seconds']:.2f}",
            f"{size_mb:.0f} MB of XML; the limit is lxml reading it ({read_seconds:.2f} s) and a COPY of its rows ({copy_seconds:.2f} s)",
        )
    ]


def reference(rank: int) -> str:
    """Return the EndToEndId of a transfer."""
    return f"PN-{rank // 10_000:04d}-{rank % 10_000:04d}-0000-0000"


def _seed(database: Database) -> str:
    """Sign an agreement, and write as rows the batches that left: one transfer for each structure in each."""
    agreed = an_agreement(database)
    with database.write() as session:
        agreement = session.get_one(Agreement, agreed.agreement_id)
        iban = session.get_one(PayingAccount, agreement.paying_account_id).iban
        open_accounts(session, [AccountKey(Code.IN_TRANSIT, agreement_id=agreed.agreement_id)])
        values = {
            "agreement": agreed.agreement_id, "now": NOW, "by": SOMEONE, "other": APPROVER, "structures": STRUCTURES,
            "batches": ENTRIES // STRUCTURES, "first": FIRST_CENTS, "iban": an_iban(7), "day": NOW.date(),
        }  # fmt: skip
        for statement in _SEED:
            session.execute(text(statement), values)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return iban


_SEED = (
    (
        "INSERT INTO structure (id, pivot, name, state, contact_email, vat_regime, state_reason, created_at, state_changed_at) SELECT gen_random_uuid(), "
        "'W' || lpad(n::text, 9, '0'), 'Association ' || n, 'qualified', '', '', '', :now, :now FROM generate_series(0, :structures - 1) AS n"
    ),
    (
        "INSERT INTO settlement_batch (id, number, agreement_id, channel, state, advice_count, total_cents, frozen_at, frozen_by, "
        "approved_at, approved_by, exported_at, exported_by) SELECT gen_random_uuid(), 'B/' || b, :agreement, 'mandated_operator', "
        "'exported', :structures, 1, :now, :by, :now, :other, :now, :by FROM generate_series(0, :batches - 1) AS b"
    ),
    (
        "INSERT INTO payment_advice (id, batch_id, structure_id, reference, amount_cents, voucher_count, iban, state, state_reason, "
        "is_payable, due_on, event_count) SELECT gen_random_uuid(), settlement_batch.id, structure.id, "
        "'PN-' || lpad((r / 10000)::text, 4, '0') || '-' || lpad((r % 10000)::text, 4, '0') || '-0000-0000', CAST(:first AS int) + r, 1, :iban, "
        "'in_file', '', true, :day, 2 FROM generate_series(0, CAST(:batches AS int) * CAST(:structures AS int) - 1) AS r "
        "JOIN settlement_batch ON number = 'B/' || (r / CAST(:structures AS int)) "
        "JOIN structure ON pivot = 'W' || lpad((r % CAST(:structures AS int))::text, 9, '0')"
    ),
    (
        "INSERT INTO payment_event (advice_id, rank, from_state, to_state, why, reason, effective_on, batch_id, happened_at, made_by) "
        "SELECT id, 1, NULL, 'due', 'frozen', '', :day, batch_id, :now, :by FROM payment_advice UNION ALL "
        "SELECT id, 2, 'due', 'in_file', 'exported', '', :day, batch_id, :now, :by FROM payment_advice"
    ),
)


def _write_statement(path: Path, iban: str) -> None:
    total_cents = sum(range(FIRST_CENTS, FIRST_CENTS + ENTRIES))
    day = NOW.date().isoformat()
    with path.open("w", encoding="utf-8") as out:
        out.write(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><GrpHdr><MsgId>M1</MsgId>'
            f"<CreDtTm>{day}T20:00:00Z</CreDtTm></GrpHdr>\n<Stmt><Id>R1</Id><Acct><Id><IBAN>{iban}</IBAN></Id></Acct>\n"
        )
        for code, cents in (("OPBD", OPENING_CENTS), ("CLBD", OPENING_CENTS - total_cents)):
            out.write(
                f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{cents / 100:.2f}</Amt>'
                f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>\n"
            )
        for rank in range(ENTRIES):
            amount = f'<Amt Ccy="EUR">{(FIRST_CENTS + rank) / 100:.2f}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
            out.write(
                f"<Ntry>{amount}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt>"
                f"<AcctSvcrRef>B{rank:09d}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>ESCT</SubFmlyCd>"
                f"</Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>{reference(rank)}</EndToEndId></Refs>{amount}"
                f"<RltdPties><Cdtr><Pty><Nm>ASSOCIATION {rank}</Nm></Pty></Cdtr><CdtrAcct><Id><IBAN>{iban}</IBAN></Id></CdtrAcct>"
                "</RltdPties><RmtInf><Ustrd>Pass numerique</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
            )
        out.write("</Stmt></BkToCstmrStmt></Document>")


def _bare_read_seconds(path: Path) -> float:
    started = time.perf_counter()
    count = 0
    for _, element in etree.iterparse(path, tag=f"{{{NAMESPACE}}}Ntry", resolve_entities=False):
        element.clear()
        count += 1
    assert count == ENTRIES
    return time.perf_counter() - started


def _bare_copy_seconds(database: Database) -> float:
    """Copy rows of the same width into a table without index."""
    with database.write() as session:
        session.execute(
            text("CREATE TEMP TABLE bare (id uuid, key text, day date, cents bigint, name text, words text)")
        )
        connection = session.connection().connection.dbapi_connection
        started = time.perf_counter()
        with connection.cursor().copy("COPY bare FROM STDIN") as copy:  # type: ignore[union-attr]  # psycopg's own connection
            for rank in range(ENTRIES):
                copy.write_row(
                    (UUID(int=rank), f"{rank:090d}", NOW.date(), rank, f"ASSOCIATION {rank}", "Pass numerique")
                )
        return time.perf_counter() - started
