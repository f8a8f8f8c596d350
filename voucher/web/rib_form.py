"""The form of a RIB, the same at the counter and in the office."""

from typing import Any
from uuid import UUID

from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Optional

from voucher.kernel.number_labels import iban_end
from voucher.network.structures import NewBankDetails, record_bank_details
from voucher.web.access import viewer
from voucher.web.forms import BicField, HouseForm, IbanField
from voucher.web.services import services


class RibForm(HouseForm):
    """A RIB, its IBAN typed twice; it carries its own id, so that a double click records one."""

    id = HiddenField()
    holder_name = StringField("Titulaire, comme sur le RIB", validators=[InputRequired()])
    iban = IbanField("IBAN", validators=[InputRequired()])
    iban_again = IbanField("IBAN, encore une fois", validators=[InputRequired()])
    bic = BicField("BIC", validators=[Optional()])


def record_rib(form: Any, details_id: UUID, structure_id: UUID) -> str:
    """Record what the form says as the structure's RIB; return the sentence that says so. Raises Refused."""
    here, account_id = services(), viewer().account_id
    iban = form.iban.data
    details = NewBankDetails(
        details_id, structure_id, form.holder_name.data, iban, form.iban_again.data, form.bic.data or None
    )
    record_bank_details(here.database, details, by=account_id, now=here.now())
    return f"Le RIB qui finit par {iban_end(iban)} est enregistré. Il servira quand une personne du programme ou des finances l’aura confirmé."
