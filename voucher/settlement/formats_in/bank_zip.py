"""A zip of bank files: one hundred at most, two hundred megabytes unpacked, neither nested nor encrypted. Each comes out on its own,
so that one that cannot be read stops none of the others; a name inside is only ever shown, never a path.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

from voucher.settlement.formats_in.bank_content import shown_name
from voucher.settlement.formats_in.recognise_file import office_name
from voucher.settlement.formats_in.safe_xml import RefusedXml

MEMBERS_MAX = 100
UNPACKED_BYTES_MAX = 200 * 1024 * 1024

# The methods that give a piece at a time: a few bytes of bzip2 give gigabytes at once.
_PIECEMEAL = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_CHUNK_BYTES = 64 * 1024
_SPOOL_BYTES = 4 * 1024 * 1024
# The directory at the end of a zip is read whole: its size is bounded before.
_END = b"PK\x05\x06"
_END_BYTES_MAX = 22 + 65_535
# A zip of the larger sort says it again just before its end, and is believed there.
_END_64, _END_64_BYTES = b"PK\x06\x06", 56
_LOCATOR_BYTES = 20
_DIRECTORY_BYTES_MAX = 1024 * 1024
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
    OSError,
    ValueError,
    struct.error,
)
_AGAIN = "Téléchargez-le de nouveau."


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a zip, not unpacked yet."""

    name: str
    _archive: zipfile.ZipFile
    _info: zipfile.ZipInfo

    @contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """Give its bytes, in a file at its beginning. Raises RefusedXml for what is damaged, encrypted or packed again."""
        if self._info.flag_bits & _ENCRYPTED:
            raise RefusedXml("Ce fichier est protégé par un mot de passe. Envoyez-le sans mot de passe.")
        if self._info.compress_type not in _PIECEMEAL:
            raise RefusedXml("Ce fichier est compressé d’une façon inhabituelle. Envoyez-le hors du zip.")
        with SpooledTemporaryFile(max_size=_SPOOL_BYTES) as file:
            try:
                with self._archive.open(self._info) as packed:
                    # No more than the size that the directory says, which was counted; then its sum is checked.
                    while chunk := packed.read(_CHUNK_BYTES):
                        file.write(chunk)
            except _BROKEN:
                raise RefusedXml(f"Ce fichier est abîmé dans le zip. {_AGAIN}") from None
            file.seek(0)
            if file.read(2) in (b"PK", b"\x1f\x8b"):
                raise RefusedXml("Ce fichier est encore compressé. Sortez-le du zip et envoyez-le à part.")
            file.seek(0)
            yield file


def is_zip(file: IO[bytes]) -> bool:
    """Whether a file begins as a zip does; it is left at its beginning."""
    found = file.read(2) == b"PK"
    file.seek(0)
    return found


@contextmanager
def members(file: IO[bytes]) -> Iterator[list[Member]]:
    """Open a zip and give its files. Raises RefusedXml for a zip that is damaged, too long, too big or empty, or an office document."""
    try:
        _check_directory(file)
        archive = zipfile.ZipFile(file)
    except _BROKEN as broken:
        if isinstance(broken, RefusedXml):
            raise
        raise RefusedXml(f"Le zip est abîmé. {_AGAIN}") from None
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not _is_of_the_computer(info.filename)]
        office = office_name(archive.namelist())
        if office is not None:
            raise RefusedXml(office)
        if not infos:
            raise RefusedXml("Le zip ne contient aucun fichier. Choisissez-en un autre.")
        if len(infos) > MEMBERS_MAX:
            raise RefusedXml(f"Le zip contient plus de {MEMBERS_MAX} fichiers. Envoyez-les en plusieurs zips.")
        if sum(info.file_size for info in infos) > UNPACKED_BYTES_MAX:
            raise RefusedXml(
                f"Le zip dépasse {UNPACKED_BYTES_MAX // 1024**2} Mo une fois ouvert. Envoyez-le en plusieurs zips."
            )
        yield [Member(shown_name(info.filename), archive, info) for info in infos]


def _is_of_the_computer(name: str) -> bool:
    """Whether a computer put it there by itself, beside the files that a person chose."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] in {".DS_Store", "Thumbs.db", "desktop.ini"}


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a directory too long to be that of a hundred files, before it is read. Leaves the file at its beginning."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES_MAX - _LOCATOR_BYTES - _END_64_BYTES))
    tail = file.read()
    file.seek(0)
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        raise RefusedXml(f"Le zip est abîmé. {_AGAIN}")
    count, directory_bytes = struct.unpack("<HI", tail[place + 10 : place + 16])
    before = tail[max(0, place - _LOCATOR_BYTES - _END_64_BYTES) : place]
    if before.startswith(_END_64):
        count, directory_bytes = struct.unpack("<QQ", before[32:48])
    if count > 10 * MEMBERS_MAX or directory_bytes > _DIRECTORY_BYTES_MAX:
        raise RefusedXml(f"Le zip contient plus de {MEMBERS_MAX} fichiers. Envoyez-les en plusieurs zips.")
