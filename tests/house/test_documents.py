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
from pages.codes import DOCUMENT, SOURCE, codes, with_table
from tests.house.tree import MODULES, ROOT, name_of, parsed

DOCTOR = (ROOT / "docs/doctor.md").read_text()
MANUAL = (ROOT / "pages/dnsguard.8.scd").read_text()
NAME = SOURCE.relative_to(ROOT)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "packaging").rglob("*.md")])
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


def test_every_code_is_told_of_and_no_other() -> None:
    """An operator looks a code up at three in the morning, or has `journalctl -x` do it."""
    said = {code for path in MODULES for code in codes_in(path)} - {"info", "warning", "error", "debug"}
    told = set(codes())

    assert set() == said - told, f"add to {NAME} what these mean, as the others there, then `make pages`"
    assert set() == told - said, f"nobody says these any more: take them out of {NAME}, then `make pages`"


def test_every_code_is_told_of_in_full() -> None:
    """What happened, why it matters, what to do; "nothing" is an answer, too."""
    for code, told in codes().items():
        where = f"[{code}] in {NAME}"
        assert set(told.level.split(", ")) <= {"debug", "info", "warning", "error", "as it comes"}, where
        assert re.search(r"[^.]$", told.what), f"{where}: `what` is a subject, without a full stop"
        assert re.search(r"[.?]$", told.why), f"{where}: `why` is a sentence or two"
        assert told.mend == "nothing" or re.search(r"[.?]$", told.mend), f'{where}: `mend` is a sentence, or "nothing"'
        assert "@" not in told.what + told.why + told.mend, f"{where}: @ begins a field's name in a catalogue"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_code_has_the_level_that_is_told(path: Path) -> None:
    """`-p warning` is empty on a healthy host: who makes a line louder must say so."""
    for code, level in levels_in(path):
        assert level in codes()[code].level, f"{code} is said at {level}; {NAME} has another level"


def levels_in(path: Path) -> Iterator[tuple[str, str]]:
    """The codes that a module says at a level that stands there."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and len(node.args) > 1:
            code, level = (each.value if isinstance(each, ast.Constant) else None for each in node.args[:2])
            # It becomes a warning by the damage that it tells of, and is not said without.
            is_raised = code == "sources-damaged"
            if code in codes() and level in ("debug", "info", "warning", "error") and not is_raised:
                yield str(code), str(level)


def test_every_field_of_the_journal_is_documented_and_no_other() -> None:
    """Somebody's dashboard reads them."""
    page = DOCUMENT.read_text().partition("## Fields")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    said = {f"DNSGUARD_{name.upper()}" for path in MODULES for name in fields_in(path)}
    protocol = {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "EXCEPTION_INFO", "LOGGER"}
    always = {"DNSGUARD_CODE", "DNSGUARD_LOG_DROPPED"}

    assert said | protocol | always == told, "put the field into the table under Fields in docs/log-codes.md"


def fields_in(path: Path) -> Iterator[str]:
    """The fields that a module gives its lines."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
            yield from (each.arg for each in node.keywords if each.arg not in (None, "exc_info", "logger"))


def test_the_table_of_codes_is_fresh() -> None:
    """Stale? `make pages` writes it again."""
    page = DOCUMENT.read_text()

    assert page == with_table(page), "docs/log-codes.md is not what pages/codes.toml says: `make pages`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """Who is lost already must not be sent astray."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        if "://" not in target:
            other = (page.parent / file) if file else page
            assert other.exists(), f"{page.name} leads to {target}"
            assert not anchor or anchor in anchors(other), f"{page.name} leads to {target}, a heading that is not there"


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in a link. Source: GitHub's rule, without its numbering of doubles."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_finding_of_doctor_is_in_its_document_and_in_the_manual_page_and_no_other() -> None:
    """Somebody who has only the manual page looks it up there."""
    calls = (node for path in MODULES for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))
    findings = (call for call in calls if getattr(call.func, "id", "") == "Finding" and call.args)
    found = {code for call in findings for code in constants(call.args[0])}
    page = MANUAL.partition("# DOCTOR\n")[2].partition("\n# ")[0].partition("With *--json*")[0]

    assert len(found) > 30
    assert found == set(re.findall(r"^\| `([a-z-]+)` \|", DOCTOR, re.MULTILINE))
    assert found == set(re.findall(r"^\*([a-z-]+)\*$", page, re.MULTILINE))


def test_keys_of_doctor_s_json_are_in_the_manual_page() -> None:
    """What a program reads is a promise."""
    page = MANUAL.partition("# DOCTOR\n")[2].partition("\n# ")[0]
    told = report((Look("part", "seen", (Finding("code", "what", "why", "mend"),)),))
    names = {*told, *(key for kind in ("looks", "findings") for each in told[kind] for key in each)}

    assert {name for name in names if f"*{name}*" not in page} == set()


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
    assert {cause for _, cause in FLIPS} <= set(codes())


def test_the_manual_page_names_every_metric_and_no_other() -> None:
    """On a host without this checkout there is no other."""
    page = (ROOT / "pages/dnsguard.8.scd").read_text()
    told = set(re.findall(r"^\*(dnsguard_\w+)\*", page, re.MULTILINE))

    assert {metric.name for metric in METRICS} == told, "METRICS in pages/dnsguard.8.scd"


@pytest.mark.parametrize("path", sorted((ROOT / "docs/fleet").glob("*.*")), ids=lambda path: path.name)
def test_what_is_written_about_metrics_names_those_there_are(path: Path) -> None:
    """A misspelt query is never an error: it is an empty graph, or an alert that never comes."""
    names = {metric.name for metric in METRICS}
    histograms = {metric.name for metric in METRICS if metric.kind == "histogram"}
    names |= {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}

    assert set(re.findall(r"\bdnsguard_[a-z_]*[a-z]\b", path.read_text())) <= names
