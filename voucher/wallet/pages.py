"""Home, the code's page, the typed code, help, the published keys."""

from http import HTTPStatus

from flask import Blueprint, Response, make_response, render_template
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from voucher.issuing.code import Unreadable
from voucher.issuing.doors import Door
from voucher.issuing.keys import keys_document
from voucher.issuing.recognise_code import is_typed
from voucher.network import read as network
from voucher.redemption.citizen_view import HolderState, HolderView, look_at
from voucher.redemption.rules import CounterRefusal, Refusal
from voucher.web.access import public
from voucher.web.forms import HouseForm, csrf
from voucher.web.headers import cacheable, shows_code
from voucher.web.limits import client_address
from voucher.web.services import services
from voucher.web.typed_codes import TooMany, TypedCodes

blueprint = Blueprint("wallet", __name__, template_folder="templates")
NEAREST_MAX = 3
KEYS_SECONDS = 300
typed_codes = TypedCodes(Door.CITIZEN)
_TOO_MANY = {
    TooMany.BY_PERSON: "Vous avez essayé trop de codes. Attendez dix minutes, ou scannez le chèque.",
    TooMany.BY_VOUCHER: "Le code de ce chèque a été mal tapé trop de fois. Scannez le chèque, ou revenez dans une heure.",
}
# What the counter tells a mediator is not what helps the person who holds the paper.
_NOT_GOOD = {
    CounterRefusal.FOREIGN: "Ce chèque n’est pas de ce programme. Demandez à la personne qui vous l’a remis.",
    CounterRefusal.FORGED: "Ce papier n’est pas un vrai chèque. Rapportez-le à la personne qui vous l’a remis.",
    CounterRefusal.REVOKED_KEY: "Ce chèque a été retiré. Demandez un autre carnet à la personne qui vous l’a remis.",
    CounterRefusal.UNKNOWN_VOUCHER: "Nous ne connaissons pas ce chèque. Appelez-nous pour comprendre.",
}


class CodeForm(HouseForm):
    """A typed code. It changes nothing, so it carries no token, and so no cookie."""

    class Meta(HouseForm.Meta):
        csrf = False

    code = StringField("Code du chèque", validators=[InputRequired(), Length(max=300)])


@blueprint.get("/")
@public
def home() -> str:
    """Say what the Pass is and where to go."""
    return render_template("wallet/home.html", form=CodeForm(formdata=None))


@blueprint.get("/V/<code>")
@blueprint.get("/v/<code>", endpoint="code_lower")
@public
@shows_code
def code(code: str) -> Response:
    """Open a scanned code: what it is worth, until when, where."""
    here = services()
    if is_typed(code):
        # Typed codes have one door, which counts wrong guesses.
        return _answer(Refusal(CounterRefusal.UNREADABLE, detail=Unreadable.TRUNCATED.sentence))
    return _answer(look_at(here.database, code, now=here.now()))


@blueprint.get("/cheque")
@public
def typed() -> str:
    """Ask for the code printed under the QR code."""
    return render_template("wallet/typed.html", form=CodeForm(formdata=None))


@blueprint.post("/cheque")
@public
@shows_code
@csrf.exempt  # type: ignore[untyped-decorator]  # Flask-WTF ships no types
def open_typed() -> Response:
    """Open a typed code. Wrong guesses are limited by address and by voucher."""
    here, form = services(), CodeForm()
    if not form.validate_on_submit():
        return make_response(render_template("wallet/typed.html", form=form), HTTPStatus.UNPROCESSABLE_ENTITY)
    address, now = client_address(), here.now()
    if (too_many := typed_codes.begin(address, form.code.data, now)) is not None:
        form.code.errors = [_TOO_MANY[too_many]]
        return make_response(render_template("wallet/typed.html", form=form), HTTPStatus.TOO_MANY_REQUESTS)
    found = look_at(here.database, form.code.data, now=now)
    is_wrong = isinstance(found, Refusal) and found.reason is CounterRefusal.WRONG_CODE
    typed_codes.end(address, form.code.data, now, is_wrong=is_wrong)
    if isinstance(found, Refusal) and found.reason in (CounterRefusal.UNREADABLE, CounterRefusal.WRONG_CODE):
        form.code.errors = [found.sentence]
        return make_response(render_template("wallet/typed.html", form=form), HTTPStatus.UNPROCESSABLE_ENTITY)
    return _answer(found)


@blueprint.get("/aide")
@public
def help_page() -> str:
    """Answer the questions people ask."""
    return render_template("wallet/help.html", settings=services().settings)


@blueprint.get("/accessibilite")
@public
def accessibility() -> str:
    """Declare how accessible the service is."""
    return render_template("wallet/accessibility.html", settings=services().settings)


@blueprint.get("/mentions-legales")
@public
def legal() -> str:
    """Say who publishes the service and what it keeps."""
    return render_template("wallet/legal.html", settings=services().settings)


@blueprint.get("/.well-known/pass-numerique/keys.json")
@public
@cacheable(KEYS_SECONDS)
def keys() -> Response:
    """Publish the issuers' public keys, signed by the programme."""
    here = services()
    secret = bytes.fromhex(here.settings.master_key.get_secret_value())
    document = keys_document(here.database, master_secret=secret, now=here.now())
    return Response(document, mimetype="application/json")


def _answer(found: HolderView | Refusal) -> Response:
    if isinstance(found, Refusal):
        status = HTTPStatus.GONE if found.reason is CounterRefusal.REVOKED_KEY else HTTPStatus.NOT_FOUND
        sentence = _NOT_GOOD.get(found.reason, found.sentence)
        return make_response(
            render_template("wallet/not_good.html", sentence=sentence, settings=services().settings), status
        )
    is_useful = found.state in (HolderState.USABLE, HolderState.NOT_HANDED_OVER)
    places = (
        network.places_near(services().database, postcode=found.area_postcode, limit=NEAREST_MAX) if is_useful else []
    )
    page = render_template(
        "wallet/code.html", view=found, places=places, settings=services().settings, states=HolderState
    )
    return make_response(page)
