"""Pictures of each tab, for the README and for one's own eyes. Run by hand, over a page that is being served:

    python scripts/serve.py outputs/latest/bundle
    python tests/app/screenshots.py http://127.0.0.1:7860 src/embedrec/app/screenshots [--dark] [--phone]

A tab that the page does not have is left out. Prints the path of each picture.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from visiting import DESKTOP, PHONE, Visitor, visit

TALLEST = 1400  # pixels of a picture; a longer page is cut
FADING = 0.5  # seconds until a list of choices is gone


class Guide:
    """Fills each tab with what a visitor would look at."""

    def __init__(self, visitor: Visitor, address: str, customer: str) -> None:
        self.visitor, self.customer = visitor, customer
        question = json.dumps({"customer_id": customer, "k": 2}).encode()
        asked = Request(f"{address}/recommend", question, {"content-type": "application/json"})
        with urlopen(asked) as answer:
            self.product, self.second = [item["product_id"] for item in json.load(answer)["items"]]

    def _find(self, dropdown: str, product: str) -> None:
        self.visitor.wait(lambda: self.visitor.find(f"{dropdown} input").is_displayed())
        box = self.visitor.find(f"{dropdown} input")
        box.send_keys(product)
        options = f"{dropdown} [role=option]"
        self.visitor.wait(lambda: product in self.visitor.text(options))
        box.send_keys("\n")

    def _shown(self, result: str) -> None:
        self.visitor.wait(lambda: self.visitor.find(f"{result} .er-card").is_displayed())

    def customer_tab(self) -> None:
        self.visitor.ask(self.customer)
        self.visitor.wait(lambda: self.customer in self.visitor.text("#customer-result"))

    def new_customer_tab(self) -> None:
        for product in (self.product, self.second):
            self._find("#basket", product)
        self.visitor.wait(lambda: "What next, and why" in self.visitor.text("#new-customer-result"))

    def products_tab(self) -> None:
        self.visitor.wait(lambda: self.visitor.find("#product-card .er-id").is_displayed())
        self.visitor.wait(lambda: self.visitor.find("#catalogue svg").is_displayed())

    def audience_tab(self) -> None:
        self._find("#audience-product", self.product)
        self.visitor.click("Find customers")
        self._shown("#audience-result")

    def compare_tab(self) -> None:
        self.visitor.find("#compare-customer input, #compare-customer textarea").send_keys(self.customer, "\n")
        self._shown("#comparison")

    def model_tab(self) -> None:
        self.visitor.wait(lambda: self.visitor.find(".er-board").is_displayed())

    def tabs(self) -> dict[str, Callable[[], None]]:
        """Return the name of each tab and what fills it."""
        return {
            "Customer": self.customer_tab,
            "New customer": self.new_customer_tab,
            "Products": self.products_tab,
            "Audience": self.audience_tab,
            "Compare": self.compare_tab,
            "Model": self.model_tab,
        }


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="where the page is served, such as http://127.0.0.1:7860")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--customer", default="C0042")
    parser.add_argument("--dark", action="store_true", help="as somebody sees it whose system is dark")
    parser.add_argument("--tall", type=int, default=TALLEST, help="pixels after which a picture is cut")
    parser.add_argument("--phone", action="store_true", help=f"{PHONE} pixels wide instead of {DESKTOP}")
    given = parser.parse_args()
    width = PHONE if given.phone else DESKTOP
    suffix = "-dark" * given.dark + "-phone" * given.phone
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own, visit(Path(own) / "profile", Path(own)) as visitor:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if given.dark else "light"}
        visitor.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        visitor.browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        guide = Guide(visitor, given.address, given.customer)
        for name, fill in guide.tabs().items():
            visitor.resize(width)
            visitor.open(given.address)
            if not visitor.open_tab(name):
                continue
            fill()
            picture = given.folder / f"{name.lower().replace(' ', '_')}{suffix}.png"
            picture.write_bytes(_whole_page(visitor, width, given.tall))
            print(picture)


def _whole_page(visitor: Visitor, width: int, most: int) -> bytes:
    """Take the page as tall as it is, without the focus that a visitor's last key left."""
    visitor.browser.execute_script("document.activeElement?.blur(); scrollTo(0, 0)")
    time.sleep(FADING)
    tall = visitor.browser.execute_script("return document.querySelector('.gradio-container').scrollHeight")
    visitor.resize(width, min(tall, most))
    taken = visitor.browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    main()
