"""The public address of the sealed journal's checkpoints: anyone may keep a copy, and that is what protects the books."""

from flask import Response, abort, url_for

from voucher.kernel.keyset import Asked
from voucher.ledger import read_seals
from voucher.proof.sealing import published_key
from voucher.trail.read import last_note
from voucher.wallet.pages import blueprint
from voucher.web.access import public
from voucher.web.headers import cacheable
from voucher.web.services import services

LATEST_SECONDS = 300
FOR_EVER_SECONDS = 365 * 24 * 3600
DAYS_MAX = 1000
ROOT = "/.well-known/pass-numerique/journal"


@blueprint.get(f"{ROOT}/checkpoint")
@public
@cacheable(LATEST_SECONDS)
def journal_checkpoint() -> Response:
    """Give the last checkpoint (C2SP tlog-checkpoint), with the audit trail's digest as it is now."""
    note = last_note(services().database)
    if note is None:
        abort(404)
    return _text(note)


@blueprint.get(f"{ROOT}/checkpoints/<int:size>")
@public
@cacheable(FOR_EVER_SECONDS)
def journal_checkpoint_of(size: int) -> Response:
    """Give the checkpoint of exactly this size."""
    note = read_seals.checkpoint_note(services().database, size)
    if note is None:
        abort(404)
    return _text(note)


@blueprint.get(f"{ROOT}/checkpoints")
@public
@cacheable(LATEST_SECONDS)
def journal_checkpoints() -> Response:
    """List checkpoints, the last first: day, size, root in hexadecimal, address; tab-separated."""
    found = read_seals.checkpoints(services().database, Asked(descending=True, limit=DAYS_MAX, is_counted=False)).rows
    base_url = services().settings.base_url
    lines = (
        f"{one.sealed_on}\t{one.size}\t{one.root}\t"
        f"{base_url}{url_for('wallet.journal_checkpoint_of', size=one.size, _external=False)}\n"
        for one in found
    )
    return _text("".join(lines))


@blueprint.get(f"{ROOT}/key")
@public
@cacheable(LATEST_SECONDS)
def journal_key_line() -> Response:
    """Give the programme's public key, as a line of the C2SP signed-note text."""
    return _text(f"{published_key(services().settings)}\n")


def _text(text: str) -> Response:
    return Response(text, mimetype="text/plain")
