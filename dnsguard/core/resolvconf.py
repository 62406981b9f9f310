"""resolv.conf text <-> ResolvConf, read the way glibc reads it and never stricter.

Source: resolv.conf(5) of Debian 12, and glibc 2.36 resolv/res_init.c: a keyword counts only at
the start of a line and before a space or tab; `domain` and `search` replace each other, the last
one wins; `#` or `;` at the start of a line is a comment; what is not understood is passed over.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

MARK = "Written by dnsguard"
"""How the comment above our own files begins."""
UNSPECIFIED = ("0.0.0.0", "::")
MAX_NAMESERVERS = 3
"""libc asks no more than this many servers. Source: MAXNS in <resolv.h>."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """One resolv.conf, without its comments.

    Attributes:
        nameservers: canonical addresses, in order, each once; IPv6 may carry a %scope.
        search: the domains of the last `search` or `domain` line.
        options: the words of all `options` lines, in order.
        rest: other lines, verbatim (`sortlist` and keywords that we do not know).
        complaints: lines that libc would not understand, each as "line N: why".
    """

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()


def parse(text: str) -> ResolvConf:
    """Read resolv.conf text; a line that is no good is named in `complaints`, never an error."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    rest: list[str] = []
    complaints: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        keyword, *words = _words(line)
        if not keyword:
            continue
        match keyword:
            case "nameserver":
                address = canonical(words[0]) if words else None
                if address is None:
                    complaints.append(f"line {number}: {_shown(line)} names no address")
                elif address not in nameservers:
                    nameservers.append(address)
            case "search" | "domain" if words:
                # glibc reads the first word of `domain` only.
                search = tuple(words if keyword == "search" else words[:1])
            case "options":
                options += [word for word in words if word not in options]
            case _ if all(character.isprintable() or character == "\t" for character in line):
                rest.append(line.rstrip())
            case _:
                complaints.append(f"line {number}: {_shown(line)} is not text")
    return ResolvConf(tuple(nameservers), search, tuple(options), tuple(rest), tuple(complaints))


def render(conf: ResolvConf, header: tuple[str, ...] = ()) -> str:
    """Write resolv.conf text; `header` lines become comments above it.

    Nameservers beyond the third are left out: libc would not ask them. parse(render(conf))
    gives back everything else.
    """
    lines = [f"# {line}".rstrip() for line in header]
    lines += [f"nameserver {address}" for address in conf.nameservers[:MAX_NAMESERVERS]]
    if conf.search:
        lines.append("search " + " ".join(conf.search))
    if conf.options:
        lines.append("options " + " ".join(conf.options))
    lines += conf.rest
    return "".join(f"{line}\n" for line in lines)


def is_marked(text: str) -> bool:
    """Whether a file was ours, though it may have been changed since."""
    return text.startswith(f"# {MARK}")


def canonical(address: str) -> str | None:
    """The one spelling of an IPv4 or IPv6 address (a %scope is kept), or None if it is neither."""
    parsed = _parsed(address)
    if parsed is None:
        return None
    # An IPv4 server in IPv6 clothes is the same server.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


def is_loopback(address: str) -> bool:
    """Whether a server at this address can only be this host itself: 127/8, ::1, 0.0.0.0, ::."""
    parsed = _parsed(canonical(address) or "")
    return parsed is not None and (parsed.is_loopback or parsed.is_unspecified)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    scope = parsed.scope_id if isinstance(parsed, IPv6Address) else None
    return parsed if scope is None or (scope.isprintable() and " " not in scope) else None


def _words(line: str) -> list[str]:
    """The words of a line, the keyword first; [""] for a blank line or a comment."""
    if not line.strip() or line[0] in "#;":
        return [""]
    # Python's split() would also split at \x1c or a no-break space; glibc knows space and tab.
    words = [word for word in line.replace("\t", " ").rstrip("\r").split(" ") if word]
    # A keyword that does not start its line is none to glibc.
    return words if line[0] not in " \t" else ["?", *words]


def _shown(line: str) -> str:
    """The line as it may be shown in a log: printable, and not endless."""
    return ascii(line[:60])
