"""Open a report in headless Chromium and use it: no console error, no request, filter, sort and time line work.

axe-core finds nothing, and nothing is cut off, on a screen and on a phone. Run by hand:
`python tests/slow/browser/check.py REPORT.html`, with Debian's chromium and npm installed. It speaks the DevTools
protocol over a pipe, so nothing but the standard library is needed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--window-size=1366,768",
         "--remote-debugging-pipe")  # fmt: skip
AXE_CORE = "4.14.1"
SETTLE = "new Promise(done => setTimeout(done, 250))"
VIOLATIONS = """axe.run().then(told => JSON.stringify(
  told.violations.map(found => [found.id, found.nodes.length, found.nodes[0].target])))"""
OPEN = """document.querySelectorAll('details').forEach((part, at) => {
  part.open = !part.classList.contains('claim') || at < 40 })"""
LOOKS = (
    ("as it opens", "0", "0"),
    ("all details open", OPEN,
     "document.querySelectorAll('details').forEach(part => { part.open = false })"),
    ("dialog of a claim", "document.querySelector('#table th a')?.click()", "document.querySelector('#viewer').close()"),
)  # fmt: skip
"""What is looked at: its name, what opens it, what closes it."""
CUT_OFF = """[...document.querySelectorAll(':root, .scroll, .chart')]
  .filter(part => !part.closest('details:not([open])') && part.scrollWidth > part.clientWidth + 1)
  .map(part => [part.getAttribute('aria-label') || part.tagName, part.scrollWidth, part.clientWidth])"""
TOTAL = "document.querySelectorAll('#table tbody tr').length"
SHOWN = "[...document.querySelectorAll('#table tbody tr')].filter(row => row.getClientRects().length)"


class Browser:
    """Chromium with one page, driven over file descriptors 3 and 4."""

    def __init__(self, profile: str) -> None:
        read_commands, self.to = os.pipe()
        self.back, write_answers = os.pipe()
        # The child's ends must be 3 and 4; the shell moves them there.
        command = f'exec "$@" 3<&{read_commands} 4>&{write_answers}'
        program = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("chromium is not installed")
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(read_commands, write_answers), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_commands)
        os.close(write_answers)
        self.number, self.rest, self.session = 0, b"", None
        self.events: list[dict[str, Any]] = []
        page = next(t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: Any) -> Any:
        """Send one command and wait for its answer, keeping the events that come in between."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params} | (
            {"sessionId": self.session} if self.session else {}
        )
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def read(self) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self.rest:
            self.rest += os.read(self.back, 1 << 16)
        message, _, self.rest = self.rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, address: str) -> None:
        """Load a page to its end."""
        observed = self.loads()
        self("Page.navigate", url=address)
        while self.loads() == observed:
            self.events.append(self.read())

    def loads(self) -> int:
        """How often a page has finished loading."""
        return sum(event.get("method") == "Page.loadEventFired" for event in self.events)

    def js(self, expression: str) -> Any:
        """The value of an expression, a promise's included."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")


def main(report: Path) -> int:
    """Check one report; print a line for each check."""
    address = report.resolve().as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            browser.open(address)
            checks = [*accessible(browser, axe(Path(profile))), *use(browser), *fits(browser)]
            reported = [e for e in browser.events if e.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded",
                                                                     "Runtime.consoleAPICalled")]  # fmt: skip
            asked = {e["params"]["request"]["url"].partition("#")[0] for e in browser.events
                     if e.get("method") == "Network.requestWillBeSent"}  # fmt: skip
            checks += [
                ("no console message", not reported, reported),
                ("no request but the file", asked == {address}, asked),
            ]
        finally:
            browser.process.terminate()
            browser.process.wait()
    for name, passed, detail in checks:
        print(f"{'ok  ' if passed else 'FAIL'} {name}" + ("" if passed else f": {detail}"))
    return 0 if all(passed for _, passed, _ in checks) else 1


def axe(folder: Path) -> str:
    """The source of axe-core: of the file that AXE names, else the package of npm, installed into this folder."""
    if not (named := os.environ.get("AXE")):
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"axe-core@{AXE_CORE}"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            sys.exit("axe-core is not there: install npm, or name its axe.min.js in the environment variable AXE")
    return Path(named or folder / "node_modules/axe-core/axe.min.js").read_text()


def resize(browser: Browser, width: int) -> None:
    """A screen of this width, or a phone."""
    size = {"width": width, "height": 844 if width < 600 else 768, "deviceScaleFactor": 1, "mobile": width < 600}
    browser("Emulation.setDeviceMetricsOverride", **size)


def accessible(browser: Browser, source: str) -> Any:
    """axe-core on a screen and a phone, light and dark: the page, with everything open, and the dialog of a claim."""
    browser.js(f"{source};0")
    for width in (1366, 390):
        resize(browser, width)
        for scheme in ("light", "dark"):
            browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for what, before, after in LOOKS:
                browser.js(f"{before};{SETTLE}")
                found = json.loads(browser.js(VIOLATIONS))
                yield f"axe-core at {width}, {scheme}, {what}", not found, found
                browser.js(after)
    browser("Emulation.setEmulatedMedia", features=[])
    resize(browser, 1366)


def use(browser: Browser) -> Any:
    """Filter, sort, turn the page, open and close a time line."""
    total = browser.js(TOTAL)
    if not total:
        return
    yield "first page of at most 50", browser.js(f"{SHOWN}.length") == min(50, total), total
    browser.js(f"document.querySelector('#f-outcome').value = 'review'; "
               f"document.querySelector('#controls').dispatchEvent(new Event('input')); {SETTLE}")  # fmt: skip
    outcomes = browser.js(f"[...new Set({SHOWN}.map(row => row.cells[0].textContent))]")
    yield "filter by outcome", outcomes in (["review"], []), outcomes
    rule = browser.js("document.querySelector('#f-rule').options[1].value")
    browser.js(f"document.querySelector('#controls').reset(); document.querySelector('#f-rule').value = '{rule}'; "
               f"document.querySelector('#controls').dispatchEvent(new Event('input')); {SETTLE}")  # fmt: skip
    rules = browser.js(f"[...new Set({SHOWN}.map(row => row.cells[1].textContent.slice(0, 6)))]")
    yield "filter by rule", rules == [rule], rules
    provider = browser.js(f"{SHOWN}[0].cells[4].textContent")
    search = f"const f = document.querySelector('#f-provider'); f.value = {json.dumps(provider)}; "
    browser.js(f"document.querySelector('#controls').reset(); {{{search} "
               f"f.dispatchEvent(new Event('input', {{bubbles: true}}))}} {SETTLE}")  # fmt: skip
    found = browser.js(f"[...new Set({SHOWN}.map(row => row.cells[4].textContent))]")
    yield "filter by provider", bool(found) and all(provider in name for name in found), found
    browser.js(f"document.querySelector('a[data-provider]').click(); {SETTLE}")
    linked = browser.js("document.querySelector('a[data-provider]').dataset.provider")
    found = browser.js(f"[...new Set({SHOWN}.map(row => row.cells[4].textContent))]")
    yield "a provider's link shows exactly that provider", found in ([linked], []), found
    if browser.js("document.querySelector('#f-payer') !== null"):
        browser.js(f"document.querySelector('a[data-payer]').click(); {SETTLE}")
        linked = browser.js("document.querySelector('a[data-payer]').dataset.payer")
        found = browser.js(f"[...new Set({SHOWN}.map(row => row.querySelector('[data-payer]').textContent))]")
        yield "a payer's link shows that payer alone", found in ([linked], []), found
        browser.js(f"document.querySelector('a[data-provider]').click(); {SETTLE}")
    yield "the filters are in the address", "provider=" in browser.js("location.search"), browser.js("location.search")
    browser.js(f"document.querySelector('#controls button').click(); {SETTLE}")
    yield "clear", browser.js(f"{SHOWN}.length") == min(50, total), total
    for press, order, reverse in ((1, "ascending", False), (2, "descending", True)):
        browser.js("document.querySelectorAll('#table thead button')[3].click()")
        dates = browser.js(f"{SHOWN}.map(row => row.cells[3].textContent)")
        state = browser.js("document.querySelectorAll('#table th')[3].getAttribute('aria-sort')")
        yield (
            f"sort by date, press {press}",
            dates == sorted(dates, reverse=reverse) and state == order,
            (state, dates[:3]),
        )
    if total > 50:
        browser.js("document.querySelector('#next').click()")
        shown = browser.js(f"{SHOWN}.length")
        yield "next page", shown == min(50, total - 50), shown
        browser.js("document.querySelector('#back').click()")
    browser.js("document.querySelector('#table th a')?.click()")
    yield "time line opens", browser.js("document.querySelector('#viewer[open] svg.line') !== null"), "no picture"
    yield from decide(browser)
    browser.js("document.querySelector('#close').click()")
    yield "and closes", browser.js("!document.querySelector('#viewer').open"), "still open"


def fits(browser: Browser) -> Any:
    """Nothing is wider than its frame, whatever is open; without JavaScript nothing is missing."""
    total = browser.js(TOTAL)
    browser.js(OPEN)
    for width in (1366, 390):
        resize(browser, width)
        wide = browser.js(f"{SETTLE}.then(() => {CUT_OFF})")
        yield f"nothing is cut off at {width}", wide == [], wide
    browser("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(browser.js("location.href.split('#')[0]"))
    shown = browser.js(f"{SHOWN}.length")
    hidden = browser.js("document.querySelector('#controls')?.hidden ?? true")
    yield "without JavaScript every finding is there, and no dead control", shown == total and hidden, (shown, hidden)


def decide(browser: Browser) -> Any:
    """The command for a case is chosen and copied with the keyboard; without a ledger there is none."""
    if not browser.js("document.querySelector('#viewer .decide') !== null"):
        return
    command = browser.js("document.querySelector('#viewer .decide code').textContent")
    browser.js("document.querySelector('#viewer .decide select').focus()")
    for key, code in (("ArrowDown", 40), ("Tab", 9), ("Enter", 13)):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" else {}
            browser("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)
    status = browser.js(f"{SETTLE}.then(() => document.querySelector('#viewer .decide [role=status]').textContent)")
    copied = browser.js("String(getSelection())")
    decisions = browser.js("[...document.querySelectorAll('#viewer .decide select')[0].options].map(o => o.value)")
    words = command.split()
    expected = command.replace(f" {decisions[0]} ", f" {decisions[1]} ")
    yield "a case has its command", words[:3] == ["audit98968", "cases", "decide"] and words[5].isdigit(), command
    yield "which is copied with the keyboard", (status, copied) == ("Copied", expected), (status, copied)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
