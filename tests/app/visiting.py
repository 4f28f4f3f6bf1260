"""Somebody at the page: a headless browser that opens it, types, clicks and reads. Needs selenium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE = 20  # seconds
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1280,900"
)
ID_BOX = "#customer-id input"
DESKTOP, PHONE = 1280, 390  # pixels wide


class Visitor:
    """Opens the page, types, clicks, and reads."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self._waiting = WebDriverWait(browser, PATIENCE, 0.02, ignored_exceptions=[WebDriverException])

    def find(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def click(self, words: str) -> None:
        self._displayed(f"//button[normalize-space()='{words}']")[0].click()  # Gradio measures tabs by hidden twins

    def open_tab(self, name: str) -> bool:
        """Open a tab, on a phone through the menu of those there is no room for; False where there is none so named."""
        tabs = self._displayed(f"//button[@role='tab' and normalize-space()='{name}']")
        if not tabs and (menu := self._displayed("//*[contains(@class, 'overflow-menu')]/button")):
            menu[0].click()
            tabs = self._displayed(f"//*[contains(@class, 'overflow-dropdown')]/button[normalize-space()='{name}']")
        for tab in tabs[:1]:
            tab.click()
        return bool(tabs)

    def _displayed(self, path: str) -> list[Any]:
        return [one for one in self.browser.find_elements("xpath", path) if one.is_displayed()]

    def text(self, selector: str) -> str:
        return self.find(selector).text

    def wait(self, happened: Callable[[], object]) -> None:
        self._waiting.until(lambda _: happened(), message=self.text("body"))

    def open(self, address: str) -> None:
        self.browser.get(address)
        self.wait(lambda: self.find(ID_BOX).is_displayed())

    def pick(self, dropdown: str, words: str) -> None:
        box = self.find(f"{dropdown} input")
        box.send_keys(words)
        self.wait(lambda: len(self.browser.find_elements("css selector", f"{dropdown} [role=option]")) == 1)
        box.send_keys("\n")

    def choose(self, radio: str, words: str) -> None:
        labels = self.browser.find_elements("css selector", f"{radio} label")
        next(label for label in labels if label.text == words).click()

    def ask(self, customer_id: str) -> None:
        box = self.find(ID_BOX)
        self.browser.execute_script("arguments[0].select()", box)
        box.send_keys(customer_id, "\n")

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width <= PHONE}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@contextmanager
def visit(profile: Path, downloads: Path) -> Iterator[Visitor]:
    """Start a browser of its own, which keeps its state in `profile` and saves files in `downloads`."""
    options = webdriver.ChromeOptions()
    asks_nobody = {"profile.default_content_setting_values.automatic_downloads": 1}  # of a second file from one page
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads), **asks_nobody})
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield Visitor(browser)
    finally:
        browser.quit()
