"""A bank file read whole, as tests look at it: what `camt.Reading` gives one by one, gathered."""

from dataclasses import dataclass, field

from voucher.settlement.formats_in.bank_stages import Counted, FileError, Ignored, IsOurs, Statement
from voucher.settlement.formats_in.camt import Reading
from voucher.settlement.formats_in.camt_lines import BankEntry, BankLine
from voucher.settlement.formats_in.safe_xml import RefusedXml, unpack


class UnreadableBankFile(ValueError):
    """What refuses a file, with the line and reason of its first fault."""

    def __init__(self, errors: list[FileError]) -> None:
        self.errors = tuple(errors)
        self.line, self.reason = errors[0].line, errors[0].reason
        super().__init__(self.reason)


@dataclass(slots=True)
class ReadFile:
    """All that a file holds."""

    version: str
    message_id: str = ""
    statements: list[Statement] = field(default_factory=list)
    counted: list[Counted] = field(default_factory=list)
    entries: list[BankEntry] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)

    @property
    def lines(self) -> list[BankLine]:
        """The lines of all its entries, in the order of the file."""
        return [line for entry in self.entries for line in entry.lines]

    @property
    def keys(self) -> list[str]:
        """The natural key of each of these lines."""
        return [entry.key_of(line.part) for entry in self.entries for line in entry.lines]


def read_statements(data: bytes, is_ours: IsOurs = lambda _iban: True) -> ReadFile:
    """Read a file to its end, for the accounts that are ours. Raises UnreadableBankFile for whatever would refuse it."""
    try:
        with unpack(data) as found:
            reading = Reading(found.file, is_ours)
            read = ReadFile(reading.version)
            for stage in reading:
                if isinstance(stage, Statement):
                    read.statements.append(stage)
                elif isinstance(stage, Counted):
                    read.counted.append(stage)
                elif isinstance(stage, BankEntry):
                    read.entries.append(stage)
                else:
                    read.ignored.append(stage)
            read.message_id = reading.message_id
    except RefusedXml as refused:
        raise UnreadableBankFile([FileError(refused.line, refused.reason)]) from None
    if reading.errors:
        raise UnreadableBankFile(reading.errors)
    return read
