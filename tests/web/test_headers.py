"""Headers: one strict policy for all pages, four marks for those that need another."""

import re

import pytest
from flask import Flask, Response

from tests.web.gallery import create_gallery
from voucher import web
from voucher.web.headers import cacheable, shows_code

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@pytest.fixture(scope="module")
def app() -> Flask:
    app = create_gallery()

    @app.get("/V/<code>")
    @shows_code
    def code(code: str) -> str:
        return code

    @app.get("/keys.json")
    @cacheable(300)
    def keys() -> dict[str, str]:
        return {}

    @app.get("/statement.pdf")
    def statement() -> Response:
        response = Response(b"%PDF", mimetype="application/pdf")
        response.headers["Cache-Control"] = "public"
        return response

    return app


PUBLIC = STRICT.replace("script-src 'self'", "script-src 'none'")


@pytest.mark.parametrize("path", ["/", "/office", "/nowhere", "/broken", "/api/nowhere", "/refused"])
def test_every_answer_carries_the_strict_headers_errors_too(app: Flask, path: str) -> None:
    headers = app.test_client().get(path).headers
    assert headers["Content-Security-Policy"] == (PUBLIC if path.endswith("nowhere") else STRICT)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_https_is_remembered(app: Flask) -> None:
    headers = app.test_client().get("/", base_url="https://pass.example").headers
    assert headers["Strict-Transport-Security"] == "max-age=63072000"


def test_the_scanner_alone_has_the_camera_and_webassembly(app: Flask) -> None:
    headers = app.test_client().get("/counter").headers
    assert "script-src 'self' 'wasm-unsafe-eval';" in headers["Content-Security-Policy"]
    assert "media-src 'self' blob:" in headers["Content-Security-Policy"]
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "microphone=()" in headers["Permissions-Policy"]


def test_the_decoders_worker_lives_under_the_scanners_policy_and_other_files_under_the_strict_one(app: Flask) -> None:
    def policy(address: str) -> str:
        with app.test_client().get(address) as answer:
            return answer.headers["Content-Security-Policy"]

    assert "script-src 'self' 'wasm-unsafe-eval';" in policy("/static/scanner/decoder.js")
    assert policy("/static/scanner/keys.js") == STRICT


def test_a_page_that_shows_a_code_tells_nobody_where_the_person_came_from(app: Flask) -> None:
    headers = app.test_client().get("/V/ABC").headers
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


def test_only_what_is_marked_may_be_kept(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/keys.json").headers["Cache-Control"] == "public, max-age=300"
    assert client.get("/statement.pdf").headers["Cache-Control"] == "no-store"


def test_static_files_are_asked_by_their_content_and_kept_for_a_year(app: Flask) -> None:
    client = app.test_client()

    def kept(address: str) -> str:
        with client.get(address) as answer:
            return answer.headers["Cache-Control"]

    found = re.search(r'href="(/static/site\.css\?v=[0-9a-f]{12})"', client.get("/").text)
    assert found
    assert kept(found[1]) == "public, max-age=31536000, immutable"
    assert kept("/static/site.css") == "public, max-age=86400"
    assert kept("/static/nothing.css?v=1") == "no-store"


def test_a_public_page_sets_no_cookie(app: Flask) -> None:
    assert "Set-Cookie" not in app.test_client().get("/").headers


def test_an_application_with_static_files_of_its_own_is_refused() -> None:
    with pytest.raises(RuntimeError, match="static_folder=None"):
        web.install(Flask(__name__))
