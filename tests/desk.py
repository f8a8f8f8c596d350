"""A person at a browser: signs in, fills forms by their labels, presses buttons by their words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from tests.clients import PASSWORD
from voucher.issuing.qr import PAPER, symbol

CAMERA_SIDE = 480


class Desk:
    """One page of one person, signed in."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    def open(self, path: str) -> "Desk":
        """Go to a page of the site."""
        answer = self.page.goto(self.address + path)
        assert answer is not None
        assert answer.ok, f"{path} answered {answer.status}"
        return self

    def fill(self, **fields: str) -> "Desk":
        """Fill the main form: a text for each field by its name; a choice by a part of its words."""
        for name, value in fields.items():
            field = self.page.locator(f"main [name='{name}']").first
            kind = field.evaluate("field => field.tagName")
            if kind == "SELECT":
                field.select_option(_option(field, value))
            elif field.get_attribute("type") == "file":
                field.set_input_files(value)
            else:
                field.fill(value)
        return self

    def press(self, words: str) -> "Desk":
        """Press the button whose words begin so; wait for the page it leads to."""
        with self.page.expect_navigation():
            self.page.locator("main").get_by_role("button", name=re.compile(f"^{re.escape(words)}")).first.click()
        return self

    def sees(self, words: str) -> "Desk":
        """Assert that the page says these words, whatever its spaces."""
        text = " ".join(self.page.locator("body").inner_text().split())
        assert words in text, f"« {words} » is not said by: {text}"
        return self

    def follow(self, words: str) -> "Desk":
        """Follow the first link whose words hold these."""
        self.page.locator("main").get_by_role("link", name=re.compile(re.escape(words))).first.click()
        return self

    def download(self, words: str) -> bytes:
        """Follow a link that gives a file; return its bytes."""
        with self.page.expect_download() as waited:
            self.follow(words)
        return Path(waited.value.path()).read_bytes()


def _option(field: Locator, words: str) -> str:
    options = field.locator("option").all()
    return next(
        option.get_attribute("value") or "" for option in options if words.casefold() in option.inner_text().casefold()
    )


@contextmanager
def seated(browser: Browser, address: str, email: str) -> Iterator[Desk]:
    """Sit a person down: a browser of their own, signed in."""
    context = browser.new_context(permissions=["camera"], locale="fr-FR")
    desk = Desk(context.new_page(), address)
    desk.open("/personnes/connexion").fill(email=email, password=PASSWORD).press("Se connecter")
    yield desk
    context.close()


def show_to_camera(text: str, path: Path) -> list[str]:
    """Write a film of one code held before the camera; return Chromium's arguments that play it as its camera."""
    modules = symbol(text, PAPER)
    count = len(modules) + 8
    image = Image.new("L", (count, count), 255)
    for y, row in enumerate(modules):
        for x, module in enumerate(row):
            if module == "1":
                image.putpixel((x + 4, y + 4), 0)
    scale = (CAMERA_SIDE - 40) // count
    drawn = image.resize((count * scale, count * scale), Image.Resampling.NEAREST)
    frame = Image.new("L", (640, CAMERA_SIDE), 200)
    frame.paste(drawn, ((640 - drawn.width) // 2, (CAMERA_SIDE - drawn.height) // 2))
    neutral = bytes([128]) * (640 * CAMERA_SIDE // 4)
    picture = b"FRAME\n" + frame.tobytes() + neutral + neutral
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420\n" + picture * 10)
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    ]
