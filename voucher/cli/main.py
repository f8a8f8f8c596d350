"""The command line: `voucher …`. Each topic's commands stand in a file of their own; the table below says which."""

import os
from typing import Any

import click

from voucher.cli.lazy import In, LazyGroup

OTHERS_NOTHING = 0o077
TABLE = {
    "account": In("account", "Les comptes du personnel : les premiers, et un lien là où aucun courriel ne part."),
    "chart": In("chart", "Plan comptable."),
    "demo": In("demo", "Démonstration : prépare tout ce qu’il faut, puis sert les pages sur 127.0.0.1."),
    "export": In("export", "Archives à remettre à d’autres."),
    "fec": In("fec", "Fichier des écritures comptables (art. A.47 A-1 LPF)."),
    "import": In("takeover", "Ce que d’autres vous remettent."),
    "issue": In("vouchers", "Commande des carnets sur une convention et les fabrique."),
    "key": In("proof", "Écrit la clé publique du programme, par laquelle d’autres vérifient ce qu’il signe."),
    "lapse": In("vouchers", "Déclare caducs les chèques dont le dernier jour est passé."),
    "migrate": In("migrate", "Amène la base à son dernier schéma."),
    "print": In("vouchers", "Imprime une commande en fichiers PDF d’environ mille chèques."),
    "retire-key": In("vouchers", "Retire une clé de signature : elle ne signe plus, ses chèques restent bons."),
    "revoke-key": In("vouchers", "Révoque une clé de signature volée : tous ses codes sont refusés."),
    "seal": In("proof", "Scelle les écritures et le journal des accès qui attendent, et signe le point de contrôle."),
    "serve": In("serve", "Sert les pages avec gunicorn, d’après les variables PASS_…."),
    "verify": In("verify", "Prouve les livres : recalcule tout et nomme chaque écart."),
    "work": In("work", "Fait le travail de fond : clôture des mois, messages, scellement."),
}


class Commands(LazyGroup):
    """Says what stops a command (a refusal, a wrong setting, no database) as a sentence, instead of a trace of calls."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. What the environment gives is checked before any, whether or not this one needs it."""
        # Not above: `--help` needs neither.
        from voucher.kernel.collector import collect_less_often
        from voucher.kernel.settings import refuse_wrong_settings

        collect_less_often()
        try:
            refuse_wrong_settings()
            return super().invoke(ctx)
        except Exception as error:
            from voucher.cli.environment import sentence_of

            if sentence := sentence_of(error):
                raise click.ClickException(sentence) from error
            raise


@click.group(
    cls=Commands,
    table=TABLE,
    help="Le Pass numérique, en ligne de commande.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main() -> None:
    """Gather the commands. What any of them writes (database, paper, secrets) is its owner's alone: codes are money."""
    before = os.umask(OTHERS_NOTHING)
    click.get_current_context().call_on_close(lambda: os.umask(before))
