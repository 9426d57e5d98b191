"""The HTML report in a browser: its links and its filter, on paper, for everyone, and with text that means harm."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.findings import Finding
from harness.report import anchors

MakeReport = Callable[..., Path]
Open = Callable[..., Any]

HARM = "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>\x1b[31m</script>"
SCHEMES = ("light", "dark")


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def place_of(finding: Finding) -> str:
    return anchors.of_finding(1, finding.trial, finding.checker, finding.aggregate)


def test_the_first_screen_answers(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings), viewport={"width": 1280, "height": 800})
    head = page.locator(".headline h2")
    assert "2 findings are not as expected" in head.inner_text()
    assert head.bounding_box()["y"] < 400


def test_a_cell_opens_its_evidence(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings))
    row = page.locator(f"#{place_of(findings[1])}")
    assert not row.is_visible()
    page.get_by_role("link", name="≈ biased").first.click()
    assert "val_loss" in row.inner_text()
    assert {"0.375", "0.5", "0.01"} <= set(row.inner_text().split())
    assert "train epoch 0 batch 0" in row.locator("xpath=ancestor::details[1]").locator("pre").inner_text()


def test_a_link_from_elsewhere_lands_on_its_finding(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings), anchor=f"#{place_of(findings[-1])}")
    row = page.locator(f"#{place_of(findings[-1])}")
    assert row.is_visible()
    assert "it ended before" in row.inner_text()
    assert 0 <= row.bounding_box()["y"] < page.viewport_size["height"]


def test_a_link_that_leads_nowhere_does_no_harm(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings), anchor="#%E0%A4%A")
    assert page.locator("#search").is_visible()


def test_a_mark_under_a_fault_opens_its_evidence(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings))
    page.locator(".mark.unexpected a").click()
    assert page.locator(f"#{place_of(findings[-1])}").is_visible()


@pytest.mark.parametrize(
    ("wanted", "ways", "faults"),
    [
        ("", 2, 2),
        ("biased", 1, 0),
        ("RAGGED  metric", 1, 0),
        ("ragged exact", 0, 0),
        ("unexpected", 1, 1),
        ("process.kill", 0, 1),
        ("on_fit_end silent", 0, 1),
        ("<no such thing>", 0, 0),
    ],
)
def test_the_filter_leaves_rows_with_a_cell_that_fits(
    report: MakeReport, opened: Open, findings: list[Finding], wanted: str, ways: int, faults: int
) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    page = opened(report(findings))
    page.fill("#filter", "no such thing")
    expect(page.locator("#filtered")).to_contain_text("0 of")
    page.fill("#filter", wanted)
    expect(page.locator(".matrix tbody tr:not(.out)")).to_have_count(ways)
    expect(page.locator(".marks tbody tr:not(.out)")).to_have_count(faults)


def test_expanders_work_by_keyboard(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings))
    group = page.locator("details.group").first
    group.locator("> summary").press("Enter")
    trial = group.locator("details.trial").first
    assert not trial.locator("pre").is_visible()
    trial.locator("> summary").press("Enter")
    assert trial.locator("pre").is_visible()


def test_the_page_is_complete_without_its_script(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings), java_script_enabled=False)
    assert not page.locator("#search").is_visible()
    page.get_by_role("link", name="≈ biased").first.click()
    assert page.locator(f"#{place_of(findings[1])}").is_visible()


@pytest.mark.parametrize("width", [800, 1280])
def test_only_tables_scroll_sideways(report: MakeReport, opened: Open, findings: list[Finding], width: int) -> None:
    wide = [replace(findings[0], workload=f"digits/{number}") for number in range(30)]
    page = opened(report([*findings, *wide]), viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(function (each) { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_drawings_are_in_the_page(report: MakeReport, opened: Open, findings: list[Finding], scheme: str) -> None:
    page = opened(report(findings), color_scheme=scheme)
    drawn = page.locator("figure > svg")
    assert [drawn.nth(number).is_visible() for number in range(drawn.count())] == [True] * 3
    ink = page.evaluate("getComputedStyle(document.querySelector('.plot text:last-of-type')).fill")
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 3 * 128) == (scheme == "dark")


def test_it_prints(report: MakeReport, opened: Open, findings: list[Finding]) -> None:
    page = opened(report(findings), color_scheme="dark")
    printed = page.pdf()
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) < 20


def test_nobody_is_shut_out(report: MakeReport, opened: Open, findings: list[Finding], scheme: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe is missing: pip install '.[browser]'"
    )
    # axe is put into the page by the browser's own means, which the page forbids to others.
    page = opened(report(findings, findings[:-1]), color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(function (each) { each.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    grave = [
        (violation["id"], [node["html"] for node in violation["nodes"]][:3])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert grave == []


def test_text_that_means_harm_is_shown_and_cannot_run(
    report: MakeReport, opened: Open, findings: list[Finding]
) -> None:
    named = replace(findings[0], trial="harm", scenario=f"a/{HARM}/b", aggregate=HARM, workload=HARM)
    harmful = replace(named, verdict="raised", as_expected=False, message=HARM + "x" * 1_000_000)
    page = opened(report([harmful]))
    assert page.title().startswith("epoch-harness")
    assert page.locator("img").count() == 0
    shown = page.locator("#ways").inner_text()
    assert "<img src=x onerror=" in shown
    assert "\\x1b[31m" in shown
    assert len(page.content()) < 200_000


def test_a_script_that_is_not_the_pages_own_is_refused(
    report: MakeReport, chromium: Any, findings: list[Finding]
) -> None:
    path = report(findings)
    path.write_text(path.read_text("utf-8").replace("</main>", "<script>document.title = 'harmed'</script></main>"))
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.title() != "harmed"
    context.close()
