"""How fast a comparison's page opens, filters and sorts many conversations, in headless Chromium.

    python -m tests.benchmarks.conversations_page --conversations 5000

Runs, texts and scores are made up. One conversation has a turn of a million letters without a space. Prints a line of
JSON for the page and one for each of the things that a reader does. `--page` keeps the page, or measures one that is
there.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from liftbench.judging.compare import compare
from liftbench.records.conversation import Conversation, Turn
from liftbench.report.html.comparison import render_comparison

from ..support.browser import Browser, start_browser
from ..support.build import write_run

TURNS, WORDS, SUMMARY = 8, 20, 26
LETTERS = "abcdefghijklmnopqrstuvwxyz"

MEASURE = """
const [step, done] = [arguments[0], arguments[1]];
const box = document.querySelector(".talks");
const control = (name) => box.querySelector(`[data-state="${name}"]`);
const set = (name, value) => {
  control(name).value = value;
  control(name).dispatchEvent(new Event("input", {bubbles: true}));
};
const steps = {
  search: () => set("search", "zz"),
  "search again": () => set("search", "zzy"),
  "search nothing": () => set("search", ""),
  "filter worse": () => set("change", "worse"),
  "filter all": () => set("change", ""),
  "sort by another metric": () => set("sort", "rouge1"),
  "sort from highest": () => set("order", "desc"),
  "sort by place": () => set("sort", "place"),
  "show more": () => box.querySelector(".talk-rows + .talk-more").click(),
  "open one": () => box.querySelectorAll(".talk-row")[3].click(),
  "next": () => dispatchEvent(new KeyboardEvent("keydown", {key: "j"})),
  "open a turn of 1 MB": () => { location.hash = "#c1"; },
  "show all of 1 MB": () => box.querySelector(".talk-said .talk-more").click(),
};
const began = performance.now();
steps[step]();
// A task after the next frame: what was changed has been laid out and drawn by then.
requestAnimationFrame(() => setTimeout(() => done({
  milliseconds: performance.now() - began,
  rows: box.querySelectorAll(".talk").length,
  status: box.querySelector(".talk-status").textContent,
})));
"""
STEPS = re.findall(r'^  (?:"([^"]+)"|(\w+)): \(\) =>', MEASURE, re.M)

OPENED = """
const [entry] = performance.getEntriesByType("navigation");
return {milliseconds: entry.loadEventEnd, elements: document.querySelectorAll("*").length,
        heap_mb: performance.memory ? performance.memory.usedJSHeapSize / 1e6 : null};
"""


def write_page(folder: Path, size: int) -> str:
    """A page of a baseline and a candidate on `size` conversations of made-up words."""
    chance = random.Random(0)
    known = ["".join(chance.choices(LETTERS, k=chance.randint(3, 9))) for _ in range(5000)]

    def say(length: int) -> str:
        return f"{' '.join(chance.choices(known, k=length))}."

    rows = [
        Conversation(
            id=f"conversation-{place}",
            turns=tuple(Turn(role="agent" if at % 2 else "customer", text=say(WORDS)) for at in range(TURNS))
            + ((Turn(role="customer", text="w" * 1_000_000),) if place == 0 else ()),
            references=(say(SUMMARY), say(SUMMARY)),
            metadata={"company": f"company {place % 20}", "channel": chance.choice(["phone", "chat", "mail"])},
        )
        for place in range(size)
    ]
    runs = [
        write_run(
            folder,
            command=command,
            conversations=rows,
            texts=[say(SUMMARY) for _ in rows],
            scores={f"metric-{number}": [chance.random() for _ in rows] for number in range(8)},
        )
        for command in ("baseline", "train")
    ]
    return render_comparison(compare(runs[0], runs[1:], slices=["company", "turns"]), {run.id: run for run in runs})


def report(what: str, figures: dict[str, Any]) -> None:
    rounded = {name: round(value, 1) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps({"what": what, **rounded}), flush=True)


def measure(browser: Browser, page: Path) -> None:
    report("page", {"mb": page.stat().st_size / 1e6})
    browser.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    seconds = browser.open(page)
    report("open", {**browser.run(OPENED), "cpu_milliseconds": spent(browser), "seconds_until_drawn": seconds})
    for names in STEPS:
        step, before = names[0] or names[1], spent(browser)
        found = browser.driver.execute_async_script(MEASURE, step)
        report(step, {**found, "cpu_milliseconds": spent(browser) - before})
    print(json.dumps({"errors": browser.errors(), "requests": browser.requests()}))


def spent(browser: Browser) -> float:
    """Milliseconds that the page's main thread has worked for; on a busy machine this is less than what passed."""
    found = browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(one["value"] for one in found if one["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a page of many conversations in a browser.")
    parser.add_argument("--conversations", type=int, default=5000)
    parser.add_argument("--page", type=Path, help="keep the page here, or measure the one that is here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = given.page or Path(folder) / "page.html"
        if not page.is_file():
            began = time.perf_counter()
            page.write_text(write_page(Path(folder), given.conversations), encoding="utf-8")
            report("write", {"conversations": given.conversations, "seconds": time.perf_counter() - began})
        with start_browser() as browser:
            measure(browser, page)


if __name__ == "__main__":
    sys.exit(main())
