"""A person with a browser: one window, and everything in it that a person would never report."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    Request,
    ViewportSize,
    expect,
)

INSTALL = Path(__file__).parents[2] / "scripts" / "install-chromium"
PHONE = ViewportSize(width=360, height=740)
DESK = ViewportSize(width=1280, height=800)
WALL = ViewportSize(width=1920, height=1080)

Scheme = Literal["light", "dark"]

# Nothing here may leave this computer, and no answer may depend on what is outside.
_ARGUMENTS = [
    "--host-resolver-rules=MAP printers.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-dev-shm-usage",  # a container has 64 MB of it
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
]
_WAIT_MS = 15_000
_CLOSE_S = 5.0


class Finding(Struct, frozen=True):
    """What axe-core has against a page; ``where`` are CSS selectors."""

    rule: str
    impact: str
    help: str
    where: tuple[str, ...]


class Visitor:
    """One window.

    Attributes:
        page: Playwright's.
        errors: what the browser's console complained of, with refusals by the Content-Security-Policy.
        requests: the address of each request.
        expected: an error with this text is none; empty for every error is one.
    """

    def __init__(self, page: Page, *, origin: str, axe: Path) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.expected = ""
        self._origin = origin
        self._axe = axe
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(f"exception: {error}"))
        page.on("request", self._note)

    def _hear(self, message: ConsoleMessage) -> None:
        foreseen = self.expected and self.expected in message.text
        if message.type in {"error", "warning"} and not foreseen:
            self.errors.append(f"{message.type}: {message.text}")

    def _note(self, request: Request) -> None:
        self.requests.append(request.url)

    async def open(self, path: str) -> None:
        """Go to a page of the agent."""
        answer = await self.page.goto(self._origin + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"

    async def text(self, selector: str) -> str:
        """What a person reads there."""
        return await self.page.inner_text(selector)

    async def weigh(self) -> Callable[[], int]:
        """Count, from now on, what comes over the wire, heads and streams included; the result tells how many bytes."""
        wire = await self.page.context.new_cdp_session(self.page)
        whole: dict[str, float] = {}
        parts: dict[str, float] = {}

        def part(told: dict[str, Any]) -> None:
            parts[told["requestId"]] = parts.get(told["requestId"], 0) + max(
                told["encodedDataLength"], told["dataLength"]
            )

        wire.on("Network.loadingFinished", lambda told: whole.update({told["requestId"]: told["encodedDataLength"]}))
        wire.on("Network.dataReceived", part)
        await wire.send("Network.enable")
        return lambda: int(sum((parts | whole).values()))

    async def reads(self, selector: str, text: str) -> None:
        """Wait until a person reads it there."""
        await expect(self.page.locator(selector)).to_contain_text(text, timeout=_WAIT_MS)

    async def changes(self, selector: str, before: str) -> None:
        """Wait until a person reads something else there."""
        await expect(self.page.locator(selector)).not_to_have_text(before, timeout=_WAIT_MS, use_inner_text=True)

    async def too_wide(self) -> list[str]:
        """The elements that stick out to the right of the window, outermost first; empty as it should be."""
        found: list[str] = await self.page.evaluate(_TOO_WIDE)
        return found

    async def focus_walk(self, most: int = 400) -> list[dict[str, Any]]:
        """Press Tab until there is nothing new; what had the focus, how far down in the document, and how it looked."""
        stops: list[dict[str, Any]] = []
        for _ in range(most):
            await self.page.keyboard.press("Tab")
            stop = await self.page.evaluate(_FOCUSED)
            if stop is None or (stops and stop["index"] == stops[0]["index"]):
                return stops
            stops.append(stop)
        raise AssertionError(f"no end after {most} stops, the last {stops[-3:]}")

    async def barriers(self, *rules: str) -> list[Finding]:
        """What axe-core finds that is serious or critical, by all its rules or by some."""
        options: dict[str, Any] = {"preload": False, "resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": rules}
        await self.page.evaluate(self._axe.read_text())
        told = await self.page.evaluate("(options) => axe.run(document, options)", options)
        assert told["passes"], "axe-core has looked at nothing"
        return [
            Finding(
                each["id"],
                each["impact"],
                each["help"],
                tuple(" ".join(map(str, at["target"])) for at in each["nodes"]),
            )
            for each in told["violations"]
            if each["impact"] in {"serious", "critical"}
        ]

    def strangers(self) -> list[str]:
        """Requests that went elsewhere than to the agent."""
        return [url for url in self.requests if not url.startswith((f"{self._origin}/", "data:"))]

    def well_behaved(self) -> None:
        """Fail if the console complained, or anybody else was asked."""
        assert self.errors == []
        assert self.strangers() == []


class Chromium:
    """The browser, and windows of it."""

    def __init__(self, browser: Browser, *, axe: Path) -> None:
        self._browser = browser
        self._axe = axe

    @asynccontextmanager
    async def window(
        self,
        origin: str,
        *,
        size: ViewportSize = DESK,
        scheme: Scheme = "light",
        language: str = "en-GB",
        forgiving: bool = False,
        **options: Any,
    ) -> AsyncIterator[Visitor]:
        """A window that has no cookies and no cache of any other; at its end it must have behaved well.

        Args:
            origin: the agent, ``http://127.0.0.1:8080``.
            size: in CSS pixels.
            scheme: what the system prefers.
            language: what is preferred, as a tag.
            forgiving: errors are expected.
            options: passed on to Playwright.
        """
        context = await self._browser.new_context(
            viewport=size, color_scheme=scheme, locale=language, timezone_id="UTC", reduced_motion="reduce", **options
        )
        context.set_default_timeout(_WAIT_MS)
        try:
            visitor = Visitor(await context.new_page(), origin=origin, axe=self._axe)
            yield visitor
            if not forgiving:
                visitor.well_behaved()
        finally:
            await _close(context)


async def _close(context: BrowserContext) -> None:
    """Close a window: Chromium may say that it closed a page that was on its way to the next one, and not do it.

    Whoever waits for that waits for ever (https://github.com/microsoft/playwright/issues/41900). To be asked once more
    helps, but Playwright asks for each page only once, and then for all of the window.
    """
    for page in context.pages:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await page.close()
    await context.close()


@asynccontextmanager
async def chromium(playwright: Playwright) -> AsyncIterator[Chromium]:
    """Start the browser.

    Raises:
        AssertionError: it cannot be installed or started.
    """
    done = subprocess.run([INSTALL], check=False, capture_output=True, text=True)  # noqa: ASYNC221 - before all tests
    assert done.returncode == 0, done.stderr
    program, axe = done.stdout.split("\n")[:2]
    try:
        # It shows nothing but the agent's own pages, and its sandbox works neither for root nor in a container.
        browser = await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS, chromium_sandbox=False)
    except Error as error:
        raise AssertionError(f"{program} does not start: {error}") from None
    try:
        yield Chromium(browser, axe=Path(axe))
    finally:
        await browser.close()


_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (element) => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
      if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  const out = document.documentElement.scrollWidth > width ? [`page: ${document.documentElement.scrollWidth} px`] : [];
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (box.width && box.right > width + 1 && !scrolls(element)) {
      out.push(`${element.tagName.toLowerCase()}${element.id && "#" + element.id}.${element.className}: ${box.right}`);
    }
  }
  return out;
}"""

_FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body || element === document.documentElement) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    index: Array.from(document.querySelectorAll("*")).indexOf(element),
    what: element.outerHTML.slice(0, 120),
    text: (element.innerText || element.getAttribute("aria-label") || element.name || "").trim(),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""
