"""The least that a Python program can need for the daemon's work: `floor.py MANNER ARGUMENT...`, run inside.

It decides nothing, proves nothing and logs nothing. What the daemon takes longer is its own; what this
takes is the kernel's and Python's.

    death PID_FILE FOLDER            poll a pidfd; rename a prepared file when the process ends
    change PID_FILE FOLDER RECORDS   wait for a rename in RECORDS; rename a prepared file, send SIGHUP
    start FOLDER                     write a file, rename it, end
    idle ADDRESS                     ask one question a second over a connected socket

The first two begin a round at a line of their input, and say "ready" when they wait.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

PUBLISHED = "resolv.conf"

# servers.bind CH TXT, with the bit for recursion; the id is of no importance to one who reads all answers.
QUESTION = b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\7servers\4bind\0" + b"\0\20\0\3"


def main(manner: str, *words: str) -> None:
    """Do it until the input ends."""
    manners: dict[str, Callable[..., None]] = {"death": death, "change": change, "start": start, "idle": idle}
    manners[manner](*words)


def death(pid_file: str, folder: str) -> None:
    """Publish when dnsmasq ends."""
    while sys.stdin.readline():
        prepare(folder)
        process = os.pidfd_open(int(Path(pid_file).read_text()))
        poll = select.poll()
        poll.register(process, select.POLLIN)
        print("ready", flush=True)
        poll.poll()
        publish(folder)
        os.close(process)


def change(pid_file: str, folder: str, records: str) -> None:
    """Publish, and tell dnsmasq, when a record is replaced."""
    from tests.sandbox.observer import MOVED_TO, Observer

    process = os.pidfd_open(int(Path(pid_file).read_text()))
    with Observer() as observer:
        observer.watch(Path(records), MOVED_TO)
        poll = select.poll()
        poll.register(observer.descriptor, select.POLLIN)
        while sys.stdin.readline():
            prepare(folder)
            observer.forget()
            print("ready", flush=True)
            poll.poll()
            publish(folder)
            signal.pidfd_send_signal(process, signal.SIGHUP)


def start(folder: str) -> None:
    """Publish, and that is all."""
    prepare(folder)
    publish(folder)


def idle(address: str) -> None:
    """Ask dnsmasq once a second and wait for its answer, for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 53))
        while True:
            sock.send(QUESTION)
            if select.select([sock], [], [], 1.0)[0]:
                sock.recv(4096)
            time.sleep(1.0)


def prepare(folder: str) -> None:
    """Put a whole file where a rename is all that is missing."""
    Path(folder, "next").write_text("nameserver 192.0.2.53\n")


def publish(folder: str) -> None:
    """The rename."""
    os.rename(f"{folder}/next", f"{folder}/{PUBLISHED}")


if __name__ == "__main__":
    main(*sys.argv[1:])
