"""The look: contrast by the figures of the theme, then every piece in a real Chromium, narrow and wide, light and dark."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from flask import request
from playwright.sync_api import Browser, Page

from tests.browser import DESK, NARROW, PHONE, axe, chromium, overflow, screenshot, serve
from tests.web.gallery import create_gallery

WEB = Path(__file__).parents[2] / "voucher" / "web"
PAGES = ("/", "/counter", "/office", "/form", "/nowhere")
LOOKS = (
    ("320-light", NARROW, "light"),
    ("390-dark", PHONE, "dark"),
    ("1280-light", DESK, "light"),
    ("1280-dark", DESK, "dark"),
)

TEXT_ON = [
    *product(("ink", "ink-soft", "accent", "accent-strong"), ("paper", "surface", "sunken", "accent-wash")),
    *((meaning, f"{meaning}-wash") for meaning in ("success", "warn", "danger", "info")),
    *product(("success", "danger"), ("paper", "surface")),
    ("on-accent", "accent"),
    ("danger-wash", "danger"),
    ("warn", "warm-wash"),
]
SHAPES_ON = [*product(("control", "accent", "danger", "success"), ("paper", "surface", "sunken"))]


def themes() -> dict[str, dict[str, str]]:
    sheet = (WEB / "static" / "theme.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in sheet.split("@media")[:2])
    return {"light": light, "dark": light | dark}


def contrast(one: str, other: str) -> float:
    """Return the WCAG 2 contrast of two colours written #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_keeps_a_contrast_of_seven_and_controls_of_three(name: str) -> None:
    theme = themes()[name]
    weak = [(text, ground) for text, ground in TEXT_ON if contrast(theme[text], theme[ground]) < 7]
    faint = [(shape, ground) for shape, ground in SHAPES_ON if contrast(theme[shape], theme[ground]) < 3]
    assert (weak, faint) == ([], [])


def test_colours_and_sizes_stand_in_the_theme_alone() -> None:
    strays = [
        f"{sheet.name}: {line.strip()}"
        for sheet in (WEB / "static").glob("*.css")
        if sheet.name != "theme.css"
        for line in sheet.read_text().splitlines()
        if re.search(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", line)
    ]
    assert strays == []


def test_no_template_holds_a_style_or_a_script_of_its_own() -> None:
    forbidden = re.compile(
        r"""<style|\sstyle=|\son(?:click|change|submit|load|input|error|focus|blur|key\w+|mouse\w+)=|<script(?![^>]*\bsrc=)"""
    )
    templates = [*WEB.glob("templates/**/*.html")]
    assert templates
    assert [
        path.name for path in templates if forbidden.search(path.read_text().replace("never an inline <style>", ""))
    ] == []


Gallery = tuple[str, Browser]


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    """The address of the gallery, and one Chromium for all the tests of this file."""
    with serve(create_gallery()) as address, chromium() as browser:
        yield address, browser


def visit(browser: Browser, address: str, path: str, viewport: object, scheme: str) -> tuple[Page, list[str]]:
    complaints: list[str] = []
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address + path)
    return page, complaints


@pytest.mark.browser
def test_every_piece_is_accessible_and_fits_the_screen_in_light_and_dark(gallery: Gallery) -> None:
    wrong = []
    address, browser = gallery
    for path, (look, viewport, scheme) in product(PAGES, LOOKS):
        page, complaints = visit(browser, address, path, viewport, scheme)
        if path == "/form":
            page.get_by_role("button", name="Ajouter le lieu").click()
        screenshot(page, f"gallery-{path.strip('/') or 'public'}-{look}")
        found = [*axe(page), *complaints]
        found += [f"{overflow(page)} px too wide"] if overflow(page) else []
        wrong += [f"{path} {look}: {line}" for line in found]
        page.close()
    assert wrong == []


@pytest.mark.browser
def test_the_keyboard_sees_where_it_is_and_targets_are_large_enough_for_a_thumb(gallery: Gallery) -> None:
    address, browser = gallery
    page, _ = visit(browser, address, "/counter", PHONE, "light")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Aller au contenu"
    page.keyboard.press("Tab")
    assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 3
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == 18
    small = "[...document.querySelectorAll('button, .button, nav a, .brand')].filter(e => e.offsetHeight < 48).length"
    assert page.evaluate(small) == 0
    page.goto(f"{address}/office")
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == 16


@pytest.mark.browser
def test_what_went_wrong_has_the_focus_and_leads_to_its_field(gallery: Gallery) -> None:
    address, browser = gallery
    page, _ = visit(browser, address, "/form", DESK, "light")
    page.get_by_label("Plafond").fill("douze")
    page.get_by_role("button", name="Ajouter le lieu").click()
    assert page.evaluate("document.activeElement.className") == "error-summary"
    page.get_by_role("link", name="Plafond : « douze » contient une lettre.").click()
    assert page.evaluate("document.activeElement.id") == "ceiling"
    assert page.get_by_label("Plafond").input_value() == "douze"
    assert page.title().startswith("Erreur : ")


@pytest.mark.browser
def test_the_narrow_menu_opens_and_the_form_is_sent_without_script(gallery: Gallery) -> None:
    address, browser = gallery
    page = browser.new_context(java_script_enabled=False, viewport=NARROW).new_page()
    page.goto(f"{address}/office")
    assert not page.get_by_role("link", name="Grand livre").is_visible()
    page.get_by_role("link", name="Menu").click()
    assert page.get_by_role("link", name="Grand livre").is_visible()
    page.goto(f"{address}/form")
    page.get_by_role("button", name="Ajouter le lieu").click()
    assert page.get_by_role("alert").is_visible()


@pytest.mark.browser
def test_a_button_pressed_twice_sends_its_form_once(gallery: Gallery) -> None:
    _, browser = gallery
    app = create_gallery()
    received: list[str] = []

    @app.before_request
    def count() -> None:
        if request.method == "POST":
            received.append(request.path)

    with serve(app) as address:
        page, _ = visit(browser, address, "/form", DESK, "light")
        page.get_by_role("button", name="Ajouter le lieu").dblclick()
        page.locator(".error-summary").wait_for()
    assert received == ["/form"]


@pytest.mark.browser
def test_an_office_page_prints_on_landscape_paper_without_its_furniture(gallery: Gallery) -> None:
    address, browser = gallery
    page, _ = visit(browser, address, "/office", DESK, "dark")
    page.emulate_media(media="print")
    assert not page.get_by_role("navigation", name="Menu principal").is_visible()
    assert page.get_by_role("table", name="Bordereaux").is_visible()
    first = re.search(rb"/MediaBox\s*\[([\d. ]+)\]", page.pdf(prefer_css_page_size=True))
    assert first
    _, _, width, height = map(float, first[1].split())
    assert width > height
