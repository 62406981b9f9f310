"""What the documents name exists, and what exists they name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsguard.core.findings import Finding, Look, report
from dnsguard.core.metrics import METRICS
from dnsguard.core.settings import Settings, parse
from dnsguard.tally import CAUSES, FLIPS
from tests.house.tree import MODULES, ROOT, parsed

README = (ROOT / "README.md").read_text()
MANUAL = ROOT / "packaging/dnsguard.8"
EXAMPLE = ROOT / "etc/dnsguard/dnsguard.toml"
# Calls whose first argument is a code.
SPEAKERS = {"Said", "DnsguardError", "SettingsError", "LinkError", "RecordError", "error", "say", "_write"}
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def codes_in(path: Path) -> Iterator[str]:
    """The codes that a module can say."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in SPEAKERS:
                yield from constants(node.args[0])
        if isinstance(node, ast.Assign) and any("code" in ast.unparse(target) for target in node.targets):
            yield from constants(node.value)


def constants(node: ast.AST) -> Iterator[str]:
    """The texts in an expression that are written like codes."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and CODE.fullmatch(each.value):
            yield each.value


def test_every_code_is_in_the_readme_with_what_to_do_and_no_other() -> None:
    """An operator looks a code up at three in the morning."""
    said = {code for path in MODULES for code in codes_in(path)} - {"routine", "info", "warning", "error", "debug"}
    table = README.partition("## Log codes")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))

    assert said == told


def test_every_finding_of_doctor_is_in_the_readme_and_in_the_manual_page_and_no_other() -> None:
    """Somebody who has only the manual page looks it up there."""
    calls = (node for path in MODULES for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))
    findings = (call for call in calls if getattr(call.func, "id", "") == "Finding" and call.args)
    found = {code for call in findings for code in constants(call.args[0])}
    table = README.partition("## What `dnsguard doctor` finds")[2].partition("\n## ")[0]
    page = MANUAL.read_text().partition(".Sh DOCTOR\n")[2].partition("\n.Sh ")[0].partition("The codes are:")[2]

    assert len(found) > 30
    assert found == set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))
    assert found == set(re.findall(r"^\.It ([a-z-]+)$", page.partition("\n.El\n")[0], re.MULTILINE))


def test_keys_of_doctor_s_json_are_in_the_manual_page() -> None:
    """What a program reads is a promise."""
    page = MANUAL.read_text()
    told = report((Look("part", "seen", (Finding("code", "what", "why", "mend"),)),))
    names = {*told, *(key for kind in ("looks", "findings") for each in told[kind] for key in each)}

    assert {name for name in names if f".It {name}\n" not in page and f".Ql {name}" not in page} == set()


def test_the_example_configuration_names_every_key_at_its_default() -> None:
    """Uncommenting a line changes nothing until its value is changed."""
    text = EXAMPLE.read_text()
    every_key = re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE)

    assert Settings() == parse(text) == parse(every_key)
    told = re.findall(r"^#(\w+) = ", text, re.MULTILINE)
    assert len(told) == sum(len(section) for section in sections())


def sections() -> Iterator[list[str]]:
    """The keys of each section, as the settings know them."""
    from dataclasses import fields

    for section in fields(Settings):
        keys = [each.name for each in fields(getattr(Settings(), section.name))]
        yield [key for key in keys if key not in ("dnsmasq_address", "dnsmasq_port")]


METRICS_PAGE = ROOT / "docs/fleet/metrics.md"
METRIC_ROW = re.compile(r"^\| `(dnsguard_[a-z_]+)` \| ([a-z]+) \|([^|]*)\|", re.MULTILINE)


def test_every_metric_is_documented_with_type_and_labels_and_no_other() -> None:
    """Who writes a query reads this page."""
    told = {
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in METRIC_ROW.findall(METRICS_PAGE.read_text())
    }

    assert {(metric.name, metric.kind, metric.labels) for metric in METRICS} == told


def test_every_cause_of_unavailability_is_defined_and_no_other() -> None:
    """A number that nobody can explain is worth nothing."""
    table = METRICS_PAGE.read_text().partition("## Seconds of unavailability")[2]

    assert set(CAUSES) == set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))


def test_every_cause_of_a_flip_is_a_log_code() -> None:
    """A dashboard leads to the table of codes, and to the journal."""
    codes = {code for path in MODULES for code in codes_in(path)}

    assert {cause for _, cause in FLIPS} <= codes


def test_the_manual_page_names_every_metric_and_no_other() -> None:
    """On a host without this checkout there is no other."""
    page = (ROOT / "packaging/dnsguard.8").read_text()

    assert {metric.name for metric in METRICS} == set(re.findall(r"^\.It Va (dnsguard_\w+)", page, re.MULTILINE))


@pytest.mark.parametrize("path", sorted((ROOT / "docs/fleet").glob("*.*")), ids=lambda path: path.name)
def test_what_is_written_about_metrics_names_those_there_are(path: Path) -> None:
    """A misspelt query is never an error: it is an empty graph, or an alert that never comes."""
    names = {metric.name for metric in METRICS}
    histograms = {metric.name for metric in METRICS if metric.kind == "histogram"}
    names |= {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}

    assert set(re.findall(r"\bdnsguard_[a-z_]*[a-z]\b", path.read_text())) <= names
