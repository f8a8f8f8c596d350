"""Identifiers as people paste them: spaces of all kinds, dashes, points and invisible marks make no other number."""

import pytest

from voucher.kernel.characters import compact, plain
from voucher.kernel.clean_input import postcode
from voucher.kernel.identifiers import check_bic, check_siren, check_siret
from voucher.network.lieux_cells import pivot_of, postcode_of

MARKS = (" ", "\u00a0", "\u202f", "\u2009", "\u200b", "\ufeff", "\u200e", "-", "\u2011", ".")


@pytest.mark.parametrize("mark", MARKS)
def test_each_reader_takes_what_another_takes(mark: str) -> None:
    siret = mark.join(("732", "829", "320", "00074"))
    assert check_siret(siret) == pivot_of(siret, "")[0] == "73282932000074"
    assert check_siren(mark.join(("732", "829", "320"))) == "732829320"
    assert pivot_of(f"w751{mark}234567", "")[0] == "W751234567"
    assert postcode(f"51{mark}100", "postcode") == postcode_of(f"51{mark}100") == "51100"
    assert check_bic(f"agri{mark}fr{mark}pp") == "AGRIFRPP"


def test_plain_keeps_what_stands_inside() -> None:
    assert plain("\u200b 12\u200b50\u00a0€ ") == "12\u200b50 €"
    assert compact("FR76 3000\u00a06000-0112\u200b3456") == "FR76300060000112" + "3456"
