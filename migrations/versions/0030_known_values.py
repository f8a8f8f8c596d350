"""The database holds the values of every column of an enumeration. A value that none knows stops the migration and is named."""

from voucher.kernel.hold_values import hold_values

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_ROLES = (
    "programme", "issuer", "prescriber", "mediator", "place_manager", "finance_preparer", "finance_approver", "auditor",
)  # fmt: skip
_CHANNELS = ("public_accountant", "mandated_operator")
_ADVICE_STATES = ("held", "due", "in_file", "paid", "rejected", "returned", "taken_up", "settled")
_TRANSFERS = ("pain.001.001.09", "pain.001.001.03")


def upgrade() -> None:
    """Give each column its CHECK; those that had one by another name get it by the column's."""
    hold_values("funder", {"kind": ("state", "europe", "region", "department", "intercommunal", "other")})
    hold_values("issuer", {"kind": ("region", "department", "epci", "metropole", "syndicat_mixte")})
    hold_values(
        "paying_account",
        {"channel": _CHANNELS, "transfer_schema": _TRANSFERS},
        instead_of=("ck_paying_account_schema_is_known",),
    )
    hold_values(
        "agreement",
        {"settlement_channel": _CHANNELS, "settlement_rhythm": ("monthly", "on_demand")},
        instead_of=("ck_agreement_rhythm_is_known",),
    )
    hold_values("issuer_key", {"state": ("active", "retired", "revoked")})
    hold_values("booklet", {"state": ("issued", "handed_over", "stopped", "void")})
    hold_values("wrong_codes", {"door": ("counter", "citizen", "desk")})
    hold_values(
        "prescriber",
        {"kind": ("ccas", "france_services", "mission_locale", "france_travail", "association", "other")},
    )
    hold_values("stop_order", {"reason": ("lost", "stolen", "misprinted", "other")})
    hold_values("funds_call", {"state": ("called", "partly_paid", "paid", "cancelled")})
    hold_values("funding_document", {"kind": ("call_pdf", "uses_csv", "balance_pdf")})
    _people_and_letters()
    _counter()
    _settlement()


def _people_and_letters() -> None:
    hold_values("role_grant", {"role": _ROLES})
    hold_values("account_change", {"role": ("", *_ROLES), "decided_from": ("office", "person", "host")})
    hold_values(
        "account_link",
        {"asked_from": ("office", "person", "host"), "ended_how": ("used", "cancelled")},
        instead_of=("ck_account_link_origin_is_known",),
    )
    hold_values(
        "outbox_message",
        {
            "kind": (
                "account_link", "account_news", "account_to_confirm", "account_deputy_named",
                "account_deputy_to_accept", "account_deputy_decided", "account_deputy_decided_too",
                "account_deputy_ended", "account_deputy_ended_too", "account_deputy_approved", "address_changed",
                "rib_recorded", "rib_confirmed", "rib_dismissed", "dispute_opened", "dispute_decided", "advice_sent",
                "advice_rejected", "advice_returned", "payment_letter",
            )
        },
    )  # fmt: skip


def _counter() -> None:
    hold_values(
        "redemption",
        {
            "service": (
                "administrative_procedures", "everyday_digital_tools", "digital_employability", "safe_digital_use",
                "parenthood_and_education", "leisure_and_creation", "digital_world_understanding",
                "internet_and_equipment_access", "solidarity_equipment_purchase",
            ),
            "state": ("confirmed", "undone", "disputed", "reversed"),
        },
    )  # fmt: skip
    hold_values(
        "refused_attempt",
        {
            "refusal": (
                "unreadable", "no_code", "too_many", "service_unknown", "booklet_cover", "foreign", "forged",
                "other_body", "undone_already", "several_booklets", "place_closed", "structure_suspended",
                "typing_locked", "voucher_locked", "wrong_code", "unknown_voucher", "revoked_key", "void", "stopped",
                "not_handed_over", "redeemed_here", "redeemed_elsewhere", "lapsed", "expired", "one_by_one", "busy",
                "undo_unknown", "undo_too_late", "undo_stopped", "undo_disputed",
            )
        },
    )  # fmt: skip


def _settlement() -> None:
    hold_values("settlement_batch", {"channel": _CHANNELS, "state": ("frozen", "approved", "exported", "closed")})
    hold_values(
        "payment_advice",
        {"state": _ADVICE_STATES},
    )
    hold_values("advice_line", {"nature": ("period", "carried_over", "released", "netted", "restored")})
    hold_values(
        "payment_file",
        {"kind": (*_TRANSFERS, "liquidation_csv", "liquidation_json", "liquidation_pdf", "supporting_csv")},
    )
    hold_values("bank_file", {"kind": ("statement", "report", "accountant_return")})
    hold_values(
        "bank_match",
        {"kind": ("payment", "return", "charge", "funds", "advance_refund", "advance_return", "overpayment", "offset")},
    )
    hold_values(
        "transfer_report",
        {"kind": ("duplicate", "rejection", "payee"), "level": ("file", "block", "transfer")},
    )
    hold_values("bank_line", {"origin": ("named", "unnamed", "cfonb", "accountant")})
    hold_values(
        "payment_event",
        {
            "from_state": _ADVICE_STATES,
            "to_state": _ADVICE_STATES,
            "why": (
                "frozen", "set_aside", "exported", "debited", "came_back", "rejected", "never_came", "reason_given",
                "debited_after_all", "answer_withdrawn", "payment_undone", "return_undone", "rejected_again",
                "taken_up", "resumed",
            ),
        },
    )  # fmt: skip
    hold_values("duplicate_answer", {"outcome": ("stands", "never_came")})
    hold_values(
        "dispute",
        {
            "reason": (
                "not_rendered", "wrong_count", "twice", "out_of_scope", "complaint", "control", "other",
            ),
            "outcome": ("dismissed", "upheld"),
            "vouchers_became": ("issued", "handed_over", "redeemed", "stopped", "lapsed", "void"),
        },
    )  # fmt: skip
    hold_values("recovery", {"kind": ("netted", "repaid", "written_off")})
