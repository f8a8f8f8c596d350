"""What WTForms and Flask-WTF say, in French: one sentence for each of their messages, in the house's words."""

from collections.abc import Mapping

from wtforms.i18n import get_translations

SENTENCES: Mapping[str, str] = {
    "This field is required.": "Remplissez ce champ.",
    "This field cannot be edited.": "Ce champ ne peut pas être modifié.",
    "This field is disabled and cannot have a value.": "Ce champ est fermé : laissez-le vide.",
    "Invalid input.": "Ce texte n’a pas la forme attendue. Vérifiez-le.",
    "Invalid field name '%s'.": "Le champ « %s » n’existe pas.",
    "Field must be equal to %(other_name)s.": "Les deux saisies sont différentes. Écrivez deux fois la même.",
    "Number must be at least %(min)s.": "Ce nombre doit être %(min)s ou plus.",
    "Number must be at most %(max)s.": "Ce nombre doit être %(max)s ou moins.",
    "Number must be between %(min)s and %(max)s.": "Ce nombre doit être entre %(min)s et %(max)s.",
    "Date must be at least %(min)s.": "Choisissez le %(min)s ou un jour suivant.",
    "Date must be at most %(max)s.": "Choisissez le %(max)s ou un jour précédent.",
    "Date must be between %(min)s and %(max)s.": "Choisissez un jour entre le %(min)s et le %(max)s.",
    "Field must be between %(min)d and %(max)d characters long.": "Écrivez entre %(min)d et %(max)d caractères.",
    "Invalid email address.": "Cette adresse électronique n’est pas complète. Par exemple nom@exemple.fr.",
    "Invalid IP address.": "Cette adresse IP n’existe pas.",
    "Invalid Mac address.": "Cette adresse MAC n’existe pas.",
    "Invalid URL.": "Cette adresse web n’est pas complète. Elle commence par https://.",
    "Invalid UUID.": "Cet identifiant n’existe pas.",
    "Invalid value, must be one of: %(values)s.": "Choisissez parmi : %(values)s.",
    "Invalid value, can't be any of: %(values)s.": "Choisissez autre chose que : %(values)s.",
    "Invalid Choice: could not coerce.": "Choisissez une réponse de la liste.",
    "Not a valid choice.": "Choisissez une réponse de la liste.",
    "Choices cannot be None.": "Cette liste est vide.",
    "Not a valid date value.": "Écrivez une date : jour, mois, année. Par exemple 31/12/2026.",
    "Not a valid datetime value.": "Écrivez une date et une heure. Par exemple 31/12/2026 14:05.",
    "Not a valid time value.": "Écrivez une heure. Par exemple 14:05.",
    "Not a valid week value.": "Écrivez une semaine et une année.",
    "Not a valid decimal value.": "Écrivez un nombre, par exemple 12,5.",
    "Not a valid float value.": "Écrivez un nombre, par exemple 12,5.",
    "Not a valid integer value.": "Écrivez un nombre entier, par exemple 12.",
    "CSRF failed.": "Cette page est restée ouverte trop longtemps. Envoyez à nouveau le formulaire.",
    "CSRF token expired.": "Cette page est restée ouverte trop longtemps. Envoyez à nouveau le formulaire.",
    "CSRF token missing.": "Cette page est restée ouverte trop longtemps. Envoyez à nouveau le formulaire.",
    "Invalid CSRF Token.": "Cette page est restée ouverte trop longtemps. Envoyez à nouveau le formulaire.",
    "File does not have an approved extension: {extensions}": "Choisissez un fichier de ce type : {extensions}.",
    "File does not have an approved extension.": "Ce type de fichier n’est pas accepté.",
    "File must be between {min_size} and {max_size} bytes.": (
        "Ce fichier est trop petit ou trop lourd : il doit faire entre {min_size} et {max_size} octets."
    ),
}

COUNTED: Mapping[str, tuple[str, str]] = {
    "Field must be at least %(min)d character long.": (
        "Écrivez au moins %(min)d caractère.",
        "Écrivez au moins %(min)d caractères.",
    ),
    "Field cannot be longer than %(max)d character.": (
        "Écrivez %(max)d caractère au plus.",
        "Écrivez %(max)d caractères au plus.",
    ),
    "'%(value)s' is not a valid choice for this field.": (
        "Choisissez parmi les réponses proposées.",
        "Choisissez parmi les réponses proposées.",
    ),
    "Field must be exactly %(max)d character long.": (
        "Écrivez exactement %(max)d caractère.",
        "Écrivez exactement %(max)d caractères.",
    ),
}


class French:
    """A translations object as WTForms wants one; what we have not said ourselves is left to WTForms' own French."""

    def __init__(self) -> None:
        self._theirs = get_translations(["fr"])

    def gettext(self, string: str) -> str:
        """Return the French sentence for a message."""
        return SENTENCES.get(string) or str(self._theirs.gettext(string))

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Return the French sentence for a message that counts; one and zero are singular in French."""
        if singular in COUNTED:
            one, many = COUNTED[singular]
            return one if n <= 1 else many
        return str(self._theirs.ngettext(singular, plural, n))


FRENCH = French()
