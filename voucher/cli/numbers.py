"""A whole number on the command line, read as the pages read it."""

from typing import Any

import click

from voucher.kernel.typed_numbers import WrongNumber, parse_count


class Count(click.ParamType[int]):
    """A whole number from `least` to `most`, both included; anything else is refused with a French sentence."""

    name = "nombre"

    def __init__(self, least: int = 1, most: int | None = None) -> None:
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        try:
            count = value if isinstance(value, int) else parse_count(value, may_be_zero=self.least <= 0)
        except WrongNumber as wrong:
            self.fail(str(wrong), param, ctx)
        if count < self.least or (self.most is not None and count > self.most):
            self.fail(f"Écrivez un nombre {self._bounds()}.", param, ctx)
        return count

    def _bounds(self) -> str:
        return f"de {self.least} à {self.most}" if self.most is not None else f"d’au moins {self.least}"
