"""Measure the editor in Chromium, in front of the running service: `python -m benchmarks.studio.stage`.

The numbers are those of the studio's acceptance: 4 stroke, 7 history, 8 wand, 9 smart brush.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import skimage
from PIL import Image
from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.support.editor import open_photo, session
from tests.support.gunicorn import Gunicorn
from tests.support.strokes import fill, ready, set_tool
from tests.support.studio import ARGUMENTS, Tabs, chromium

PHOTO: Final = Path(skimage.__file__).parent / "data" / "coffee.png"
SIZES: Final = {6: (3000, 2000), 24: (6000, 4000)}

SEGMENTS: Final = """({tools}, count) => {
  const brush = tools.get("brush");
  const place = (i) => ({x: 800 + i * 22, y: 2000 + 500 * Math.sin(i / 8), pointer: "mouse"});
  const times = [];
  for (let round = 0; round < 4; round++) {
    brush.begin(place(0));
    for (let i = 1; i < count; i++) {
      const began = performance.now();
      brush.move([place(i)]);
      times.push(performance.now() - began);
    }
    brush.cancel();
  }
  return times;
}"""
STROKES: Final = """async ({tools, settings, document}, count) => {
  const brush = tools.get("brush");
  for (let i = 0; i < count; i++) {
    settings.size.value = 200 + i;
    settings.hardness.value = (i % 5) / 4;
    settings.mode.value = i % 2 ? "restore" : "erase";
    const [x, y] = [400 + (i * 37) % 4000, 600 + (i * 53) % 2800];
    const place = (j) => ({x: x + j * 25, y: y + 200 * Math.sin(j / 9 + i), pointer: "mouse"});
    brush.begin(place(0));
    for (let j = 1; j < 60; j++) brush.move([place(j)]);
    brush.end(place(60));
    await document.history.settled();
  }
  return [document.history.depth, document.history.size];
}"""
DIGEST: Final = """async ({document: {mask}}) => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", mask.toBytes()));
  return [...digest].map((byte) => byte.toString(16)).join(" ");
}"""
STEPS: Final = """({document: {history}}, name) => {
  const began = performance.now();
  let count = 0;
  while (history[name]()) count++;
  return [count, performance.now() - began];
}"""
WAND: Final = """async ({tools, document, settings}, where) => {
  const tasks = [];
  const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({duration}) => duration)));
  observer.observe({entryTypes: ["longtask"]});
  settings.tool.value = "wand";
  await document.work.run("prepare");
  const times = [];
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    await document.work.run("wand", where[0], where[1], {tolerance: 16, contiguous: true, draft: false});
    times.push(performance.now() - began);
  }
  await new Promise((done) => setTimeout(done, 100));
  return [times, Math.max(0, ...tasks)];
}"""
SMART: Final = """async ({tools, document, settings}, hair) => {
  settings.tool.value = "smart";
  settings.sampleHair.value = hair;
  const smart = tools.get("smart");
  const times = [];
  for (let i = 0; i < 4; i++) {
    smart.begin({x: 1000, y: 900 + 40 * i, pointer: "mouse"});
    for (let j = 1; j < 20; j++) smart.move([{x: 1000 + j * 30, y: 900 + 40 * i + j * 8, pointer: "mouse"}]);
    // People let go of what they see: the painted stroke has been drawn.
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const began = performance.now();
    let local = 0;
    const stop = document.history.onChange(() => { local ||= performance.now() - began; });
    await smart.end({});
    stop();
    times.push(hair ? performance.now() - began - local : local);
    document.history.undo();
  }
  return times;
}"""


def row(number: int, what: str, value: str, bound: str) -> None:
    print(f"| {number} | {what} | {value} | {bound} |", flush=True)


def strokes(page: Page) -> None:
    fill(page, 255)
    for size in (64, 500, 1000):
        set_tool(page, "brush", mode="erase", size=size, hardness=0.5, opacity=1)
        times = session(page, SEGMENTS, 80)
        value = f"median {median(times):.2f} ms, p95 {quantiles(times, n=20)[-1]:.2f} ms"
        row(4, f"segment of a {size} px brush at 24 MP", value, "4 ms, 12 ms" if size == 500 else "")


def history(page: Page, protocol: CDPSession) -> None:
    session(page, "({document}) => document.history.restore([], 0)")
    first = session(page, DIGEST)
    before = _heap(protocol)
    depth, size = session(page, STROKES, 200)
    grown = _heap(protocol) - before
    last = session(page, DIGEST)
    value = f"history {size / 1e6:.1f} MB, heap and buffers + {grown / 1e6:.0f} MB, {depth} steps"
    row(7, "200 strokes at 24 MP", value, "64 MB, 160 MB")
    undone, undo_ms = session(page, STEPS, "undo")
    is_first = session(page, DIGEST) == first
    redone, redo_ms = session(page, STEPS, "redo")
    is_last = session(page, DIGEST) == last
    value = f"{is_first}, {is_last}; {undo_ms / max(1, undone):.1f} and {redo_ms / max(1, redone):.1f} ms each"
    row(7, f"{undone} undos give the first bytes, {redone} redos the last", value, "True, True")


def wand(page: Page, megapixels: int) -> None:
    width, height = SIZES[megapixels]
    times, longest = session(page, WAND, [width * 0.05, height * 0.05])
    value = f"{min(times):.0f} to {max(times):.0f} ms; longest task of the page {longest:.0f} ms"
    row(8, f"wand with refined edge, {megapixels} MP", value, f"{250 if megapixels == 6 else 500} ms, 50 ms")


def smart(page: Page) -> None:
    set_tool(page, "smart", mode="erase", size=400, sampleHair=False)
    local = session(page, SMART, False)
    value = f"first {local[0]:.0f} ms, then {min(local[1:]):.0f} to {max(local[1:]):.0f} ms"
    row(9, "smart brush, local, about 1 MP", value, "150 ms")
    with_server = session(page, SMART, True)
    row(9, "/refine with matting of the same part, 1.4 MP", f"{min(with_server):.0f} ms", "1500 ms")


def _heap(protocol: CDPSession) -> float:
    protocol.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = protocol.send("Runtime.getHeapUsage")
    return float(usage["usedSize"]) + float(usage.get("backingStorageSize", 0))


def main() -> None:
    print("| # | what | measured | bound |\n| --- | --- | --- | --- |")
    with Gunicorn() as server, sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*ARGUMENTS])
        for megapixels, runs in ((6, ()), (24, (strokes, smart))):
            path = Path(folder) / f"{megapixels}.jpg"
            Image.open(PHOTO).convert("RGB").resize(SIZES[megapixels]).save(path, quality=90)
            tabs = Tabs(browser)
            tab = tabs.open(server.url, reduced_motion="reduce")
            open_photo(tab, path)
            ready(tab.page)
            measure(tab.page, megapixels, list(runs))
            tabs.close()
        browser.close()


def measure(page: Page, megapixels: int, runs: list[Callable[[Page], None]]) -> None:
    wand(page, megapixels)
    for run in runs:
        run(page)
    if megapixels == 24:
        history(page, page.context.new_cdp_session(page))


if __name__ == "__main__":
    main()
