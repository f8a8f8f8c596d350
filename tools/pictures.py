"""Take the README's pictures from a demonstration of its own: a printed page of vouchers, the counter, the money by stage."""

import tempfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from tests.browser import DESK, PHONE, chromium, serve
from tests.clients import MASTER_KEY, app_for
from voucher.access.rules import Role
from voucher.demonstration import DEMO_PASSWORD, DEMO_STAFF, fill
from voucher.issuing.model import Booklet, Voucher
from voucher.issuing.printing import PrintBatch, PrintBooklet, draw_pages
from voucher.issuing.recognise_code import stored_codes
from voucher.issuing.typing_code import typing_code
from voucher.kernel.database import Database
from voucher.kernel.migrations import upgrade
from voucher.kernel.number_labels import booklet_label

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
WIDTH = 900
BASE_URL = "http://127.0.0.1:8000"


def printed_pages(database: Database, number: int) -> list[bytes]:
    """Return the pages of a booklet as pictures."""
    with database.read() as session:
        (stored,) = stored_codes(session, number, 1)
    paper = PrintBatch(
        number=booklet_label(number),
        issuer_name="Région Grand Littoral",
        issuer_address="200 quai des Écluses, 34000 Port-Grand",
        face_value_cents=stored.cover.payload.face_value_cents,
        use_by=stored.cover.payload.use_by,
        printed_at=datetime.now(UTC).replace(microsecond=0),
        help_phone="01 99 00 12 34",
        help_email="aide@pass-numerique.example",
        places_url="pass-numerique.example/lieux",
    )
    booklet = PrintBooklet.of(booklet_label(number), stored.cover, stored.vouchers, BASE_URL)
    return draw_pages(paper, [booklet], pixels_per_inch=110)


def usable_codes(database: Database, count: int) -> list[str]:
    """Return the typing codes of the first usable vouchers of a booklet that holds enough of them."""
    with database.read() as session:
        number = session.scalars(
            select(Voucher.booklet_number)
            .join(Booklet, Booklet.number == Voucher.booklet_number)
            .where(Voucher.state == "handed_over", Booklet.state == "handed_over")
            .order_by(Voucher.serial.desc())
        ).first()
        usable = set(
            session.scalars(
                select(Voucher.serial).where(Voucher.booklet_number == number, Voucher.state == "handed_over")
            )
        )
        codes = stored_codes(session, number or 0, 1)[0].vouchers
    return [typing_code(c.payload.serial, c.payload.tag) for c in codes if c.payload.serial in usable][:count]


def seated(browser: Browser, address: str, role: Role, size: object) -> Page:
    """Return a page signed in as the demonstration's person of a role."""
    page = browser.new_page(viewport=size, device_scale_factor=2)  # type: ignore[arg-type]
    page.goto(f"{address}/personnes/connexion")
    page.fill("input[name=email]", DEMO_STAFF[role][0])
    page.fill("input[name=password]", DEMO_PASSWORD)
    page.click("main button[type=submit]")
    return page


def keep(name: str, png: bytes) -> None:
    """Keep a picture at a width that suits the README."""
    image = Image.open(BytesIO(png)).convert("RGB")
    image.thumbnail((WIDTH, WIDTH * 2))
    PICTURES.mkdir(parents=True, exist_ok=True)
    image.save(PICTURES / f"{name}.png", optimize=True)


def take(database: Database) -> None:
    """Take every picture."""
    cover, vouchers, *_ = printed_pages(database, 1)
    keep("cover", cover)
    keep("booklet", vouchers)
    with serve(app_for(database, is_demo=True)) as address, chromium() as browser:
        page = seated(browser, address, Role.MEDIATOR, PHONE)
        page.goto(f"{address}/comptoir/lieux")
        page.locator("main button", has_text="Encaisser ici").first.click()
        page.goto(f"{address}/comptoir/")
        for code in usable_codes(database, 3):
            page.fill("#code", code)
            page.press("#code", "Enter")
            page.wait_for_timeout(800)
        page.locator("[name=service]").first.check()
        keep("counter", page.screenshot())
        page = seated(browser, address, Role.AUDITOR, DESK)
        page.goto(f"{address}/tableau/")
        keep("board", page.screenshot())


def main() -> None:
    """Make a demonstration in a temporary folder and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/pass.sqlite3"
        upgrade(url)
        database = Database(url)
        fill(database, master_secret=bytes.fromhex(MASTER_KEY), base_url=BASE_URL, now=datetime.now(UTC))
        take(database)
        database.dispose()


if __name__ == "__main__":
    main()
