"""The stairs between core and edges: an event comes in, decide() is asked, its actions are performed.

One asyncio loop, one thread. An action that is done at once answers at once, and its answer is
decided upon before the loop hears of anything else; a question to the network answers when it can.
"""

import asyncio
import os
import random
import signal
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core import remembered, resolvconf
from dnsguard.core.actions import Action
from dnsguard.core.banner import header, status_line
from dnsguard.core.errors import DnsguardError
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.owner import found
from dnsguard.core.record import to_plain
from dnsguard.core.settings import Settings
from dnsguard.core.state import State
from dnsguard.core.upstreams import choose
from dnsguard.core.vocabulary import Timer
from dnsguard.core.words import ROUTINE, say
from dnsguard.edge import owner, publisher, reader, request
from dnsguard.edge.addresses import is_own_address
from dnsguard.edge.dnsmasq import Dnsmasq
from dnsguard.edge.dnsmasq_conf import read_nature
from dnsguard.edge.journal import Log, configure
from dnsguard.edge.moments import Moments
from dnsguard.edge.service import Service
from dnsguard.edge.watcher import Watcher
from dnsguard.noticeboard import Noticeboard
from dnsguard.wiring import prober_for, read_everything, request_paths, source_paths, surroundings


class Daemon:
    """Carries events to the core and its actions to the edges, until the core says Leave."""

    def __init__(self, settings: Settings, load: Callable[[], Settings], log: Log, service: Service) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._load = load
        self._log = log
        self._service = service
        self._state = State(policy=settings.policy)
        self._queue: deque[Event] = deque()
        self._draining = False
        self._written: str | None = None
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._questions: set[asyncio.Task[Event]] = set()
        self._left = asyncio.Event()
        self._crash: BaseException | None = None
        self._board = Noticeboard(settings.paths, log.say, self._loop.time)
        self._prober = prober_for(settings)
        paths = source_paths(settings)
        self._sources, self._request = paths, request_paths(settings)
        self._update_request = self._request[0].with_name("update-wanted")
        pid_file = Path(settings.dnsmasq.pid_file)
        self._dnsmasq = Dnsmasq(self._loop, pid_file, settings.dnsmasq.unit, self.happen)
        watched = (*reader.watched(paths), pid_file)
        self._watcher = Watcher(self._loop, watched, lambda: self.happen(on.FilesStirred()), self._troubled)
        self._moments = Moments(self._loop, self.happen, self._deaf)

    async def run(self) -> None:
        """Guard until StopAsked has been answered by Leave."""
        self._loop.set_exception_handler(self._crashed)
        # systemd's patience with our start must outlast our own with a network that does not come.
        self._service.extend_timeout(self._settings.guard.ready_timeout_s + 10)
        self._service.start_watchdog()
        self._watcher.start()
        self._moments.start()
        self.happen(on.Started())
        self._introduce()
        try:
            await self._left.wait()
        finally:
            self._close()
        if self._crash:
            raise self._crash

    def _introduce(self) -> None:
        """Say once whose the network's servers are here."""
        sources = reader.read_sources(self._sources)
        signs = owner.read_signs(Path(self._settings.paths.kept_facts))
        said = found(sources, signs, choose(sources, is_own_address, self._written))
        self._log.say(said.code, said.level, said.text)

    def _crashed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A fault of ours, in a callback: leave, and let systemd start afresh.

        asyncio would log it and go on, with a question that is never answered.
        """
        self._crash = context.get("exception") or RuntimeError(context["message"])
        self._left.set()

    def stop(self) -> None:
        """Begin to leave."""
        self._service.stopping("stopping")
        self.happen(on.StopAsked())

    def reload(self) -> None:
        """Read dnsguard.toml again; a bad one is refused and the old one stays in force."""
        self._service.reloading()
        try:
            settings = self._load()
            prober = prober_for(settings)
        except DnsguardError as error:
            self._log.say(error.code, "error", f"the old settings stay in force: {error.text}")
            self._service.reloaded(status_line(self._state))
            return
        if (settings.paths, settings.dnsmasq.pid_file, settings.dnsmasq.unit, settings.log) != (
            self._settings.paths,
            self._settings.dnsmasq.pid_file,
            self._settings.dnsmasq.unit,
            self._settings.log,
        ):
            text = "[paths], [log], pid_file and unit are read at start only: systemctl restart dnsguard"
            self._log.say("settings-need-restart", "warning", text)
        self._settings, self._prober = settings, prober
        self.happen(on.SettingsChanged(settings.policy))

    def happen(self, event: Event) -> None:
        """Take in one event; returns when it, and all that it brought about at once, is decided."""
        self._queue.append(event)
        if self._draining:
            return
        self._draining = True
        try:
            while self._queue:
                self._answer(self._queue.popleft())
        finally:
            self._draining = False

    def _answer(self, event: Event) -> None:
        before = self._state
        self._state, actions = decide(before, event)
        for action in actions:
            self._perform(action)
        # Performed first, told after: libc waits for the file, nobody waits for the log.
        self._tell(before, event, actions)

    def _perform(self, action: Action) -> None:
        """Do what was decided; what is done at once answers through the queue."""
        answer = self._at_once(action)
        if answer is not None:
            self._queue.append(answer)
        else:
            self._set_in_motion(action)

    def _at_once(self, action: Action) -> Event | None:
        """Perform an action whose answer is known when it is done; None if it is of the other kind."""
        match action:
            case do.ReadSources(settled):
                sources = read_everything(self._sources, self._dnsmasq.unit)
                return on.SourcesRead(choose(sources, is_own_address, self._written), settled)
            case do.Publish(kind, generation, conf):
                text = resolvconf.render(conf, header(kind, generation))
                answer = publisher.publish(self._sources.published, action, text)
                self._written = text if isinstance(answer, on.Published) else self._written
                return answer
            case do.FindDnsmasq():
                return self._dnsmasq.find()
            case do.ReadNature():
                return read_nature(action, surroundings(self._sources))
            case do.Reload():
                return self._dnsmasq.reload(action)
            case do.EndDnsmasq():
                return self._dnsmasq.end(action)
            case do.AskAttach():
                return request.ask(*self._request)
            case do.AskUpdate():
                return request.ask_update(self._update_request)
        return None

    def _set_in_motion(self, action: Action) -> None:
        """Perform an action that is answered later, or not at all."""
        match action:
            case do.SetTimer(timer, after_s, spread_s):
                self._set_timer(timer, after_s + random.random() * spread_s)
            case do.KeepNewcomer():
                publisher.keep_aside(self._sources.published, self._sources.newcomer)
            case do.KeepList(conf, networks):
                self._keep_list(remembered.text_of(conf, networks))
            case do.Probe():
                self._ask(self._prober.probe(action))
            case do.AskPublished():
                self._ask(self._prober.ask_published(action))
            case do.AskUpstreams():
                self._ask(self._prober.compare(action))
            case do.SayReady():
                self._service.ready(status_line(self._state))
            case do.SayReloaded():
                self._service.reloaded(status_line(self._state))
            case do.Leave():
                self._left.set()

    def _keep_list(self, text: str) -> None:
        path = self._sources.remembered
        try:
            # Not synced: libc must not wait for a disk, and half a list is none.
            publisher.replace_file(path, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            self._log.say("list-not-kept", "warning", f"cannot write {path}: {error.strerror}")

    def _set_timer(self, timer: Timer, after_s: float) -> None:
        if timer in self._timers:
            self._timers[timer].cancel()
        self._timers[timer] = self._loop.call_later(after_s, self.happen, on.TimerFired(timer))

    def _ask(self, question: Coroutine[None, None, Event]) -> None:
        task = self._loop.create_task(question)
        self._questions.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, question: asyncio.Task[Event]) -> None:
        self._questions.discard(question)
        if question.cancelled():
            return
        if error := question.exception():
            self._crashed(self._loop, {"exception": error})
        else:
            self.happen(question.result())

    def _troubled(self, text: str) -> None:
        self._log.say("inotify-exhausted", "warning", text)

    def _deaf(self, text: str) -> None:
        self._log.say("moments-unheard", "warning", text)

    def _tell(self, before: State, event: Event, actions: tuple[Action, ...]) -> None:
        """Write the one log line of a decision, and what has changed in the status."""
        after = self._state
        said = say(before, event, after, actions)
        if said is not ROUTINE or self._log.enabled("debug"):
            self._log.say(
                said.code,
                said.level,
                said.text,
                phase=after.phase.value,
                generation=after.generation,
                event=to_plain(event),
                state=to_plain(before),
                actions=to_plain(actions),
            )
        if self._board.post(before, event, after, actions, said):
            self._service.status(status_line(after))

    def _close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for question in self._questions:
            question.cancel()
        self._watcher.close()
        self._moments.close()
        self._dnsmasq.close()


def _make_folder(folder: Path) -> None:
    """Raises DnsguardError: code "not-permitted"."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise DnsguardError(
            "not-permitted", f"{folder} cannot be made: run it as root, or as dnsguard.service"
        ) from error


async def serve(settings: Settings, load: Callable[[], Settings]) -> None:
    """Run one daemon under SIGTERM, SIGINT (leave) and SIGHUP (read the settings again)."""
    loop = asyncio.get_running_loop()
    # Under systemd both folders are there already; by hand they may not be.
    for path in (settings.paths.published, settings.paths.status, settings.paths.request):
        _make_folder(Path(path).parent)
    service = Service(loop, os.environ)
    log = configure(loop, level=settings.log.level)
    daemon = Daemon(settings, load, log, service)
    loop.add_signal_handler(signal.SIGTERM, daemon.stop)
    loop.add_signal_handler(signal.SIGINT, daemon.stop)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    try:
        await daemon.run()
    finally:
        service.close()
        log.close()
