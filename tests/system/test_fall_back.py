"""docs/fall-back.md, typed as it stands there: what the page says that one sees is what one sees."""

import re
from dataclasses import dataclass

from tests.sandbox.namespaces import CHECKOUT
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM
from tests.system.kinds import is_guarded
from tests.system.machine import Machine
from tests.system.traps import are_told, codes_of

PAGE = CHECKOUT / "docs/fall-back.md"
# A question that leaves this host comes twice a minute, and a trial after failures takes ten seconds.
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Part:
    """One way to spoil a host.

    Attributes:
        title: its heading.
        spoil: what is typed; `mend` is typed afterwards.
        codes: what the journal says then, in this order; one of several at each place.
        asked: whom libc asks when that has been said: "dnsmasq" or "the upstreams".
        after: what it says when all is well again; empty if that is not told.
    """

    title: str
    spoil: str
    mend: str
    codes: tuple[tuple[str, ...], ...]
    asked: str
    after: tuple[str, ...]

    def is_told(self, told: list[str]) -> bool:
        """Whether the journal has said it all."""
        left = iter(told)
        return all(any(code in choices for code in left) for choices in self.codes)


def parts() -> list[Part]:
    """The parts of the page that have a heading."""
    return [_part(*text.split("\n", 1)) for text in PAGE.read_text().split("\n## ")[1:]]


def _part(title: str, text: str) -> Part:
    before, mark, back = text.partition("\nBack")
    assert mark, f"{title}: a line that begins with Back"
    [said] = re.findall(r"^- The journal: ([^.]*)\.", before, re.MULTILINE)
    [asked] = re.findall(r"^- libc asks: ([^.]*)\.", before, re.MULTILINE)
    codes = tuple(tuple(re.findall(r"`([a-z-]+)`", each)) for each in said.split(","))
    return Part(title, _typed(before), _typed(back), codes, asked, tuple(re.findall(r"`([a-z-]+)`", back)))


def _typed(text: str) -> str:
    return "\n".join(re.findall(r"^    (.*)$", text, re.MULTILINE))


def play(machine: Machine, part: Part) -> None:
    """Spoil the host, see what the page says, and mend it."""
    # It forgets its failures, so that no trial takes half a minute.
    machine.run("systemctl restart dnsguard")
    wait_for(lambda: is_guarded(machine), f"trust before: {part.title}", PATIENCE_S)
    seen = len(codes_of(machine))
    # What breaks a configuration is told so.
    machine.run(part.spoil, check=False)
    wait_for(lambda: part.is_told(codes_of(machine)[seen:]), f"{part.codes} after: {part.title}", PATIENCE_S)
    first = {"dnsmasq": "127.0.0.1", "the upstreams": UPSTREAM}[part.asked]
    wait_for(lambda: machine.nameservers()[:1] == [first], f"{first} after: {part.title}")
    machine.run(part.mend)
    wait_for(lambda: are_told(part.after, codes_of(machine)[seen:]), f"{part.after} after: {part.title}", PATIENCE_S)
    wait_for(lambda: is_guarded(machine), f"trust after: {part.title}", PATIENCE_S)


def test_the_page_says_what_one_sees(guarded: Machine) -> None:
    """Each part on the same host, one after the other; it comes back from each."""
    for part in parts():
        play(guarded, part)
