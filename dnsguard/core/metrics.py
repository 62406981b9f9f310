"""What the daemon has counted -> Prometheus' text format, for node_exporter's textfile collector.

The format is version 0.0.4 of the exposition format; the names keep to Prometheus' conventions: base units, `_total` on
what only grows, `_timestamp_seconds` on moments of the clock (seconds since 1970, UTC).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BUCKETS_S = (0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5)
"""Upper edges of the probes' histogram. dnsmasq answers by itself in less than 1 ms; 0.25 and 2 s are the timeouts."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One name, and what stands behind it.

    Attributes:
        name: as a query names it.
        kind: "counter", "gauge" or "histogram".
        words: for a human, one line.
        labels: their names, in the order that samples have their values.
    """

    name: str
    kind: str
    words: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Distribution:
    """A sample of a histogram: how many fell into each of BUCKETS_S and no lower one, last those above; their sum."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS_S) + 1)
    sum_s: float = 0.0

    def with_value(self, value_s: float) -> "Distribution":
        """One more."""
        place = sum(value_s > edge_s for edge_s in BUCKETS_S)
        counts = tuple(count + (each == place) for each, count in enumerate(self.counts))
        return Distribution(counts, self.sum_s + value_s)


Samples = Mapping[tuple[str, ...], float | Distribution]
"""Values of the labels, in their order -> value."""

Counted = Mapping[str, Samples]
"""A metric's name -> its samples."""

METRICS = (
    Metric("dnsguard_build_info", "gauge", "Always 1; the version of the daemon.", ("version",)),
    Metric("dnsguard_start_timestamp_seconds", "gauge", "When the daemon started."),
    Metric("dnsguard_phase", "gauge", "1 for the phase that the daemon is in, 0 for the others.", ("phase",)),
    Metric("dnsguard_phase_start_timestamp_seconds", "gauge", "When this phase began."),
    Metric("dnsguard_phase_seconds_total", "counter", "Time spent in each phase.", ("phase",)),
    Metric(
        "dnsguard_unavailable_seconds_total",
        "counter",
        "Time in which no server that libc was told of is known to have answered.",
        ("cause",),
    ),
    Metric(
        "dnsguard_flips_total",
        "counter",
        "Times that libc was given dnsmasq instead of the upstreams, or the other way round; cause is a log code.",
        ("to", "cause"),
    ),
    Metric(
        "dnsguard_probe_duration_seconds",
        "histogram",
        "Probes of dnsmasq that passed: questions that it answers by itself, or must forward too.",
        ("question",),
    ),
    Metric("dnsguard_probe_failures_total", "counter", "Probes of dnsmasq that failed.", ("verdict",)),
    Metric(
        "dnsguard_last_forwarded_timestamp_seconds",
        "gauge",
        "When dnsmasq last answered a question by asking an upstream.",
    ),
    Metric("dnsguard_sighups_total", "counter", "SIGHUPs to dnsmasq, repeated ones included."),
    Metric("dnsguard_reloads_asked_total", "counter", "Lists of upstreams that dnsmasq was told of by SIGHUP."),
    Metric("dnsguard_reloads_taken_total", "counter", "Lists of those that dnsmasq has then shown to hold."),
    Metric("dnsguard_dnsmasq_restarts_total", "counter", "Times that dnsmasq was ended for systemd to start another."),
    Metric("dnsguard_dnsmasq_deaths_total", "counter", "Times that the process which is dnsmasq has ended."),
    Metric("dnsguard_dnsmasq_present", "gauge", "Whether there is a process that is dnsmasq."),
    Metric("dnsguard_upstreams", "gauge", "How many upstreams are known."),
    Metric("dnsguard_upstream_changes_total", "counter", "Lists of upstreams that were accepted."),
    Metric(
        "dnsguard_upstream_up",
        "gauge",
        "Whether an upstream answered when the daemon last asked it directly.",
        ("address",),
    ),
    Metric("dnsguard_upstream_asked_timestamp_seconds", "gauge", "When that was.", ("address",)),
    Metric("dnsguard_attached", "gauge", "Whether /etc/resolv.conf leads to the file that the daemon writes."),
    Metric("dnsguard_overwritten_total", "counter", "Times that another program has taken /etc/resolv.conf."),
    Metric("dnsguard_publish_failures_total", "counter", "Times that the file which libc reads could not be written."),
    Metric("dnsguard_ready", "gauge", "Whether dependents were let go."),
)
"""Every metric that there is, in the order of the file; docs/fleet/metrics.md says more of each."""


def render(counted: Counted) -> str:
    """The text of the file; a metric without samples is left out.

    Raises:
        KeyError: something was counted under a name that is not in METRICS.
    """
    if strangers := counted.keys() - {metric.name for metric in METRICS}:
        raise KeyError(*strangers)
    lines: list[str] = []
    for metric in METRICS:
        if samples := counted.get(metric.name):
            lines += (f"# HELP {metric.name} {metric.words}", f"# TYPE {metric.name} {metric.kind}")
            for values, value in samples.items():
                lines += _sample(metric, values, value)
    return "".join(f"{line}\n" for line in lines)


def _sample(metric: Metric, values: tuple[str, ...], value: float | Distribution) -> Iterator[str]:
    labels = [f'{name}="{_escaped(each)}"' for name, each in zip(metric.labels, values, strict=True)]
    if not isinstance(value, Distribution):
        yield f"{metric.name}{_braced(labels)} {_number(value)}"
        return
    so_far = 0
    for edge, count in zip((*map(_number, BUCKETS_S), "+Inf"), value.counts, strict=True):
        so_far += count
        le = f'le="{edge}"'
        yield f"{metric.name}_bucket{_braced([*labels, le])} {so_far}"
    yield f"{metric.name}_sum{_braced(labels)} {_number(value.sum_s)}"
    yield f"{metric.name}_count{_braced(labels)} {so_far}"


def _braced(labels: list[str]) -> str:
    return f"{{{','.join(labels)}}}" if labels else ""


def _escaped(text: str) -> str:
    # What libc takes for an address may hold any byte after the "%"; surrogates stand for those that are not UTF-8.
    plain = text.encode("utf-8", "backslashreplace").decode()
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    # To the microsecond, which is more than is known.
    return f"{value:.6f}".rstrip("0").rstrip(".")
