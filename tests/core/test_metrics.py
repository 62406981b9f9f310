"""Twin of dnsguard/core/metrics.py: Prometheus' text format. tests/fleet has promtool's opinion of it."""

import re

import pytest

from dnsguard.core.metrics import BUCKETS_S, METRICS, Distribution, Metric, render


def test_a_sample_stands_behind_its_help_and_type() -> None:
    """In the order of METRICS, whatever the order they were counted in."""
    text = render({"dnsguard_ready": {(): True}, "dnsguard_build_info": {("0.1.0",): 1}})

    assert (
        "# HELP dnsguard_build_info Always 1; the version of the daemon.\n"
        "# TYPE dnsguard_build_info gauge\n"
        'dnsguard_build_info{version="0.1.0"} 1\n'
        "# HELP dnsguard_ready Whether dependents were let go.\n"
        "# TYPE dnsguard_ready gauge\n"
        "dnsguard_ready 1\n"
    ) == text


def test_a_metric_without_samples_is_left_out() -> None:
    """Nothing is claimed of what is not known."""
    assert "" == render({"dnsguard_upstream_up": {}})


def test_what_has_no_name_is_a_fault_of_ours() -> None:
    """Every name is in METRICS, and so in the documents."""
    with pytest.raises(KeyError, match="dnsguard_made_up"):
        render({"dnsguard_made_up": {(): 1}})


def test_a_label_too_many_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="zip"):
        render({"dnsguard_ready": {("yes",): 1}})


def test_a_histogram_is_cumulative_and_has_its_sum() -> None:
    """A value on the edge belongs below it; the last bucket has them all."""
    seen = Distribution().with_value(0.0004).with_value(0.001).with_value(0.3).with_value(9.0)
    lines = render({"dnsguard_probe_duration_seconds": {("local",): seen}}).splitlines()[2:]
    counts = [int(line.split()[1]) for line in lines if "_bucket" in line]

    assert [2, 2, 2, 2, 2, 2, 3, 3, 4] == counts
    assert 'dnsguard_probe_duration_seconds_bucket{question="local",le="0.0025"} 2' == lines[1]
    assert 'dnsguard_probe_duration_seconds_bucket{question="local",le="+Inf"} 4' == lines[len(BUCKETS_S)]
    assert 'dnsguard_probe_duration_seconds_sum{question="local"} 9.3014' == lines[-2]
    assert 'dnsguard_probe_duration_seconds_count{question="local"} 4' == lines[-1]


@pytest.mark.parametrize(
    ("address", "written"),
    [('fe80::1%"\\', 'fe80::1%\\"\\\\'), ("fe80::1%a\nb", "fe80::1%a\\nb"), ("fe80::1%\udcff", "fe80::1%\\\\udcff")],
)
def test_no_address_can_write_lines_of_its_own(address: str, written: str) -> None:
    """What libc takes for an address comes from files that others write."""
    lines = render({"dnsguard_upstream_up": {(address,): 1}}).splitlines()

    assert f'dnsguard_upstream_up{{address="{written}"}} 1' == lines[2]
    assert 3 == len(lines)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (100, "100"), (True, "1"), (1.5, "1.5"), (1790000000.123, "1790000000.123"), (1 / 3, "0.333333")],
)
def test_a_number_is_written_in_full(value: float, written: str) -> None:
    """1.79e+09 would be off by minutes."""
    assert f"dnsguard_start_timestamp_seconds {written}" in render({"dnsguard_start_timestamp_seconds": {(): value}})


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_keep_to_the_conventions(metric: Metric) -> None:
    """Those of https://prometheus.io/docs/practices/naming/."""
    assert re.fullmatch(r"dnsguard(_[a-z]+)+", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert metric.kind in ("counter", "gauge", "histogram")
    assert metric.words.endswith(".")
