"""What a file that came in is, from its first bytes: its format for who imports it, and for what is no bank file of ours, its name and
what to ask the bank for.
"""

import re
import zlib

from voucher.settlement.formats_in.safe_xml import RefusedXml, Root, root_of

HEAD_BYTES = 4096
CFONB_120 = "CFONB 120"
ASK_FOR = "Demandez à la banque un relevé camt.053 (XML ISO 20022), ou CFONB 120."

_CFONB = re.compile(rb"01\d{5}.{4}\d{5}[A-Z ]{3}[\d ].[0-9A-Z]{11}.{2}\d{6}", re.DOTALL)
_OTHER_CFONB = re.compile(rb"(?:03\d{2}|31\d{2})[0-9A-Z ]{20,}")
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "un PDF, fait pour être lu"),
    (b"\xd0\xcf\x11\xe0", "un document Office (XLS, DOC ou courriel)"),
    (b"\x89PNG", "une image (PNG)"),
    (b"\xff\xd8\xff", "une image (JPEG)"),
    (b"GIF8", "une image (GIF)"),
    (b"RIFF", "une image (WebP)"),
    (b"II*\x00", "une image (TIFF)"),
    (b"MM\x00*", "une image (TIFF)"),
    (b"Rar!", "une archive RAR"),
    (b"7z\xbc\xaf", "une archive 7z"),
    (b"{\\rtf", "un document RTF"),
    (b"{1:", "un relevé MT940 (SWIFT)"),
    (b":20:", "un relevé MT940 (SWIFT)"),
    (b"OFXHEADER", "un export OFX, fait pour les logiciels de comptes"),
    (b"!TYPE:", "un export QIF, fait pour les logiciels de comptes"),
    (b"!ACCOUNT", "un export QIF, fait pour les logiciels de comptes"),
    (b"FROM:", "un courriel"),
    (b"RECEIVED:", "un courriel"),
    (b"MIME-VERSION:", "un courriel"),
    (b"{", "un fichier JSON"),
    (b"[{", "un fichier JSON"),
)
_OFFICE = (
    ("xl/", "un classeur Excel (XLSX)"),
    ("word/", "un document Word (DOCX)"),
    ("ppt/", "une présentation (PPTX)"),
    ("mimetype", "un document LibreOffice"),
    ("Index/", "un classeur Numbers"),
)
_DOCUMENTS = (
    ("pain.001", "un ordre de virement (pain.001), celui que l’on envoie à la banque"),
    ("pain.008", "un ordre de prélèvement (pain.008), celui que l’on envoie à la banque"),
    ("camt.060", "une demande de relevé (camt.060), celle que l’on envoie à la banque"),
)


def refused_as(head: bytes) -> str | None:
    """Return why a file that is no bank file at all is refused, from its first bytes; None for what may be one."""
    plain = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for signature, name in _SIGNATURES:
        if plain[: len(signature)].upper() == signature.upper():
            return _sentence(name)
    if plain[4:8] == b"ftyp":
        return _sentence("une image (HEIC) ou une vidéo")
    if _OTHER_CFONB.match(plain) and not _CFONB.match(plain):
        return _sentence("un fichier CFONB d’ordres, et non un relevé")
    lowered = plain[:200].lower()
    if lowered.startswith((b"<!doctype html", b"<html")):
        return "C’est une page web, sans doute celle où la banque demande de s’identifier. Téléchargez de nouveau le fichier."
    if b"<ofx>" in plain[:2000].lower():
        return _sentence("un export OFX, fait pour les logiciels de comptes")
    return None


def office_name(names: list[str]) -> str | None:
    """Return why a zip that is an office document is refused, from the names that it holds; None for any other zip."""
    if (
        "[Content_Types].xml" not in names
        and "mimetype" not in names
        and not any(one.startswith("Index/") for one in names)
    ):
        return None
    found = next((name for start, name in _OFFICE if any(one.startswith(start) for one in names)), "un document Office")
    return _sentence(found)


def unread_document(root: Root, wanted: str) -> str:
    """Return why an XML document that is not the one `wanted` is refused, by its name."""
    kind = root.namespace.rpartition(":")[2] or root.name
    known = next((name for start, name in _DOCUMENTS if kind.startswith(start)), None)
    if known is not None:
        return f"C’est {known}. Choisissez le fichier qu’elle renvoie : relevé (camt) ou compte rendu (pain.002)."
    return f"Ce fichier n’est pas {wanted} : c’est « {kind[:60]} ». {ASK_FOR}"


def is_cfonb(head: bytes) -> bool:
    """Whether the first bytes are those of a CFONB 120 statement: an old balance."""
    return _CFONB.match(head.removeprefix(b"\xef\xbb\xbf").lstrip()) is not None


def format_of(content: bytes) -> str:
    """Return the format of a file that was kept, from its first bytes as they were kept: « camt.053.001.08 », « CFONB 120 », « CSV »."""
    head = content[:HEAD_BYTES]
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
        except zlib.error:
            return ""
    if is_cfonb(head):
        return CFONB_120
    try:
        root = root_of(head)
    except RefusedXml:
        return "CSV"
    return root.namespace.rpartition(":")[2] or root.name


def _sentence(name: str) -> str:
    return f"C’est {name}. {ASK_FOR}"
