"""The parameters of the Ansible role and the Puppet module: each is documented, with its default, and no other."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house.tree import ROOT

ROLE = ROOT / "packaging/ansible/dnsguard"
MODULE = ROOT / "packaging/puppet/dnsguard"
README_ROW = re.compile(r"^\| `(\w+)` \| `(.*?)` \|", re.MULTILINE)
DEFAULTS = dict(re.findall(r"^(\w+): (.*)$", (ROLE / "defaults/main.yml").read_text(), re.MULTILINE))
SPECIFIED = (ROLE / "meta/argument_specs.yml").read_text().partition("    options:\n")[2]
MANIFEST = (MODULE / "manifests/init.pp").read_text()
CLASS = dict(re.findall(r"^  [A-Z].* \$(\w+) = (.*),$", MANIFEST.partition(") {\n")[0], re.MULTILINE))


@pytest.mark.parametrize(("home", "known"), [(ROLE, DEFAULTS), (MODULE, CLASS)], ids=["ansible", "puppet"])
def test_the_readme_has_every_parameter_at_its_default_and_no_other(home: Path, known: Mapping[str, str]) -> None:
    """A parameter that nobody reads of is never set; one that does not exist is set in vain."""
    assert known
    assert known == dict(README_ROW.findall((home / "README.md").read_text()))


def test_ansible_holds_every_parameter_of_the_role_against_its_specification() -> None:
    """A misspelt type of value is refused before the first task."""
    specified = re.findall(r"^      (\w+):\n(?:        .*\n)*?        default: (.*)$", SPECIFIED, re.MULTILINE)

    assert DEFAULTS == dict(specified)
    assert len(re.findall(r"^      \w+:$", SPECIFIED, re.MULTILINE)) == len(specified)


def test_every_parameter_of_the_class_is_described_in_the_manifest_and_no_other() -> None:
    """As puppet strings reads it."""
    assert list(CLASS) == re.findall(r"^# @param (\w+)$", MANIFEST, re.MULTILINE)


def test_every_parameter_of_the_role_is_used() -> None:
    """One that is not is set in vain, too."""
    files = [*ROLE.glob("tasks/*.yml"), *ROLE.glob("templates/*")]
    used = {name for file in files for name in re.findall(r"\bdnsguard_\w+", file.read_text())}

    assert set(DEFAULTS) == used


def test_both_take_the_same_parameters() -> None:
    """Who knows one knows the other; each says `state` or `ensure` as its own world does."""
    role = {name.removeprefix("dnsguard_") for name in DEFAULTS}

    assert role - {"state"} == set(CLASS) - {"ensure"}
