"""Check a FEC, whoever wrote it, against the rule: art. A.47 A-1 of the Livre des procédures fiscales, I and VII.

Written from the text of the rule and not from our writer, with which it shares nothing: 18 columns named and in order, tab or
bar between them, amounts with a comma, days AAAAMMJJ, entries in the order in which they were validated and numbered without a
gap in each journal, each entry and the whole file balanced. One pass over the lines, in bounded memory (it remembers the number
of the last entry of each journal, not the entries).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from voucher.kernel.checks import Violation

HEADER = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate", "Montantdevise",
    "Idevise",
)  # fmt: skip
REQUIRED = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "PieceRef", "PieceDate",
    "EcritureLib", "Debit", "Credit", "ValidDate",
)  # fmt: skip
DAYS = ("EcritureDate", "PieceDate", "DateLet", "ValidDate")
VIOLATIONS_MAX = 1000

_NAME = re.compile(r"(\d{9})FEC(\d{8})(-provisoire)?\.txt", re.IGNORECASE)
_AMOUNT = re.compile(r"[+-]?\d+(?:,\d{1,2})?")
_ACCOUNT = re.compile(r"[1-8]\d{2}[0-9A-Za-z]*")
_NUMBER = re.compile(r"(.*?)(\d+)")


@dataclass
class _Entry:
    """The entry that is being read."""

    journal: str
    number: str
    days: tuple[str, str]
    first_line: int
    cents: int = 0
    lines: int = 0


@dataclass
class _State:
    """What is remembered from one line to the next."""

    separator: str = "\t"
    violations: list[Violation] = field(default_factory=list)
    entry: _Entry | None = None
    last_numbers: dict[str, int] = field(default_factory=dict)
    journal_names: dict[str, str] = field(default_factory=dict)
    account_names: dict[str, str] = field(default_factory=dict)
    last_valid: str = ""
    total_cents: int = 0
    closes_on: date | None = None

    def say(self, check: str, line: int, detail: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(check, f"ligne {line}", detail))


def check_fec(lines: Iterable[bytes], *, name: str = "", encoding: str = "utf-8") -> list[Violation]:
    """Return what is wrong in a FEC, line by line (at most 1,000 violations). `name`, when given, is its file name.

    `encoding`: « utf-8 » or « iso8859-15 ». The year that the entries must be in ends on the day that the name says.
    """
    state = _State()
    if name:
        _check_name(state, name)
    decoded = _decoded(state, lines, encoding)
    header = next(decoded, None)
    if header is None:
        state.say("header", 1, "le fichier est vide")
        return state.violations
    if not _check_header(state, header[1]):
        return state.violations
    found = False
    for number, text in decoded:
        found = True
        _check_line(state, number, text)
    _end_entry(state)
    if not found:
        state.say("header", 1, "aucune écriture après l’en-tête")
    if state.total_cents:
        state.say("file_balances", 0, f"débits moins crédits : {_euros(state.total_cents)}")
    return state.violations


def _check_name(state: _State, name: str) -> None:
    found = _NAME.fullmatch(name)
    if found is None:
        state.say("file_name", 0, f"« {name} » n’est pas de la forme SIRENFECAAAAMMJJ.txt")
        return
    state.closes_on = _day(found[2])
    if state.closes_on is None:
        state.say("file_name", 0, f"« {found[2]} » n’est pas un jour")


def _decoded(state: _State, lines: Iterable[bytes], encoding: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(lines, 1):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            state.say("encoding", number, f"des octets ne sont pas de l’{encoding}")
            text = raw.decode(encoding, errors="replace")
        if number == 1 and text.startswith("\ufeff"):
            state.say("encoding", 1, "le fichier commence par une marque d’ordre (BOM)")
            text = text[1:]
        yield number, text.rstrip("\r\n")


def _check_header(state: _State, text: str) -> bool:
    state.separator = "\t" if "\t" in text else "|"
    names = text.split(state.separator)
    if [one.strip().casefold() for one in names] == [one.casefold() for one in HEADER]:
        return True
    state.say("header", 1, f"les 18 colonnes attendues sont {' '.join(HEADER)} ; le fichier a {len(names)} noms")
    return False


def _check_line(state: _State, number: int, text: str) -> None:
    cells = text.split(state.separator)
    if len(cells) != len(HEADER):
        state.say("columns", number, f"{len(cells)} colonnes au lieu de 18")
        return
    line = dict(zip(HEADER, cells, strict=True))
    if missing := [one for one in REQUIRED if not line[one].strip()]:
        state.say("required", number, f"vide : {', '.join(missing)}")
    _check_days(state, number, line)
    _check_accounts(state, number, line)
    cents = _check_amounts(state, number, line)
    _join_entry(state, number, line)
    state.total_cents += cents
    assert state.entry is not None, "the line has just joined it"
    state.entry.cents += cents
    state.entry.lines += 1


def _check_days(state: _State, number: int, line: dict[str, str]) -> None:
    for name in DAYS:
        if line[name] and _day(line[name]) is None:
            state.say("dates", number, f"{name} « {line[name]} » n’est pas un jour AAAAMMJJ")
    on = _day(line["EcritureDate"])
    if on is not None and state.closes_on is not None:
        opens_on = _year_before(state.closes_on)
        if not opens_on < on <= state.closes_on:
            state.say("dates", number, f"EcritureDate {line['EcritureDate']} n’est pas de l’exercice du fichier")
    valid = line["ValidDate"]
    if _day(valid) is not None:
        if valid < state.last_valid:
            state.say(
                "validation_order", number, f"validée le {valid}, après une écriture validée le {state.last_valid}"
            )
        state.last_valid = max(state.last_valid, valid)
    if bool(line["EcritureLet"].strip()) != bool(line["DateLet"].strip()):
        state.say("letters", number, "EcritureLet et DateLet vont ensemble")


def _check_accounts(state: _State, number: int, line: dict[str, str]) -> None:
    account, name = line["CompteNum"], line["CompteLib"]
    if not _ACCOUNT.fullmatch(account):
        state.say("accounts", number, f"CompteNum « {account} » ne commence pas par trois chiffres du plan comptable")
    if state.account_names.setdefault(account, name) != name:
        state.say(
            "accounts", number, f"le compte {account} a deux noms : « {state.account_names[account]} », « {name} »"
        )
    if bool(line["CompAuxNum"].strip()) != bool(line["CompAuxLib"].strip()):
        state.say("accounts", number, "CompAuxNum et CompAuxLib vont ensemble")
    journal, label = line["JournalCode"], line["JournalLib"]
    if state.journal_names.setdefault(journal, label) != label:
        state.say(
            "journals", number, f"le journal {journal} a deux noms : « {state.journal_names[journal]} », « {label} »"
        )
    if bool(line["Montantdevise"].strip()) != bool(line["Idevise"].strip()):
        state.say("currency", number, "Montantdevise et Idevise vont ensemble")


def _check_amounts(state: _State, number: int, line: dict[str, str]) -> int:
    """Return debit less credit of a line, in cents."""
    amounts = []
    for name in ("Debit", "Credit"):
        text = line[name]
        if not _AMOUNT.fullmatch(text):
            state.say("amounts", number, f"{name} « {text} » n’est pas un montant comme 1234,56")
            text = "0"
        euros, _, rest = text.partition(",")
        cents = int(euros + rest.ljust(2, "0"))
        if cents < 0:
            state.say("amounts", number, f"{name} est négatif")
        amounts.append(cents)
    debit, credit = amounts
    if bool(debit) == bool(credit):
        state.say(
            "debit_or_credit", number, f"Debit {line['Debit']} et Credit {line['Credit']} : l’un, et l’un seul, est nul"
        )
    return debit - credit


def _join_entry(state: _State, number: int, line: dict[str, str]) -> None:
    """Add a line to the entry it belongs to: an entry's lines follow each other, with one number and the same days."""
    journal, name = line["JournalCode"], line["EcritureNum"]
    days = (line["EcritureDate"], line["ValidDate"])
    if state.entry is not None and (state.entry.journal, state.entry.number) == (journal, name):
        if state.entry.days != days:
            state.say("entry_days", number, f"l’écriture {journal} {name} a plusieurs dates")
        return
    _end_entry(state)
    state.entry = _Entry(journal, name, days, number)
    found = _NUMBER.fullmatch(name)
    if found is None:
        state.say("numbering", number, f"EcritureNum « {name} » ne finit pas par un nombre")
        return
    rank, before = int(found[2]), state.last_numbers.get(journal, 0)
    if rank != before + 1:
        state.say("numbering", number, f"journal {journal} : le numéro {rank} suit le {before}")
    state.last_numbers[journal] = rank


def _end_entry(state: _State) -> None:
    entry = state.entry
    if entry is None:
        return
    if entry.cents:
        state.say(
            "entry_balances",
            entry.first_line,
            f"écriture {entry.journal} {entry.number} : écart de {_euros(entry.cents)}",
        )
    if entry.lines < 2:
        state.say("entry_balances", entry.first_line, f"écriture {entry.journal} {entry.number} : une seule ligne")
    state.entry = None


def _day(text: str) -> date | None:
    if not re.fullmatch(r"\d{8}", text):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a civil day has no zone
    except ValueError:
        return None


def _year_before(day: date) -> date:
    """Return the day on which the year before ended; a 29 February follows a 28."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def _euros(cents: int) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100},{abs(cents) % 100:02d}"
