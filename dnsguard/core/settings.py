"""Text of dnsguard.toml -> Settings; every complaint names the file, the line and the key."""

import tomllib
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, get_type_hints

from dnsguard.core import resolvconf
from dnsguard.core.errors import SettingsError
from dnsguard.core.policy import Policy


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are. All of them absolute."""

    resolv_conf: str = "/etc/resolv.conf"
    """What libc reads; a link to `published` once attached."""
    published: str = "/run/dnsguard/resolv.conf"
    """The file that the daemon writes."""
    status: str = "/run/dnsguard/status.json"
    """What `dnsguard status` prints."""
    metrics: str = "/run/dnsguard/metrics.prom"
    """Counters in Prometheus' text format; "" to write none."""
    request: str = "/run/dnsguard/attach-wanted"
    """Touched by the daemon when somebody took /etc/resolv.conf away."""
    kept: str = "/var/lib/dnsguard/resolv.conf.kept"
    """The plain file that stood at `resolv_conf` before attach, byte for byte."""
    kept_facts: str = "/var/lib/dnsguard/kept.json"
    """What kind of thing stood there: a file, a link and its target, or nothing."""
    remembered: str = "/var/lib/dnsguard/upstreams.conf"
    """The list that was good when it was last known; used until a source speaks, in the same networks only."""
    resolvconf_dir: str = "/run/resolvconf"
    """resolvconf's records lie in its `interface` folder."""
    interface_order: str = "/etc/resolvconf/interface-order"
    """The order in which records are believed."""
    resolv_conf_d: str = "/etc/resolvconf/resolv.conf.d"
    """The administrator's `head`, `base` and `tail`."""
    upstream_file: str = "/run/dnsmasq/resolv.conf"
    """The file that dnsmasq is given its upstreams by."""
    other_sources: tuple[str, ...] = (
        "/run/NetworkManager/no-stub-resolv.conf",
        "/run/systemd/resolve/resolv.conf",
    )
    """Further files in resolv.conf syntax, believed in this order after the two above."""


@dataclass(frozen=True, slots=True)
class Dnsmasq:
    """Which dnsmasq is watched."""

    address: str = "127.0.0.1"
    """Where it is asked, and what resolv.conf names while guarded."""
    port: int = 53
    """Where it is asked; libc always uses 53."""
    pid_file: str = "/run/dnsmasq/dnsmasq.pid"
    """Names its process; a claim that is checked."""
    unit: str = "dnsmasq.service"
    """Its process must be in this unit; "" where there is no systemd."""


@dataclass(frozen=True, slots=True)
class Health:
    """How it is asked."""

    probe_timeout_s: float = 0.25
    """For the question that dnsmasq answers by itself."""
    forward_timeout_s: float = 2.0
    """For a question that it must forward."""
    questions: tuple[str, ...] = (". SOA",)
    """What is forwarded; all of them must be answered.

    "NAME TYPE": with such a record; for the root any answer will do, for it shows that a server was reached.
    "NAME TYPE = ANSWER": with just this one, as in "intranet.example A = 10.0.0.7"."""
    upstream_port: int = 53
    """Where upstreams are asked directly."""


@dataclass(frozen=True, slots=True)
class Log:
    """What is said."""

    level: str = "info"
    """debug, info, warning or error."""


@dataclass(frozen=True, slots=True)
class Settings:
    """dnsguard.toml; `guard` holds the limits that the core decides by."""

    paths: Paths = field(default_factory=Paths)
    dnsmasq: Dnsmasq = field(default_factory=Dnsmasq)
    health: Health = field(default_factory=Health)
    guard: Policy = field(default_factory=Policy)
    log: Log = field(default_factory=Log)

    @property
    def policy(self) -> Policy:
        """What the core decides by."""
        # Two questions a minute may leave the host, however many there are.
        every_s = self.guard.forward_interval_s * max(1, len(self.health.questions))
        address, port = self.dnsmasq.address, self.dnsmasq.port
        return replace(self.guard, forward_interval_s=every_s, dnsmasq_address=address, dnsmasq_port=port)


# Keys of Policy that an operator sets elsewhere.
_ELSEWHERE = {("guard", "dnsmasq_address"), ("guard", "dnsmasq_port")}
_LEVELS = ("debug", "info", "warning", "error")
# Least and most of each number; seconds that are not named here: 0.001 to a day.
_RANGES: dict[str, tuple[float, float]] = {
    "port": (1, 65535),
    "upstream_port": (1, 65535),
    "rise": (1, 100),
    "fall": (1, 100),
    "dwell_s": (0, 3600),
    "falls": (0, 1000),
    "eager_tries": (1, 1000),
    "network_tries": (1, 1000),
    "reload_tries": (1, 100),
    "restarts": (0, 100),
    "trample_limit": (1, 1000),
}
_SECONDS = (0.001, 86400.0)


def parse(text: str, path: str = "dnsguard.toml") -> Settings:
    """Read dnsguard.toml; what is not said keeps its default.

    Raises:
        SettingsError: codes "not-toml", "unknown-section", "unknown-key", "wrong-type",
            "out-of-range", "not-an-address", "not-a-path", "not-a-question", "not-a-choice".
    """
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError("not-toml", f"{path}: {error or 'nested too deeply'}") from error
    sections: dict[str, Any] = {each.name: getattr(Settings(), each.name) for each in fields(Settings)}
    for name, table in tree.items():
        where = _Place(text, path, name)
        if name not in sections:
            raise where.error("unknown-section", "", f"there is no [{name}]; there are {_listed(sections)}")
        if not isinstance(table, dict):
            raise where.error("wrong-type", "", f"{name} must be a table, written [{name}]")
        sections[name] = _section(sections[name], table, where)
    return Settings(**sections)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the text a complaint belongs."""

    text: str
    path: str
    section: str

    def error(self, code: str, key: str, words: str) -> SettingsError:
        return SettingsError(code, f"{self.path}:{self._line_of(key)}: {words}")

    def _line_of(self, key: str) -> int:
        """The line of the key, or of its section's head; 1 if the text is written in another way."""
        found, inside = 1, False
        for number, line in enumerate(self.text.split("\n"), start=1):
            bare = line.strip().replace(" ", "")
            if bare.startswith("["):
                inside = bare.startswith(f"[{self.section}]")
                found = number if inside else found
            elif bare.startswith((f"{self.section}=", f"{self.section}.{key}=")) or (
                inside and key and bare.startswith(f"{key}=")
            ):
                return number
        return found


def _section(defaults: Any, table: dict[str, Any], where: _Place) -> Any:
    hints = get_type_hints(type(defaults))
    known = [each.name for each in fields(defaults) if (where.section, each.name) not in _ELSEWHERE]
    for key, value in table.items():
        if key not in known:
            words = f"[{where.section}] has no key {key!a}; it has {_listed(known)}"
            raise where.error("unknown-key", key, words)
        defaults = replace(defaults, **{key: _value(key, hints[key], value, where)})
    return defaults


def _value(key: str, wanted: Any, value: Any, where: _Place) -> Any:
    """The checked value of one key."""
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        choices = [each.value for each in wanted]
        return wanted(_choice(key, value, choices, where))
    if wanted in (int, float):
        return _number(key, wanted, value, where)
    if wanted is str:
        return _text(key, value, where)
    if not isinstance(value, list):
        raise _wrong_type(key, "a list of texts", value, where)
    return tuple(_text(key, each, where) for each in value)


def _number(key: str, wanted: type, value: Any, where: _Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int if wanted is int else (int, float)):
        raise _wrong_type(key, "a whole number" if wanted is int else "a number of seconds", value, where)
    least, most = _RANGES.get(key, _SECONDS)
    # Written so that nan, which compares with nothing, is refused too.
    if not least <= value <= most:
        raise where.error("out-of-range", key, f"{key} = {value}; it must be from {least:g} to {most:g}")
    return int(value) if wanted is int else float(value)


def _text(key: str, value: Any, where: _Place) -> str:
    if not isinstance(value, str):
        raise _wrong_type(key, "a text in quotes", value, where)
    if key == "level":
        return str(_choice(key, value, list(_LEVELS), where))
    if key == "address":
        return _address(key, value, where)
    if key == "questions":
        return _question(key, value, where)
    if key == "metrics" and not value:
        return value
    if key != "unit" and not (value.startswith("/") and value.isprintable()):
        raise where.error("not-a-path", key, f"{key} = {value!a}; it must be a path that begins with /")
    if key == "unit" and ("/" in value or not value.isprintable()):
        raise where.error("not-a-choice", key, f"{key} = {value!a}; it must be a unit's name, or empty")
    return value


def _choice(key: str, value: Any, choices: list[str], where: _Place) -> str:
    if value not in choices:
        raise where.error("not-a-choice", key, f"{key} = {value!a}; it must be one of {_listed(choices)}")
    return str(value)


def _address(key: str, value: str, where: _Place) -> str:
    address = resolvconf.canonical(value)
    if address is None:
        raise where.error("not-an-address", key, f"{key} = {value!a}; it must be an IPv4 or IPv6 address")
    return address


def _question(key: str, value: str, where: _Place) -> str:
    asked, equals, demanded = value.partition("=")
    if len(asked.split()) != 2 or not value.isprintable() or bool(equals) != bool(demanded.strip()):
        words = f'{key}: {value!a}; each must be a name and a type, as in "intranet.example A"'
        raise where.error("not-a-question", key, words)
    return value


def _wrong_type(key: str, wanted: str, value: Any, where: _Place) -> SettingsError:
    return where.error("wrong-type", key, f"{key} = {ascii(value)[:60]}; it must be {wanted}")


def _listed(words: Any) -> str:
    return ", ".join(words)
