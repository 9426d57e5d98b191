import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import JUnitXml, Properties

from harness.errors import UsageError
from harness.findings import EpochVerdict, Finding
from harness.history.recorder import Recorder
from harness.report import anchors, evidence, faults, write_reports
from harness.report.changes import changes
from harness.report.runs import headline, labels, read
from harness.report.tables import absences, checked, deviations, facts, frame, furthest_off, matrices
from harness.report.text import bias, figure, markdown, markdown_block, markdown_code, printable
from harness.run_directory import RunDirectory

MakeRun = Callable[..., RunDirectory]
MakeFinding = Callable[..., Finding]

HOSTILE = "a|b\n<script>alert('&')</script> `tick` *star* \x00\x1b[31m\ud800\ufffe ]]> | ünïcode"


CONDITION = {
    "asked": "* (aggregate) of averaging/* on * is exact",
    "met_on": ["digits/even"],
    "not_met_on": ["digits/ragged"],
    "numbers": {
        "verdicts": {"exact": 3, "biased": 1},
        "largest_bias": 0.03125,
        "smallest_bias": None,
        "digits/even": "96 against 9160",
    },
    "trials": [],
}


def claim(verdict: str, expected: str = "holds", **changes: Any) -> dict[str, Any]:
    return {
        "claim": f"001.{verdict}", "statement": "Averaging gives the mean.", "source": "document 001",
        "verdict": verdict, "expected_verdict": expected, "as_expected": verdict in (expected, "undecided"),
        "conditions": [CONDITION],
    } | changes  # fmt: skip


def biased(finding: MakeFinding, **changes: Any) -> Finding:
    figures = {"observed": 0.375, "prediction": 0.375, "truth": 0.5}
    return finding(**({"verdict": "biased", "expected_verdict": "biased", "message": "known bias"} | figures | changes))


class Document(HTMLParser):
    """Which elements there are, that all are closed, and what refers outside."""

    VOID = ("meta", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def reports(out: Path, *runs: RunDirectory) -> tuple[str, str, ElementTree.Element]:
    write_reports(runs, out)
    assert sorted(path.name for path in out.iterdir() if path.suffix in (".html", ".md", ".xml")) == [
        "comment.md",
        "junit.xml",
        "report.html",
        "report.md",
    ]
    html, markdown_text = (out / "report.html").read_text("utf-8"), (out / "report.md").read_text("utf-8")
    document = Document(html)
    assert document.open == []
    assert document.seen.count("script") == 1
    assert all(reference.removeprefix("#") in document.ids for reference in document.references)
    assert len(document.ids) == len(set(document.ids))
    assert "url(" not in html
    assert "@import" not in html
    assert_tables_are_regular(markdown_text)
    return html, markdown_text, ElementTree.parse(out / "junit.xml").getroot()


def assert_tables_are_regular(text: str) -> None:
    """Every row has as many cells as its table's head, which is followed by a rule."""
    columns = 0
    fenced = False
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("|"):
            columns = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        if not columns:
            columns = cells
            assert re.fullmatch(r"\|( --- \|)+", following)
        assert cells == columns, line


def words(html: str) -> str:
    """What a reader sees."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.split("<body>")[1]).split())


def test_all_as_expected(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run([finding(), biased(finding, workload="digits/ragged")], counts={}, status="interrupted")
    run.replace_json(run.manifest, run.read_manifest() | {"status": "running"})
    html, text, junit = reports(tmp_path / "out", run)
    assert "Everything found is as expected" in words(html)
    assert "The run has not ended, or was killed: 2 trials were judged" in words(html)
    assert "0 of 1 documented ways gave the true number" in words(html)
    assert "≈ biased −25 %" in words(html)
    assert "| `manual/migrated` | `val_loss` | ✓ exact | ≈ biased −25 % |" in text
    assert "Unexpected" not in words(html)
    assert junit.find(".//failure") is None


def test_the_headline_of_a_complete_run(make_run: MakeRun, finding: MakeFinding) -> None:
    scenario = "averaging/manual/control"
    run = make_run([finding(), finding(aggregate="f1"), biased(finding, scenario=scenario)])
    head = headline(read([run])[0])
    assert (head.tone, head.unfinished) == ("good", "")
    assert dict(head.ways) == {"exact": 1}
    assert dict(head.figures) == {"exact": 2, "biased": 1}


@pytest.mark.parametrize(
    ("changes", "claims", "tone", "title"),
    [
        ({}, [], "good", "Everything found is as expected"),
        ({"verdict": "wrong"}, [], "bad", "1 finding is not as expected"),
        ({"verdict": "unknown"}, [], "open", "1 finding could not be decided"),
        ({}, ["refuted"], "bad", "1 claim is not as expected"),
        ({"verdict": "wrong"}, ["refuted"], "bad", "1 finding and 1 claim are not as expected"),
    ],
)
def test_headlines(
    make_run: MakeRun, finding: MakeFinding, changes: dict[str, Any], claims: list[str], tone: str, title: str
) -> None:
    run = make_run([finding(**changes)], claims=[claim(verdict) for verdict in claims])
    head = headline(read([run])[0])
    assert (head.tone, head.title) == (tone, title)


def test_a_run_in_which_nothing_ran(make_run: MakeRun, tmp_path: Path) -> None:
    one = {"scenario": "a/b/migrated", "device": "cuda", "reason": "no CUDA", "fault": "none"}
    missing = [one | {"workload": workload} for workload in ("x", "y")]
    run = make_run([], unavailable=missing)
    html, text, junit = reports(tmp_path / "out", run)
    assert "Nothing ran" in words(html)
    assert "no CUDA" in words(html)
    assert "**no CUDA**: `a/b/migrated` on x, y" in text
    assert [case.find("skipped").get("message") for case in junit.iter("testcase")] == ["no CUDA", "no CUDA"]
    assert [dict(absence.trials) for absence in absences(read([run]))] == [{"a/b/migrated": ["x", "y"]}]


def test_what_cannot_run_on_some_numbers_of_ranks(make_run: MakeRun, tmp_path: Path) -> None:
    one = {"scenario": "a/b/migrated", "workload": "x", "device": "cuda", "reason": "one GPU", "fault": "none"}
    run = make_run([], unavailable=[one | {"ranks": ranks} for ranks in (1, 2, 3)])
    _, text, junit = reports(tmp_path / "out", run)
    assert "**one GPU**: `a/b/migrated` on x, x on 2 ranks, x on 3 ranks" in text
    skipped = [case.get("name") for case in junit.iter("testcase") if case.find("skipped") is not None]
    assert skipped == ["migrated[x, cuda]", "migrated[x, cuda,ranks=2]", "migrated[x, cuda,ranks=3]"]


def test_a_run_that_was_killed_before_it_asked_anything(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run([], status="running", environment={}, counts={}, unavailable=[])
    for path in (run.findings, run.claims):
        path.unlink(missing_ok=True)
    html, _, junit = reports(tmp_path / "out", run)
    assert "environment not known" in words(html)
    assert junit.find(".//error").get("type") == "unfinished"


def test_an_interrupted_run_does_not_look_complete(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    counts = {"trials": 7, "unavailable": 0, "findings": 1, "unexpected": 0, "verdicts": {"exact": 1}}
    run = make_run([finding()], status="interrupted", counts=counts, unavailable=[])
    run.claims.unlink()
    html, text, junit = reports(tmp_path / "out", run)
    sentence = "The run was interrupted: 1 of 7 trials were judged; claims were not decided."
    assert sentence in words(html)
    assert sentence in text
    assert junit.find(".//error").get("message") == sentence


def test_an_unexpected_finding_comes_with_its_history(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    epochs = (EpochVerdict(0, "exact", 0.5, 0.5, 0.5, 0.01), EpochVerdict(1, "wrong", 0.25, 0.5, 0.5, 0.01, (2,)))
    wrong = finding(verdict="wrong", epoch=1, observed=0.25, message="equals neither", evidence=(2,), per_epoch=epochs)
    run = make_run([wrong])
    recorder = Recorder(run.history(wrong.trial))
    recorder.write("plan", "info", {"max_epochs": 2})
    recorder.write("logger", "ok", {"step": 7, "epoch": 1, "metrics": {"val_loss": 0.25}}, epoch=1)
    recorder.close()
    html, text, junit = reports(tmp_path / "out", run)
    for shown in (words(html), text):
        assert "equals neither" in shown
        assert "−50 %" in shown
        assert "max_epochs" not in shown
    assert "2 epoch 1 logger ok {&#34;step&#34;: 7" in words(html)
    assert '    2  {"i": 1, "rank": 0, "f": "logger"' in text
    assert "⚠ expected exact" in words(html)
    failure = junit.find(".//failure")
    assert failure.get("message") == "1 wrong, expected exact"
    assert "observed 0.25, truth 0.5" in failure.text
    assert f"histories/{wrong.trial}.jsonl, lines 2" in failure.text


def test_evidence_without_its_history(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    html, text, _ = reports(tmp_path / "out", make_run([finding(verdict="wrong", evidence=range(1, 40))]))
    assert "it is no longer there, or damaged" in words(html)
    assert "is no longer there" in text


def test_a_cell_leads_to_the_same_place_whenever_a_report_is_made(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    found = finding()
    place = anchors.of_finding(1, found.trial, "aggregate", "val_loss")
    first, _, _ = reports(tmp_path / "out", make_run([found], name="one"))
    later, _, _ = reports(tmp_path / "out", make_run([finding(aggregate="f1"), found], name="two"))
    for html in (first, later):
        assert f'<a class="badge exact" href="#{place}">' in html
        assert f'<tr id="{place}">' in html
        assert "val_loss ✓ exact exact 0 0.5 0.5 0.5 0.01 1" in words(html)


def test_where_there_is_no_room_the_unexpected_is_told_first(
    make_run: MakeRun, finding: MakeFinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine, wrong = finding(workload="a"), finding(workload="b", verdict="wrong")
    (run,) = read([make_run([fine, wrong])])
    monkeypatch.setattr(evidence, "ROOM_FOR_FINDINGS", evidence.TRIAL + 2 * evidence.FINDING)
    monkeypatch.setattr(evidence, "ROOM_FOR_HISTORIES", 0)
    gathered = evidence.gathered([run], [])
    assert gathered.anchor("run", wrong)
    assert gathered.anchor("run", fine) == ""
    assert (gathered.findings_left_out, gathered.histories_left_out) == (1, 2)


def test_a_report_on_5000_unexpected_findings_stays_below_5_mb(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    found = [
        finding(
            scenario=f"document/pattern_{place // 50}/migrated",
            workload=f"digits/workload_{place // 10 % 5}",
            aggregate=f"figure_{place % 10}",
            verdict="wrong",
            message="equals neither the truth nor what the pattern's arithmetic gives",
            per_epoch=tuple(EpochVerdict(epoch, "wrong", 1 / 3, 2 / 3, 2 / 3, 1e-6, (1, 2)) for epoch in range(3)),
        )
        for place in range(5000)
    ]
    run = make_run(found)
    for trial in {each.trial for each in found}:
        a_history(run, trial, "none", lines=50)
    html, _, _ = reports(tmp_path / "out", run)
    assert len(html.encode()) < 5_000_000
    assert "The first 300 of 5000 are listed" in words(html)


def test_what_is_told_at_length_is_cut(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    html, _, _ = reports(
        tmp_path / "out", make_run([finding(verdict="raised", message="x" * 1_000_000, aggregate="y" * 1_000_000)])
    )
    assert "… and 998,000 more characters" in html
    assert len(html) < 100_000


def test_foreign_text_harms_no_format(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    scenario = "do|c/<b>/mi`grated"
    run = make_run(
        [
            finding(
                scenario=scenario, aggregate=HOSTILE, workload=HOSTILE, verdict="raised", message=HOSTILE, trial="t"
            ),
            biased(finding, scenario=scenario, message=HOSTILE, aggregate=HOSTILE),
            finding(checker=HOSTILE, aggregate=HOSTILE, verdict="ok", fault=HOSTILE),
        ],
        claims=[claim("refuted", statement=HOSTILE, source=HOSTILE), claim("undecided", claim=HOSTILE)],
        unavailable=[{"scenario": HOSTILE, "workload": HOSTILE, "device": "cpu", "reason": HOSTILE, "fault": "none"}],
        name="ru|n <b>",
    )
    html, text, _ = reports(tmp_path / "out", run, run)
    assert "&lt;script&gt;" in html
    code = r"(?s)(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)"
    assert "<script>" not in re.sub(code, "", text)
    assert r"\x00\x1b" in html


def test_claims(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    claims = [claim("holds"), claim("refuted"), claim("holds in part", "holds in part"), claim("undecided")]
    html, text, junit = reports(tmp_path / "out", make_run([finding()], claims=claims))
    for shown in (words(html), text):
        assert "is exact: 3 exact, 1 biased; largest bias 0.03125; digits/even: 96 against 9160" in shown
        assert "(not so on digits/ragged)" in shown
        assert "1 claim not decided" in shown
    assert "**⚠ refuted, expected holds**" in text
    assert [case.get("name") for case in junit.iter("testcase") if case.find("failure") is not None] == ["001.refuted"]


def test_a_test_case_per_trial(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run(
        [
            finding(),
            finding(checker="hook", aggregate="on_fit_end", verdict="ok", expected_verdict="ok"),
            finding(workload="digits/ragged", verdict="unknown"),
            finding(workload="diabetes/even", verdict="unknown"),
            finding(workload="diabetes/even", aggregate="f1", verdict="wrong"),
        ],
        unavailable=[],
    )
    for trial in dict.fromkeys(found.trial for found in run.read_findings()):
        run.append(
            run.timings,
            {"scenario": "averaging/manual/migrated", "trial": trial, "environment": "", "samples": [0.25, 0.5],
             "counters": {}, "peak_rss_bytes": None},
        )  # fmt: skip
    _, _, junit = reports(tmp_path / "out", run)
    fine, undecided, wrong = junit.iter("testcase")
    assert (fine.get("classname"), fine.get("time")) == ("averaging/manual", "0.75")
    assert fine.get("name") == "migrated[digits/even, cpu,ranks=1,float32]"
    properties = {item.get("name"): item.get("value") for item in fine.iter("property")}
    assert properties == {
        "scenario": "averaging/manual/migrated",
        "workload": "digits/even",
        "fault": "none",
        "placement": "cpu,ranks=1,float32",
        "aggregate: val_loss": "exact",
        "hook: on_fit_end": "ok",
    }
    assert undecided.find("error") is not None
    assert undecided.find("failure") is None
    assert wrong.find("failure") is not None
    assert (junit.find("testsuite").get("tests"), junit.find("testsuite").get("failures")) == ("3", "1")


def test_what_is_written_for_junit_is_read_back(
    make_run: MakeRun, finding: MakeFinding, manifest: dict[str, Any], tmp_path: Path
) -> None:
    killed = {"status": "running", "environment": {}, "counts": {}}
    runs = [make_run([finding(fault=HOSTILE, verdict="wrong", trial="t")]), make_run([], name="killed", **killed)]
    write_reports(runs, tmp_path / "out")
    whole, broken = JUnitXml.fromfile(tmp_path / "out" / "junit.xml")
    told = {each.name: each.value for each in whole.properties()}
    assert told == {
        "environment": read(runs)[0].environment,
        "version: python": "3.11.7",
        "version: torch": "2.6.0",
        "version: epoch-harness": manifest["harness_version"],
        "platform": "Linux",
        "cuda": "torch is built without CUDA",
        "seed": "0",
        "status": "complete",
    }
    case = next(each for each in whole if each.is_failure)
    assert {each.name: each.value for each in case.child(Properties)}["fault"] == printable(HOSTILE)
    assert {each.name: each.value for each in broken.properties()}["status"] == "running"


def test_several_runs_stand_side_by_side(
    make_run: MakeRun, finding: MakeFinding, manifest: dict[str, Any], tmp_path: Path
) -> None:
    other = manifest["environment"] | {"packages": {"torch": "2.1.0"}, "module": "lightning.pytorch"}
    old = make_run([finding(), finding(aggregate="f1")], name="old", environment=other)
    new = make_run([biased(finding, expected_verdict="exact"), finding(aggregate="f1")], name="new")
    html, text, junit = reports(tmp_path / "out", old, new)
    runs = read([old, new])
    ((way,),) = ([matrix.ways for matrix in matrices(frame(runs))],)
    assert [(row.aggregate, row.run) for row in way[0].rows] == [
        ("val_loss", "old"), ("val_loss", "new"), ("f1", "old"), ("f1", "new"),
    ]  # fmt: skip
    assert {fact.name for fact in facts(runs) if fact.differs} == {"torch", "Framework imported"}
    assert "| torch | 2.1.0 | 2.6.0 |" in text
    assert "lightning.pytorch" in html
    assert [suite.get("name") for suite in junit.iter("testsuite")] == ["old", "new"]


def test_several_placements_are_told_apart(make_run: MakeRun, finding: MakeFinding) -> None:
    run = make_run([finding(), finding(placement="cuda,ranks=1,float32", verdict="wrong")])
    (matrix,) = matrices(frame(read([run])))
    assert {row.placement: row.cells[0].verdict for row in matrix.ways[0].rows if row.cells[0]} == {
        "cpu,ranks=1,float32": "exact",
        "cuda,ranks=1,float32": "wrong",
    }


def test_workloads_that_were_not_run_leave_a_gap(make_run: MakeRun, finding: MakeFinding) -> None:
    run = make_run([finding(workload="a"), finding(workload="b", aggregate="f1")])
    (matrix,) = matrices(frame(read([run])))
    assert matrix.workloads == ("a", "b")
    assert [[cell and cell.verdict for cell in row.cells] for row in matrix.ways[0].rows] == [
        ["exact", None],
        [None, "exact"],
    ]


def test_known_deviations_are_told_once_per_scenario(make_run: MakeRun, finding: MakeFinding) -> None:
    epochs = (EpochVerdict(0, "biased", 0.375, 0.5), EpochVerdict(1, "biased", 0.1, 0.5))
    run = make_run(
        [
            biased(finding, workload="a"),
            biased(finding, workload="b", per_epoch=epochs),
            biased(finding, expected_verdict="exact"),
        ]
    )
    (known,) = deviations(frame(read([run])))
    assert (known.what, known.workloads, known.messages) == (("val_loss",), ("a", "b"), ("known bias",))
    assert known.example.endswith("val_loss on b in epoch 1, reported 0.1, the truth is 0.5 (−80 %)")


def test_labels_tell_runs_apart() -> None:
    assert labels([Path("x/a"), Path("x/b")]) == ["a", "b"]
    assert labels([Path("x/run"), Path("y/run")]) == ["1: run", "2: run"]


def test_reports_where_a_file_is(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to"):
        write_reports([make_run([])], tmp_path / "file")


@pytest.mark.parametrize(
    ("observed", "truth", "shown"),
    [
        (0.6, 0.5, "+20 %"),
        (0.4, -0.5, "+180 %"),
        (0.25, 0.0, "+0.25"),
        (float("nan"), 0.5, "NaN"),
        (float("-inf"), 0.5, "−inf"),
        (0.5, None, "–"),
    ],
)
def test_bias(finding: MakeFinding, observed: float, truth: float | None, shown: str) -> None:
    assert bias(finding(observed=observed, truth=truth)) == shown


def test_text() -> None:
    assert (figure(None), figure(float("nan")), figure(1 / 3)) == ("–", "NaN", "0.333333")
    assert printable("a\x00\ud800\ufffe\tü\U0001f600") == "a\\x00\\ud800\\ufffe\tü\U0001f600"
    assert markdown("on_fit_end _x_ | a\nb") == r"on_fit_end \_x\_ \| a b"
    assert markdown_code("a|b") == r"`a\|b`"
    assert markdown_code("a`b") == "`` a`b ``"
    assert markdown_block("```") == "````text\n```\n````"


HOOKS = ("Log.on_train_epoch_end", "Log.on_exception", "on_train_epoch_end")


def of_fault(finding: MakeFinding, fault: str, checker: str, aggregate: str, verdict: str, **changes: Any) -> Finding:
    expected = {"expected_verdict": changes.pop("expected", verdict), "evidence": changes.pop("evidence", ())}
    no_figure = dict.fromkeys(("observed", "truth", "prediction", "bound")) if checker != "aggregate" else {}
    return finding(
        fault=fault, checker=checker, aggregate=aggregate, verdict=verdict, **expected, **no_figure, **changes
    )


def cells(finding: MakeFinding, fault: str, *verdicts: str, **changes: Any) -> list[Finding]:
    """Of `HOOKS`, in this order."""
    return [
        of_fault(finding, fault, "cell", hook, verdict, **changes)
        for hook, verdict in zip(HOOKS, verdicts, strict=False)
    ]


def a_history(run: RunDirectory, trial: str, fault: str, lines: int = 10, **end: Any) -> None:
    recorder = Recorder(run.history(trial))
    for batch in range(lines):
        recorder.write("batch", "ok", stage="train", epoch=1, batch=batch)
    recorder.write("fault", "info", stage="train", epoch=1, batch=lines, fault=fault)
    recorder.write("Log.on_exception", "invoke", stage="train", epoch=1)
    if "exception" in end:
        recorder.write("trial", "fail", {"exception": end.pop("exception"), "message": "it", "where": ""})
    exit = {"status": 1, "timed_out": False, "limit_s": 8.0, "where": "", "peak_rss_bytes": 1, "left_behind": 0}
    recorder.write("exit", "info", exit | end)
    recorder.close()


def test_trials_under_faults_keep_out_of_the_tables_of_figures(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    run = make_run(
        [
            finding(),
            of_fault(finding, "step.raise", "aggregate", "val_loss", "wrong"),
            of_fault(finding, "step.raise", "process", "exit", "violated"),
            *cells(finding, "step.raise", "silent", "fired", "stale"),
        ]
    )
    reports(tmp_path / "out", run)
    (of_run,) = read([run])
    head = headline(of_run)
    assert dict(head.ways) == {"exact": 1}
    assert dict(head.figures) == {"exact": 1}
    assert (head.trials, head.under_faults, head.cells) == (2, 1, {"fired": 1, "silent": 1, "stale": 1})
    found = frame([of_run])
    assert [[cell and cell.fault for cell in row.cells] for row in matrices(found)[0].ways[0].rows] == [["none"]]
    assert deviations(found) == []
    assert [(each.checker, each.healthy, each.under_faults) for each in checked(found)] == [
        ("process", {}, {"violated": 1})
    ]


def test_a_run_under_faults_alone_says_nothing_of_ways(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run([of_fault(finding, "step.raise", "aggregate", "val_loss", "exact")])
    html, _, _ = reports(tmp_path / "out", run)
    assert "documented ways" not in words(html)


def test_hooks_stand_by_owner_and_faults_below_each_other(make_run: MakeRun, finding: MakeFinding) -> None:
    ordered = ("on_fit_end", "Log.on_fit_end", "Stop.on_fit_end", "Log.teardown")
    run = make_run(
        [
            *(of_fault(finding, "step.raise", "cell", hook, "fired") for hook in ordered),
            of_fault(finding, "process.kill", "cell", "Log.teardown", "silent"),
        ]
    )
    (matrix,) = faults.matrices(read([run]))
    assert matrix.hooks == ("Log.on_fit_end", "Log.teardown", "Stop.on_fit_end", "on_fit_end")
    assert matrix.short_names == ("on_fit_end", "teardown", "on_fit_end", "on_fit_end")
    assert matrix.owners == (("Log", 2), ("Stop", 1), ("the module", 1))
    (table,) = matrix.tables
    assert [(row.fault, [cell and cell.verdict for cell in row.cells]) for row in table.trials] == [
        ("step.raise", ["fired"] * 4),
        ("process.kill", [None, "silent", None, None]),
    ]


def test_scenarios_workloads_and_placements_have_matrices_of_their_own(make_run: MakeRun, finding: MakeFinding) -> None:
    run = make_run(
        [
            found
            for change in ({}, {"scenario": "a/b/c"}, {"workload": "other"}, {"placement": "cuda"})
            for found in cells(finding, "step.raise", "fired", **change)
        ]
    )
    shown = faults.matrices(read([run]))
    assert len({(matrix.scenario, matrix.workload, matrix.placement) for matrix in shown}) == 4


def test_a_cell_leads_to_the_history_that_proves_it(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    found = cells(finding, "step.raise", "silent", "fired", "stale", message="told val_loss", evidence=(1, 12))
    run = make_run([finding(), *found])
    a_history(run, found[0].trial, "step.raise", exception="InjectedError")
    html, text, _ = reports(tmp_path / "out", run)
    (matrix,) = faults.matrices(read([run]))
    (trial,) = matrix.tables[0].trials
    assert [(line.number, line.is_evidence, line.after_a_gap) for line in trial.lines] == [
        (1, True, False), (6, False, True), *((number, number == 12, False) for number in range(7, 15)),
    ]  # fmt: skip
    stale = anchors.of_finding(1, found[2].trial, "cell", "on_train_epoch_end")
    assert f'<a href="#{stale}" title="stale">≈</a>' in html
    assert f'<a href="#{trial.anchor}">' in html
    assert "on_train_epoch_end ≈ stale stale 0 as above 1, 12" in words(html)
    assert f"histories/{found[0].trial}.jsonl" in words(html)
    assert "| `step.raise` | – | ✓ | ≈ |" in text
    assert f"Behind each row stands its history: `{trial.history.replace('step.raise', 'FAULT')}`" in text


def test_of_a_long_history_the_edges_and_the_evidence_are_shown(make_run: MakeRun, finding: MakeFinding) -> None:
    found = cells(finding, "step.raise", "fired", evidence=(1, 400))
    run = make_run(found)
    recorder = Recorder(run.history(found[0].trial))
    for number in range(1, 1001):
        recorder.write("fault" if number == 100 else "batch", "info", fault="step.raise" if number == 100 else None)
    recorder.close()
    (trial,) = faults.matrices(read([run]))[0].tables[0].trials
    numbers = [line.number for line in trial.lines]
    assert len(numbers) == faults.MOST_LINES
    assert {1, 95, 100, 400, 993, 1000} <= {*numbers}


def test_without_its_history_a_trial_under_a_fault_is_told_all_the_same(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    html, text, _ = reports(tmp_path / "out", make_run(cells(finding, "step.raise", "silent", "fired")))
    assert "it is no longer there, or damaged" in words(html)
    assert "| `step.raise` | – | ✓ |" in text


@pytest.mark.parametrize(
    ("end", "ended", "told"),
    [
        ({"exception": "InjectedError"}, "exit status 1", "InjectedError"),
        ({"status": -9}, "died of SIGKILL", ""),
        ({"status": -40}, "died of signal 40", ""),
        ({"status": -9, "timed_out": True, "where": "a.py:3"}, "killed after 8 s, at a.py:3", ""),
        ({"status": None}, "took its supervisor down with it", ""),
    ],
)
def test_how_a_trial_under_a_fault_ended(
    make_run: MakeRun, finding: MakeFinding, end: dict[str, Any], ended: str, told: str
) -> None:
    found = cells(finding, "step.raise", "fired")
    run = make_run(found)
    a_history(run, found[0].trial, "step.raise", **end)
    (trial,) = faults.matrices(read([run]))[0].tables[0].trials
    assert (trial.ended, trial.told) == (ended, told)


def test_what_is_not_ok_under_a_fault_is_told_in_its_row(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    run = make_run(
        [
            of_fault(finding, "step.raise", "process", "exit", "ok"),
            of_fault(finding, "step.raise", "exception", "caller", "violated", message="another reached the caller"),
            of_fault(
                finding, "step.raise", "record", "epochs.log lost", "violated", expected="ok", message="epoch 1 lacks"
            ),
            of_fault(finding, "step.raise", "epoch_end", "Log.on_train_epoch_end", "violated"),
            of_fault(finding, "step.raise", "order", "hooks", "ok"),
            of_fault(finding, "step.raise", "aggregate", "val_loss", "exact"),
            of_fault(finding, "step.raise", "aggregate", "f1", "wrong", expected="exact"),
        ]
    )
    html, text, _ = reports(tmp_path / "out", run)
    assert (
        "| `step.raise` | – | nothing (violated): another reached the caller "
        "| violated: epoch 1 lacks **⚠ expected ok** | 1 exact, 1 wrong **⚠ 1** "
        "| epoch_end: `Log.on_train_epoch_end` violated |"
    ) in text
    assert "epoch 1 lacks ⚠ expected ok" in words(html)


def test_what_no_column_is_for_is_told_in_the_last(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run(
        [
            of_fault(finding, "step.raise", "cell", "*", "unknown", expected="ok", message="the checker itself failed"),
            of_fault(finding, "step.raise", "record", "epochs.log lost", "ok"),
            of_fault(finding, "step.raise", "record", "epochs.log doubled", "violated"),
            of_fault(finding, "step.raise", "record", "epochs.log premature", "violated", expected="ok"),
        ]
    )
    _, text, _ = reports(tmp_path / "out", run)
    (matrix,) = faults.matrices(read([run]))
    assert matrix.hooks == ()
    assert [found.aggregate for found in matrix.tables[0].trials[0].further] == ["*", "epochs.log doubled"]
    assert "| violated **⚠ expected ok** | none |" in text
    assert (
        "cell: `*` unknown: the checker itself failed **⚠ expected ok**<br>record: `epochs.log doubled` violated |"
        in text
    )


def test_a_cell_that_is_not_as_expected_is_marked(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run(cells(finding, "step.raise", "silent", "fired", expected="fired"))
    html, text, _ = reports(tmp_path / "out", run)
    assert "| `step.raise` | – **⚠** | ✓ |" in text
    assert 'title="silent; expected fired">–<strong class="alarm">⚠</strong></a>' in html
    assert "| `averaging/manual/migrated` | `digits/even` | `step.raise` | cell: `Log.on_train_epoch_end` |" in text


def test_what_differs_between_versions_is_listed(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    old = [
        *cells(finding, "a.raise", "silent", "silent"),
        *cells(finding, "b.raise", "silent", "silent"),
        *cells(finding, "c.raise", "stale", "fired"),
        *cells(finding, "only.old", "stale", "fired"),
    ]
    new = [
        *cells(finding, "a.raise", "silent", "fired", "fired"),
        *cells(finding, "b.raise", "silent", "fired", "silent"),
        *cells(finding, "c.raise", "stale", "fired", "fired"),
        of_fault(finding, "a.raise", "order", "<hooks>", "violated"),
    ]
    runs = make_run(old, name="old"), make_run(new, name="new")
    a_history(runs[0], old[-3].trial, "c.raise", exception="KeyboardInterrupt", status=0)
    a_history(runs[1], new[-2].trial, "c.raise", exception="SystemExit", status=0)
    html, text, _ = reports(tmp_path / "out", *runs)
    (matrix,) = faults.matrices(read(runs))
    assert [(each.what, each.values, tuple(each.faults)) for each in matrix.differences] == [
        ("Log.on_exception", ("silent", "fired"), ("a.raise", "b.raise")),
        ("on_train_epoch_end", ("no such hook", "there"), ()),
        ("what the caller was told", ("KeyboardInterrupt", "SystemExit"), ("c.raise",)),
        ("order: <hooks>", ("not so", "violated"), ("a.raise",)),
    ]
    assert "| `Log.on_exception` | silent | fired | `a.raise`, `b.raise` |" in text
    assert r"| order: \<hooks\> | not so | violated | `a.raise` |" in text
    assert "| `a.raise` | – | – ≠ | · |" in text
    assert "| `a.raise` | – | ✓ ≠ | ✓ |" in text
    links = "".join(
        f' <a href="#{anchors.of_trial(number, new[0].trial)}">{name}</a>'
        for number, name in enumerate(("old", "new"), 1)
    )
    assert f"<div><code>a.raise</code>{links}</div>" in html


def test_trials_that_differ_in_the_fault_only_are_test_cases_of_their_own(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    run = make_run([finding(), *cells(finding, "a.raise", "fired"), *cells(finding, "b.raise", "fired")])
    _, _, junit = reports(tmp_path / "out", run)
    assert [case.get("name") for case in junit.iter("testcase") if case.get("classname") == "averaging/manual"] == [
        "migrated[digits/even, cpu,ranks=1,float32]",
        "migrated[digits/even, a.raise, cpu,ranks=1,float32]",
        "migrated[digits/even, b.raise, cpu,ranks=1,float32]",
    ]


def test_trials_that_differ_in_the_fault_only_are_told_apart(
    make_run: MakeRun, finding: MakeFinding, tmp_path: Path
) -> None:
    one = {"scenario": "a/b/migrated", "workload": "x", "device": "cpu", "reason": "no"}
    missing = [one | {"fault": fault} for fault in ("none", "step.exception")]
    run = make_run([finding(), finding(fault="step.exception", verdict="missing")], unavailable=missing)
    _, text, junit = reports(tmp_path / "out", run)
    names = [case.get("name") for case in junit.iter("testcase")]
    assert len(set(names)) == len(names) == 4
    assert "x, x under step.exception" in text


def test_a_figure_that_a_fault_keeps_from_coming_does_not_count_against_a_way(
    make_run: MakeRun, finding: MakeFinding
) -> None:
    run = make_run([finding(), finding(fault="step.exception", verdict="missing")])
    assert headline(read([run])[0]).ways == {"exact": 1}


def test_what_changed_between_runs_is_told_first(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    same, changed = finding(aggregate="f1"), finding()
    only_old = finding(workload="digits/ragged")
    other = finding(verdict="wrong", expected_verdict="wrong", observed=0.25)
    runs = make_run([same, changed, only_old], name="old"), make_run([same, other], name="new")
    html, _, _ = reports(tmp_path / "out", *runs)
    (change,) = changes(read(runs))
    assert (change.verdicts, change.findings) == (("exact", "wrong"), (changed,))
    assert "1 finding changed between runs 1 exact → wrong" in words(html)
    assert html.index("changed between runs") < html.index("Everything found")
    again, _, _ = reports(tmp_path / "same", runs[0], make_run([same, changed], name="again"))
    assert "Nothing changed between runs" in words(again)


def test_the_first_screen_says_what_failed_and_where(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    wrong = [finding(workload=f"digits/{number}", verdict="wrong") for number in range(5)]
    html, _, _ = reports(tmp_path / "out", make_run(wrong))
    first = words(html).split("Filter")[0]
    assert "on digits/2: aggregate val_loss is ✗ wrong , expected ✓ exact" in first
    assert "digits/3" not in first
    assert "and 2 more" in first
    assert "Linux, 2 processors" in first


def test_ways_are_drawn_by_how_far_they_are_off(make_run: MakeRun, finding: MakeFinding, tmp_path: Path) -> None:
    run = make_run(
        [
            finding(),
            biased(finding, scenario="a/near/migrated", observed=0.49),
            biased(finding, scenario="a/far/migrated", observed=0.375),
            biased(finding, scenario="a/far/migrated", workload="digits/ragged", observed=0.75, verdict="wrong"),
        ]
    )
    far, near = furthest_off(frame(read([run])))
    assert (far.label, far.shares, far.furthest) == (
        "a/far/migrated", ((-0.25, True), (0.5, False)), "+50 % on digits/ragged",
    )  # fmt: skip
    assert near.label == "a/near/migrated"
    html, _, _ = reports(tmp_path / "out", run)
    assert "How far each way is off" in words(html)
