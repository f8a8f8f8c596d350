"""Importer un relevé: read a camt.052, 053 or 054 or a CFONB 120, store each booked line once, and let what it proves change the advices.

The file is read once, in pieces, inside one transaction that takes its turn: whatever is wrong anywhere in it, nothing of it is
kept. Each line has one entry: it pays (5115), returns (4670), is the bank's charges (6270) or waits to be identified (4711); so
the bank account of the ledger (5120) always moves as the bank says.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import IO
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date, paris_day
from voucher.kernel.database import Database, analyze_tables
from voucher.kernel.identifiers import new_id
from voucher.ledger.chart import AccountKey, Code
from voucher.ledger.model import Account
from voucher.ledger.post import open_accounts
from voucher.programme.model import PayingAccount
from voucher.settlement.bank_in.keep_file_once import RefusedBankFile, keep_file, keep_ignored
from voucher.settlement.bank_in.post_bank_lines import pay_and_return, post_lines
from voucher.settlement.bank_in.store_entries import EntryStore, Place, Stored
from voucher.settlement.formats_in.bank_content import packed
from voucher.settlement.formats_in.bank_stages import Counted, FileError, Ignored, IsOurs, Statement, StatementFile
from voucher.settlement.formats_in.camt import Reading
from voucher.settlement.formats_in.camt_lines import BankEntry
from voucher.settlement.formats_in.cfonb import CfonbReading
from voucher.settlement.formats_in.recognise_file import HEAD_BYTES, is_cfonb
from voucher.settlement.formats_in.safe_xml import RefusedXml, Unpacked, unpack
from voucher.settlement.model.bank import BankMatch, IgnoredPart
from voucher.settlement.model.batches import BankLine, BankStatement
from voucher.settlement.model.issuer_scope import account_in_scope
from voucher.settlement.reconciliation.bank_turn import close_ended_batches, take_bank_turn
from voucher.settlement.reconciliation.match_by_hand import match_parked_returns, post_details
from voucher.settlement.reconciliation.match_other_money import match_calls
from voucher.settlement.reconciliation.match_whole_files import match_details, match_whole_files
from voucher.settlement.reconciliation.refund_line import match_refunds
from voucher.settlement.reconciliation.rules import Verdict
from voucher.settlement.reconciliation.withdraw_rejections import withdraw_rejections

_MANY = 1_000
IGNORED_MAX = 200  # told one by one; the rest are counted
REFERENCE_LENGTH_MAX = 42  # of the bank's name for a statement, in what tells it apart: its name, its day, its page
_ACCOUNTS = (Code.BANK, Code.UNIDENTIFIED, Code.CHARGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a statement file changed. `is_known` says that the same bytes were imported before: then nothing was.

    `ignored` is what of the file is counted nowhere, with its line and why; `pending_count` are the entries that the bank has not
    booked, or gives for information.
    """

    is_known: bool
    statement_count: int
    line_count: int
    new_count: int
    paid_count: int
    returned_count: int
    unknown_count: int
    charge_count: int = 0
    funds_count: int = 0
    ignored: tuple[Ignored, ...] = ()
    pending_count: int = 0


def import_statement(
    database: Database,
    name: str,
    content: bytes | IO[bytes],
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> Imported:
    """Import what a bank says of its accounts; the same file again, or an entry that another file brought, changes nothing.

    `content` is a camt.052, 053 or 054 or a CFONB 120, plain or gzip; a file is read from its beginning. Raises RefusedBankFile, with
    every reason and its line: then nothing of the file is kept. `issuer_id` is the scope of who imports: the account must serve that
    issuer alone.
    """
    try:
        with unpack(content) as found:
            return import_unpacked(database, name, found, by=by, now=now, issuer_id=issuer_id)
    except RefusedXml as refused:
        raise RefusedBankFile([FileError(refused.line, refused.reason)]) from None


def import_unpacked(
    database: Database, name: str, found: Unpacked, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> Imported:
    """Do the same with a file out of its packing, at its beginning. Raises RefusedXml too.

    The passes over what was stored come in this order, each taking what those before it left:

    1. Rejections that a debit denies are withdrawn: the debit then finds its payment in transit, not owed again.
    2. Lines that name one payment pay it or bring it back, payments before returns: a file may hold both of one transfer.
    3. Debits that are a whole file of ours pay what is still in transit of it, before entries: theirs say « en transit », not « à identifier ».
    4. Every new line gets its entry: what it is must be known by then.
    5. Lines that waited as a whole, and that this file details, pay their transfers; their entry stands, and is moved from « à identifier ».
    6. Returns that came before their debits, in this file or another, use them now that these are paid.
    7. Funders’ money is looked for among the credits that are left.
    8. Batches close last: each payment has its state by then.
    """
    with database.write() as session:
        take_bank_turn(session)
        return _import(session, name, found, by, now, issuer_id)


def _import(session: Session, name: str, found: Unpacked, by: UUID, now: datetime, issuer_id: UUID | None) -> Imported:
    is_ours = OurAccounts(session, issuer_id)
    reading = _reading(found.file, is_ours)
    is_new = keep_file(session, found.sha256, name=name, content=packed(found.file), by=by, now=now)
    if not is_new and not _had_set_aside(session, found.sha256):
        return Imported(
            is_known=True, statement_count=0, line_count=0, new_count=0, paid_count=0, returned_count=0, unknown_count=0
        )
    taken = _Taking(session=session, reading=reading, bank_file=found.sha256, by=by, now=now, ours=is_ours)
    taken.take_all()
    stored = taken.store.stored
    for account_id in is_ours.met:
        open_accounts(session, [AccountKey(code, bank_account_id=account_id) for code in _ACCOUNTS])
    if stored.new_count >= _MANY:
        analyze_tables(session, BankLine, BankMatch, Account)
    withdraw_rejections(session, stored.debited_again, by=by, now=now)
    pay_and_return(session, found.sha256, by=by, now=now)
    whole_count, whole_lines = match_whole_files(session, found.sha256, by=by, now=now)
    post_lines(session, found.sha256, by=by, now=now, is_again=not is_new)
    detailed = match_details(session, stored.details, by=by, now=now)
    post_details(session, detailed, by=by, now=now)
    parked = match_parked_returns(session, found.sha256, by=by, now=now)
    funds_count = match_calls(session, found.sha256, by=by, now=now)
    match_refunds(session, by=by, now=now)
    keep_ignored(session, found.sha256, taken.ignored)
    close_ended_batches(session, now)
    return _imported(
        is_new,
        taken,
        stored,
        whole_count=whole_count,
        whole_lines=whole_lines,
        parked_count=sum(parked),
        parked_here=parked[0],
        funds_count=funds_count,
    )


def kept_statements(content: IO[bytes], is_ours: IsOurs) -> Iterator[Statement]:
    """Give the heads of the statements of a kept file, read again as when it came. Raises RefusedXml when it cannot be read."""
    with unpack(content) as found:
        yield from (stage for stage in _reading(found.file, is_ours) if isinstance(stage, Statement))


def _reading(file: IO[bytes], is_ours: IsOurs) -> StatementFile:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return CfonbReading(file, is_ours) if is_cfonb(head) else Reading(file, is_ours)


def _imported(
    is_new: bool,
    taken: "_Taking",
    stored: Stored,
    *,
    whole_count: int,
    whole_lines: int,
    parked_count: int,
    parked_here: int,
    funds_count: int,
) -> Imported:
    verdicts = stored.verdicts
    return Imported(
        is_known=not is_new and not stored.new_count,
        statement_count=taken.statement_count,
        line_count=stored.line_count,
        new_count=stored.new_count,
        paid_count=verdicts[Verdict.PAYS] + whole_count,
        returned_count=verdicts[Verdict.RETURNS] + parked_count,
        unknown_count=verdicts[Verdict.UNKNOWN] - whole_lines - parked_here - funds_count,
        charge_count=verdicts[Verdict.CHARGES],
        funds_count=funds_count,
        ignored=tuple(taken.ignored),
        pending_count=taken.pending_count,
    )


class OurAccounts:
    """The paying accounts of the scope, asked by IBAN; `met` are those that the file speaks of."""

    def __init__(self, session: Session, issuer_id: UUID | None) -> None:
        self._session, self._issuer_id = session, issuer_id
        self._ids: dict[str, UUID] = {}

    def __call__(self, iban: str) -> bool:
        """Say whether an account is one of them."""
        if iban not in self._ids:
            found = self._session.scalar(
                select(PayingAccount.id).where(PayingAccount.iban == iban, account_in_scope(self._issuer_id))
            )
            if found is None:
                return False
            self._ids[iban] = found
        return True

    def id_of(self, iban: str) -> UUID:
        """Return the id of one that was met."""
        return self._ids[iban]

    @property
    def met(self) -> Iterable[UUID]:
        """The accounts of ours that the file speaks of."""
        return self._ids.values()


@dataclass(slots=True, kw_only=True)
class _Taking:
    """One pass over a file: each entry goes to the store; what cannot be trusted refuses the file at its end."""

    session: Session
    reading: StatementFile
    bank_file: str
    by: UUID
    now: datetime
    ours: "OurAccounts"
    store: EntryStore = field(init=False)
    ignored: list[Ignored] = field(default_factory=list)
    statement_count: int = 0
    pending_count: int = 0
    _untold_count: int = 0

    def __post_init__(self) -> None:
        self.store = EntryStore(self.session, self.bank_file, by=self.by, now=self.now)

    def take_all(self) -> None:
        """Read to the end. Raises RefusedBankFile for any fault, or when no account of the file is ours."""
        errors = self.reading.errors
        place: Place | None = None
        for stage in self.reading:
            if isinstance(stage, BankEntry):
                if place is not None and self._has_come(stage.booked_on, stage.line) and not errors:
                    self.store.add(stage, place)
            elif isinstance(stage, Statement):
                place = self._begin(stage)
            elif isinstance(stage, Counted):
                self.store.flush()
                self.pending_count += stage.pending_count
                place = None
            elif len(self.ignored) < IGNORED_MAX:
                self.ignored.append(stage)
            else:
                self._untold_count += 1
        if self._untold_count:
            self.ignored.append(Ignored(0, f"Et {self._untold_count} autres parties, mises de côté de même."))
        errors += self.store.stored.errors
        if not errors and not self.statement_count:
            errors += [FileError(one.line, one.reason) for one in self.ignored]
        if errors:
            raise RefusedBankFile(errors)

    def _has_come(self, day: date, line: int) -> bool:
        """Say whether a day is past or present; one that is not yet come refuses the file: nobody is paid on it."""
        if day > paris_day(self.now) and not self.store.stored.errors:
            reason = f"Le {french_date(day)} n’est pas encore venu. Demandez un autre fichier à la banque."
            self.store.stored.errors.append(FileError(line, reason))
        return day <= paris_day(self.now)

    def _begin(self, statement: Statement) -> Place:
        account_id = self.ours.id_of(statement.account_iban)
        self.statement_count += 1
        if statement.closed_on is not None:
            self._has_come(statement.closed_on, statement.line)
        return Place(account_id, self._keep(statement, account_id))

    def _keep(self, statement: Statement, account_id: UUID) -> UUID | None:
        """Store a statement with its balances once, whatever its name; return its id. One that stands must say the same balances."""
        opening_cents, closing_cents = statement.opening_cents, statement.closing_cents
        if opening_cents is None or closing_cents is None or statement.closed_on is None:
            return None
        opened_on = min(statement.opened_on or statement.closed_on, statement.closed_on)
        page = "" if statement.page is None else f" p{statement.page}"
        reference = f"{statement.statement_id[:REFERENCE_LENGTH_MAX]} {statement.closed_on.isoformat()}{page}"
        of_account = BankStatement.paying_account_id == account_id
        balances = select(BankStatement.id, BankStatement.opening_cents, BankStatement.closing_cents).where(of_account)
        standing = self.session.execute(balances.where(BankStatement.reference == reference)).one_or_none()
        if standing is not None:
            if (standing.opening_cents, standing.closing_cents) != (opening_cents, closing_cents):
                reason = f"{statement.name} : il est connu avec d’autres soldes. Appelez votre banque."
                self.store.stored.errors.append(FileError(statement.line, reason))
            return UUID(str(standing.id))
        # The same days and balances under another name: the bank sent it again.
        resent = self.session.execute(
            balances.where(
                BankStatement.opened_on == opened_on,
                BankStatement.closed_on == statement.closed_on,
                BankStatement.opening_cents == opening_cents,
                BankStatement.closing_cents == closing_cents,
                BankStatement.page.is_not_distinct_from(statement.page),
            ).limit(1)
        ).one_or_none()
        if resent is not None:
            return UUID(str(resent.id))
        row = {
            "id": new_id(),
            "bank_file": self.bank_file,
            "paying_account_id": account_id,
            "reference": reference,
            "number": statement.number and statement.number[:40],
            "opened_on": opened_on,
            "closed_on": statement.closed_on,
            "opening_cents": opening_cents,
            "closing_cents": closing_cents,
            "page": statement.page,
            "is_last_page": statement.is_last_page,
        }
        self.session.execute(insert(BankStatement).values(**row))
        return UUID(str(row["id"]))


def _had_set_aside(session: Session, bank_file: str) -> bool:
    return session.scalar(select(IgnoredPart.rank).where(IgnoredPart.bank_file == bank_file).limit(1)) is not None
