"""Pictures of a report for the README, in light and in dark:
`python tests/browser/pictures.py reports/published/report.html docs/pictures`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright


def main(report: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
            page.goto(report.resolve().as_uri())
            page.screenshot(path=out / f"report-{scheme}.png")
            page.evaluate("document.querySelector('#ways').scrollIntoView()")
            page.screenshot(path=out / f"ways-{scheme}.png")
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
