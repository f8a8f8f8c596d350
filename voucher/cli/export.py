"""`voucher export …`: archives for others, each written by the file of its topic."""

from voucher.cli.lazy import In, LazyGroup

export = LazyGroup(
    "export",
    help="Archives à remettre à d’autres.",
    table={
        "audit": In("proof", "Écrit l’archive d’audit : le journal, les faits, les preuves et leur vérificateur."),
        "takeover": In("takeover", "Écrit tout ce qu’il faut à un autre opérateur pour honorer ce qui reste."),
    },
)

COMMANDS = (export,)
