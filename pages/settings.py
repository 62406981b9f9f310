"""dnsguard.toml -> dnsguard.toml(5), as scdoc reads it: every key and its comment are written once, in the file.

The file's shape: a paragraph about the whole, and then, each after its comment, `[section]` or `#key = default`.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "etc/dnsguard/dnsguard.toml"

HEAD = """dnsguard.toml(5) "" "File Formats Manual"

# NAME

dnsguard.toml - configuration of dnsguard

# SYNOPSIS

_/etc/dnsguard/dnsguard.toml_

# DESCRIPTION

A TOML file in which every section and every key may be left out; shown are the
defaults. A key that is not known, or a value that is impossible, is refused with
its line.
"""
TAIL = """
# EXAMPLES

A zone that only dnsmasq knows is proved too, and the host is left on dnsmasq
while just that zone is down:

```
[health]
questions = [". SOA", "intranet.example A"]

[guard]
zone_down = "hold"
```

# FILES

_/etc/dnsguard/dnsguard.toml_

# SEE ALSO

*dnsguard*(8), *dnsguard-guarded.target*(7), *dnsmasq*(8)
"""


def page(text: str) -> str:
    """The manual page of a configuration file."""
    return "\n".join((HEAD, *_entries(text), TAIL))


def _entries(text: str) -> Iterator[str]:
    about: list[str] = []
    for line in text.splitlines():
        key = re.fullmatch(r"#(\w+) = (.*)", line)
        if key:
            yield f"*{key[1]}* = {_escaped(key[2])}\n" + _paragraph(about, "\t")
        elif line.startswith("["):
            yield f"# {line}\n\n{_paragraph(about)}"
        elif line.startswith("# "):
            about.append(line[2:])
            continue
        elif about:
            # The paragraph about the whole; its first line is the title.
            yield _paragraph(about[1:])
        about = []


def _paragraph(lines: Iterable[str], indent: str = "") -> str:
    """The lines as a paragraph; what begins with a quoted choice stays a line of its own."""
    words = "\n".join(indent + _escaped(line) for line in lines)
    # "++" ends a line; the next one's indent would be printed.
    return re.sub(r"\n\s*(\")", r"++\n\1", words) + "\n"


def _escaped(text: str) -> str:
    """What scdoc takes for a format as the letter that it is."""
    return re.sub(r"([\\*_#<|\[\]])", r"\\\1", text.replace("`", ""))


if __name__ == "__main__":
    print(page(SOURCE.read_text()), end="")
