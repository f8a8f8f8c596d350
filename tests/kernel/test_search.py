"""Words typed in a filter find what is kept, whichever apostrophe and spaces either has."""

from sqlalchemy import literal, select

from voucher.kernel.database import Database
from voucher.kernel.search import contains

KEPT = "Carnet\u00a00012, remise d’un carnet à l'Étang 100 %"


def test_words_are_found_whatever_their_apostrophe_their_spaces_and_their_capitals(database: Database) -> None:
    with database.read() as session:
        for words in ("remise d'un", "Remise d’un", "carnet 0012", "carnet\u00a00012", "L’Étang", "100 %", ""):
            assert session.scalar(select(contains(literal(KEPT), words))), words
        for words in ("d un carnet", "d_un", "100%", "0012 remise"):
            assert not session.scalar(select(contains(literal(KEPT), words))), words
