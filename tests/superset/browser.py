"""Dashboards as a person sees them: headless Chromium, each chart's own data answer, and the pixels that were drawn."""

from __future__ import annotations

import io
import json
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Response, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# Deck.gl wants WebGL, which software draws here; the others keep Chromium from looking for the world.
FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-dev-shm-usage", "--ignore-gpu-blocklist", "--use-gl=angle",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip
_STATE = """() => ({
  loading: document.querySelectorAll('[data-test=loading-indicator], .loading, .ant-spin-spinning').length,
  charts: [...document.querySelectorAll('[data-test-chart-id]')].map(e => ({
    id: e.getAttribute('data-test-chart-id'), name: e.getAttribute('data-test-chart-name'),
    surfaces: e.querySelectorAll('canvas, table').length, empty: !!e.querySelector('.ant-empty')})),
  errors: [...document.querySelectorAll('[role=alert], .ant-alert-error, [data-test=error-boundary]')]
    .map(e => e.innerText).filter(t => t)})"""


@dataclass
class Chart:
    """A chart on the page."""

    name: str
    results: list[dict[str, Any]]
    """What the server answered to it, as Superset hands it to the chart."""
    ink: float
    """How much of the chart's box is not background: between 0 and 1."""
    empty: bool

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows it was drawn from."""
        return [row for result in self.results for row in result["data"]]


@dataclass
class Dashboard:
    """A dashboard that has been drawn."""

    charts: dict[str, Chart]
    errors: list[str]
    tiles: int
    refused: list[str] = field(default_factory=list)
    """Addresses elsewhere that the page asked for, and did not get."""


class Browser:
    """One page, logged in."""

    def __init__(self, page: Page, url: str, artefacts: Path) -> None:
        self._page, self._url, self._artefacts = page, url, artefacts
        self._answers: dict[str, Response] = {}
        self._tiles: set[str] = set()
        self._refused: list[str] = []
        page.route(lambda address: not address.startswith((url, "data:", "blob:")), self._refuse)
        page.on("response", self._remember)

    def dashboard(self, number: int, screenshot: str, charts: int) -> Dashboard:
        """Opens a dashboard, waits until its charts stand still, and keeps a picture of it."""
        self._answers.clear()
        self._tiles.clear()
        self._refused.clear()
        self._page.goto(f"{self._url}/superset/dashboard/{number}/", wait_until="domcontentloaded")
        still = 0
        for _ in range(120):
            state = self._page.evaluate(_STATE)
            still = still + 1 if self._settled(state, charts) else 0
            if still == 4:
                break
            self._page.wait_for_timeout(1000)
        self._page.wait_for_timeout(2000)
        self._page.screenshot(path=self._artefacts / f"{screenshot}.png", full_page=True)
        assert still == 4, f"the charts do not come to rest: {state}"
        drawn = {chart["name"]: self._chart(chart) for chart in state["charts"]}
        return Dashboard(drawn, state["errors"], len(self._tiles), self._refused[:])

    def login(self) -> None:
        """Fills in the form. It is sent back once where the session's cookie comes late."""
        for _ in range(3):
            self._page.goto(f"{self._url}/login/", wait_until="networkidle")
            self._page.fill("input[name=username], #username", "admin")
            self._page.fill("input[name=password], #password", "admin")
            self._page.keyboard.press("Enter")
            try:
                return self._page.wait_for_url(lambda address: "/login" not in address, timeout=20_000)
            except Exception as error:
                failure = error
        raise failure

    def _settled(self, state: Any, charts: int) -> bool:
        here = state["charts"]
        return (
            len(here) >= charts
            and state["loading"] == 0
            and all(chart["id"] in self._answers and (chart["surfaces"] or chart["empty"]) for chart in here)
        )

    def _chart(self, chart: dict[str, Any]) -> Chart:
        answer = self._answers[chart["id"]]
        assert answer.status == 200, f"{chart['name']}: {answer.status} {answer.text()[:2000]}"
        box = self._page.locator(f"[data-test-chart-id='{chart['id']}']").first
        image = Image.open(io.BytesIO(box.screenshot())).convert("RGB")
        width, height = image.size
        image = image.crop((0, int(height * 0.15), width, int(height * 0.85)))  # without title and logo
        pixels = image.size[0] * image.size[1]
        ink = 1 - max(count for count, _ in image.getcolors(pixels) or []) / pixels
        return Chart(chart["name"], answer.json()["result"], ink, bool(chart["empty"]))

    def _remember(self, response: Response) -> None:
        if "/ovate/map/" in response.url and response.status == 200:
            self._tiles.add(response.url)
        if "/api/v1/chart/data" in response.url:
            form_data = urllib.parse.unquote(response.url) + (response.request.post_data or "")
            if match := re.search(r'"slice_id"\s*:\s*(\d+)', form_data):
                self._answers[match[1]] = response

    def _refuse(self, route: Any) -> None:
        self._refused.append(route.request.url)
        route.abort()


@contextmanager
def browser(url: str, artefacts: Path) -> Iterator[Browser]:
    """Chromium for as long as it is needed."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1600, "height": 1300})
        opened = Browser(page, url, artefacts)
        opened.login()
        yield opened
        chromium.close()


def dump(dashboard: Dashboard, file: Path) -> None:
    """Keeps what the charts were drawn from beside the picture."""
    charts = {name: [result["query"] for result in chart.results] for name, chart in dashboard.charts.items()}
    file.write_text(json.dumps({"charts": charts, "refused": dashboard.refused}, indent=1))
