"""A small application that shows every piece of the interface once: for tests, and for eyes.

python -m tests.web.gallery        serves it on 127.0.0.1:8765
"""

from datetime import UTC, date, datetime

from flask import Flask, flash, render_template_string, request
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    PasswordField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, Optional

from voucher import web
from voucher.kernel.refusals import Refused
from voucher.web.charts import Bar, Point, bars, funnel, line
from voucher.web.forms import (
    CheckboxesField,
    CountField,
    DateField,
    EurosField,
    EurosRange,
    FileField,
    HouseForm,
    IbanField,
    PercentField,
    RadioField,
    SelectField,
    SiretField,
    show_refusal,
)
from voucher.web.headers import scanner_page
from voucher.web.shell import Link, Person, Shell
from voucher.web.tables import Column, Kind, Table, drawn, list_file, read_listing, rows_reader

AT = datetime(2026, 8, 2, 12, 5, tzinfo=UTC)
NAV = (
    Link("Accueil", "/", is_exact=True),
    Link("Règlements", "/office"),
    Link("Rapprochement", "/rapprochement"),
    Link("Structures", "/structures"),
    Link("Grand livre", "/grand-livre"),
)
ROWS = [
    ("Médiathèque des Trois Rivières", "Épinal", 1_250_00, "Payé", "success"),
    ("Association Le Clic du Marais", "Fontenay-le-Comte", 640_00, "Dans le fichier", "wait"),
    ("Tiers-lieu La Fabrique à Souris", "Saint-Étienne", 12_730_50, "Rejeté", "danger"),
    ("Centre social Les Mirabelles", "Toul", 90_00, "À vérifier", "warn"),
]

ADVICES = Table(
    "Bordereaux",
    (
        Column[tuple[str, str, int, str, str]](
            "name", "Structure", value=lambda row: row[0], is_sorted=True, link=lambda _: "#"
        ),
        Column("city", "Commune", value=lambda row: row[1], under="name"),
        Column("department", "Département", value=lambda _: "Vosges"),
        Column("amount", "Montant", Kind.EUROS, lambda row: row[2], is_sorted=True, is_summed=True),
        Column("state", "État", Kind.TAG, lambda row: row[3], tag=lambda row: row[4]),
    ),
    default_sort="-amount",
    filters=("nom", "etat"),
    one="bordereau",
    many="bordereaux",
)


class ContactForm(HouseForm):
    """A form inside a form: it has no token of its own."""

    class Meta(HouseForm.Meta):
        csrf = False

    name = StringField("Nom du contact", validators=[InputRequired()])
    phone = StringField("Téléphone", validators=[Optional()])


class PlaceForm(HouseForm):
    """One field of each kind."""

    name = StringField(
        "Nom du lieu", validators=[InputRequired(), Length(max=80)], description="Tel qu’il est affiché."
    )
    siret = SiretField("SIRET", validators=[InputRequired()], description="Quatorze chiffres.")
    iban = IbanField("IBAN", validators=[Optional()])
    ceiling = EurosField("Plafond", validators=[InputRequired(), EurosRange(1)])
    share = PercentField("Part de l’État", validators=[InputRequired()])
    count = CountField("Nombre de chèques", validators=[Optional()])
    opens_on = DateField("Ouvert depuis le", validators=[Optional()])
    kind = SelectField("Type de lieu", choices=[("", "Choisissez"), ("asso", "Association"), ("mairie", "Mairie")])
    channel = RadioField(
        "Qui paie ?",
        choices=[("public", "Le comptable public"), ("operator", "Un opérateur mandaté")],
        validators=[InputRequired()],
    )
    services = CheckboxesField(
        "Services rendus",
        choices=[("impots", "Faire ses démarches"), ("mail", "Écrire un courriel")],
        validators=[Optional()],
    )
    note = TextAreaField("Précisions", validators=[Optional()])
    document = FileField("Relevé d’identité bancaire", description="PDF ou image, 5 Mo au plus.")
    secret = PasswordField("Mot de passe", validators=[Optional()])
    is_open = BooleanField("Le lieu reçoit sans rendez-vous")
    contact = FormField(ContactForm, "Contact")
    phones = FieldList(StringField("Téléphone", validators=[Optional()]), "Autres téléphones", min_entries=1)


PUBLIC = """
{% extends "layout_public.html" %}{% import "ui.html" as ui %}
{% block title %}Votre chèque{% endblock %}
{% block main %}
{{ ui.header("Ce chèque vaut 10 €", lead="Vous pouvez l’utiliser jusqu’au 31 décembre 2026.") }}
{{ ui.ticket(1000, "Chèque 0000 0412", ["À utiliser avant le 31 décembre 2026"], ui.tag("Utilisable", "success")) }}
<h2>Trois lieux près de vous</h2>
<p>Présentez ce chèque sur place. <a href="#">Voir tous les lieux</a></p>
{{ ui.definitions([("Médiathèque", "Lundi à vendredi, 9 h à 17 h"), ("Téléphone", "")]) }}
<p>Code à dicter : {{ ui.typing_code("7KQ4M2XW9TBD") }}</p>
{{ ui.notice("info", "Perdu ou volé ?", "Appelez la structure qui vous l’a remis.") }}
{{ ui.print_button() }}
{% endblock %}
"""

COUNTER = """
{% extends "layout_counter.html" %}{% import "ui.html" as ui %}
{% block title %}Encaisser{% endblock %}
{% block main %}
{{ ui.header("Encaisser") }}
{{ ui.refusal("Ce chèque a déjà été encaissé le 12 mars à 14 h 05, dans un autre lieu.", "Prenez un autre chèque du carnet.") }}
{{ ui.timeline([{"what": "Encaissé", "at": at, "who": "Médiathèque"}, {"what": "Paiement attendu", "at": at, "is_late": true,
                 "detail": "La collectivité doit valider le lot avant le 12 août."}]) }}
{{ ui.post_button("/counter", "Annuler le dernier encaissement", "secondary", fields={"id": "1"}) }}
{% call ui.act_bar() %}{{ ui.link_button("#", "Encaisser 3 chèques — 30 €") }}{% endcall %}
{% endblock %}
"""

OFFICE = """
{% extends "layout_office.html" %}{% import "ui.html" as ui %}
{% block title %}Lot de juillet{% endblock %}
{% block main %}
{% call ui.header("Lot de juillet", figure=4523000|euros, label="à payer à 128 structures", lead="Clôturé le 2 août.") %}
{{ ui.link_button("#", "Valider le lot") }}{{ ui.link_button("#", "Voir l’état liquidatif", "secondary") }}
{% endcall %}
{{ ui.steps([
  {"label": "Clôturer", "state": "done", "who": "Anne Roy", "at": at},
  {"label": "Geler", "state": "done", "who": "Anne Roy", "at": at},
  {"label": "Valider", "state": "current"},
  {"label": "Envoyer à la banque", "state": "todo"},
  {"label": "Rapprocher", "state": "stopped"}]) }}
{{ ui.notice("warn", "Un bordereau attend un RIB.", "Il sera reporté au lot suivant.") }}
{{ ui.notice("success", "Le fichier est conforme.") }}
{{ ui.notice("danger", "Les sommes diffèrent.", "Rien n’a été envoyé.") }}
{% call ui.figures() %}
{{ ui.figure(4523000|euros, "bordereaux", "Somme des bordereaux du lot.", as_of=at.date()) }}
{{ ui.figure(4523000|euros, "fichier", "Somme de contrôle du fichier.") }}
{{ ui.figure(128|number, "structures", "Payées en une fois.") }}
{% endcall %}
{% call ui.filter_form(listing) %}{{ ui.filter_text(listing, "nom", "Nom") }}
{{ ui.filter_choice(listing, "etat", "État", [("due", "À payer"), ("paid", "Payé")]) }}{% endcall %}
{{ ui.listing(lines) }}
{% set columns = ["Structure", "Commune", {"label": "Montant", "number": true}, "État"] %}
{% call(row) ui.table("Rejets", columns, [], empty=ui.empty("Aucun rejet.", "Les virements rejetés apparaîtront ici.", "#", "Importer un relevé")) %}{% endcall %}
<h2>Où en sont les chèques</h2>
{{ ui.chart(funnel) }}{{ ui.chart(bars) }}{{ ui.chart(line) }}
{% call ui.cards() %}
{% call ui.card("Fonds détenus", level=3) %}<p>Plus que ce qui est dû.</p>{% endcall %}
{% call ui.card("Trois décisions", level=3) %}<ul><li>Relancer deux prescripteurs</li></ul>{% endcall %}
{% endcall %}
{% endblock %}
"""

FORM = """
{% extends "layout_office.html" %}{% import "ui.html" as ui %}
{% block title %}Un lieu{% endblock %}
{% block main %}
{{ ui.header("Ajouter un lieu") }}
{% call ui.form(form) %}
{% for name in ("name", "siret", "iban", "ceiling", "share", "count", "opens_on", "kind", "channel", "services", "note",
                "document", "secret", "is_open", "contact", "phones") %}{{ ui.field(form[name]) }}{% endfor %}
{% call ui.fieldset("Et encore", "Une question groupée.") %}<p>Texte libre.</p>{% endcall %}
{% call ui.confirm("Ce qui va se passer", ["Le lieu sera visible de tous.", "Il pourra encaisser dès ce soir."], back_url="/office") %}
{{ ui.submit("Ajouter le lieu") }}{{ ui.submit("Refuser le lieu", "danger", name="refuse", value="1") }}
{% endcall %}
{% endcall %}
{% endblock %}
"""


def create_gallery() -> Flask:
    """Return the application: /, /office, /form, /counter, and the error pages."""
    app = Flask(__name__, static_folder=None)
    app.config.update(SECRET_KEY="for the gallery alone", IS_DEMO=True, HELP_CONTACT="aide@pass-numerique.example")
    web.install(app)

    @app.context_processor
    def shell() -> dict[str, object]:
        role = "Finances, préparation · Département des Vosges"
        person = None if request.path == "/" else Person("Anne Roy", role, "/sign-out", "/")
        return {"shell": Shell("/", person, () if request.path == "/counter" else NAV), "at": AT}

    app.add_url_rule("/", "public", lambda: render_template_string(PUBLIC))
    app.add_url_rule("/counter", "counter", scanner_page(lambda: render_template_string(COUNTER)))
    app.add_url_rule("/office", "office", _office)
    app.add_url_rule("/form", "form", _form, methods=["GET", "POST"])
    app.add_url_rule("/sign-out", "sign_out", lambda: "", methods=["POST"])
    app.add_url_rule("/api/broken", "api_broken", _break)
    app.add_url_rule("/broken", "broken", _break, methods=["GET", "POST"])
    app.add_url_rule("/refused", "refused", _refuse)
    return app


def _office() -> object:
    listing = read_listing(request.args, ADVICES)
    find = rows_reader(ROWS, {"name": lambda row: row[0], "amount": lambda row: row[2]}, lambda row: (row[0],))
    if listing.wants_file:
        return list_file(ADVICES, listing, find, "Bordereaux de juillet")
    flash("Le lot est gelé.", "success")
    stages = [Bar("Émis", 5000), Bar("Remis", 3200), Bar("Encaissés", 1900), Bar("Payés", 1500)]
    points = [
        Point(date(2026, month, 1), value, month > 6)
        for month, value in ((3, 200), (4, 600), (5, 900), (6, 1500), (8, 2400))
    ]
    return render_template_string(
        OFFICE,
        listing=listing,
        lines=drawn(ADVICES, listing, find),
        breadcrumbs=[Link("Règlements", "/office"), Link("Lot de juillet", "")],
        funnel=funnel("Du chèque émis au chèque payé", "Un chèque émis sur trois est payé.", stages),
        bars=bars(
            "Chèques par territoire",
            "Les Vosges en utilisent le plus.",
            [Bar("Vosges", 1200), Bar("Meuse", 410)],
            "Chèques",
        ),
        line=line("Chèques encaissés par mois", "Le rythme double avant l’été.", points, "Chèques"),
    )


def _form() -> str:
    form = PlaceForm()
    if form.is_submitted() and not form.validate():
        show_refusal(form, Refused("place.twice", "Ce SIRET est déjà celui d’un autre lieu. Ouvrez ce lieu.", "siret"))
        show_refusal(form, Refused("place.closed", "Les inscriptions sont closes. Revenez en janvier."))
    return render_template_string(FORM, form=form, breadcrumbs=[Link("Structures", "/structures"), Link("Ajouter", "")])


def _break() -> str:
    raise ZeroDivisionError


def _refuse() -> str:
    raise Refused("batch.frozen", "Ce lot est gelé. Attendez sa validation.")


if __name__ == "__main__":
    create_gallery().run("127.0.0.1", 8765)
