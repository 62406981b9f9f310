"""What dnsguard uses of pyinotify 0.9.6."""

import logging

IN_MODIFY: int
IN_ATTRIB: int
IN_CLOSE_WRITE: int
IN_MOVED_FROM: int
IN_MOVED_TO: int
IN_CREATE: int
IN_DELETE: int
IN_Q_OVERFLOW: int
IN_ONLYDIR: int
IN_EXCL_UNLINK: int
IN_MASK_ADD: int

log: logging.Logger

class WatchManagerError(Exception):
    wmd: dict[str, int]

class Watch: ...

class WatchManager:
    def __init__(self) -> None: ...
    def close(self) -> None: ...
    def get_fd(self) -> int: ...
    def add_watch(self, path: str, mask: int, *, quiet: bool = ...) -> dict[str, int]: ...
    def rm_watch(self, wd: int, *, quiet: bool = ...) -> dict[int, bool]: ...
    @property
    def watches(self) -> dict[int, Watch]: ...
