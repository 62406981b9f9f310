"""Decisions as plain data and back: what a log line holds, and what a replay reads.

Frozen dataclasses become dicts with their class name under "is", enums their values, tuples lists.
Reading back is strict: an unknown class, field or value is a RecordError, never a guess.
"""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from dnsguard.core import actions, events
from dnsguard.core.actions import Action
from dnsguard.core.errors import RecordError
from dnsguard.core.events import Event
from dnsguard.core.state import State

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

_NAMED: dict[str, type[Any]] = {each.__name__: each for each in (*get_args(Event), *get_args(Action))}


def to_plain(thing: object) -> Plain:
    """Anything of the core as JSON can carry it."""
    match thing:
        case None | bool() | int() | float() | str():
            return thing
        case Enum():
            return str(thing.value)
        case tuple() | list() | frozenset():
            return [to_plain(each) for each in thing]
        case _ if is_dataclass(thing):
            named: dict[str, Plain] = {"is": type(thing).__name__} if type(thing).__name__ in _NAMED else {}
            return named | {each.name: to_plain(getattr(thing, each.name)) for each in fields(thing)}
    raise TypeError(f"{type(thing).__name__} is nothing that the core records")


def event_from(plain: Plain) -> Event:
    """Read an event back. Raises RecordError: code "bad-record"."""
    return _named_from(plain, events.__name__)  # type: ignore[no-any-return]


def action_from(plain: Plain) -> Action:
    """Read an action back. Raises RecordError: code "bad-record"."""
    return _named_from(plain, actions.__name__)  # type: ignore[no-any-return]


def state_from(plain: Plain) -> State:
    """Read a state back. Raises RecordError: code "bad-record"."""
    state: State = _from_plain(State, plain)
    return state


def _named_from(plain: Plain, module: str) -> Any:
    name = plain.get("is") if isinstance(plain, dict) else None
    kind = _NAMED.get(name) if isinstance(name, str) else None
    if kind is None or kind.__module__ != module:
        raise RecordError("bad-record", f"{name!a} is no class of {module}; was it written by another version?")
    return _from_plain(kind, plain)


def _from_plain(wanted: Any, plain: Plain) -> Any:
    """The thing of type `wanted` that `plain` stands for."""
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _from_union(wanted, plain)
    if origin is tuple:
        return _tuple_from(wanted, plain)
    if isinstance(wanted, type) and is_dataclass(wanted):
        return _dataclass_from(wanted, plain)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return _enum_from(wanted, plain)
    number = wanted is float and type(plain) is int
    if type(plain) is not wanted and not number:
        raise RecordError("bad-record", f"{ascii(plain)[:60]} is no {getattr(wanted, '__name__', wanted)}")
    return plain


def _from_union(wanted: Any, plain: Plain) -> Any:
    members = [each for each in get_args(wanted) if each is not type(None)]
    if plain is None and len(members) < len(get_args(wanted)):
        return None
    return _from_plain(members[0], plain)


def _tuple_from(wanted: Any, plain: Plain) -> Any:
    if not isinstance(plain, list):
        raise RecordError("bad-record", f"{ascii(plain)[:60]} is no list")
    members = get_args(wanted)
    if len(members) == 2 and members[1] is Ellipsis:
        members = (members[0],) * len(plain)
    if len(members) != len(plain):
        raise RecordError("bad-record", f"a list of {len(plain)} where {len(members)} are due")
    return tuple(_from_plain(member, each) for member, each in zip(members, plain, strict=True))


def _dataclass_from(wanted: Any, plain: Plain) -> Any:
    if not isinstance(plain, Mapping):
        raise RecordError("bad-record", f"{ascii(plain)[:60]} is no {wanted.__name__}")
    given = {name: value for name, value in plain.items() if name != "is"}
    hints = get_type_hints(wanted)
    if given.keys() != {each.name for each in fields(wanted)}:
        raise RecordError("bad-record", f"{wanted.__name__} has other fields; was it written by another version?")
    return wanted(**{name: _from_plain(hints[name], value) for name, value in given.items()})


def _enum_from(wanted: type[Enum], plain: Plain) -> Enum:
    try:
        return wanted(plain)
    except ValueError as error:
        raise RecordError("bad-record", f"{ascii(plain)[:60]} is no {wanted.__name__}") from error
