"""Lookups by libc, each in a thread of its own: `sampler.py [EVERY_S [PATIENCE_S]]`, run inside the host as a script.

One every 10 ms, unless told otherwise. What has not ended after PATIENCE_S is printed as "no end in sight".

Prints a JSON array per lookup: when it started (seconds, monotonic), how long it took (seconds), and
how it ended ("" for answered). Keeps its pace whatever hangs. Ends when its input ends, or on SIGTERM,
and waits for the lookups that are under way. Needs the standard library only.

Facts about glibc 2.36: a new thread has a resolver state of its own and reads /etc/resolv.conf anew;
it gives every server 5 s, twice round the list, so that a lookup ends within 10 s per server.
"""

import json
import math
import select
import signal
import socket
import sys
import threading
import time

EVERY_S = 0.01
LAST_ANSWERS_S = 12.0
STACK_BYTES = 256 * 1024


class Sampler:
    """Counts the lookups, and prints each when it ends."""

    def __init__(self, every_s: float = EVERY_S, patience_s: float = math.inf) -> None:
        self._every_s = every_s
        self._patience_s = patience_s
        self._print_lock = threading.Lock()
        self._under_way: dict[int, float] = {}
        self._ending = threading.Event()

    def run(self) -> None:
        """Look up until told to end, then let the last ones come home."""
        signal.signal(signal.SIGTERM, lambda *_: self._ending.set())
        number = 0
        due = time.monotonic()
        while not self._is_over(due):
            self._under_way[number] = time.monotonic()
            threading.Thread(target=self._look_up, args=(number,), daemon=True).start()
            number += 1
            due += self._every_s
            self._give_up_the_oldest()
        self._await_the_last()

    def _is_over(self, due: float) -> bool:
        """Wait until the next lookup is due; whether there is to be none."""
        told, _, _ = select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))
        return bool(told) or self._ending.is_set()

    def _look_up(self, number: int) -> None:
        try:
            # Never the same name twice: no cache may answer.
            socket.getaddrinfo(f"n{number:06d}.example.net", None)
            error = ""
        except socket.gaierror as refusal:
            error = refusal.strerror or str(refusal)
        with self._print_lock:
            self._print(number, error)

    def _give_up_the_oldest(self) -> None:
        too_old = time.monotonic() - self._patience_s
        with self._print_lock:
            # They are in the order of their beginning.
            while self._under_way and (oldest := next(iter(self._under_way.items())))[1] < too_old:
                self._print(oldest[0], "no end in sight")

    def _await_the_last(self) -> None:
        deadline = time.monotonic() + min(LAST_ANSWERS_S, self._patience_s)
        while self._under_way and time.monotonic() < deadline:
            time.sleep(0.02)
        with self._print_lock:
            for number in list(self._under_way):
                self._print(number, "no end in sight")

    def _print(self, number: int, error: str) -> None:
        start_s = self._under_way.pop(number, None)
        if start_s is None:
            return
        took_s = time.monotonic() - start_s
        print(json.dumps([round(start_s, 6), round(took_s, 6), error]), flush=True)


if __name__ == "__main__":
    threading.stack_size(STACK_BYTES)
    Sampler(*map(float, sys.argv[1:])).run()
