from collections.abc import Iterable

def notify(
    status: str,
    unset_environment: bool = False,
    pid: int = 0,
    fds: Iterable[int] | None = None,
) -> bool: ...
