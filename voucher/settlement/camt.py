"""Bank files in: ISO 20022 camt.052, 053 and 054, versions 001.02 to 001.13, read as one stream.

A *statement* here is what the file calls a statement (053), a report (052) or a notification (054) of one account. Iterating
over `Reading` gives its head, then its booked entries one by one, then what was counted; memory does not grow with the number of
entries. What cannot be trusted (not safe XML, not euros to the cent, sums that do not add up) is gathered in `errors`: who reads
goes to the end, then keeps nothing if there is any. What is sound but no business of ours is given as `SetAside`.

Amounts are positive cents with a side (`is_credit`: money came in). Only entries with status BOOK are money.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import IO

from lxml import etree

from voucher.kernel.money import format_euros
from voucher.settlement.camt_fields import Fields, WrongEntry
from voucher.settlement.camt_lines import BankEntry, Entry, ForeignEntry, lines_of, read_entry, reference_of
from voucher.settlement.xml_guard import RefusedXml, elements, line_of, root_of

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.05(?P<kind>[234])\.001\.(?P<version>0[2-9]|1[0-3])")
_ERRORS_MAX = 50
_OPENING_CODES = ("OPBD", "PRCD")  # opening booked; else the closing booked of the previous statement
_CLOSING_CODES = ("CLBD",)


class Kind(StrEnum):
    """What a file holds: what moved so far today, a whole statement with its balances, or a notice of single entries."""

    REPORT = "camt.052"
    STATEMENT = "camt.053"
    NOTIFICATION = "camt.054"


_ELEMENTS = {Kind.REPORT: "Rpt", Kind.STATEMENT: "Stmt", Kind.NOTIFICATION: "Ntfctn"}


@dataclass(frozen=True, slots=True)
class FileError:
    """One reason to refuse a file: the line (0 for the file as a whole; every line is 1 in a file without line ends)."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """A part of a file that is counted nowhere: where it begins, and why, in French."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Statement:
    """The head of a statement: its account, days and balances (signed cents; None where its kind has none).

    `rank` is its place in the file, from 1. `number` is the bank's own sequence (electronic, else legal), or None.
    """

    rank: int
    statement_id: str
    number: str | None
    account_iban: str
    opened_on: date | None
    closed_on: date | None
    opening_cents: int | None
    closing_cents: int | None
    line: int

    @property
    def has_balances(self) -> bool:
        """Whether it proves by its balances that it is whole."""
        return self.opening_cents is not None and self.closing_cents is not None


@dataclass(frozen=True, slots=True)
class Counted:
    """The end of a statement: its booked entries by side, and those not booked, left out."""

    statement_rank: int
    entry_count: int
    credit_cents: int
    debit_cents: int
    pending_count: int


Stage = Statement | BankEntry | SetAside | Counted


class Reading:
    """One pass over a file. Raises RefusedXml at once for what is no camt file, or where the XML stops being safe."""

    def __init__(self, file: bytes | IO[bytes]) -> None:
        root = root_of(file)
        found = _NAMESPACE.fullmatch(root.namespace)
        if found is None or root.name != "Document":
            kind = root.namespace.rpartition(":")[2] or root.name
            raise RefusedXml(
                f"Ce fichier n’est pas un relevé de compte camt.052, camt.053 ou camt.054 (versions 02 à 13) : c’est « {kind[:60]} ». "
                "Demandez un relevé camt.053 à la banque."
            )
        self.kind = Kind(f"camt.05{found['kind']}")
        self.version = f"001.{found['version']}"
        self.message_id = ""
        self.errors: list[FileError] = []
        self._file = file
        self._namespace = f"{{{root.namespace}}}"
        self._rank = 0

    def __iter__(self) -> Iterator[Stage]:
        head_name = _ELEMENTS[self.kind]
        progress: _Progress | None = None
        for event, element in elements(self._file, [self._namespace + name for name in ("GrpHdr", head_name, "Ntry")]):
            name = element.tag[len(self._namespace) :]
            if event == "start":
                if name == head_name and progress is None:
                    self._rank += 1
                    progress = _Progress(self.kind, self._rank, element)
            elif name == "GrpHdr":
                self.message_id = Fields(element).first("MsgId") or ""
            elif progress is None or progress.element not in (element, element.getparent()):
                self._fault(element, f"L’élément {name} n’est pas à sa place. Demandez un autre fichier à la banque.")
            elif name == "Ntry":
                yield from self._head(progress)
                yield from self._entry(progress, element)
                _forget(element)
            else:
                yield from self._head(progress)
                yield from self._end(progress)
                progress = None
                _forget(element)
        if not self._rank:
            self.errors.append(
                FileError(0, "Ce fichier ne contient aucun relevé. Choisissez un autre jour auprès de la banque.")
            )

    def _fault(self, element: etree._Element, reason: str) -> None:
        """Note a fault once, where it is first met."""
        if len(self.errors) < _ERRORS_MAX and all(error.reason != reason for error in self.errors):
            self.errors.append(FileError(line_of(element), reason))

    def _head(self, progress: "_Progress") -> Iterator[Stage]:
        """Give the head of a statement once what precedes its first entry was read."""
        if progress.is_begun:
            return
        try:
            progress.begin()
        except ForeignEntry as foreign:
            yield SetAside(line_of(progress.element), str(foreign))
        except WrongEntry as wrong:
            self._fault(progress.element, str(wrong))
        if progress.statement is not None:
            yield progress.statement

    def _entry(self, progress: "_Progress", element: etree._Element) -> Iterator[Stage]:
        if progress.is_foreign:
            return
        try:
            found = progress.entry(element)
        except ForeignEntry as foreign:
            yield SetAside(line_of(element), str(foreign))
        except WrongEntry as wrong:
            progress.is_sound = False
            self._fault(element, str(wrong))
        else:
            if found is not None:
                yield found

    def _end(self, progress: "_Progress") -> Iterator[Stage]:
        if progress.statement is None:
            return
        for reason in progress.wrong_sums() if progress.is_sound else ():
            self._fault(progress.element, reason)
        yield progress.counted()


def _forget(element: etree._Element) -> None:
    """Free an element that was read, and its elder siblings of the same name, while the parser goes on after it."""
    element.clear(keep_tail=True)  # type: ignore[call-arg]  # the stubs are older than this argument
    parent, elder = element.getparent(), element.getprevious()
    while parent is not None and elder is not None and elder.tag == element.tag:
        parent.remove(elder)
        elder = element.getprevious()


class _Progress:
    """What is known of the statement being read."""

    def __init__(self, kind: Kind, rank: int, element: etree._Element) -> None:
        self.element = element
        self.statement: Statement | None = None
        self.is_begun = False
        self.is_sound = True
        self.is_foreign = False
        self._kind = kind
        self._rank = rank
        self._summary = Fields.empty()
        self._alike: Counter[tuple[str, bool, int, date]] = Counter()
        self._cents_of_day: Counter[date] = Counter()
        self._entry_counts: Counter[str] = Counter()
        self._entry_cents: Counter[str] = Counter()

    def begin(self) -> None:
        """Read the head. Raises WrongEntry without an account, balances and days; ForeignEntry for an account not in euros."""
        self.is_begun = True
        self.is_sound = False
        head = self._summary = Fields(self.element, nested_name="Ntry")
        iban = head.first("Acct/Id/IBAN")
        currency = head.first("Acct/Ccy")
        if currency not in (None, "EUR"):
            self.is_foreign = True
            raise ForeignEntry(
                f"Le compte {iban or ''} est en « {currency} » : ses lignes ne sont comptées nulle part. "
                "Exportez le relevé d’un compte en euros."
            )
        if iban is None:
            raise WrongEntry("Le relevé ne donne pas l’IBAN du compte. Demandez un relevé par IBAN à la banque.")
        opening, closing = self._balances()
        closed_on = (None if closing is None else closing.day("Dt")) or head.day("FrToDt/To")
        opened_on = head.day("FrToDt/Fr") or (None if opening is None else opening.day("Dt")) or closed_on
        if self._kind is Kind.STATEMENT and closed_on is None:
            raise WrongEntry("Le relevé n’a pas de date. Demandez un autre fichier à la banque.")
        self.statement = Statement(
            rank=self._rank,
            statement_id=head.first("Id") or "",
            number=head.first("ElctrncSeqNb", "LglSeqNb"),
            account_iban=iban,
            opened_on=opened_on,
            closed_on=closed_on,
            opening_cents=None if opening is None else _signed_cents(opening),
            closing_cents=None if closing is None else _signed_cents(closing),
            line=line_of(self.element),
        )
        self.is_sound = True

    def _balances(self) -> tuple[Fields | None, Fields | None]:
        """Return the opening and closing balances, which a statement must have; the other kinds prove nothing by theirs."""
        if self._kind is not Kind.STATEMENT:
            return None, None
        balances: dict[str, Fields] = {}
        for child in self.element:
            if child.tag.rpartition("}")[2] == "Bal":
                balance = Fields(child)
                balances.setdefault(balance.first("Tp/CdOrPrtry/Cd") or "", balance)
        return _balance(balances, _OPENING_CODES, "d’ouverture"), _balance(balances, _CLOSING_CODES, "de clôture")

    def entry(self, element: etree._Element) -> BankEntry | None:
        """Count an entry, and return it if it is booked."""
        entry = read_entry(element)
        self._entry_counts["all"] += 1
        self._entry_cents["all"] += entry.amount_cents
        if not entry.is_booked:
            self._entry_counts["pending"] += 1
            return None
        side = "credit" if entry.is_credit else "debit"
        for total in (side, "booked"):
            self._entry_counts[total] += 1
            self._entry_cents[total] += entry.amount_cents
        return None if self.statement is None else self._found(self.statement, entry)

    def _found(self, statement: Statement, entry: Entry) -> BankEntry | None:
        lines = lines_of(entry, statement.account_iban)
        if not lines:
            return None
        reference = reference_of(entry)
        alike = (reference, entry.is_credit, entry.amount_cents, entry.booked_on)
        self._alike[alike] += 1
        anchor_cents = None
        if reference.startswith("~") and statement.opening_cents is not None:
            earlier = sum(cents for day, cents in self._cents_of_day.items() if day < entry.booked_on)
            anchor_cents = statement.opening_cents + earlier
        self._cents_of_day[entry.booked_on] += entry.signed_cents
        return BankEntry(
            statement_rank=statement.rank,
            account_iban=statement.account_iban,
            reference=reference,
            rank=self._alike[alike],
            anchor_cents=anchor_cents,
            amount_cents=entry.amount_cents,
            is_credit=entry.is_credit,
            booked_on=entry.booked_on,
            valued_on=entry.valued_on,
            line=entry.line,
            lines=lines,
        )

    def counted(self) -> Counted:
        """Return the totals of what was read."""
        counts, cents = self._entry_counts, self._entry_cents
        return Counted(self._rank, counts["booked"], cents["credit"], cents["debit"], counts["pending"])

    def wrong_sums(self) -> Iterator[str]:
        """Yield a sentence for each sum that does not add up: balances, then the totals that the bank announces."""
        statement = self.statement
        assert statement is not None
        name = f"Relevé {statement.statement_id}"
        counts, cents = self._entry_counts, self._entry_cents
        if statement.opening_cents is not None and statement.closing_cents is not None:
            computed = statement.opening_cents + cents["credit"] - cents["debit"]
            if computed != statement.closing_cents:
                yield (
                    f"{name} : le solde de clôture est {format_euros(statement.closing_cents)}, mais le solde d’ouverture et les "
                    f"lignes font {format_euros(computed)}. Il manque sans doute une ligne : demandez le relevé complet à la banque."
                )
        for path, counted in (
            ("TtlNtries", ("all", "booked")),
            ("TtlCdtNtries", ("credit",)),
            ("TtlDbtNtries", ("debit",)),
        ):
            # Banks count what is not booked yet or leave it out: with such entries only the grand total is compared.
            if counts["pending"] and path != "TtlNtries":
                continue
            number = self._summary.first(f"TxsSummry/{path}/NbOfNtries")
            total = self._summary.first(f"TxsSummry/{path}/Sum")
            if number is not None and number not in {str(counts[which]) for which in counted}:
                yield f"{name} : la banque annonce {number} écritures ({path}), le fichier en contient {counts[counted[0]]}."
            if total is not None and _total_cents(total) not in {cents[which] for which in counted}:
                yield f"{name} : la banque annonce un total de {total} ({path}), les écritures font {format_euros(cents[counted[0]])}."


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
