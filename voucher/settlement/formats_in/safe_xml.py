"""The only door through which XML from outside comes in: bounded, without DTD, entities, XInclude or network.

A bank file needs none of these, so a file that has one is refused before its content is read. What guards it: the prologue
is read by expat, which stops at the first element and refuses any DOCTYPE, in every encoding it knows (and with it every
entity, hence bombs and external references); then lxml reads the rest with entity resolution, DTD loading, network and
"huge" documents switched off, which bounds the depth to 256 elements and a text to 10 MB; a namespace declaration for
XInclude is refused where it appears.
"""

import hashlib
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Self, cast
from xml.parsers import expat

from lxml import etree

UNPACKED_BYTES_MAX = 512 * 1024 * 1024

_ISO_20022 = "urn:iso:std:iso:20022:tech:xsd:"
_HEADER_ELEMENTS_MAX = 500  # of an envelope, before its Document
_XINCLUDE = "http://www.w3.org/2001/XInclude"
_LIMIT_WORDS = ("depth", "huge", "too long", "limit")
_CHUNK_BYTES = 64 * 1024
_SPOOL_BYTES = 4 * 1024 * 1024
_SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "dtd_validation": False, "huge_tree": False}

_CUT_SHORT = "Le fichier est coupé avant sa fin."
_NOT_THIS_ENCODING = "Le fichier n’est pas dans le codage de caractères qu’il annonce."
# Both parsers speak English to programmers: what each says that can be put better than « mal formé », by its code.
_UNKNOWN_ENCODING = expat.errors.XML_ERROR_UNKNOWN_ENCODING
_EXPAT_WORDS = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]: "Le fichier ne contient aucun élément XML.",
    expat.errors.codes[_UNKNOWN_ENCODING]: "Le fichier annonce un codage de caractères inconnu.",
    expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING]: _NOT_THIS_ENCODING,
}
_ERROR = etree.ErrorTypes
_LIBXML_WORDS = {
    _ERROR.ERR_TAG_NOT_FINISHED: _CUT_SHORT,
    _ERROR.ERR_COMMENT_NOT_FINISHED: _CUT_SHORT,
    _ERROR.ERR_CDATA_NOT_FINISHED: _CUT_SHORT,
    _ERROR.ERR_TAG_NAME_MISMATCH: "Une balise en ferme une autre que celle qui est ouverte.",
    _ERROR.ERR_DOCUMENT_END: "Il y a du texte après la fin du XML.",
    _ERROR.ERR_GT_REQUIRED: "Une balise n’est pas fermée par « > ».",
    _ERROR.ERR_LT_REQUIRED: "Une balise n’est pas ouverte par « < ».",
    _ERROR.ERR_LTSLASH_REQUIRED: "Une balise de fin manque.",
    _ERROR.ERR_NAME_REQUIRED: "Un « & » ou un « < » n’est pas écrit comme le XML le demande.",
    _ERROR.ERR_UNDECLARED_ENTITY: "Le fichier emploie une entité XML que rien ne définit.",
    _ERROR.ERR_INVALID_CHAR: "Le fichier contient un caractère interdit en XML.",
    _ERROR.ERR_INVALID_ENCODING: _NOT_THIS_ENCODING,
    _ERROR.ERR_ATTRIBUTE_REDEFINED: "Un même attribut est écrit deux fois dans une balise.",
    _ERROR.ERR_ATTRIBUTE_WITHOUT_VALUE: "Un attribut n’a pas de valeur.",
    _ERROR.ERR_ATTRIBUTE_NOT_STARTED: "La valeur d’un attribut n’est pas entre guillemets.",
    _ERROR.NS_ERR_UNDEFINED_NAMESPACE: "Une balise emploie un préfixe que rien ne définit.",
}


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


class Unpacked:
    """A document out of its packing, spooled: `file` is at its beginning, `sha256` that of the XML, zipped or not."""

    def __init__(self) -> None:
        self.file: IO[bytes] = SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed by `__exit__`
        self.byte_count = 0
        self.is_blank = True
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def sha256(self) -> str:
        """The fingerprint of what was written."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises RefusedXml beyond the limit, whatever size the packing announced."""
        self.byte_count += len(chunk)
        _check_size(self.byte_count)
        self.is_blank = self.is_blank and not chunk.strip()
        self._digest.update(chunk)
        self.file.write(chunk)


def unpack(source: bytes | IO[bytes]) -> Unpacked:
    """Return what is inside a gzip file; other bytes as they are. Close it after use.

    Memory stays flat: beyond a few megabytes the XML waits in a temporary file. Raises RefusedXml if the file is empty, damaged, too
    big once unpacked (512 MB), or a zip: `bank_zip` opens those.
    """
    file = BytesIO(source) if isinstance(source, bytes) else source
    found = Unpacked()
    try:
        magic = file.read(2)
        file.seek(0)
        if magic == b"\x1f\x8b":
            _gunzip(file, found)
        elif magic == b"PK":
            raise RefusedXml("Ce fichier est un zip dans un autre. Sortez-le et envoyez-le à part.")
        else:
            while chunk := file.read(_CHUNK_BYTES):
                found.write(chunk)
        if found.is_blank:
            what = "ne contient que des espaces" if found.byte_count else "est vide"
            raise RefusedXml(f"Le fichier {what}. Téléchargez-le de nouveau depuis votre banque.")
    except BaseException:
        found.file.close()
        raise
    found.file.seek(0)
    return found


def unpacked(data: bytes) -> bytes:
    """Return the XML of a small file, in memory: see `unpack`."""
    with unpack(data) as found:
        return found.file.read()


def _gunzip(file: IO[bytes], found: Unpacked) -> None:
    """Unpack every member of a gzip file, a piece at a time."""
    try:
        rest = file.read(_CHUNK_BYTES)
        while rest:
            unpacker = zlib.decompressobj(wbits=31)
            while not unpacker.eof:
                part = unpacker.decompress(rest, _CHUNK_BYTES)
                found.write(part)
                rest = unpacker.unconsumed_tail
                # A full piece may leave more to give out of what was read.
                if not rest and len(part) < _CHUNK_BYTES and not unpacker.eof:
                    rest = file.read(_CHUNK_BYTES)
                    if not rest:
                        raise RefusedXml("Le fichier compressé est incomplet. Téléchargez-le de nouveau.")
            rest = unpacker.unused_data or file.read(_CHUNK_BYTES)
    except zlib.error:
        raise RefusedXml("Le fichier compressé est abîmé. Téléchargez-le de nouveau.") from None


def root_of(data: bytes | IO[bytes]) -> Root:
    """Return the first element of a document after its prologue was found safe; a file is left at its beginning.

    Of an envelope (a Business Application Header, head.001, stands beside its `Document`) it is the Document inside, if it comes among
    the first elements. Raises RefusedXml otherwise.
    """
    file = BytesIO(data) if isinstance(data, bytes) else data
    try:
        return _root_of(file)
    finally:
        file.seek(0)


def _root_of(file: IO[bytes]) -> Root:
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
        is_document = name.startswith(_ISO_20022) and name.endswith(" Document")
        if is_document or name.rpartition(" ")[2] == "Document" or len(found) > _HEADER_ELEMENTS_MAX:
            if is_document:
                found[0] = name
            raise _RootReached

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = root
    try:
        while chunk := file.read(_CHUNK_BYTES):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except _RootReached:
        pass
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, RefusedXml):
            raise
        if found:  # what follows the first element is read, and judged, by who asked
            return _named(found[0])
        # Python's own errors here speak of an encoding that it does not know.
        code = error.code if isinstance(error, expat.ExpatError) else expat.errors.codes[_UNKNOWN_ENCODING]
        why = _EXPAT_WORDS.get(code, "Ce fichier n’est pas du XML lisible.")
        raise RefusedXml(
            f"{why} Envoyez le fichier tel que la banque l’a fourni.", getattr(error, "lineno", 1)
        ) from None
    return _named(found[0])


def _named(text: str) -> Root:
    namespace, _, name = text.rpartition(" ")
    return Root(namespace, name)


def parse(data: bytes) -> etree._ElementTree:
    """Return the whole tree of a safe document. For small files and for validation; raises RefusedXml."""
    root_of(data)
    tree = None
    for _event, element in _events(BytesIO(data), events=("end", "start-ns"), tag=None):
        tree = element
    assert tree is not None, "a document that ends without an error has a root"
    return tree.getroottree()


def elements(data: bytes | IO[bytes], tags: Collection[str]) -> Iterator[tuple[str, etree._Element]]:
    """Yield `("start" | "end", element)` for the tags asked, in document order; memory stays flat if the caller clears.

    Call `root_of` first. Raises RefusedXml where the document stops being safe or well formed.
    """
    file = BytesIO(data) if isinstance(data, bytes) else data
    yield from _events(file, events=("start", "end", "start-ns"), tag=tuple(tags))


def line_of(element: etree._Element) -> int:
    """Return the line of the file on which an element starts (where the parser knows it), else 0."""
    return cast("int | None", element.sourceline) or 0


def _events(
    file: IO[bytes], *, events: tuple[str, ...], tag: tuple[str, ...] | None
) -> Iterator[tuple[str, etree._Element]]:
    reader = etree.iterparse(file, events=events, tag=tag, remove_comments=True, remove_pis=True, **_SAFE)
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
    why = _LIBXML_WORDS.get(getattr(error, "code", 0), "Le XML est mal formé.")
    return RefusedXml(f"{why} Téléchargez de nouveau le fichier complet depuis la banque.", line)


def _check_size(byte_count: int) -> None:
    if byte_count > UNPACKED_BYTES_MAX:
        raise RefusedXml(
            f"Le fichier dépasse {UNPACKED_BYTES_MAX // 1024**2} Mo. Demandez à la banque des relevés plus courts."
        )
