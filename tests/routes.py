"""Every route of the application, by who may come. A line here is a decision: read it twice."""

CLASSES = {
    "anyone signed in": (
        "POST /personnes/deconnexion",
        "GET/POST /personnes/moi",
    ),
    "auditor finance_approver finance_preparer programme": (
        "GET /registre/",
        "GET /registre/comptes",
        "GET /registre/comptes/<int:account_id>",
        "GET /registre/ecritures",
        "GET /registre/ecritures/<uuid:entry_id>",
    ),
    "auditor programme": ("GET /personnes/journal",),
    "programme": (
        "GET /personnes/",
        "GET/POST /personnes/<uuid:account_id>",
        "POST /personnes/<uuid:account_id>/fermer",
        "POST /personnes/<uuid:account_id>/mot-de-passe",
        "POST /personnes/<uuid:account_id>/roles/<role>/retirer",
        "GET/POST /personnes/nouvelle",
    ),
    "public": (
        "GET/POST /personnes/connexion",
        "GET /static/<path:filename>",
    ),
}

ROUTES = {route: access for access, routes in CLASSES.items() for route in routes}
