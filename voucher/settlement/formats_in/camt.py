"""Bank files in: ISO 20022 camt.052, 053 and 054, versions 001.02 to 001.14, read as one stream.

Iterating over `Reading` gives the head of each statement, then its booked entries one by one, then what was counted; memory does not
grow with the number of entries. What cannot be trusted (not safe XML, not euros to the cent, sums that do not add up) is gathered in
`errors`: who reads goes to the end, then keeps nothing if there is any. What is sound but no business of ours is given as `Ignored`;
what is passed over refuses nothing, whatever is wrong in it: accounts that are not ours, entries that are not booked, balances
that prove nothing.

Amounts are positive cents with a side (`is_credit`: money came in). Only entries with status BOOK are money.
"""

import re
from collections.abc import Iterator
from typing import IO

from lxml import etree

from voucher.settlement.formats_in.bank_stages import FileError, Ignored, IsOurs, Stage
from voucher.settlement.formats_in.camt_fields import Fields, WrongEntry
from voucher.settlement.formats_in.camt_lines import PassedOver
from voucher.settlement.formats_in.camt_statement import Kind, Progress
from voucher.settlement.formats_in.recognise_file import unread_document
from voucher.settlement.formats_in.safe_xml import RefusedXml, elements, line_of, root_of

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.05(?P<kind>[234])\.001\.(?P<version>0[2-9]|1[0-4])")
_ERRORS_MAX = 50
_ELEMENTS = {Kind.REPORT: "Rpt", Kind.STATEMENT: "Stmt", Kind.NOTIFICATION: "Ntfctn"}


def _everyones(_iban: str) -> bool:
    return True


class Reading:
    """One pass over a file. Raises RefusedXml at once for what is no camt file, or where the XML stops being safe."""

    def __init__(self, file: bytes | IO[bytes], is_ours: IsOurs = _everyones) -> None:
        root = root_of(file)
        found = _NAMESPACE.fullmatch(root.namespace)
        if found is None or root.name != "Document":
            raise RefusedXml(
                unread_document(root, "un relevé de compte camt.052, camt.053 ou camt.054 (versions 02 à 14)")
            )
        self.kind = Kind(f"camt.05{found['kind']}")
        self.version = f"001.{found['version']}"
        self.message_id = ""
        self.errors: list[FileError] = []
        self._file = file
        self._is_ours = is_ours
        self._message_head = Fields.empty()
        self._namespace = f"{{{root.namespace}}}"
        self._rank = 0

    def __iter__(self) -> Iterator[Stage]:
        head_name = _ELEMENTS[self.kind]
        progress: Progress | None = None
        names = [self._namespace + name for name in ("GrpHdr", head_name, "Ntry")]
        for event, element in elements(self._file, [*names, "{*}Document"]):
            if not element.tag.startswith(self._namespace):
                if event == "start":
                    yield Ignored(line_of(element), _other_document(element))
                continue
            name = element.tag[len(self._namespace) :]
            if name == "Document":
                continue
            if event == "start":
                if name == head_name and progress is None:
                    self._rank += 1
                    progress = Progress(self.kind, self._rank, element, self._message_head, self._is_ours)
            elif name == "GrpHdr":
                self._message_head = Fields(element)
                self.message_id = self._message_head.first("MsgId") or ""
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

    def _head(self, progress: "Progress") -> Iterator[Stage]:
        """Give the head of a statement once what precedes its first entry was read."""
        if progress.is_begun:
            return
        try:
            progress.begin()
        except PassedOver as passed:
            yield Ignored(line_of(progress.element), str(passed))
        except WrongEntry as wrong:
            self._fault(progress.element, str(wrong))
        if progress.statement is not None:
            yield progress.statement

    def _entry(self, progress: "Progress", element: etree._Element) -> Iterator[Stage]:
        if progress.is_passed_over:
            return
        try:
            found = progress.entry(element)
        except PassedOver as passed:
            yield Ignored(line_of(element), str(passed))
        except WrongEntry as wrong:
            progress.is_sound = False
            self._fault(element, str(wrong))
        else:
            if found is not None:
                yield found

    def _end(self, progress: "Progress") -> Iterator[Stage]:
        if progress.statement is None:
            return
        for reason in progress.wrong_sums() if progress.is_sound else ():
            self._fault(progress.element, reason)
        yield progress.counted()


def _other_document(element: etree._Element) -> str:
    kind = element.tag.rpartition("}")[0].rpartition(":")[2][:60]
    return f"L’enveloppe contient aussi un document « {kind} ». Importez-le dans un fichier à part."


def _forget(element: etree._Element) -> None:
    """Free an element that was read, and its elder siblings of the same name, while the parser goes on after it."""
    element.clear(keep_tail=True)  # type: ignore[call-arg]  # the stubs are older than this argument
    parent, elder = element.getparent(), element.getprevious()
    while parent is not None and elder is not None and elder.tag == element.tag:
        parent.remove(elder)
        elder = element.getprevious()
