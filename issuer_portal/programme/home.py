"""The programme's first page: its figures and the way to every list."""

from flask import render_template

from issuer_portal.programme.folder import blueprint
from voucher.access.rules import Role
from voucher.funding.issuing_stop import agreement_backings
from voucher.issuing.wrong_code_alarm import alarms
from voucher.kernel.calendar import paris_day
from voucher.network.read_structures import structure_count
from voucher.programme.read import key_figures
from voucher.redemption.guessing_places import guessing_places
from voucher.settlement.batches.read_deputies import waiting_count
from voucher.settlement.payable.ribs_to_confirm import rib_count
from voucher.web.access import staff
from voucher.web.services import services


@blueprint.get("/")
@staff(Role.PROGRAMME, Role.AUDITOR)
def home() -> str:
    """Show the key figures and what needs an act."""
    database = services().database
    waiting = {
        "proposed": structure_count(database, {"state": "proposed"}),
        "without_rib": structure_count(database, {"state": "qualified", "bank_details": "without"}),
        "ribs": rib_count(database),
        "deputies": waiting_count(database),
    }
    here = services()
    backed = agreement_backings(
        database,
        on=paris_day(here.now()),
        alert_percent=here.settings.backing_alert_percent,
        stop_percent=here.settings.backing_stop_percent,
    )
    guessing = alarms(database, count_min=here.settings.wrong_codes_alarm, now=here.now())
    return render_template(
        "programme/home.html",
        guessing=[(one, guessing_places(database, one.began_at)) for one in guessing],
        figures=key_figures(database),
        waiting=waiting,
        stopped=[one for one in backed if one.stop_reason],
        near=[one for one in backed if one.is_near],
        alert_percent=here.settings.backing_alert_percent,
    )
