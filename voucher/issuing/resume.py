"""Go on with the orders whose making was interrupted: a process that died, a key that could not be opened (job `making`)."""

import logging
from datetime import datetime

from voucher.issuing.make_batch import make_batch, turn_of, unfinished_batches
from voucher.kernel.database import Database, whole_turn
from voucher.kernel.sealed_secret import SealBroken
from voucher.kernel.settings import Settings

log = logging.getLogger(__name__)


def resume_makings(database: Database, settings: Settings, now: datetime) -> str:
    """Make what remains of each order that nobody is making; return a line that says how much was made.

    An order whose key the master secret does not open is said and passed over: it stops no other.
    """
    made_count = order_count = 0
    sealed = []
    for batch_id in unfinished_batches(database):
        with whole_turn(database, turn_of(batch_id)) as is_ours:
            if not is_ours:
                continue
            heard: list[int] = []
            try:
                make_batch(
                    database, batch_id, master_secret=settings.master_secret, now=now, processes=1,
                    on_progress=lambda progress, heard=heard: heard.append(progress.made_voucher_count),  # type: ignore[misc]
                )  # fmt: skip
            except SealBroken:
                log.exception("the key of batch %s does not open", batch_id)
                sealed.append(str(batch_id))
            else:
                made_count += heard[-1] - heard[0]
                order_count += 1
    lines = [f"{order_count} commande(s) reprise(s), {made_count} chèques fabriqués"] if order_count else []
    if sealed:
        lines.append(f"la clé ne s’ouvre pas, vérifiez PASS_MASTER_KEY : commande {', '.join(sealed)}")
    return " ; ".join(lines)
