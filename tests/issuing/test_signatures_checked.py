"""Which codes `voucher verify` reads: another part each day, all of them after some days, or all at once; and it says which."""

from click.testing import CliRunner
from sqlalchemy import text

from tests.builders import issued_booklets
from voucher.cli.main import main as voucher
from voucher.issuing import checks_signatures
from voucher.issuing.checks_signatures import Sample, check_signatures_are_good, draw_sample
from voucher.kernel.database import Database

DAY = 739_000


def named(database: Database, sample: Sample) -> list[str]:
    with database.read() as session:
        draw_sample(session, sample)
        return [one.subject for one in check_signatures_are_good(session)]


def test_each_code_is_read_on_one_day_of_a_round_and_by_whoever_reads_all(database: Database) -> None:
    issued = issued_booklets(database, 60)
    step = issued.voucher_count // checks_signatures.CODES_OF_A_BATCH
    assert step == 3
    serial = issued.first_serial + 7  # neither a cover nor a first voucher
    with database.write() as session:
        session.execute(text(f"UPDATE voucher SET tag = (tag + 1) % 16777216 WHERE serial = {serial}"))
    assert named(database, Sample(day=None)) == [f"chèque {serial}"]
    days = [day for day in range(DAY, DAY + step) if named(database, Sample(day))]
    assert len(days) == 1
    assert named(database, Sample(days[0] + step)) == [f"chèque {serial}"]


def test_the_command_says_which_codes_it_reads(database: Database) -> None:
    issued = issued_booklets(database, 60)
    serial = issued.first_serial + 7
    with database.write() as session:
        session.execute(text(f"UPDATE voucher SET tag = (tag + 1) % 16777216 WHERE serial = {serial}"))
    said = {}
    for words in (("--all",), ("--day", "2026-11-23"), ("--day", "2026-11-24"), ("--day", "2026-11-25")):
        done = CliRunner().invoke(voucher, ["verify", *words], env={"PASS_DATABASE_URL": database.url})
        said[words[-1]] = (done.exit_code, done.output)
    assert said["--all"][1].startswith("Signatures : tous les codes.")
    assert said["2026-11-23"][1].startswith("Signatures : la part du 23\u00a0novembre\u00a02026.")
    assert said["--all"][0] == 1
    assert f"chèque {serial} : sa signature n’est pas celle de la clé" in said["--all"][1]
    assert sorted(code for day, (code, _) in said.items() if day != "--all") == [0, 0, 1]
