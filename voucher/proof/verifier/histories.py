"""The sixth part of the archive's verifier: what became of payments; each state comes from the one before, for a reason that exists."""

from collections import defaultdict

from voucher.proof.verifier.archive import SINCE, Archive, Report

CHANGES = frozenset((
    ("", "due", "frozen"), ("", "held", "frozen"), ("", "settled", "frozen"),
    ("due", "held", "set_aside"), ("due", "in_file", "exported"),
    ("in_file", "paid", "debited"), ("paid", "returned", "came_back"),
    ("in_file", "rejected", "rejected"), ("in_file", "rejected", "never_came"), ("in_file", "rejected", "rejected_again"),
    ("rejected", "rejected", "reason_given"),
    ("rejected", "in_file", "debited_after_all"), ("rejected", "in_file", "answer_withdrawn"),
    ("paid", "in_file", "payment_undone"), ("returned", "paid", "return_undone"),
    ("held", "taken_up", "taken_up"), ("rejected", "taken_up", "taken_up"), ("returned", "taken_up", "taken_up"),
))  # fmt: skip
BY_LINE = ("debited", "came_back", "payment_undone", "return_undone")
OPENS = "resumed"  # the state of a payment that is older than its history


def check_histories(archive: Archive, report: Report) -> None:
    """Each payment's events are a chain of known changes that leads to its state; what a line did names a line matched with it."""
    if archive.format < SINCE["payment_event"]:
        return  # payments had no histories
    matched = {(line, advice) for line, advice in archive.rows("bank_match", "line_id advice_id") if advice}
    events: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for advice, rank, *event in archive.rows("payment_event", "advice_id rank from_state to_state why line_id"):
        if int(rank) in events[advice]:
            report.wrong("histoire", "payment_event", f"le règlement {advice} a deux événements de rang {rank}")
        events[advice][int(rank)] = tuple(event)
    for one, reference, state, count in archive.rows("payment_advice", "id reference state event_count"):
        history, before = events.pop(one, {}), ""
        if sorted(history) != list(range(1, int(count) + 1)):
            report.wrong("histoire", "payment_event", f"{reference} : {len(history)} événements sur {count}")
        for place, (from_state, to_state, why, line) in sorted(history.items()):
            is_known = (from_state, to_state, why) in CHANGES or (place == 1 and not from_state and why == OPENS)
            if from_state != before or not is_known:
                detail = (
                    f"{reference}, événement {place} : de « {from_state} » à « {to_state} » ({why}), après « {before} »"
                )
                report.wrong("histoire", "payment_event", detail)
            if (line or why in BY_LINE) and (line, one) not in matched:
                detail = f"{reference}, événement {place} ({why}) : la ligne {line or '-'} n’est pas rapprochée de lui"
                report.wrong("histoire", "payment_event", detail)
            before = to_state
        if before != state:
            report.wrong("histoire", "payment_advice", f"{reference} est « {state} », son histoire dit « {before} »")
    for advice in events:
        report.wrong("histoire", "payment_event", f"le règlement {advice} n’existe pas")
