"""A browser that walks through the pages, and tells what is wrong with each."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tools import missing

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Request

ARGUMENTS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP: Final = (1280, 1000)  # pixels
PHONE: Final = (375, 800)
AXE: Final[dict[str, Any]] = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
WIDTH: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"  # pixels too much
LOOKS: Final = (
    ("light", "light", DESKTOP),
    ("dark", "dark", DESKTOP),
    ("phone", "light", PHONE),
)
LONGEST: Final = 30_000  # milliseconds for one step
VIOLATIONS: Final = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  e => window.violations.push(e.violatedDirective + " " + e.blockedURI));
"""


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium; the test is skipped where it, or what drives it, is not there."""
    program = shutil.which("chromium") or missing("chromium is not installed here")
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415 (`make browser` installs it)
    except ImportError:
        missing("playwright is not installed here: make browser")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield found
        finally:
            await found.close()


@dataclass
class Walk:
    """A walk in one browser's context. `shots`: where pictures go, if anywhere, under this walk's name."""

    context: BrowserContext
    page: Page
    origin: str
    shots: Path | None
    name: str
    told: list[str] = field(default_factory=list)  # what the page under way has complained about
    faults: list[str] = field(default_factory=list)

    async def visit(self, title: str, path: str, expected: int = 200) -> None:
        """Opens a page, looks at it light, dark and on a phone, and keeps what is wrong."""
        self.told.clear()
        answer = await self.page.goto(f"{self.origin}{path}")
        status = answer.status if answer is not None else 0
        where = f"{title} ({path})"
        if status != expected:
            self.faults.append(f"{where}: {status}, not {expected}")
            return
        await self.look(title)
        if expected >= 400:  # which Chromium complains about as well
            self.told[:] = [one for one in self.told if "status of" not in one]
        self.faults += [f"{where}: {one}" for one in self.told]

    async def send(self, title: str, path: str, fields: Mapping[str, str], button: str) -> None:
        """Fills in a form by the labels of its fields, sends it, and looks at what comes of it."""
        await self.page.goto(f"{self.origin}{path}")
        for label, text in fields.items():
            field = self.page.get_by_label(label)
            if await field.evaluate("one => one.type") == "checkbox":
                await field.check()
            else:
                await field.fill(text)
        self.told.clear()
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=button, exact=True).click()
        await self.look(title)
        self.faults += [f"{title} ({path}): {one}" for one in self.told if "status of" not in one]

    @property
    def looks(self) -> Sequence[tuple[str, str, tuple[int, int]]]:
        """All of an admin, who sees every page, and where pictures are made; else the narrow one, which shows most."""
        return LOOKS if self.name == "admin" or self.shots is not None else LOOKS[-1:]

    async def look(self, title: str) -> None:
        """Looks at the page that is open."""
        for look, scheme, (width, height) in self.looks:
            await self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await self.page.set_viewport_size({"width": width, "height": height})
            if self.shots is not None:
                await self.page.screenshot(path=self.shots / f"{title}.{self.name}.{look}.png", full_page=True)
            wide = await self.page.evaluate(WIDTH)
            if wide > 0:
                self.told.append(f"{look}: it is {wide} pixels too wide")
            self.told += [f"{look}: {one}" for one in await violations(self.page)]
        self.told += await self.page.evaluate("window.violations")


async def violations(page: Page) -> list[str]:
    """What axe finds, each with the first places where it is."""
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 (`make browser` installs it)

    found = (await Axe().run(page, options=AXE)).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): " + "; ".join(str(node["html"])[:200] for node in one["nodes"][:3])
        for one in found
    ]


@asynccontextmanager
async def walk(
    among: Browser, origin: str, name: str, shots: Path | None = None, *, script: bool = True
) -> AsyncIterator[Walk]:
    """A walk by somebody with a new browser; all that the page complains about is kept."""
    context = await among.new_context(java_script_enabled=script)
    context.set_default_timeout(LONGEST)
    try:
        if script:
            await context.add_init_script(VIOLATIONS)
        page = await context.new_page()
        found = Walk(context, page, origin, shots, name)
        page.on("console", lambda said: found.told.append(f"console {said.type}: {said.text}"))
        page.on("pageerror", lambda error: found.told.append(f"error: {error}"))
        page.on("requestfailed", lambda request: found.told.extend(_failed(request)))
        yield found
    finally:
        await context.close()


def _failed(request: Request) -> list[str]:
    """What a request's failure is told as; Chromium gives up the icon of a page that it leaves, which is none."""
    given_up = request.failure == "net::ERR_ABORTED" and request.url.endswith("/favicon.svg")
    return [] if given_up else [f"failed: {request.url} {request.failure}"]


async def sign_in(page: Page, origin: str, secret: str) -> None:
    """Signs in with the form."""
    await page.goto(f"{origin}/-/sign-in")
    await page.get_by_label("Token").fill(secret)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Sign out").wait_for()


@pytest.fixture
def shots(request: pytest.FixtureRequest) -> Path | None:
    """Where pictures go: `--screenshots DIR`."""
    chosen = request.config.getoption("--screenshots")
    if chosen is None:
        return None
    found = Path(str(chosen)).absolute()
    found.mkdir(parents=True, exist_ok=True)
    return found
