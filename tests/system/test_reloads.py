"""A dnsmasq that does not take its upstreams is made to, step by step, while libc has them all the time."""

from tests.sandbox.lookups import tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM
from tests.system.ending import pid_of
from tests.system.kinds import configure, is_guarded
from tests.system.machine import Machine


def test_file_that_resolvconf_did_not_write_is_asked_for(guarded: Machine) -> None:
    """Killed between record and hooks, as a unit's processes are on its stop; without us dnsmasq would never know."""
    guarded.start_sampler()
    guarded.run(
        f"cd /run/resolvconf/interface && echo nameserver {OTHER_UPSTREAM} >new_new.1 && mv new_new.1 eth0.inet"
    )
    wait_for(lambda: guarded.nameservers()[0] == OTHER_UPSTREAM, "new upstream")
    wait_for(lambda: is_guarded(guarded) and guarded.nameservers()[1:] == [OTHER_UPSTREAM], "trust again", 60)
    seen = tally(guarded.stop_sampler())

    assert "lags behind; asked resolvconf to write it again" in guarded.journal("dnsguard")
    assert (0, 0) == (seen.failed, seen.slow), seen


def blind(machine: Machine) -> None:
    """Remove the folder that dnsmasq watches, and make it again: SIGHUP, another event and time cannot help."""
    machine.run("cd /run && cp -a dnsmasq copy && mv dnsmasq old && mv copy dnsmasq")


def test_dnsmasq_that_is_blind_to_its_file_is_ended_for_another(guarded: Machine) -> None:
    """The other one reads it anew."""
    before = pid_of(guarded, "dnsmasq")
    blind(guarded)
    guarded.start_sampler()
    guarded.new_lease(OTHER_UPSTREAM)
    wait_for(lambda: pid_of(guarded, "dnsmasq") not in ("0", before), "another dnsmasq", 60)
    wait_for(lambda: is_guarded(guarded), "trust in it", 60)
    seen = tally(guarded.stop_sampler())

    assert "ended it, and systemd starts another (1 of 5 in 300 s)" in guarded.journal("dnsguard")
    assert (0, 0) == (seen.failed, seen.slow), seen


def test_nobody_is_ended_where_the_operator_does_not_want_it(guarded: Machine) -> None:
    """restarts = 0: libc stays on the upstreams."""
    configure(guarded, "[guard]\nrestarts = 0\nreload_retry_s = 0.1\n")
    guarded.run("systemctl reload dnsguard")
    before = pid_of(guarded, "dnsmasq")
    blind(guarded)
    guarded.new_lease(OTHER_UPSTREAM)
    wait_for(lambda: "asked resolvconf" in guarded.journal("dnsguard"), "last step but one", 60)
    guarded.start_sampler()
    guarded.wait_for_lookups(300)
    guarded.stop_sampler()

    assert before == pid_of(guarded, "dnsmasq")
    assert [OTHER_UPSTREAM] == guarded.nameservers()
