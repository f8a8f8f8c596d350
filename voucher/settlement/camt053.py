"""Bank files in: the account statement, ISO 20022 camt.053, versions 001.02 to 001.13, read as a stream.

A file is read twice. The first reading checks the whole of it and keeps only the statements' heads: a file that is not safe
XML, not a camt.053, not in euros to the cent, or whose sums do not add up, is refused before a single line is given out. The
second, `ParsedFile.lines()`, gives the booked lines one by one; memory does not grow with the number of lines.

Amounts are positive cents with a side (`is_credit`: money came in). Only entries with status BOOK are money.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from lxml import etree

from voucher.kernel.money import format_euros
from voucher.settlement.camt_entry import BankLine, Fields, WrongEntry, lines_of, read_entry
from voucher.settlement.xml_guard import RefusedXml, elements, line_of, root_of, unpacked

__all__ = ["BankLine", "FileError", "ParsedFile", "Statement", "UnreadableBankFile", "read_statements"]

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(?P<version>0[2-9]|1[0-3])")
_ERRORS_MAX = 50
_OPENING_CODES = ("OPBD", "PRCD")  # opening booked; else the closing booked of the previous statement
_CLOSING_CODES = ("CLBD",)


@dataclass(frozen=True, slots=True)
class FileError:
    """One reason to refuse a file: the line (0 for the file as a whole; every line is 1 in a file without line ends)."""

    line: int
    reason: str


class UnreadableBankFile(ValueError):
    """A bank file is refused as a whole. `reason` and `line` are those of the first of `errors`."""

    def __init__(self, errors: list[FileError]) -> None:
        self.errors = tuple(errors)
        self.reason = errors[0].reason
        self.line = errors[0].line
        super().__init__(self.reason if self.line == 0 else f"Ligne {self.line} : {self.reason}")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one account: its balances (signed cents), its days, and how much it holds.

    `rank` is its place in the file, from 1. `number` is the bank's own sequence (electronic, else legal), or None.
    `line_count` counts the booked lines that `ParsedFile.lines` gives; `pending_count` the entries not booked, left out.
    """

    rank: int
    statement_id: str
    number: str | None
    account_iban: str
    opened_on: date
    closed_on: date
    opening_cents: int
    closing_cents: int
    credit_cents: int
    debit_cents: int
    line_count: int
    pending_count: int


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file found whole and sound. `sha256` is that of the XML, so the same statement zipped or not is the same file."""

    sha256: str
    version: str
    message_id: str
    statements: tuple[Statement, ...]
    xml: bytes = field(repr=False)

    def lines(self) -> Iterator[tuple[Statement, BankLine]]:
        """Yield each booked line with its statement, in the order of the file."""
        reading = _Reading(self.xml)
        for stage in reading:
            if isinstance(stage, BankLine):
                yield self.statements[reading.statement_rank - 1], stage


def read_statements(data: bytes) -> ParsedFile:
    """Return the statements of a bank file given as XML, gzip, or a zip that holds one XML.

    Raises UnreadableBankFile, with every fault found (at most 50), if any part of the file cannot be trusted.
    """
    try:
        xml = unpacked(data)
        reading = _Reading(xml)
        statements = tuple(stage for stage in reading if isinstance(stage, Statement))
    except RefusedXml as refused:
        raise UnreadableBankFile([FileError(refused.line, refused.reason)]) from None
    if not statements and not reading.errors:
        reading.errors.append(
            FileError(0, "Ce fichier ne contient aucun relevé. Choisissez un autre jour auprès de la banque.")
        )
    if reading.errors:
        raise UnreadableBankFile(reading.errors)
    return ParsedFile(hashlib.sha256(xml).hexdigest(), reading.version, reading.message_id, statements, xml)


class _Reading:
    """One pass over a file. Iterating gives each booked line, and each statement after its lines; faults go to `errors`."""

    def __init__(self, xml: bytes) -> None:
        root = root_of(xml)
        found = _NAMESPACE.fullmatch(root.namespace)
        if found is None or root.name != "Document":
            kind = root.namespace.rpartition(":")[2] or root.name
            raise RefusedXml(
                f"Ce fichier n’est pas un relevé de compte camt.053 (versions 02 à 13) : c’est « {kind[:60]} ». "
                "Demandez un relevé camt.053 à la banque."
            )
        self.version = f"001.{found['version']}"
        self.message_id = ""
        self.statement_rank = 0
        self.errors: list[FileError] = []
        self._xml = xml
        self._namespace = f"{{{root.namespace}}}"

    def __iter__(self) -> Iterator[BankLine | Statement]:
        progress: _Progress | None = None
        for event, element in elements(self._xml, [self._namespace + name for name in ("GrpHdr", "Stmt", "Ntry")]):
            name = element.tag[len(self._namespace) :]
            if event == "start":
                if name == "Stmt" and progress is None:
                    self.statement_rank += 1
                    progress = _Progress(self.statement_rank, element)
            elif name == "GrpHdr":
                self.message_id = Fields(element).first("MsgId") or ""
            elif progress is None or progress.element not in (element, element.getparent()):
                self._fault(element, f"L’élément {name} n’est pas à sa place. Demandez un autre fichier à la banque.")
            elif name == "Ntry":
                yield from self._lines_of_entry(progress, element)
                _forget(element)
            else:
                yield from self._statement(progress)
                progress = None
                _forget(element)

    def _fault(self, element: etree._Element, reason: str) -> None:
        """Note a fault once, where it is first met."""
        if len(self.errors) < _ERRORS_MAX and all(error.reason != reason for error in self.errors):
            self.errors.append(FileError(line_of(element), reason))

    def _lines_of_entry(self, progress: "_Progress", element: etree._Element) -> Iterator[BankLine]:
        try:
            yield from progress.lines_of_entry(element)
        except WrongEntry as wrong:
            progress.is_sound = False
            self._fault(element, str(wrong))

    def _statement(self, progress: "_Progress") -> Iterator[Statement]:
        try:
            statement = progress.finished()
        except WrongEntry as wrong:
            self._fault(progress.element, str(wrong))
            return
        for reason in progress.wrong_sums(statement) if progress.is_sound else ():
            self._fault(progress.element, reason)
        yield statement


def _forget(element: etree._Element) -> None:
    """Free an element that was read, and its elder siblings of the same name, while the parser goes on after it."""
    element.clear(keep_tail=True)  # type: ignore[call-arg]  # the stubs are older than this argument
    parent, elder = element.getparent(), element.getprevious()
    while parent is not None and elder is not None and elder.tag == element.tag:
        parent.remove(elder)
        elder = element.getprevious()


class _Progress:
    """What is known of the statement being read."""

    def __init__(self, rank: int, element: etree._Element) -> None:
        self.rank = rank
        self.element = element
        self.is_sound = True
        self._iban: str | None = None
        self._ranks: Counter[str] = Counter()
        self._entry_counts: Counter[str] = Counter()
        self._entry_cents: Counter[str] = Counter()
        self._line_count = 0

    def lines_of_entry(self, element: etree._Element) -> Iterator[BankLine]:
        """Count an entry, and yield its lines if it is booked."""
        if self._iban is None:
            self._iban = _account_iban(Fields(self.element, nested_name="Ntry"))
        entry = read_entry(element)
        self._entry_counts["all"] += 1
        self._entry_cents["all"] += entry.amount_cents
        if not entry.is_booked:
            self._entry_counts["pending"] += 1
            return
        side = "credit" if entry.is_credit else "debit"
        for total in (side, "booked"):
            self._entry_counts[total] += 1
            self._entry_cents[total] += entry.amount_cents
        for line in lines_of(entry, self._iban, self._ranks):
            self._line_count += 1
            yield line

    def finished(self) -> Statement:
        """Return the statement once all of it was read."""
        head = Fields(self.element, nested_name="Ntry")
        balances: dict[str, Fields] = {}
        for child in self.element:
            if child.tag.rpartition("}")[2] == "Bal":
                balance = Fields(child)
                balances.setdefault(balance.first("Tp/CdOrPrtry/Cd") or "", balance)
        opening = _balance(balances, _OPENING_CODES, "d’ouverture")
        closing = _balance(balances, _CLOSING_CODES, "de clôture")
        closed_on = closing.day("Dt") or head.day("FrToDt/To")
        opened_on = head.day("FrToDt/Fr") or opening.day("Dt") or closed_on
        if opened_on is None or closed_on is None:
            raise WrongEntry("Le relevé n’a pas de date. Demandez un autre fichier à la banque.")
        return Statement(
            rank=self.rank,
            statement_id=head.first("Id") or "",
            number=head.first("ElctrncSeqNb", "LglSeqNb"),
            account_iban=_account_iban(head),
            opened_on=opened_on,
            closed_on=closed_on,
            opening_cents=_signed_cents(opening),
            closing_cents=_signed_cents(closing),
            credit_cents=self._entry_cents["credit"],
            debit_cents=self._entry_cents["debit"],
            line_count=self._line_count,
            pending_count=self._entry_counts["pending"],
        )

    def wrong_sums(self, statement: Statement) -> Iterator[str]:
        """Yield a sentence for each sum that does not add up: balances, then the totals that the bank announces."""
        name = f"Relevé {statement.statement_id}"
        computed = statement.opening_cents + statement.credit_cents - statement.debit_cents
        if computed != statement.closing_cents:
            yield (
                f"{name} : le solde de clôture est {format_euros(statement.closing_cents)}, mais le solde d’ouverture et les "
                f"lignes font {format_euros(computed)}. Il manque sans doute une ligne : demandez le relevé complet à la banque."
            )
        summary = Fields(self.element, nested_name="Ntry")
        for path, counted in (
            ("TtlNtries", ("all", "booked")),
            ("TtlCdtNtries", ("credit",)),
            ("TtlDbtNtries", ("debit",)),
        ):
            # Banks count what is not booked yet or leave it out: with such entries only the grand total is compared.
            if self._entry_counts["pending"] and path != "TtlNtries":
                continue
            number, total = summary.first(f"TxsSummry/{path}/NbOfNtries"), summary.first(f"TxsSummry/{path}/Sum")
            if number is not None and number not in {str(self._entry_counts[which]) for which in counted}:
                yield f"{name} : la banque annonce {number} écritures ({path}), le fichier en contient {self._entry_counts[counted[0]]}."
            if total is not None and _total_cents(total) not in {self._entry_cents[which] for which in counted}:
                yield f"{name} : la banque annonce un total de {total} ({path}), les écritures font {format_euros(self._entry_cents[counted[0]])}."


def _account_iban(head: Fields) -> str:
    iban = head.first("Acct/Id/IBAN")
    if iban is None:
        raise WrongEntry("Le relevé ne donne pas l’IBAN du compte. Demandez un relevé par IBAN à la banque.")
    currency = head.first("Acct/Ccy")
    if currency not in (None, "EUR"):
        raise WrongEntry(f"Le compte est en « {currency} ». Exportez le relevé d’un compte en euros.")
    return iban


def _balance(balances: dict[str, Fields], codes: tuple[str, ...], which: str) -> Fields:
    for code in codes:
        if code in balances:
            return balances[code]
    raise WrongEntry(
        f"Le relevé n’a pas de solde {which} : rien ne prouve qu’il est complet. Demandez un autre fichier à la banque."
    )


def _signed_cents(balance: Fields) -> int:
    cents, is_credit = balance.cents("Amt"), balance.side("CdtDbtInd")
    if cents is None or is_credit is None:
        raise WrongEntry("Un solde du relevé n’a pas de montant ou de sens. Demandez un autre fichier à la banque.")
    return cents if is_credit else -cents


def _total_cents(text: str) -> int | None:
    try:
        cents = Decimal(text).scaleb(2)
    except InvalidOperation:
        return None
    return int(cents) if cents.is_finite() and cents == cents.to_integral_value() else None
