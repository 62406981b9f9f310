"""Twin of dnsguard/core/owner.py: what was found on which host, and what follows."""

from dataclasses import replace

import pytest

from dnsguard.core.owner import Provider, Signs, found
from dnsguard.core.upstreams import Sources, choose
from tests.core.test_upstreams import PLAIN, not_own, says, with_records

NO_STUB = "/run/NetworkManager/no-stub-resolv.conf"
UPLINKS = "/run/systemd/resolve/resolv.conf"
DNSMASQ = says("lo.dnsmasq", "127.0.0.1")
LEASE = says("eth0.inet", "192.0.2.53")
GIVEN = says("/run/dnsmasq/resolv.conf", "192.0.2.53")
EMPTY = replace(GIVEN, text="")
LINK_OF_RESOLVCONF = "a link to ../run/resolvconf/resolv.conf"
PLAIN_FILE = "a plain file"


def manages(path: str) -> Sources:
    """A host where another program manages the network."""
    return replace(PLAIN, others=(says(path, "192.0.2.53"),))


@pytest.mark.parametrize(
    ("provider", "before", "sources", "line"),
    [
        (
            Provider.NOBODY,
            PLAIN_FILE,
            replace(PLAIN, kept=says("resolv.conf.kept", "192.0.2.53")),
            (
                "no resolvconf; before dnsguard resolv.conf was a plain file; servers are named by resolv.conf.kept"
                " -> upstreams are taken from resolv.conf.kept; dnsmasq need not be registered to be used"
            ),
        ),
        (
            Provider.NOBODY,
            "",
            PLAIN,
            (
                "no resolvconf; before dnsguard resolv.conf was something unknown; servers are named by nobody"
                " -> no upstream is known yet; dnsmasq need not be registered to be used"
            ),
        ),
        (
            Provider.NOBODY,
            PLAIN_FILE,
            manages(NO_STUB),
            (
                f"no resolvconf; before dnsguard resolv.conf was a plain file; servers are named by {NO_STUB}"
                f" -> upstreams are taken from {NO_STUB}; dnsmasq need not be registered to be used"
            ),
        ),
        (
            Provider.DEBIAN,
            LINK_OF_RESOLVCONF,
            with_records(LEASE, DNSMASQ, upstream_file=GIVEN),
            (
                "Debian's resolvconf; before dnsguard resolv.conf was a link to ../run/resolvconf/resolv.conf;"
                " servers are named by eth0.inet, lo.dnsmasq, /run/dnsmasq/resolv.conf"
                " -> upstreams are taken from resolvconf: eth0.inet;"
                " dnsmasq is used while it is registered with resolvconf"
            ),
        ),
        (
            Provider.DEBIAN,
            LINK_OF_RESOLVCONF,
            with_records(base=says("base", "192.0.2.53"), upstream_file=EMPTY),
            (
                "Debian's resolvconf; before dnsguard resolv.conf was a link to ../run/resolvconf/resolv.conf;"
                " servers are named by base"
                " -> upstreams are taken from resolvconf: base; dnsmasq is used while it is registered with resolvconf"
            ),
        ),
        (
            Provider.OPENRESOLV,
            PLAIN_FILE,
            with_records(LEASE, DNSMASQ),
            (
                "openresolv; before dnsguard resolv.conf was a plain file; servers are named by eth0.inet, lo.dnsmasq"
                " -> upstreams are taken from resolvconf: eth0.inet; a dnsmasq that comes is given no upstream,"
                " and is not used: set dnsmasq_resolv in /etc/resolvconf.conf"
            ),
        ),
        (
            Provider.OPENRESOLV,
            PLAIN_FILE,
            with_records(LEASE, DNSMASQ, upstream_file=GIVEN),
            (
                "openresolv; before dnsguard resolv.conf was a plain file; servers are named by eth0.inet, lo.dnsmasq,"
                " /run/dnsmasq/resolv.conf"
                " -> upstreams are taken from resolvconf: eth0.inet;"
                " dnsmasq is used while it is registered with resolvconf"
            ),
        ),
        (
            Provider.RESOLVECTL,
            "a link to ../run/systemd/resolve/stub-resolv.conf",
            manages(UPLINKS),
            (
                "systemd-resolved as resolvconf; before dnsguard resolv.conf was a link to"
                f" ../run/systemd/resolve/stub-resolv.conf; servers are named by {UPLINKS}"
                f" -> upstreams are taken from {UPLINKS}; a dnsmasq that comes is given no upstream, and is not used:"
                " set IGNORE_RESOLVCONF=yes, and resolv-file="
            ),
        ),
    ],
)
def test_one_line_says_what_was_found_and_what_follows(
    provider: Provider, before: str, sources: Sources, line: str
) -> None:
    """Who reads a journal months later learns from one line what kind of host this is."""
    said = found(sources, Signs(before, provider), choose(sources, not_own))

    assert ("found", "info", line) == (said.code, said.level, said.text)
