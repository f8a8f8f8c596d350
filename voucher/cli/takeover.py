"""Commands of the take-over: write the archive for the next operator, take one over into an empty system."""

from datetime import UTC, datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from rich.console import Console

from voucher.access.audit import note_access
from voucher.cli.environment import open_database
from voucher.kernel.refusals import Refused
from voucher.ledger.checkpoint import BadNote, origin_of, read_verifier_key, verifier_key
from voucher.startup import settings_of_environment
from voucher.takeover.export import For, export_takeover
from voucher.takeover.importing import import_takeover
from voucher.takeover.sealed_file import Keys
from voucher.takeover.tables import said

PASSPHRASE_LENGTH_MIN = 15
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("takeover", help="Écrit tout ce qu’il faut à un autre opérateur pour honorer ce qui reste.")
@click.option("--to", "path", type=_FILE, required=True, help="Fichier à écrire.")
@click.option(
    "--for", "recipient", type=_FILE, help="Clé publique X25519 (PEM) de celui qui reprend : lui seul ouvrira."
)
@click.option("--passphrase", "has_passphrase", is_flag=True, help="Chiffre par un mot de passe, demandé.")
@click.option("--in-clear", is_flag=True, help="Ne chiffre pas : quiconque lit le fichier peut taper les codes.")
@click.option("--with-private-keys", is_flag=True, help="Ajoute les clés de signature, chiffrées pour --for.")
@click.option(
    "--next-key",
    metavar="LIGNE",
    help="La clé de celui qui reprend, que donne « voucher key » chez lui : il la prouvera.",
)
def export_command(
    path: Path,
    recipient: Path | None,
    has_passphrase: bool,
    in_clear: bool,
    with_private_keys: bool,
    next_key: str | None,
) -> None:
    """Write the archive; one of three ways to protect it must be chosen aloud."""
    if (recipient is not None) + has_passphrase + in_clear != 1:
        raise click.UsageError("Choisissez --for CLÉ, --passphrase ou --in-clear.")
    passphrase = _new_passphrase() if has_passphrase else None
    whom = For(
        None if recipient is None else _public_key(recipient), passphrase, with_private_keys, _verifier_key(next_key)
    )
    progress = Console(stderr=True)
    settings = settings_of_environment()
    with open_database(settings) as database:
        # The trail is written before the file: no archive exists without its line.
        note_access(database, None, "reprise : archive écrite", f"{path.name}, ligne de commande", datetime.now(UTC))
        done = export_takeover(
            database,
            path,
            settings=settings,
            now=datetime.now(UTC),
            whom=whom,
            on_progress=lambda table, rows: progress.print(f"{said(table)} : {rows}", highlight=False),
        )
    click.echo(f"{done.row_count} lignes dans {path}.")
    manifest = done.manifest
    if manifest.unfinished_orders and not with_private_keys:
        click.echo(
            f"ATTENTION : {len(manifest.unfinished_orders)} commandes ne sont pas fabriquées en entier. Finissez-les avec "
            "« voucher issue --resume », puis recommencez ; ou ajoutez --with-private-keys.",
            err=True,
        )
    if manifest.violations:
        click.echo(
            f"ATTENTION : « voucher verify » trouve {len(manifest.violations)} écarts. Ils sont dans le manifeste.",
            err=True,
        )
    if next_key is None:
        click.echo(
            "ATTENTION : l’archive ne nomme pas celui qui reprend. Votre clé ne prouvera pas ce qu’il scellera. Donnez sa clé avec "
            "--next-key.",
            err=True,
        )
    if not done.is_sealed:
        click.echo(
            "ATTENTION : ce fichier n’est pas chiffré. Il contient les secrets des chèques et les RIB des structures. "
            "Chiffrez-le avant de l’envoyer, et détruisez-le ensuite.",
            err=True,
        )


@click.group("import", help="Ce que d’autres vous remettent.")
def import_() -> None:
    """Gather the imports."""


@import_.command("takeover", help="Reprend l’archive d’un autre opérateur dans une base neuve.")
@click.argument("path", metavar="FICHIER", type=_FILE)
@click.option("--identity", type=_FILE, help="Votre clé privée X25519 (PEM), si l’archive est chiffrée pour vous.")
@click.option(
    "--passphrase", "has_passphrase", is_flag=True, help="L’archive est chiffrée par un mot de passe, demandé."
)
@click.option("--expected-key", metavar="HEXA", help="Clé du programme que l’opérateur d’avant publie.")
def import_command(path: Path, identity: Path | None, has_passphrase: bool, expected_key: str | None) -> None:
    """Take an archive over: whole or not at all."""
    passphrase = click.prompt("Mot de passe", hide_input=True, err=True) if has_passphrase else None
    progress = Console(stderr=True)
    settings = settings_of_environment()
    with open_database(settings) as database:
        done = import_takeover(
            database,
            path,
            origin=origin_of(settings.base_url),
            master_secret=settings.master_secret,
            now=datetime.now(UTC),
            keys=Keys(passphrase, None if identity is None else _private_key(identity)),
            expected_key=None if expected_key is None else _hexadecimal(expected_key),
            on_progress=lambda table, rows: progress.print(f"{said(table)} : {rows}", highlight=False),
        )
        note_access(database, None, "reprise : archive importée", f"{path.name}, ligne de commande", datetime.now(UTC))
    click.echo(
        f"{done.row_count} lignes reprises de « {done.manifest.programme} », archive du {done.manifest.made_at}."
    )
    click.echo(f"Archive signée par la clé {done.signed.public_key.hex()}.")
    if expected_key is None:
        click.echo("Comparez cette clé à celle que l’opérateur d’avant publie.")
    if done.retired_key_count:
        click.echo(
            f"{done.retired_key_count} clés ne signent plus : leurs codes restent bons. Faites une clé à chaque collectivité "
            "avant de commander."
        )
    for violation in done.new_violations:
        click.echo(f"Nouvelle vérification, que l’archive ne connaissait pas : {violation}", err=True)
    click.echo("Ouvrez maintenant les comptes de vos équipes, puis lancez « voucher verify ».")


def _new_passphrase() -> str:
    passphrase = str(click.prompt("Mot de passe", hide_input=True, confirmation_prompt="Le même, encore", err=True))
    if len(passphrase) < PASSPHRASE_LENGTH_MIN:
        raise click.UsageError(f"Prenez au moins {PASSPHRASE_LENGTH_MIN} caractères : quelques mots au hasard.")
    return passphrase


def _public_key(path: Path) -> X25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as wrong:
        raise Refused("bad_key", f"{path} n’est pas une clé publique PEM. Voyez docs/takeover.md.") from wrong
    if not isinstance(key, X25519PublicKey):
        raise Refused("bad_key", f"{path} n’est pas une clé X25519. Voyez docs/takeover.md.")
    return key


def _private_key(path: Path) -> X25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as wrong:
        raise Refused("bad_key", f"{path} n’est pas une clé privée PEM sans mot de passe.") from wrong
    if not isinstance(key, X25519PrivateKey):
        raise Refused("bad_key", f"{path} n’est pas une clé X25519. Voyez docs/takeover.md.")
    return key


def _verifier_key(line: str | None) -> str | None:
    try:
        return verifier_key(*read_verifier_key(line)) if line is not None else None
    except BadNote as bad:
        raise click.UsageError(f"--next-key : {bad}.") from None


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.UsageError("La clé attendue s’écrit en chiffres hexadécimaux.") from None


COMMANDS = (export_command, import_)
