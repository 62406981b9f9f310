"""The Ansible role and the Puppet module, run for real: from a stock host to a guarded one, again, and back."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.lookups import tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM
from tests.system.config_tools import Ansible, Puppet, Tool, offer
from tests.system.conftest import Boot
from tests.system.ending import is_handed_back, pid_of
from tests.system.kinds import KINDS, PLAIN, Kind, is_guarded
from tests.system.machine import Machine
from tests.system.package import newer_package, package

TOML = "/etc/dnsguard/dnsguard.toml"
INTERVAL_S = {"guard": {"interval_s": 0.5}}
NO_STANDBY = {"guard": {"interval_s": 0.5, "standby": "no"}}
BAD = {"guard": {"interval_s": 0.5, "rise": 0}}
CODE_OF_BAD = "out-of-range"
TOOLS: tuple[Tool, ...] = (Ansible(), Puppet())


def with_tool(tool: Tool) -> str:
    """The kind of a stock machine that has the tool, and no more."""
    return f"plain, with {tool.name}"


def managed_by(tool: Tool) -> str:
    """The kind of a machine where the tool has run once."""
    return f"guarded, by {tool.name}"


def _managed(tool: Tool) -> Callable[[Machine], object]:
    def prepare(machine: Machine) -> None:
        done = tool.run(machine, deb=machine.bring(package()), settings=INTERVAL_S)
        assert done.is_well, done.output
        # A resolvconf that has just come keeps what was there until the next boot; then ifupdown tells it.
        machine.run(f"echo '\tdns-nameservers {UPSTREAM}' >>/etc/network/interfaces")

    return prepare


for each in TOOLS:
    KINDS[with_tool(each)] = Kind(PLAIN, each.prepare)
    KINDS[managed_by(each)] = Kind(with_tool(each), _managed(each), is_guarded)


@pytest.fixture(params=TOOLS, ids=lambda tool: tool.name)
def tool(request: pytest.FixtureRequest) -> Tool:
    """Each of the two."""
    given: Tool = request.param
    return given


@pytest.fixture
def stock(boot: Boot, tool: Tool) -> Machine:
    """A stock machine that has the tool."""
    return boot(with_tool(tool))


@pytest.fixture
def managed(boot: Boot, tool: Tool) -> Machine:
    """A guarded machine, made so by the tool."""
    return boot(managed_by(tool))


def deb_in(machine: Machine) -> str:
    """Where the package lies on it."""
    return machine.bring(package())


def installed(machine: Machine) -> str:
    """dpkg's lines about resolvconf and dnsmasq, those that are installed."""
    return machine.run("dpkg-query --list resolvconf dnsmasq 2>/dev/null | grep ^ii", check=False).stdout


@pytest.mark.parametrize("source", ["deb", "repository"])
def test_a_run_makes_a_stock_host_a_guarded_one_and_loses_no_lookup(stock: Machine, tool: Tool, source: str) -> None:
    """Then the same run changes nothing."""
    parameters: dict[str, Any] = {"settings": INTERVAL_S}
    if source == "deb":
        parameters["deb"] = deb_in(stock)
    else:
        offer(stock, package())
    stock.start_sampler()
    stock.wait_for_lookups(20)
    first = tool.run(stock, is_present=True, **parameters)
    wait_for(lambda: is_guarded(stock), "trust in dnsmasq")
    again = tool.run(stock, is_present=True, **parameters)
    stock.wait_for_lookups(20)
    seen = tally(stock.stop_sampler())

    assert first.is_well, first.output
    assert "interval_s = 0.5\n" in stock.path(TOML).read_text()
    assert (True, frozenset()) == (again.is_well, again.changed), again.output
    assert is_guarded(stock)
    assert (0, 0) == (seen.failed, seen.slow), seen
    assert "enabled\nenabled\n" == stock.run("systemctl is-enabled dnsguard dnsmasq").stdout


def test_a_changed_key_is_in_force_after_a_reload_and_nothing_else_has_changed(managed: Machine, tool: Tool) -> None:
    """The same daemon goes on, and libc is told of dnsmasq alone."""
    before = pid_of(managed)
    assert ["127.0.0.1", UPSTREAM] == managed.nameservers()
    done = tool.run(managed, deb=deb_in(managed), settings=NO_STANDBY)

    assert (True, tool.a_reload) == (done.is_well, done.changed), done.output
    wait_for(lambda: ["127.0.0.1"] == managed.nameservers(), "file without a standby")
    assert before == pid_of(managed)


def test_another_version_comes_and_goes_again(managed: Machine, tool: Tool) -> None:
    """A fleet is upgraded, and a bad upgrade is taken back; the configuration is asked about by nobody, nor lost."""
    before = managed.path(TOML).read_text()
    managed.start_sampler()
    managed.wait_for_lookups(20)
    for version, deb in (("9.0.0", newer_package()), ("0.1.0", package())):
        given: dict[str, Any] = {"deb": managed.bring(deb), "version": version, "settings": INTERVAL_S}
        done = tool.run(managed, **given)
        again = tool.run(managed, **given)

        assert (True, 1) == (done.is_well, len(done.changed)), done.output
        assert (True, frozenset()) == (again.is_well, again.changed), again.output
        assert version == managed.run("dpkg-query --show --showformat='${Version}' dnsguard").stdout
    managed.wait_for_lookups(20)
    seen = tally(managed.stop_sampler())

    assert before == managed.path(TOML).read_text()
    assert (0, 0) == (seen.failed, seen.slow), seen


def test_a_bad_value_is_refused_before_anything_is_changed(managed: Machine, tool: Tool) -> None:
    """check-config's own words are in the output, and the daemon does not hear of it."""
    before = (pid_of(managed), managed.path(TOML).read_text())
    heard = managed.journal("dnsguard").count("settings")
    done = tool.run(managed, deb=deb_in(managed), settings=BAD)

    assert (False, frozenset()) == (done.is_well, done.changed), done.output
    assert f"{CODE_OF_BAD}: " in done.output
    assert "rise = 0; it must be from 1 to 100" in done.output
    assert before == (pid_of(managed), managed.path(TOML).read_text())
    assert heard == managed.journal("dnsguard").count("settings")
    assert is_guarded(managed)


def test_a_bad_value_keeps_dnsmasq_from_a_stock_host(stock: Machine, tool: Tool) -> None:
    """dnsguard is there, at its defaults, for who else would check; nothing follows."""
    done = tool.run(stock, deb=deb_in(stock), settings=BAD)

    assert not done.is_well
    assert f"{CODE_OF_BAD}: " in done.output
    assert "interval_s = 0.5" not in stock.path(TOML).read_text()
    assert "" == installed(stock)
    assert [UPSTREAM] == stock.nameservers()
    assert stock.resolves()


def test_absent_leaves_a_host_that_resolves_without_dnsguard(managed: Machine, tool: Tool) -> None:
    """What dnsguard found is handed back, no lookup is lost, and the second run changes nothing."""
    managed.start_sampler()
    managed.wait_for_lookups(20)
    first = tool.run(managed, is_present=False)
    managed.wait_for_lookups(20)
    seen = tally(managed.stop_sampler())
    again = tool.run(managed, is_present=False)

    assert first.is_well, first.output
    assert (True, frozenset()) == (again.is_well, again.changed), again.output
    assert is_handed_back(managed)
    assert not managed.path("/etc/dnsguard").exists()
    assert "active" == managed.run("systemctl is-active dnsmasq").stdout.strip()
    assert (0, 0) == (seen.failed, seen.slow), seen


def test_without_dnsmasq_dnsguard_comes_alone(stock: Machine, tool: Tool) -> None:
    """For hosts whose dnsmasq is somebody else's business."""
    done = tool.run(stock, deb=deb_in(stock), with_dnsmasq=False)

    assert done.is_well, done.output
    assert "" == installed(stock)
    assert 0 == stock.run("dnsguard wait --for direct --timeout 0", check=False).returncode


def test_a_host_that_does_not_resolve_fails_the_run(managed: Machine, tool: Tool) -> None:
    """What follows in the run would fail too, for a reason that is harder to see."""
    managed.world.stop_upstream(UPSTREAM)
    done = tool.run(managed, deb=deb_in(managed), settings=INTERVAL_S, wait_s=1)

    assert not done.is_well
    assert "not resolving after 1 s" in done.output


def test_the_tool_finds_nothing_wrong_with_what_it_is_given(stock: Machine, tool: Tool) -> None:
    """Each suite's own version of it."""
    looked = tool.lint(stock)

    assert (0, "") == (looked.returncode, looked.stderr), looked.stdout
