"""What a good password is: long enough (CNIL), and not among those that are tried first (zxcvbn, with our own words)."""

import re
import unicodedata

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from voucher.access.passwords import prepared

PASSWORD_LENGTH_MIN = 12
"""CNIL 2022-100, case 2: 50 bits or more with a lock-out; twelve characters of letters and digits are 62."""

PASSWORD_LENGTH_MAX = 128
READ_MAX = 72
"""How much zxcvbn reads: its work grows with the square of the length, and what comes after is never needed."""

GUESSES_MIN = 10**10
"""What zxcvbn calls « very unguessable »: a thief who has stolen the argon2id hashes needs centuries for one."""

FOUR_WORDS = "Choisissez trois ou quatre mots sans lien entre eux."

PRODUCT_NAME = "passnumerique"

OWN_WORDS = (
    "pass", "numerique", "cheque", "cheques", "carnet", "voucher", "qrcode", "mediation", "mediateur",
    "mediatrice", "mediatheque", "comptoir", "conseiller", "accompagnement", "inclusion", "prescripteur", "emetteur",
    "collectivite", "mairie", "departement", "region", "commune", "programme", "finance", "finances", "paiement",
    "reglement", "banque", "euros", "tresorerie", "public", "publics", "publique", "publiques",
    "demonstration",
)  # fmt: skip
"""What everybody here would think of: the product's words, without accents."""

FRENCH_WORDS = (
    "motdepasse", "mot", "passe", "mdp", "bonjour", "bienvenue", "soleil", "maison", "bureau", "travail", "france", "paris",
    "liberte", "egalite", "fraternite", "azerty", "azertyuiop", "qsdfgh", "qsdfghjklm", "wxcvbn", "secret", "administrateur",
    "utilisateur", "ordinateur", "vacances", "chocolat", "famille", "janvier", "fevrier", "mars", "avril", "mai", "juin",
    "juillet", "aout", "septembre", "octobre", "novembre", "decembre", "lundi", "mardi", "mercredi", "jeudi", "vendredi",
    "samedi", "dimanche", "printemps", "ete", "automne", "hiver", "changezmoi", "provisoire", "temporaire",
)  # fmt: skip
"""What French people type first and zxcvbn's lists, which are English, do not hold."""

_NAME_PART_MIN = 4
_SEPARATORS = re.compile(r"[\s\-_.,;:'’/+*!?]+")


def password_weakness(password: str, email: str, name: str, programme_name: str = "") -> str | None:
    """Return a French sentence that says what to change in a password, or None when it is good.

    `email` and `name` are the person's: neither may be in it. The programme's name counts with the product's words. It is measured as
    it will be hashed.
    """
    text = prepared(password)
    password = password if text is None else text
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"Ce mot de passe est trop court. Écrivez au moins {PASSWORD_LENGTH_MIN} caractères."
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"Ce mot de passe est trop long. Écrivez {PASSWORD_LENGTH_MAX} caractères au plus."
    if text is None:
        return f"Ce mot de passe contient un signe que l’on ne voit pas. Écrivez-le au clavier. {FOUR_WORDS}"
    plain = _folded(password)
    persons = [part for part in (_folded(email.split("@")[0]), *_parts(name)) if len(part) >= _NAME_PART_MIN]
    if any(part in plain for part in persons):
        return f"Ce mot de passe contient votre nom. {FOUR_WORDS}"
    # « cheque numerique 2026 » is no better than « chequenumerique2026 »: what stands between words is a guess away.
    joined = _SEPARATORS.sub("", plain)
    called = (PRODUCT_NAME, _SEPARATORS.sub("", _folded(programme_name)))
    if any(len(one) >= _NAME_PART_MIN and one in joined for one in called):
        return f"Ce mot de passe contient le nom du programme. {FOUR_WORDS}"
    words = (*OWN_WORDS, *FRENCH_WORDS, *_parts(name), *_parts(email), *_parts(programme_name))
    tried = {password, plain, joined} - {""}
    weakest = min((_guesses(text[:READ_MAX], words) for text in tried), key=lambda one: one[0])
    if weakest[0] >= GUESSES_MIN:
        return None
    if weakest[1] & {*OWN_WORDS, *_parts(programme_name)}:
        return f"Ce mot de passe est fait des mots du programme, que tout le monde essaierait. {FOUR_WORDS}"
    return f"Ce mot de passe est de ceux que l’on essaie en premier. {FOUR_WORDS}"


def _guesses(text: str, words: tuple[str, ...]) -> tuple[int, frozenset[str]]:
    """Return how many guesses a text takes, and the words of lists that it is made of."""
    found = zxcvbn(text, user_inputs=list(words), max_length=READ_MAX)
    matched = (one["matched_word"] for one in found["sequence"] if one["pattern"] == "dictionary")
    return int(found["guesses"]), frozenset(matched)


def _folded(text: str) -> str:
    """Return a text without capitals and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in apart if not unicodedata.combining(one))


def _parts(text: str) -> list[str]:
    """Return the words of a name or an address, folded."""
    return [part for part in re.split(r"[\W_]+", _folded(text)) if len(part) > 1]
