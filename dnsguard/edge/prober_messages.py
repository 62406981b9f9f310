"""DNS questions as bytes, and what answers mean; with prober.py the only place that imports dnspython.

What dnsmasq says (2.85 to 2.93, read in its source and tried):
- It answers `servers.bind CH TXT` by itself: one string for each server that it holds, "ADDRESS#PORT
  QUERIES FAILED"; for none, *empty* rdata, an error to dnspython since 2.7. With `no-ident`, NOTIMP.
- Knowing no upstream, it answers REFUSED at once, with EDE 14 (Not Ready) if it was asked with EDNS.

A trusted dnsmasq is asked the same every second, and while nobody else asks it, its answer is the same but for
the id. dnspython takes a third of a probe's time to build the question, and another to read the answer; so
questions, and the last answers, are kept without their ids.
"""

import os
from dataclasses import dataclass
from functools import lru_cache

from dns import edns, flags, rcode, rdata, rdataclass, rdatatype
from dns.exception import DNSException
from dns.message import Message, from_wire, make_query
from dns.name import from_text, root
from dns.rdtypes.ANY.TXT import TXT

from dnsguard.core import resolvconf
from dnsguard.core.errors import SettingsError
from dnsguard.core.evidence import Trouble
from dnsguard.core.vocabulary import Verdict

MAX_DATAGRAM_BYTES = 4096
"""What is announced to dnsmasq, which sends 1232 or 4096 at most; what is longer comes over TCP."""
MAX_STRINGS = 4096
"""Strings of one answer that are looked at: about as many servers as 64 KiB over TCP can list."""

_EMPTY_TEXT = (b"\0\x10\0\x03", b"\0\0")

canonical = lru_cache(maxsize=256)(resolvconf.canonical)
"""The same few addresses come by each second."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is forwarded, of class IN; parse_question() makes one that can be asked.

    Attributes:
        demanded: what one record of the answer must say, as a zone file has it; "" if any will do.
    """

    name: str
    type: str
    demanded: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


ROOT_SOA = Question(".", "SOA")
"""Every resolver can answer it, and dnsmasq does not cache it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """A question without an id; there is one object for each."""

    message: Message
    after_id: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """A question to be sent once.

    Attributes:
        template: the question.
        wire: its bytes, under an id of its own.
    """

    template: _Template
    wire: bytes

    @property
    def words(self) -> str:
        """The question as people write it."""
        return self.template.message.question[0].to_text()

    @property
    def is_local(self) -> bool:
        """Whether dnsmasq must answer it by itself."""
        return self.template.message.question[0].rdclass == rdataclass.CH


def parse_question(text: str) -> Question:
    """Read "NAME TYPE" or "NAME TYPE = ANSWER", as in `. SOA` or `intranet.example A = 10.0.0.7`.

    Raises:
        SettingsError: code "bad-question".
    """
    try:
        asked, equals, demanded = (part.strip() for part in text.partition("="))
        name, rdtype = asked.split()
        absolute, wanted = from_text(name), rdatatype.from_text(rdtype)
        if rdatatype.is_metatype(wanted) or wanted == rdatatype.NONE:
            raise ValueError
        if equals:
            _record(rdatatype.to_text(wanted), demanded)
    except (ValueError, DNSException):
        words = f'{ascii(text)[:80]} cannot be asked; write a name and a type, as in "intranet.example A"'
        raise SettingsError("bad-question", f"{words}, or an answer too: = 10.0.0.7") from None
    return Question(absolute.to_text(omit_final_dot=True), rdatatype.to_text(wanted), demanded)


@lru_cache(maxsize=64)
def _record(rdtype: str, text: str) -> rdata.Rdata:
    return rdata.from_text("IN", rdtype, text, origin=root, relativize=False)


def ask(question: Question, use_edns: bool) -> Query:
    """What is to be forwarded; with EDNS the answer may say why it is a refusal."""
    return _with_id(_template(question.name, question.type, "IN", use_edns))


def ask_held() -> Query:
    """What dnsmasq holds."""
    return _with_id(_template("servers.bind", "TXT", "CH", True))


def _with_id(template: _Template) -> Query:
    return Query(template, os.urandom(2) + template.after_id)


@lru_cache(maxsize=64)
def _template(name: str, rdtype: str, rdclass: str, use_edns: bool) -> _Template:
    payload = MAX_DATAGRAM_BYTES if use_edns else None
    message = make_query(name, rdtype, rdclass, use_edns=use_edns, payload=payload, id=0)
    return _Template(message, message.to_wire()[2:])


def read(wire: bytes, query: Query) -> Message | None:
    """The message, under the id 0, if it is whole and answers `query`, or was cut short on purpose (TC); else None.

    The same object may be given again: it is not to be changed.
    """
    return _answer(wire[2:], query.template) if wire[:2] == query.wire[:2] else None


def is_cut_short(reply: Message) -> bool:
    """Whether the whole answer is to be had over TCP."""
    return bool(reply.flags & flags.TC)


@lru_cache(maxsize=8)
def _answer(after_id: bytes, asked: _Template) -> Message | None:
    wire = b"\0\0" + after_id
    try:
        reply = from_wire(wire, continue_on_error=True)
    except (DNSException, ValueError):  # ValueError: an unknown opcode, to dnspython 2.3
        return None
    # Before its rdata a record has its type, class, TTL and length: 2, 2, 4 and 2 bytes.
    heads = [(wire[at - 10 : at - 6], wire[at - 2 : at]) for at in (error.offset for error in reply.errors)]
    is_usable = is_cut_short(reply) or all(head == _EMPTY_TEXT for head in heads)
    return reply if is_usable and asked.message.is_response(reply) else None


def read_held(reply: Message) -> tuple[str, ...] | Trouble | None:
    """The addresses in an answer to servers.bind, each once; None after NOTIMP: blinded."""
    code = reply.rcode()
    if code == rcode.NOTIMP:
        return None
    texts = [record for rrset in reply.answer for record in rrset if isinstance(record, TXT)]
    strings = [string for text in texts for string in text.strings][:MAX_STRINGS]
    shown = (string.partition(b"#")[0].decode("ascii", "replace") for string in strings)
    held = tuple(dict.fromkeys(filter(None, map(canonical, shown))))
    # The only error that _read() lets pass is the empty rdata of a dnsmasq that holds nothing.
    if code == rcode.NOERROR and (held or (not strings and (texts or reply.errors))):
        return held
    return Trouble(Verdict.RUBBISH, f"servers.bind. CH TXT: {rcode.to_text(code)} without a list of servers")


def lack(demanded: tuple[str, ...], held: tuple[str, ...] | None) -> Trouble | None:
    """What is demanded and not held; a blinded dnsmasq (None) has the benefit of the doubt."""
    lacking = [address for address in demanded if held is not None and canonical(address) not in held]
    words = f"lacks {', '.join(lacking[:9])}; holds {', '.join((held or ('nothing',))[:9])}"
    return Trouble(Verdict.LACKING, words) if lacking else None


def judge(reply: Message, about: str, proof: Question | None = None) -> Trouble | None:
    """What is wrong with the answer to a forwarded question.

    A negative answer is an answer. Where it must be a proof of its question, only to the root's: that shows that
    some server was reached. Who names a name of his own wants it found, and "no such name" is just what a
    server says that was never told of an internal zone.
    """
    code = reply.rcode()
    if code in (rcode.NOERROR, rcode.NXDOMAIN):
        wrong = _disproves(reply, proof) if proof else ""
        return Trouble(Verdict.WRONG, f"{about}: {wrong}") if wrong else None
    errors = [option for option in reply.options if isinstance(option, edns.EDEOption)][:3]
    words = "".join(f", EDE {int(error.code)} {ascii(error.text or '')[:80]}" for error in errors)
    verdict = {rcode.REFUSED: Verdict.REFUSED, rcode.SERVFAIL: Verdict.SERVFAIL}.get(code, Verdict.RUBBISH)
    if verdict is Verdict.REFUSED and edns.EDECode.NOT_READY in [error.code for error in errors]:
        verdict = Verdict.NO_UPSTREAM
    return Trouble(verdict, f"{about}: {rcode.to_text(code)}{words}")


def _disproves(reply: Message, proof: Question) -> str:
    """Why the answer does not say what it must, in words; "" if it does."""
    found = [record for rrset in reply.answer for record in rrset if record.rdtype == rdatatype.from_text(proof.type)]
    if proof.demanded and _record(proof.type, proof.demanded) not in found:
        said = ", ".join(ascii(record.to_text())[1:-1] for record in found[:3])
        return f"not {proof.demanded} but {said[:120] or rcode.to_text(reply.rcode())}"
    if found or from_text(proof.name) == root:
        return ""
    return "no such record" if reply.rcode() == rcode.NOERROR else rcode.to_text(reply.rcode())
