"""What a preview says before a batch is frozen: each sign with the rows behind it, and what to do."""

from datetime import UTC, datetime, timedelta

from tests.builders import SOMEONE, an_iban, handed_over_booklets, scanned_codes
from tests.settlement.town import PREPARER, Town, a_town, give_rib
from voucher.kernel.database import Database
from voucher.kernel.identifiers import new_id
from voucher.network.places import close_place
from voucher.redemption.answers import Redeemed
from voucher.redemption.redeem import redeem
from voucher.settlement.batches.anomalies import Anomaly, Sign
from voucher.settlement.batches.freeze import freeze_batch
from voucher.settlement.batches.preview import preview_batch

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EARLIER = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)


def signs(town: Town, now: datetime = NOW) -> dict[Sign, list[Anomaly]]:
    preview = preview_batch(town.database, town.agreement_id, now=now)
    assert preview is not None
    found: dict[Sign, list[Anomaly]] = {}
    for one in preview.anomalies:
        assert one.sentence
        found.setdefault(one.sign, []).append(one)
    return found


def freeze(town: Town, now: datetime) -> None:
    freeze_batch(town.database, new_id(), town.agreement_id, by=PREPARER, now=now)


def test_an_iban_shared_with_a_structure_that_is_owed_nothing_is_seen_too(database: Database) -> None:
    town = a_town(database, with_rib=0)
    for structure_id in town.structure_ids:
        give_rib(database, structure_id, 1)
    town.redeem(0, 2)
    (one,) = signs(town)[Sign.SHARED_IBAN]
    assert one.structure_id == town.structure_ids[0]
    assert len(one.evidence) == 1
    assert one.what_to_do == "Vérifiez les deux RIB."


def test_a_rib_that_changed_not_long_ago_shows_both_ends(database: Database) -> None:
    town = a_town(database, structure_count=1)
    give_rib(database, town.structure_ids[0], 5, now=NOW - timedelta(days=3))
    town.redeem(0, 2)
    (one,) = signs(town)[Sign.NEW_RIB]
    assert an_iban(7005)[-4:] in one.evidence[0]
    assert an_iban(7001)[-4:] in one.evidence[0]
    assert an_iban(7005) not in one.evidence[0]
    assert Sign.NEW_RIB not in signs(town, NOW + timedelta(days=40))


def test_a_first_payment_is_said_once_and_a_far_greater_one_after(database: Database) -> None:
    town = a_town(database, structure_count=1)
    for month in range(2):
        at = EARLIER + timedelta(days=7 * month)
        town.redeem(0, 2, now=at)
        assert (Sign.FIRST_PAYMENT in signs(town, at)) is (month == 0)
        freeze(town, at)
    for _ in range(4):
        town.redeem(0, 10)
    (one,) = signs(town)[Sign.HIGH_AMOUNT]
    assert one.amount_cents == 40_000
    assert [line.split(" : ")[1] for line in one.evidence] == ["20,00\u00a0€", "20,00\u00a0€"]


def test_many_acts_of_one_person_within_minutes_are_seen(database: Database) -> None:
    town = a_town(database, structure_count=1)
    issued = handed_over_booklets(database, agreed=town.agreed, now=EARLIER)
    for rank, code in enumerate(scanned_codes(database, issued.first_booklet_number)):
        answer = redeem(
            database, new_id(), [code], "everyday_digital_tools", town.counters[0],
            by=SOMEONE, now=NOW + timedelta(seconds=20 * rank),
        )  # fmt: skip
        assert isinstance(answer, Redeemed)
    (one,) = signs(town, NOW + timedelta(hours=1))[Sign.BURST]
    assert "10 encaissements par une seule personne" in one.sentence
    assert "10 chèques" in one.evidence[0]


def test_a_structure_whose_places_are_all_closed_is_seen(database: Database) -> None:
    town = a_town(database, structure_count=1)
    town.redeem(0, 2)
    close_place(database, town.counters[0].place_id, by=SOMEONE, now=NOW)
    assert len(signs(town)[Sign.NO_OPEN_PLACE]) == 1


def test_who_will_not_be_paid_comes_first_with_its_sums(database: Database) -> None:
    town = a_town(database, with_rib=1)
    town.redeem(0, 2)
    town.redeem(1, 3)
    freeze(town, NOW)
    town.redeem(0, 1)
    town.redeem(1, 1)
    preview = preview_batch(database, town.agreement_id, now=NOW)
    assert preview is not None
    first = preview.anomalies[0]
    assert (first.sign, first.is_blocking, first.amount_cents) == (Sign.HELD, True, 4_000)
    assert first.what_to_do == "Écrivez à la structure pour avoir son RIB."
    assert len(first.evidence) == 2
