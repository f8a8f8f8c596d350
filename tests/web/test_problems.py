"""Problems: in French, with what happened to the money; RFC 9457 for programs; no code in the log."""

import logging
import re

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import TooManyRequests

from tests.web.gallery import create_gallery

STATUSES = [400, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 503]


@pytest.fixture(scope="module")
def app() -> Flask:
    app = create_gallery()
    app.add_url_rule("/connexion", "sign_in", lambda: "")
    app.config["SIGN_IN_ENDPOINT"] = "sign_in"

    @app.route("/abort/<int:status>", methods=["GET", "POST"])
    @app.route("/api/abort/<int:status>", endpoint="api_abort")
    def stop(status: int) -> str:
        if status == 429:
            raise TooManyRequests(retry_after=30)
        abort(status)

    @app.get("/V/<code>")
    def code(code: str) -> str:
        raise ZeroDivisionError

    @app.get("/down")
    def down() -> str:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("status", STATUSES)
def test_a_person_reads_what_happened_to_the_money_and_what_to_do(client: FlaskClient, status: int) -> None:
    answer = client.get(f"/abort/{status}")
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert "Rien n’a été débité." in answer.text
    assert re.search(r'<p class="lead">[A-ZÀ-Ý][^<]+\.</p>', answer.text)


@pytest.mark.parametrize("status", [*STATUSES, 401, 418])
def test_a_program_reads_rfc_9457(client: FlaskClient, status: int) -> None:
    answer = client.get(f"/api/abort/{status}")
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    told = answer.get_json(force=True)
    assert told["status"] == status
    assert told["type"].startswith("urn:pass-numerique:problem:")
    assert told["title"]
    assert told["money"] == "Rien n’a été débité."


def test_json_is_given_to_whoever_asks_for_it_and_a_page_to_a_browser(client: FlaskClient) -> None:
    assert client.get("/abort/404", headers={"Accept": "application/json"}).mimetype == "application/problem+json"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert client.get("/abort/404", headers={"Accept": browser}).mimetype == "text/html"


def test_headers_of_the_answer_are_kept(client: FlaskClient) -> None:
    assert "GET" in client.delete("/down", headers={"Accept": "application/json"}).headers.get("Allow", "GET")
    assert set(client.put("/abort/400").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert client.get("/abort/429").headers["Retry-After"] == "30"


def test_who_has_no_session_is_led_to_sign_in_and_back(client: FlaskClient) -> None:
    answer = client.get("/abort/401?page=2")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/connexion?suite=/abort/401?page%3D2")


def test_a_form_left_open_too_long_is_said_so_and_nothing_is_taken(client: FlaskClient) -> None:
    answer = client.post("/form", data={"name": "Toul"})
    assert answer.status_code == 400
    assert "Cette page est restée ouverte trop longtemps." in answer.text
    assert "CSRF" not in answer.text


def test_a_refusal_that_no_view_caught_is_told_with_its_own_sentence(client: FlaskClient) -> None:
    answer = client.get("/refused")
    assert answer.status_code == 409
    assert "Ce lot est gelé. Attendez sa validation." in answer.text


def test_after_a_failure_of_ours_during_a_change_nothing_is_promised(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    try:
        answer = app.test_client().post("/broken")
    finally:
        app.config["WTF_CSRF_ENABLED"] = True
    assert answer.status_code == 500
    assert "Rien n’a été débité." not in answer.text
    assert "Vérifiez dans la liste avant de recommencer" in answer.text


def test_a_failure_is_logged_under_the_reference_the_person_reads_and_without_the_code(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/V/SECRET123")
    shown = re.search(r'<code class="typing-code"><span>(\w{4})</span> <span>(\w{4})</span>', answer.text)
    assert shown
    assert f"failure {(shown[1] + shown[2]).lower()} at GET /V/<code>" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "SECRET123" not in caplog.text


def test_a_database_that_does_not_answer_is_a_service_to_come_back_to(client: FlaskClient) -> None:
    answer = client.get("/down")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "SELECT" not in answer.text
