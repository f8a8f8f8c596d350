"""The French words of the audit trail's acts, and of where a change stands."""

from voucher.access.rules import Door

ACTIONS: dict[str, str] = {
    "account_opened": "Compte ouvert",
    "account_closed": "Compte fermé",
    "closing_told": "Fermeture annoncée, le compte ne sert pas",
    "account_locked": "Compte en attente après cinq essais (avant que ce soit impossible)",
    "signed_in": "Connexion",
    "signed_out": "Déconnexion",
    "session_ended": "Connexion fermée depuis une autre",
    "sessions_ended": "Connexions fermées",
    "password_shown": "Mot de passe donné, deuxième preuve attendue",
    "code_failed": "Code faux après le mot de passe",
    "codes_limited": "Trop de codes faux après le mot de passe",
    "recovery_code_used": "Connexion avec un code de secours",
    "totp_added": "Application de codes ajoutée",
    "totp_removed": "Application de codes retirée",
    "codes_made": "Codes de secours faits",
    "factors_asked": "Remise à zéro de la deuxième preuve demandée",
    "factors_reset": "Deuxième preuve remise à zéro",
    "sign_in_failed": "Mot de passe faux",
    "new_browser": "Connexion avec un nouveau navigateur",
    "new_network": "Connexion depuis un nouveau réseau",
    "passkey_added": "Clé d’accès ajoutée",
    "passkey_renamed": "Clé d’accès renommée",
    "passkey_removed": "Clé d’accès retirée",
    "passkey_refused": "Clé d’accès refusée : sa réponse est fausse",
    "passkey_copied": "Clé d’accès refusée : son compteur recule",
    "confirmed_again": "Identité prouvée de nouveau",
    "invitation_asked": "Invitation demandée",
    "reset_asked": "Lien de nouveau mot de passe demandé",
    "password_forgotten": "Mot de passe oublié",
    "link_printed": "Lien affiché sur le serveur",
    "links_cancelled": "Liens annulés",
    "password_chosen": "Mot de passe choisi avec un lien",
    "password_changed": "Mot de passe changé",
    "password_set": "Mot de passe donné par une autre personne (avant que ce soit impossible)",
    "provider_linked": "ProConnect relié au compte avec un lien",
    "provider_unlinked": "ProConnect n’ouvre plus le compte",
    "provider_shown": "ProConnect a reconnu la personne, deuxième preuve attendue",
    "provider_refused": "Réponse de ProConnect refusée",
    "role_asked": "Rôle demandé",
    "role_granted": "Rôle donné",
    "role_revoked": "Rôle retiré",
    "role_over": "Rôle fini, son dernier jour est passé",
    "name_changed": "Nom changé",
    "address_asked": "Adresse demandée",
    "address_changed": "Adresse changée",
    "change_confirmed": "Demande confirmée",
    "change_refused": "Demande refusée ou retirée",
}
"""What the trail's own acts are called; other rooms write theirs in French."""

DOOR_WORDS: dict[Door, str] = {
    Door.PASSWORD: "par mot de passe",
    Door.PASSKEY: "par clé d’accès",
    Door.PROVIDER: "par ProConnect",
}
"""How a session was opened."""

OUTCOMES: dict[str | None, str] = {
    None: "À confirmer",
    "confirmed": "Confirmée",
    "refused": "Refusée",
    "dropped": "Sans objet",
    "alone": "Fait par une personne",
    "before": "D’avant la règle",
}
"""The word of each outcome of a change."""


def said(action: str) -> str:
    """Return what an act is called; other rooms note theirs in French already."""
    return ACTIONS.get(action, action)


def codes_of(text: str) -> list[str]:
    """Return the acts whose French word holds a text."""
    return [code for code, word in ACTIONS.items() if text.casefold() in word.casefold()]
