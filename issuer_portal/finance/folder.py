"""The folder's blueprint, the scope of who looks, and what its pages share."""

from uuid import UUID

from flask import Blueprint, abort, g

from voucher.access.rules import Role
from voucher.access.sessions import Viewer
from voucher.ledger.chart import Code
from voucher.settlement.batches.read import BatchPage, batch
from voucher.settlement.words import labels as words
from voucher.web.access import deputyship, viewer
from voucher.web.services import services
from voucher.web.tags import ADVICE_TAGS, BATCH_TAGS, DUPLICATE_TAGS, PAYEE_TAGS

READERS = (Role.FINANCE_PREPARER, Role.FINANCE_APPROVER, Role.AUDITOR)

blueprint = Blueprint("finance", __name__, url_prefix="/finances", template_folder="templates")


@blueprint.context_processor
def shared() -> dict[str, object]:
    """Give templates the words of settlement and what the person may do."""
    found = g.get("viewer")
    may = found.may if isinstance(found, Viewer) else lambda *_roles: False
    return {
        "may_prepare": may(Role.FINANCE_PREPARER),
        "may_approve": may(Role.FINANCE_APPROVER),
        "may_approve_batches": may(Role.FINANCE_APPROVER) or deputyship() is not None,
        "batch_words": BATCH_TAGS,
        "advice_words": ADVICE_TAGS,
        "payee_tags": PAYEE_TAGS,
        "duplicate_tags": DUPLICATE_TAGS,
        "channels": words.CHANNELS,
        "file_kinds": words.FILE_KINDS,
        "Code": Code,
    }


def scope(*others: Role) -> UUID | None:
    """Return the issuer that the person's finance role, or deputyship, is held for; None is the whole programme. `others` may come too."""
    if standing := deputyship():
        return standing.issuer_id
    return viewer().scope(*READERS, *others)


def batch_or_404(batch_id: UUID) -> BatchPage:
    """Return a batch of the scope, or stop with 404."""
    found = batch(services().database, batch_id, issuer_id=scope())
    if found is None:
        abort(404)
    return found
