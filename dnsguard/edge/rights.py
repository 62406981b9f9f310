"""Lets root ask the network with a user's rights: what parses answers from the network is never root.

Facts the code below rests on:

- setuid(2) by root gives up root for good, saved user id included; groups must go before. In a user
  namespace that knows root alone both fail with EINVAL (groups: EPERM); there "root" is nobody else.
- Debian's user and group `nobody` and `nogroup` are 65534. Source: /usr/share/base-passwd/passwd.master.
"""

import os
import sys
from collections.abc import Callable
from errno import EINVAL, EPERM
from pathlib import Path

NOBODY = 65534


def ask_as_owner(of: Path, question: Callable[[], bool]) -> bool:
    """Whether `question` is answered by yes, asked as tell_as_owner() says; a child that fails says no."""
    return tell_as_owner(of, lambda: b"yes" if question() else b"") == b"yes"


def tell_as_owner(of: Path, question: Callable[[], bytes]) -> bytes:
    """The answer of `question`, asked in a child process by who owns `of`, or by nobody if that is root or not there.

    Who is not root asks by himself. A child that fails tells nothing, and its traceback goes to stderr. Must not be
    called while threads run.
    """
    if os.geteuid() != 0:
        return question()
    user, group = _owner(of)
    ear, mouth = os.pipe()
    child = os.fork()
    if child:
        os.close(mouth)
        with open(ear, "rb") as told:
            answer = told.read()
        os.waitpid(child, 0)
        return answer
    try:
        _become(user, group)
        with open(mouth, "wb") as out:
            out.write(question())
    except BaseException:  # noqa: BLE001 - the top of a process: what is not said here is never known.
        sys.excepthook(*sys.exc_info())
    finally:
        # Not sys.exit: what is above us on the stack is the parent's.
        os._exit(0)


def _owner(of: Path) -> tuple[int, int]:
    try:
        there = of.stat()
    except OSError:
        return NOBODY, NOBODY
    return there.st_uid or NOBODY, there.st_gid or NOBODY


def _become(user: int, group: int) -> None:
    try:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    except OSError as error:
        if error.errno not in (EINVAL, EPERM):
            raise
