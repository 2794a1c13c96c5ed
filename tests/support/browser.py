"""A page in a real browser: Chromium, without a window and without a network, driven by Selenium.

The fixture `browser` (`tests/conftest.py`) is one browser for all tests of a process. A test opens a file and asks what
a reader would see or do: requests, errors, tab stops, widths, and what axe-core finds.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from selenium_axe_python import Axe

DESKTOP = (1440, 900)
PHONE = (390, 844)
ZOOMED = (DESKTOP[0] // 2, DESKTOP[1] // 2)
"""What is left of a desktop's pixels for layout at a zoom of 200%."""

PATIENCE = 60
"""Seconds after which a page hangs. No measurement: machines that run tests are slow."""

Scheme = Literal["light", "dark"]

OVERFLOW = """
const width = document.documentElement.clientWidth;
const boxed = (element) => {
  for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
    if (getComputedStyle(at).overflowX !== "visible") return true;
  }
  return false;
};
if (document.scrollingElement.scrollWidth <= width) return [];
const wide = [...document.body.querySelectorAll("*")].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width && (box.right + scrollX > width + 1) && !boxed(element);
});
return wide.map((element) => element.outerHTML.slice(0, 120));
"""

RECORD_FOCUS = """
// The next Tab goes on from what had the focus last, even if that is gone: so the body has it first.
document.body.tabIndex = -1;
document.body.focus();
document.body.removeAttribute("tabindex");
window.focused = [];
addEventListener("focusin", ({ target }) => window.focused.push(target), true);
"""

DESCRIBE_FOCUS = """
return window.focused.map((element) =>
  [element.localName, element.type, element.id && "#" + element.id, (element.innerText || "").trim().slice(0, 40)]
    .filter(Boolean).join(" "));
"""

COUNT_BEFORE = """
return window.focused.findIndex((element) => element.matches(arguments[0]));
"""


BROKEN_LINKS = """
const place = (href) => document.getElementById(decodeURIComponent(href.slice(1).split("?")[0]));
return [...document.querySelectorAll("a")].map((link) => link.getAttribute("href") ?? link.outerHTML)
  .filter((href) => !href.startsWith("#") || !place(href));
"""


IS_SEEN = """
const target = document.getElementById(decodeURIComponent(arguments[0].split("?")[0]));
if (!target || !target.checkVisibility()) return false;
const box = target.getBoundingClientRect();
return box.bottom > 0 && box.top < innerHeight;
"""


FOLLOW = """
const [place, done] = arguments;
history.replaceState(null, "", location.href.split("#")[0]);
addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(() => done())), {once: true});
location.hash = place;
"""

RUN_AXE = """
const [context, done] = arguments;
axe.run(context, {resultTypes: ["violations"], iframes: false, preload: false})
  .then(done, (error) => done({error: String(error)}));
"""


class Browser:
    """One browser that shows one file at a time."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.page: str = ""

    # ------------------------------------------------------------------------------------------------------- opening

    def open(
        self, page: Path, fragment: str = "", *, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light"
    ) -> float:
        """Show a file as if nothing had been seen before, and give the seconds until it was loaded and drawn."""
        self.driver.get("about:blank")
        self.resize(*size)
        self.emulate(scheme)
        for kind in ("performance", "browser"):
            self.driver.get_log(kind)
        self.page = page.resolve().as_uri()
        began = time.perf_counter()
        self.driver.get(self.page + (f"#{fragment}" if fragment else ""))
        self.settle()
        return time.perf_counter() - began

    def settle(self) -> None:
        """Wait until what was asked for has been drawn: two frames later."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        )

    def resize(self, width: int, height: int) -> None:
        """Set the pixels that the page is laid out in, which may be fewer than a window has at least."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def emulate(self, scheme: Scheme = "light", media: Literal["screen", "print"] = "screen") -> None:
        """Set the reader's colour scheme, and whether the page is shown or printed. Motion is reduced."""
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"media": media, "features": [{"name": name, "value": value} for name, value in features.items()]},
        )

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole})
        path.write_bytes(base64.b64decode(found["data"]))

    def print_pdf(self) -> bytes:
        """The page as it would be printed."""
        return base64.b64decode(self.driver.print_page())

    def follow(self, place: str) -> bool:
        """Go to a place on the page (`#metrics`), as a link does; whether it can then be seen."""
        self.driver.execute_async_script(FOLLOW, place)
        return self.is_seen(place)

    def show_all(self) -> None:
        """Open what is folded because it is long."""
        self.run(
            "for (const one of document.querySelectorAll('main button'))"
            " if (/^show all/i.test(one.textContent.trim()) && one.checkVisibility()) one.click();"
        )
        self.settle()

    def download_to(self, folder: Path) -> None:
        """Keep the files that a page hands out."""
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder.resolve())}
        )

    # -------------------------------------------------------------------------------------------------------- asking

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body in JavaScript returns; `arguments` are its own."""
        return self.driver.execute_script(script, *arguments)  # type: ignore[no-untyped-call]

    def find(self, selector: str) -> WebElement:
        """The first element that fits; `NoSuchElementException` without one."""
        return self.driver.find_element("css selector", selector)

    def find_all(self, selector: str) -> list[WebElement]:
        """All elements that fit, in the page's order."""
        return self.driver.find_elements("css selector", selector)

    def wait_for(self, script: str, *arguments: Any) -> Any:
        """What a function body in JavaScript returns as soon as that is true."""
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: self.run(script, *arguments))

    def text(self, selector: str = "body") -> str:
        """The text that is seen."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def is_seen(self, place: str) -> bool:
        """Whether an element is displayed within the window."""
        return bool(self.run(IS_SEEN, place.removeprefix("#")))

    def brightness(self) -> float:
        """Of the paper that the page is on, from 0 (black) to 1 (white)."""
        colour = self.run("return getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number)")
        return float(sum(colour[:3])) / (3 * 255)

    def wait_for_file(self, path: Path) -> str:
        """The text of a file that the page hands out."""
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: path.exists())
        return path.read_text(encoding="utf-8")

    # ------------------------------------------------------------------------------------------------------- judging

    def requests(self) -> list[str]:
        """All addresses that were asked for since the page was opened, except its own file."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if url.partition("#")[0] != self.page]

    def errors(self) -> list[str]:
        """What the console has said since the page was opened: errors, warnings, and what the policy refused."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> list[str]:
        """The elements that make the page scroll sideways; boxes that scroll by themselves may be wide."""
        return list(self.run(OVERFLOW))

    def violations(self, *selectors: str) -> list[str]:
        """What axe-core finds in the whole page, or in some elements: a line for each rule."""
        axe = Axe(self.driver)
        axe.inject()
        found = self.driver.execute_async_script(RUN_AXE, {"include": [[one] for one in selectors or ("html",)]})
        if "error" in found:
            raise AssertionError(found["error"])
        return [
            f"{rule['id']} ({len(rule['nodes'])}): {rule['help']}: {rule['nodes'][0]['html'][:200]}"
            for rule in found["violations"]
        ]

    def tab(self, times: int) -> list[str]:
        """Press Tab some times from the page's beginning, and describe what had the focus."""
        self.run(RECORD_FOCUS)
        self.press(Keys.TAB * times)
        return list(self.run(DESCRIBE_FOCUS))

    def tab_stops_before(self, selector: str, most: int = 60) -> int:
        """How many elements have the focus before the first that fits; more than `most` is an error."""
        stops = self.tab(most + 1)
        before = int(self.run(COUNT_BEFORE, selector))
        if before < 0:
            raise AssertionError(f"{selector} is not among the first {most} tab stops: {stops}")
        return before

    def broken_links(self) -> list[str]:
        """Links of the page to places that it does not have."""
        return list(self.run(BROKEN_LINKS))


@contextmanager
def start_browser() -> Iterator[Browser]:
    """A browser that ends with the block. Skips the test where the distribution's Chromium is not installed."""
    chromium, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars", "lang=en-US"):
        options.add_argument(f"--{argument}")
    # Whatever a page asks for, no name is looked up and nothing leaves this machine.
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": False})
    with pytest.MonkeyPatch.context() as patch:
        # Selenium finds the programs named here; it may neither fetch others nor ask a proxy for this machine.
        patch.setenv("SE_OFFLINE", "true")
        patch.setenv("no_proxy", "localhost,127.0.0.1")
        started = Chrome(options=options, service=Service(executable_path=driver))
    started.set_page_load_timeout(PATIENCE)
    started.set_script_timeout(PATIENCE)
    try:
        yield Browser(started)
    finally:
        started.quit()
