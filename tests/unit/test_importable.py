"""What another interpreter imports from here: what it is handed, and nothing that lies beside it."""

import subprocess
import sys

import pytest

from harness.engine.importable import link
from harness.errors import UsageError


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Folders that packages are installed in here: two, that share a namespace."""
    for name in ("one/package/__init__.py", "one/module.py", "one/beside.py", "one/shared/a.py", "two/shared/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("one", "two"):
        monkeypatch.syspath_prepend(tmp_path / name)
    return tmp_path


def imports(folder, modules: str) -> bool:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path = [{str(folder)!r}]; import {modules}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_what_is_handed_over_is_imported_and_nothing_beside_it(installed, tmp_path):
    folder = tmp_path / "links"
    link(["package.below", "module", "shared.a", "package"], folder)
    assert sorted(path.name for path in folder.iterdir()) == ["module.py", "package", "shared"]
    assert imports(folder, "package, module, shared.a, shared.b")
    assert not imports(folder, "beside")


@pytest.mark.parametrize("name", ["nowhere_to_be_found", "sys"])
def test_what_consists_of_no_files_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=f"{name} cannot be handed to another interpreter"):
        link([name], tmp_path / "links")
