"""The only door through which XML from outside comes in: bounded, without DTD, entities, XInclude or network.

A bank file needs none of these, so a file that has one is refused before its content is read. What guards it: the prologue
is read by expat, which stops at the first element and refuses any DOCTYPE, in every encoding it knows (and with it every
entity, hence bombs and external references); then lxml reads the rest with entity resolution, DTD loading, network and
"huge" documents switched off, which bounds the depth to 256 elements and a text to 10 MB; a namespace declaration for
XInclude is refused where it appears.
"""

import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import cast
from xml.parsers import expat

from lxml import etree

UNPACKED_BYTES_MAX = 512 * 1024 * 1024

_XINCLUDE = "http://www.w3.org/2001/XInclude"
_LIMIT_WORDS = ("depth", "huge", "too long", "limit")
_CHUNK_BYTES = 64 * 1024
_SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "dtd_validation": False, "huge_tree": False}


class RefusedXml(ValueError):
    """A document is not safe or not well formed; `reason` is French, `line` is where, or 0 for the file as a whole."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason if line == 0 else f"Ligne {line} : {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Root:
    """The first element of a document: its namespace (empty if none) and its local name."""

    namespace: str
    name: str


class _RootReached(Exception):
    pass


def unpacked(data: bytes) -> bytes:
    """Return the XML inside a gzip file or inside a zip that holds one file; other bytes are returned as they are.

    Raises RefusedXml if the file is empty, damaged, too big once unpacked (512 MB), or a zip that holds anything else.
    """
    if not data.strip():
        raise RefusedXml("Le fichier est vide. Téléchargez-le de nouveau depuis votre banque.")
    if data.startswith(b"\x1f\x8b"):
        return _gunzipped(data)
    if data.startswith(b"PK"):
        return _unzipped(data)
    _check_size(len(data))
    return data


def _gunzipped(data: bytes) -> bytes:
    """Unpack every member of a gzip file, never holding more than the limit."""
    parts: list[bytes] = []
    room = UNPACKED_BYTES_MAX + 1
    rest = data
    try:
        while rest:
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(rest, room)
            room -= len(part)
            parts.append(part)
            if room <= 0:
                _check_size(UNPACKED_BYTES_MAX + 1)
            if not unpacker.eof:
                raise RefusedXml("Le fichier compressé est incomplet. Téléchargez-le de nouveau.")
            rest = unpacker.unused_data
    except zlib.error:
        raise RefusedXml("Le fichier compressé est abîmé. Téléchargez-le de nouveau.") from None
    return b"".join(parts)


def _unzipped(data: bytes) -> bytes:
    """Unpack the one file of a zip, never holding more than the limit, whatever size the zip announces."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise RefusedXml(f"Le fichier zip contient {len(members)} fichiers. Envoyez les relevés un par un.")
            with archive.open(members[0]) as member:
                content = member.read(UNPACKED_BYTES_MAX + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
        raise RefusedXml("Le fichier zip est abîmé ou protégé par un mot de passe. Envoyez le relevé en XML.") from None
    _check_size(len(content))
    return content


def root_of(data: bytes) -> Root:
    """Return the first element of a document after its prologue was found safe. Raises RefusedXml otherwise."""
    _check_size(len(data))
    parser = expat.ParserCreate(namespace_separator=" ")
    found: list[str] = []

    def doctype(*_declaration: object) -> None:
        line = parser.CurrentLineNumber
        raise RefusedXml(
            "Le fichier contient une déclaration DOCTYPE, interdite dans un fichier bancaire. Demandez un autre fichier à la banque.",
            line,
        )

    def root(name: str, _attributes: object) -> None:
        found.append(name)
        raise _RootReached

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = root
    try:
        for start in range(0, len(data), _CHUNK_BYTES):
            parser.Parse(data[start : start + _CHUNK_BYTES], False)
        parser.Parse(b"", True)
    except _RootReached:
        pass
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, RefusedXml):
            raise
        raise RefusedXml(
            f"Ce fichier n’est pas du XML lisible ({error}). Envoyez le fichier tel que la banque l’a fourni.",
            getattr(error, "lineno", 1),
        ) from None
    namespace, _, name = found[0].rpartition(" ")
    return Root(namespace, name)


def parse(data: bytes) -> etree._ElementTree:
    """Return the whole tree of a safe document. For small files and for validation; raises RefusedXml."""
    root_of(data)
    tree = None
    for _event, element in _events(data, events=("end", "start-ns"), tag=None):
        tree = element
    assert tree is not None, "a document that ends without an error has a root"
    return tree.getroottree()


def elements(data: bytes, tags: Collection[str]) -> Iterator[tuple[str, etree._Element]]:
    """Yield `("start" | "end", element)` for the tags asked, in document order; memory stays flat if the caller clears.

    Call `root_of` first. Raises RefusedXml where the document stops being safe or well formed.
    """
    yield from _events(data, events=("start", "end", "start-ns"), tag=tuple(tags))


def line_of(element: etree._Element) -> int:
    """Return the line of the file on which an element starts (where the parser knows it), else 0."""
    return cast("int | None", element.sourceline) or 0


def _events(
    data: bytes, *, events: tuple[str, ...], tag: tuple[str, ...] | None
) -> Iterator[tuple[str, etree._Element]]:
    reader = etree.iterparse(BytesIO(data), events=events, tag=tag, remove_comments=True, remove_pis=True, **_SAFE)
    try:
        for event, found in reader:
            if event != "start-ns":
                yield event, found
            elif found[1] == _XINCLUDE:
                raise RefusedXml(
                    "Le fichier demande d’inclure un autre fichier (XInclude), ce qui est interdit. Demandez un autre fichier à la banque."
                )
    except etree.XMLSyntaxError as error:
        raise _refused(error) from None


def _refused(error: etree.XMLSyntaxError) -> RefusedXml:
    line = error.lineno or 0
    if any(word in (error.msg or "").lower() for word in _LIMIT_WORDS):
        return RefusedXml(
            "Le fichier dépasse les limites d’un fichier bancaire (éléments imbriqués ou textes trop longs). Demandez un autre fichier à la banque.",
            line,
        )
    return RefusedXml(
        f"Le XML est mal formé ({error.msg}). Téléchargez de nouveau le fichier complet depuis la banque.", line
    )


def _check_size(byte_count: int) -> None:
    if byte_count > UNPACKED_BYTES_MAX:
        raise RefusedXml(
            f"Le fichier dépasse {UNPACKED_BYTES_MAX // 1024**2} Mo. Demandez à la banque des relevés plus courts."
        )
