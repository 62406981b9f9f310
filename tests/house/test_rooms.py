"""Every module has a twin among the tests, a size that can be read, and a name that says what it owns."""

import ast
from pathlib import Path

import pytest

from tests.house.tree import MODULES, ROOT, name_of, parsed

# Modules that only name things: there is nothing to run.
WITHOUT_TWIN = {
    "dnsguard/core/actions.py": "dataclasses alone",
    "dnsguard/core/errors.py": "dataclasses alone",
    "dnsguard/core/events.py": "dataclasses alone",
    "dnsguard/core/host.py": "named tuples alone",
    "dnsguard/core/policy.py": "dataclasses alone",
    "dnsguard/core/vocabulary.py": "enums alone",
}
MAX_LINES = 300
MAX_FUNCTION_LINES = 60


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_its_twin(path: Path) -> None:
    """A newcomer finds the test of a module without searching."""
    place = path.relative_to(ROOT / "dnsguard")
    if place.parts[0] not in ("core", "edge") or place.name == "__init__.py":
        return
    twin = ROOT / "tests" / place.parent / f"test_{place.name}"

    assert twin.exists() != (str(path.relative_to(ROOT)) in WITHOUT_TWIN)


@pytest.mark.parametrize("folder", ["core", "edge"])
def test_every_twin_has_its_module(folder: str) -> None:
    """A test that outlived its module tests nothing."""
    special = {"test_exploration.py"}
    twins = {path.name for path in (ROOT / "tests" / folder).glob("test_*.py")} - special

    assert twins == {name for name in twins if (ROOT / "dnsguard" / folder / name.removeprefix("test_")).exists()}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    """No module over 300 lines, no function over 60."""
    assert len(path.read_text().split("\n")) - 1 <= MAX_LINES
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_name_says_what_is_owned(path: Path) -> None:
    """A room named `util` collects what nobody wanted to name."""
    forbidden = {"util", "utils", "helper", "helpers", "manager", "common", "misc", "data", "info"}

    assert forbidden.isdisjoint(path.stem.split("_"))
