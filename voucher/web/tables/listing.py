"""What a person asks of a list by its address, and the addresses of its other pages and of its files.

In the address: `apres` and `avant` (the key of a row that the page comes after, or before), `tri` (a sort, `-` before it for
descending), `format` (`csv` or `xlsx`), `tableau` (which table of the page), and the filters by their own names. Whatever is
unknown is left aside, and so is the `page` of an old bookmark: the list opens at its beginning.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from voucher.kernel.keyset import PER_PAGE, Asked, Key, key_text, read_key
from voucher.web.tables.address_keys import asked_filters, asked_name
from voucher.web.tables.columns import Table

FILTER_LENGTH_MAX = 100
FILE_FORMATS = ("csv", "xlsx")
RESERVED = frozenset({"page", "apres", "avant", "tri", "format", "tableau"})


@dataclass(frozen=True, slots=True)
class Listing:
    """What a person asked of a list; every value is already checked against what the list offers."""

    sort: str = ""
    is_descending: bool = False
    filters: Mapping[str, str] = field(default_factory=dict)
    file_format: str = ""
    part: str = ""
    _: KW_ONLY
    after: Key | None = None
    before: Key | None = None
    per_page: int = PER_PAGE
    default_sort: str = ""

    @property
    def wants_file(self) -> bool:
        """Whether the list is asked as a file."""
        return bool(self.file_format)

    @property
    def asked(self) -> Asked:
        """What the capability is asked."""
        return Asked(
            sort=asked_name(self.sort),
            descending=self.is_descending,
            filters=asked_filters(self.filters),
            limit=self.per_page,
            after=self.after,
            before=self.before,
        )

    @property
    def sort_text(self) -> str:
        """Return the sort as the address holds it (`-amount`), empty when it is the default."""
        text = f"-{self.sort}" if self.is_descending else self.sort
        return "" if text == self.default_sort else text

    @property
    def aria_sort(self) -> str:
        """Return the direction as `aria-sort` says it."""
        return "descending" if self.is_descending else "ascending"

    def after_url(self, key: Key) -> str:
        """Return the address of the page that comes after a row."""
        return self.url(apres=key_text(key))

    def before_url(self, key: Key) -> str:
        """Return the address of the page that comes before a row."""
        return self.url(avant=key_text(key))

    def sort_url(self, key: str) -> str:
        """Return the address of the list sorted by `key`; the other way round when it already is."""
        return replace(self, sort=key, is_descending=key == self.sort and not self.is_descending).url()

    def file_url(self, file_format: str, part: str = "") -> str:
        """Return the address of the whole list, filtered and sorted the same, as a file."""
        return self.url(tableau=part, format=file_format)

    def reset_url(self) -> str:
        """Return the address of the list without filters."""
        return replace(self, filters={}).url()

    def url(self, **more: str) -> str:
        """Return the address of this list from its beginning on, with what else is said."""
        parts = {**self.filters, "tri": self.sort_text, **more}
        return "?" + urlencode({name: value for name, value in parts.items() if value})


def read_listing(args: Mapping[str, str], table: Table[Any], *, per_page: int = PER_PAGE) -> Listing:
    """Read what a person asked of a list from the request's arguments.

    Filters come out trimmed, and only those with something in them. Raises ValueError when a filter has a name that is taken (a bug).
    """
    if RESERVED.intersection(table.filters):
        raise ValueError(f"a filter may not be called {', '.join(sorted(RESERVED.intersection(table.filters)))}")
    asked = args.get("tri", "")
    chosen = asked if asked.removeprefix("-") in table.sorts else table.default_sort
    kept = {name: _clean(args.get(name, "")) for name in table.filters}
    return Listing(
        chosen.removeprefix("-"),
        chosen.startswith("-"),
        {name: value for name, value in kept.items() if value},
        _file_format(args),
        args.get("tableau", ""),
        after=read_key(args.get("apres", "")),
        before=read_key(args.get("avant", "")),
        per_page=per_page,
        default_sort=table.default_sort,
    )


def is_file_asked(args: Mapping[str, str]) -> bool:
    """Say whether an address asks for a file."""
    return bool(_file_format(args))


def _file_format(args: Mapping[str, str]) -> str:
    asked = args.get("format", "")
    return asked if asked in FILE_FORMATS else ""


def _clean(text: str) -> str:
    # PostgreSQL refuses a NUL in a text.
    return text.replace("\x00", "").strip()[:FILTER_LENGTH_MAX]
