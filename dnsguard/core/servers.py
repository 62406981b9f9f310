"""A `server`, `local` or `rev-server` of dnsmasq's configuration -> whom it asks, and whether for some names only.

Facts, from parse_server, domain_rev4 and one_opt in option.c of dnsmasq 2.90:
- `server` and `local` are one option: `[/DOMAIN/.../]ADDRESS[#PORT][@SOURCE]`; without an address the names stay here.
- `rev-server=NETWORK/BITS,ADDRESS[#PORT][@SOURCE]` is the same for the names of a network.
- `/a/b/#` means the usual servers, `/#/` every name, `//` names without a dot.
"""

from dataclasses import dataclass

from dnsguard.core.resolvconf import canonical

DNS_PORT = 53
OPTIONS = ("server", "local", "rev-server")


@dataclass(frozen=True, slots=True)
class Server:
    """One that is asked.

    Attributes:
        address: canonical.
        port: 53 unless another one is named.
        routed: it is asked for some names only.
        option: how it stands in the configuration, with its place, bounded.
    """

    address: str
    port: int = DNS_PORT
    routed: bool = False
    option: str = ""


def server_of(name: str, value: str) -> Server | None:
    """Whom this option has dnsmasq ask; None if nobody, or if it is a host's name."""
    if name == "rev-server":
        value, routed = value.partition(",")[2], True
    else:
        domains, slash, last = value.rpartition("/")
        value = last if slash else value
        routed = any(domain.strip(" ") != "#" for domain in domains[1:].split("/")) if slash else False
    place, _, port = value.partition("@")[0].partition("#")
    address = canonical(place.strip(" "))
    number = int(port[:9]) if port.strip().isdecimal() else DNS_PORT
    return None if address is None else Server(address, number, routed)


def keeps_names(name: str, value: str) -> bool:
    """Whether a server or domain option sends names elsewhere than to the usual servers, or nowhere."""
    if name in ("domain", "domain-suffix"):
        # A third word, `local`, is as good as local=/domain/ and a rev-server for the range.
        return value.replace(" ", "").endswith(",local")
    if name not in ("server", "local"):
        return False
    if not value.startswith("/"):
        return not value
    *domains, address = (each.strip(" ") for each in value[1:].split("/"))
    return address != "#" and (not address or any(domain != "#" for domain in domains))
