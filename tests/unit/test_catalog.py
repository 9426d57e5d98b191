"""The catalog: what it finds, how filters choose from it, and what it says about files it cannot use."""

import re
import sys
from importlib.metadata import EntryPoint
from textwrap import dedent

import pytest

from harness import catalog as catalog_module
from harness.catalog import Catalog, Unreadable, find, split_filter
from harness.errors import ScenarioError, UsageError
from harness.scenario import DECLARED

DECLARATION = """
from harness import Aggregate, scenario
from harness.oracle.quantities import mean_of_outputs

scenario(
    pattern="{pattern}", variant="{variant}", module=object,
    aggregates=[Aggregate("mean", of=mean_of_outputs, stage="train")],
)
"""
CLAIM = """
from harness import When, claim

claim("mine.claim", "{statement}", source="", holds_when=[When("exact", "mine/*")], expects=[])
"""


@pytest.fixture(autouse=True)
def imports_of_its_own(monkeypatch, tmp_path):
    """What a test imports from its own folder is forgotten after it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name, module in list(sys.modules.items()):
        if str(tmp_path) in (getattr(module, "__file__", None) or ""):
            del sys.modules[name]
            DECLARED.forget(name)


@pytest.fixture
def scenario_file(tmp_path):
    """Writes a scenario file, and returns its path."""

    def write(text: str, name: str = "mine.py"):
        path = tmp_path / name
        path.write_text(dedent(text))
        return path

    return write


def declaration(pattern: str = "mine/mean", variant: str = "recommended") -> str:
    return DECLARATION.format(pattern=pattern, variant=variant)


def ids(scenarios) -> list[str]:
    return [scenario.id for scenario in scenarios]


@pytest.fixture
def catalog(scenario_file) -> Catalog:
    """Three scenarios of two patterns, declared out of order."""
    texts = [declaration("mine/sum"), declaration(), declaration(variant="as_documented")]
    return find([scenario_file("\n".join(texts))])


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(catalog_module, "entry_points", lambda **_: ())


class TestFilters:
    def test_without_a_filter_all_are_chosen_in_order(self, nothing_installed, catalog):
        assert ids(catalog.select([])) == ["mine/mean/as_documented", "mine/mean/recommended", "mine/sum/recommended"]

    def test_a_glob_chooses_by_id(self, nothing_installed, catalog):
        assert ids(catalog.select(["mine/mean/*"])) == ["mine/mean/as_documented", "mine/mean/recommended"]

    def test_an_id_chooses_one(self, nothing_installed, catalog):
        assert ids(catalog.select(["mine/sum/recommended"])) == ["mine/sum/recommended"]

    def test_of_several_filters_each_adds_and_none_doubles(self, nothing_installed, catalog):
        chosen = catalog.select(["*/recommended", "mine/mean/*"])
        assert ids(chosen) == ["mine/mean/as_documented", "mine/mean/recommended", "mine/sum/recommended"]

    def test_what_is_chosen_says_which_frameworks_are_needed(self, nothing_installed, scenario_file):
        in_keras = declaration("mine/keras").replace("module=object", "module=object, framework='keras'")
        catalog = find([scenario_file("\n".join([declaration("mine/mean"), in_keras]))])
        assert catalog.frameworks(["mine/mean/*"]) == ["lightning"]
        assert catalog.frameworks([]) == ["keras", "lightning"]

    def test_a_workload_after_an_at_does_not_change_the_scenarios(self, nothing_installed, catalog):
        assert ids(catalog.select(["mine/sum/*@digits/ragged"])) == ["mine/sum/recommended"]

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("a/*", ("a/*", "*")),
            ("a/*@digits/even", ("a/*", "digits/even")),
            ("[ab]/*@*/even", ("[ab]/*", "*/even")),
        ],
    )
    def test_a_filter_has_two_parts(self, text, parts):
        assert split_filter(text) == parts

    @pytest.mark.parametrize("text", ["", "@", "@digits/even", "a/*@", "a/[b", "a/*@[d"])
    def test_a_malformed_filter_is_told_as_it_was_given(self, nothing_installed, catalog, text):
        with pytest.raises(UsageError, match="malformed filter") as told:
            catalog.select([text])
        assert repr(text) in str(told.value)

    @pytest.mark.parametrize("dataset", ["adversarial", "*", "iris"])
    def test_a_workload_of_an_unknown_data_set_is_told_with_those_there_are(self, dataset):
        with pytest.raises(UsageError, match=rf"no data set {re.escape(repr(dataset))}; there are: digits, diabetes"):
            split_filter(f"*@{dataset}/train=2x32,validation=1")

    def test_a_filter_that_matches_nothing_is_told_with_what_may_have_been_meant(self, nothing_installed, catalog):
        with pytest.raises(UsageError, match=r"no scenario matches 'mine/men'.*did you mean 'mine/mean'\?"):
            catalog.select(["mine/men"])

    def test_what_resembles_nothing_gets_no_suggestion(self, nothing_installed, catalog):
        with pytest.raises(UsageError) as told:
            catalog.select(["zzzzzzzzzzzzz"])
        assert "did you mean" not in str(told.value)

    def test_one_filter_that_matches_does_not_excuse_another(self, nothing_installed, catalog):
        with pytest.raises(UsageError, match="no scenario matches 'other'"):
            catalog.select(["mine/*", "other"])


class TestFiles:
    def test_a_file_is_loaded_and_chosen(self, nothing_installed, scenario_file):
        path = scenario_file(declaration())
        assert ids(find().select([str(path)])) == ["mine/mean/recommended"]

    def test_a_file_may_import_its_neighbour(self, nothing_installed, scenario_file):
        scenario_file("PATTERN = 'mine/of_a_neighbour'", "neighbour.py")
        text = "from neighbour import PATTERN\n" + DECLARATION.replace('"{pattern}"', "PATTERN")
        path = scenario_file(text.format(variant="control"))
        assert ids(find([path]).select([])) == ["mine/of_a_neighbour/control"]

    def test_a_file_loaded_twice_declares_once(self, nothing_installed, scenario_file):
        path = scenario_file(declaration())
        assert ids(find([path]).select([str(path), str(path)])) == ["mine/mean/recommended"]

    def test_a_file_of_an_installed_package_may_be_given_by_its_path(self):
        catalog = find()
        first = next(iter(catalog.scenarios.values()))
        path = first.declared_at.rpartition(":")[0]
        assert first.id in ids(catalog.select([path]))

    def test_a_file_that_is_not_there_is_told(self, nothing_installed, tmp_path):
        with pytest.raises(UsageError, match=r"there is no scenario file .*absent\.py"):
            find().select([str(tmp_path / "absent.py")])

    def test_an_id_that_is_taken_is_told_with_both_places(self, nothing_installed, scenario_file):
        first, second = scenario_file(declaration()), scenario_file(declaration(), "again.py")
        with pytest.raises(ScenarioError, match=r"again\.py:\d+: scenario id mine/mean/recommended is taken by .*mine"):
            find([first, second])

    def test_a_file_may_declare_through_a_function_of_another(self, nothing_installed, scenario_file):
        body = declaration().replace("\n", "\n    ")
        scenario_file(f"def declare():{body}", "neighbour.py")
        mine = scenario_file("import neighbour\nneighbour.declare()")
        (found,) = find([mine]).scenarios.values()
        assert found.declared_at == f"{mine}:2"

    def test_a_claim_is_about_both_sides_of_a_comparison(self, nothing_installed, scenario_file):
        text = (
            "from harness import Fewer\n"
            'claim("cost", "cheap", source="", expects=[], holds_when=[Fewer("calls", "x/y/control", than="a/*")])\n'
        )
        catalog = find([scenario_file(declaration() + CLAIM.format(statement="") + text)])
        assert catalog.claims_about("a/b/migrated") == ["cost"]

    def test_a_claim_declared_twice_is_told_with_the_second_place(self, nothing_installed, scenario_file):
        first = scenario_file(declaration() + CLAIM.format(statement="It is so."))
        second = scenario_file(declaration("mine/other") + CLAIM.format(statement="It is not so."), "again.py")
        with pytest.raises(ScenarioError, match=r"claim id mine\.claim is declared twice.*again\.py"):
            find([first, second])

    def test_a_file_without_a_scenario_is_told_what_to_call(self, nothing_installed, scenario_file):
        with pytest.raises(ScenarioError, match=r"mine\.py declares no scenario; call harness\.scenario"):
            find([scenario_file("x = 1")])

    def test_a_scenario_without_an_aggregate_is_told_with_its_line(self, nothing_installed, scenario_file):
        text = (
            "from harness import scenario\n\nscenario(pattern='a/b', variant='control', module=object, aggregates=[])"
        )
        with pytest.raises(ScenarioError, match=r"mine\.py:3: scenario a/b/control declares no aggregate"):
            find([scenario_file(text)])

    def test_an_unknown_variant_is_told_with_those_there_are(self, nothing_installed, scenario_file):
        with pytest.raises(ScenarioError, match=r"mine\.py:\d+: variant 'best' is not one of as_documented, "):
            find([scenario_file(declaration(variant="best"))])

    @pytest.mark.parametrize(
        "part",
        [
            "needs='torch>=1.x'",
            "expects=[Expect('exact', needs='torch>=1.x')]",
            "aggregates=[Aggregate('mean', of=mean_of_outputs, stage='train', needs='torch>=1.x')]",
        ],
    )
    def test_needs_of_no_version_are_told_with_their_line(self, nothing_installed, scenario_file, part):
        text = declaration().replace("module=object", f"module=object, {part}")
        if "aggregates" in part:
            text = text.replace('    aggregates=[Aggregate("mean", of=mean_of_outputs, stage="train")],\n', "")
        with pytest.raises(ScenarioError, match=r"mine\.py:\d+: 'torch>=1.x' is not a requirement"):
            find([scenario_file("from harness import Expect\n" + text)])

    def test_needs_of_a_claim_of_no_version_are_told_with_it(self, nothing_installed, scenario_file):
        text = "from harness import Expect\n" + CLAIM.format(statement="").replace(
            "expects=[]", "expects=[Expect('holds', needs='torch>=1.x')]"
        )
        with pytest.raises(ScenarioError, match=r"claim mine\.claim: 'torch>=1.x' is not a requirement"):
            find([scenario_file(declaration() + text)])

    def test_workloads_that_there_are_not_are_told_with_those_there_are(self, nothing_installed, scenario_file):
        text = declaration().replace("module=object", "module=object, workloads=['iris/*']")
        with pytest.raises(ScenarioError, match=r"runs on no workload: iris/\*; the workloads are: digits/even, "):
            find([scenario_file(text)])

    @pytest.mark.parametrize("pattern", ["mean", "a/b/c", "/mean", "mine/"])
    def test_a_pattern_that_is_not_document_and_pattern_is_told(self, nothing_installed, scenario_file, pattern):
        with pytest.raises(ScenarioError, match="should read 'document/pattern'"):
            find([scenario_file(declaration(pattern=pattern))])

    def test_a_syntax_error_is_told_with_its_line(self, nothing_installed, scenario_file):
        with pytest.raises(ScenarioError, match=r"mine\.py, line 2: "):
            find([scenario_file("x = 1\ndef :\n")])

    def test_an_error_on_import_is_told_with_its_place(self, nothing_installed, scenario_file):
        with pytest.raises(ScenarioError, match=r"does not import: ZeroDivisionError: .*mine\.py:2"):
            find([scenario_file("x = 1\ny = x / 0\n")])

    def test_a_file_that_leaves_is_told_with_its_place(self, nothing_installed, scenario_file):
        with pytest.raises(ScenarioError, match=r"does not import: SystemExit: 0 .*mine\.py:2"):
            find([scenario_file("import sys\nsys.exit(0)\n")])

    def test_a_library_that_is_missing_is_told(self, nothing_installed, scenario_file):
        with pytest.raises(ScenarioError, match="does not import: No module named 'a_library_that_is_missing'"):
            find([scenario_file("import a_library_that_is_missing")])

    def test_a_file_that_failed_is_imported_afresh(self, nothing_installed, scenario_file):
        path = scenario_file(declaration() + "\n1 / 0\n")
        with pytest.raises(ScenarioError, match="ZeroDivisionError"):
            find([path])
        path.write_text(declaration())
        assert ids(find([path]).select([])) == ["mine/mean/recommended"]


class TestMissingFrameworks:
    @pytest.fixture
    def without_keras(self, monkeypatch):
        """An entry of None in `sys.modules` makes its import fail as if it were not installed."""
        monkeypatch.setitem(sys.modules, "keras", None)

    @pytest.mark.parametrize("given", ["{folder}/mine.py", "mine.py", "../{name}/mine.py"])
    def test_a_file_that_needs_one_is_unreadable_with_the_reason(
        self, nothing_installed, without_keras, scenario_file, monkeypatch, given
    ):
        folder = scenario_file("import keras").parent
        monkeypatch.chdir(folder)
        catalog = find()
        assert catalog.select([given.format(folder=folder, name=folder.name)]) == []
        ((missing, reason),) = ((each.id, each.reason) for each in catalog.unreadable)
        assert "keras" in reason
        assert missing == str(folder / "mine.py")

    def test_what_is_added_is_selected_by_it(self, nothing_installed, without_keras, scenario_file, tmp_path):
        fine = scenario_file(declaration())
        (tmp_path / "needy.py").write_text("import keras")
        catalog = find()
        assert catalog.add_from(str(fine)) == ["mine/mean/recommended"]
        assert catalog.add_from(str(tmp_path / "needy.py")) == [str(tmp_path / "needy.py")]

    def test_so_is_a_package(self, nothing_installed, without_keras, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "partly").mkdir()
        for name, text in (("__init__", ""), ("mine", declaration()), ("needy", "import keras")):
            (tmp_path / f"partly/{name}.py").write_text(text)
        assert find().add_from("partly") == ["mine/mean/recommended", "partly/needy/*"]

    def test_a_file_asked_for_twice_is_unreadable_once(self, nothing_installed, without_keras, scenario_file):
        path = scenario_file("import keras")
        catalog = find([path])
        catalog.select([str(path)])
        assert len(catalog.unreadable) == 1

    @pytest.mark.parametrize("text", ["document/pattern/*", "document/*", "document/pattern/control", "*@digits/even"])
    def test_a_filter_that_may_mean_an_unreadable_module_is_no_mistake(self, text):
        catalog = Catalog(unreadable=[Unreadable("pack.document.pattern", "No module named 'keras'")])
        assert catalog.select([text]) == []

    def test_a_filter_that_means_another_is_one(self):
        catalog = Catalog(unreadable=[Unreadable("pack.document.pattern", "No module named 'keras'")])
        with pytest.raises(UsageError, match="no scenario matches"):
            catalog.select(["document/other/*"])


class TestEntryPoints:
    def install(self, monkeypatch, *values: str) -> None:
        group = catalog_module.ENTRY_POINT_GROUP
        entries = [EntryPoint(name=value, value=value, group=group) for value in values]
        monkeypatch.setattr(catalog_module, "entry_points", lambda **_: entries)

    @pytest.fixture
    def package(self, tmp_path, monkeypatch):
        """A package `announced` with a scenario file in a folder of its own."""
        monkeypatch.syspath_prepend(tmp_path)
        folder = tmp_path / "announced" / "document"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / "__init__.py").touch()
        (folder / "pattern.py").write_text(declaration("document/pattern"))
        return folder

    def test_a_package_is_searched_through(self, package, monkeypatch):
        self.install(monkeypatch, "announced")
        assert ids(find().select([])) == ["document/pattern/recommended"]

    def test_a_single_module_may_be_announced(self, package, monkeypatch):
        self.install(monkeypatch, "announced.document.pattern")
        assert ids(find().select([])) == ["document/pattern/recommended"]

    def test_a_package_that_is_not_there_is_told(self, monkeypatch):
        self.install(monkeypatch, "announced_and_gone")
        with pytest.raises(ScenarioError, match="names announced_and_gone, which cannot be imported"):
            find()

    @pytest.mark.parametrize("folder", ["announced", "announced/document"])
    def test_a_package_that_leaves_is_told(self, package, tmp_path, monkeypatch, folder):
        (tmp_path / folder / "__init__.py").write_text("raise SystemExit(0)")
        self.install(monkeypatch, "announced")
        with pytest.raises(ScenarioError, match="names announced, which cannot be imported: SystemExit: 0"):
            find()

    def test_a_module_that_needs_a_missing_framework_hides_no_other(self, package, monkeypatch):
        monkeypatch.setitem(sys.modules, "keras", None)
        (package / "other.py").write_text("import keras")
        self.install(monkeypatch, "announced")
        catalog = find()
        assert ids(catalog.select([])) == ["document/pattern/recommended"]
        assert [missing.id for missing in catalog.unreadable] == ["document/other/*"]

    def test_the_documents_own_scenarios_are_found(self):
        assert {"epoch_averaging", "epoch_end_hooks"} <= {scenario.document for scenario in find().select([])}


class TestNamedModules:
    @pytest.fixture
    def package(self, nothing_installed, tmp_path, monkeypatch):
        """The working directory, with a package `named` that is not installed, and a module in it."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "named").mkdir()
        (tmp_path / "named/__init__.py").touch()
        (tmp_path / "named/mine.py").write_text(declaration())
        return tmp_path / "named"

    @pytest.mark.parametrize("name", ["named", "named.mine"])
    def test_a_package_and_a_module_are_found_where_one_works(self, package, name):
        catalog = find([name])
        assert (ids(catalog.select([])), catalog.packages) == (["mine/mean/recommended"], {"named"})

    def test_what_comes_from_a_file_is_in_no_package(self, nothing_installed, scenario_file):
        assert find([scenario_file(declaration())]).packages == set()

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("named.gone", "--scenarios names named.gone, which cannot be imported: ModuleNotFoundError"),
            ("nowhere", "--scenarios names nowhere, which cannot be imported: ModuleNotFoundError"),
            ("named/mine", "neither a scenario file"),
            ("named.", "neither a scenario file"),
        ],
    )
    def test_what_is_not_there_is_told(self, package, name, told):
        with pytest.raises(UsageError, match=told):
            find([name])

    def test_a_package_without_scenarios_is_told(self, package):
        (package / "mine.py").write_text("")
        with pytest.raises(ScenarioError, match="named declares no scenario, nor does a module below it"):
            find(["named"])
