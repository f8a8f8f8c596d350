"""The doors at which a code is typed."""

from enum import StrEnum


class Door(StrEnum):
    """Where a code is typed."""

    COUNTER = "counter"
    CITIZEN = "citizen"
    DESK = "desk"

    @property
    def words(self) -> str:
        """Where that is, in French."""
        return _WORDS[self]


_WORDS = {Door.COUNTER: "au comptoir", Door.CITIZEN: "sur la page publique", Door.DESK: "au guichet d’un prescripteur"}
