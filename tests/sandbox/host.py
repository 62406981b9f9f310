"""A private Debian host: real dnsmasq, resolvconf's real scripts, and upstream servers to lose.

The upstreams stand at the far end of a cable, because dnsmasq and the guard ignore nameservers that
are the host's own addresses.
"""

import contextlib
import os
import signal
import subprocess

from tests.sandbox.namespaces import ENVIRONMENT, PrivateRoot
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM, Upstreams

ADDRESS = "192.0.2.2"
DNSMASQ_PID_FILE = "/run/dnsmasq/dnsmasq.pid"

# Facts about Debian's dnsmasq.service (dnsmasq 2.90-4~deb12u2, 2.91-1+deb13u2): Type=forking;
# checkconfig, exec and start-resolvconf are ExecStartPre, ExecStart and ExecStartPost of one shell
# script; ExecStop is its stop-resolvconf; then systemd sends SIGTERM to all that is left in the
# unit's cgroup. On Debian 13 the script leaves resolvconf running in the background, so that its
# deregistration is among what is killed. No Restart=, no watchdog.
SYSTEMD_HELPER = "/usr/share/dnsmasq/systemd-helper"

# resolvconf's hook for dnsmasq sleeps for a second if the file it writes is of this very second,
# which on a host that has been up for a minute it is not.
LONG_AGO = "1 minute ago"


class Host(PrivateRoot, Upstreams):
    """One private host, with resolvconf linked, one lease (eth0.inet: UPSTREAM), and no dnsmasq running."""

    def __init__(self) -> None:
        PrivateRoot.__init__(self)
        Upstreams.__init__(self)

    def start(self) -> None:
        """Make the host; about a second."""
        super().start()
        self.plug_in(inside=f"{ADDRESS}/24", beyond="192.0.2.1/24")
        wait_for(lambda: "LOWER_UP" in self.run("ip -oneline link show dev eth0").stdout, "carrier")
        self.run("ip route add default via 192.0.2.1")
        self._install()
        self.start_upstream(UPSTREAM)
        self.new_lease(UPSTREAM)
        self.age_upstream_file()

    def _install(self) -> None:
        """Do what the packages' maintainer scripts and tmpfiles.d would have done."""
        self.run(
            "mkdir -p /run/resolvconf/interface /run/dnsmasq;"
            "touch /run/resolvconf/enable-updates /run/resolvconf/resolv.conf;"
            "ln -s ../run/resolvconf/resolv.conf /etc/resolv.conf"
        )
        if os.geteuid() == 0:
            self.run("chown dnsmasq:nogroup /run/dnsmasq")
        else:
            # A user namespace knows root only: there is no other user to become.
            self.run("echo DNSMASQ_USER=root >>/etc/default/dnsmasq")

    # The far end ----------------------------------------------------------------------------

    def give_address(self, address: str) -> None:
        """Give the far end an address more."""
        self.run_beyond(f"ip addr add {address}/24 dev cable")

    def take_address(self, address: str) -> None:
        """Take it away again: first no answer, after three seconds "no route to host"."""
        self.run_beyond(f"ip addr del {address}/24 dev cable")

    # resolvconf -----------------------------------------------------------------------------

    def new_lease(self, *nameservers: str) -> None:
        """Announce a lease with these servers, as a DHCP client does."""
        record = "".join(f"nameserver {address}\n" for address in nameservers)
        self.run(["resolvconf", "-a", "eth0.inet"], given=record)

    def age_upstream_file(self) -> None:
        """Let a minute have passed since resolvconf last wrote dnsmasq's upstream file."""
        self.run(["touch", "--no-create", "--date", LONG_AGO, "/run/dnsmasq/resolv.conf"])

    # dnsmasq --------------------------------------------------------------------------------

    def start_dnsmasq(self) -> bool:
        """`systemctl start dnsmasq`; whether it started."""
        started = self._unit_runs("checkconfig") and self._unit_runs("exec")
        return started and self._unit_runs("start-resolvconf")

    def bring_up_dnsmasq(self, *lines: str) -> None:
        """Start one with these lines in its configuration, long enough ago that resolvconf need not wait."""
        self.configure_dnsmasq(*lines)
        assert self.start_dnsmasq()
        # On Debian 13 the start script registers dnsmasq in the background.
        wait_for(self.path("/run/resolvconf/interface/lo.dnsmasq").exists, "registration")
        self.age_upstream_file()

    def stop_dnsmasq(self) -> None:
        """`systemctl stop dnsmasq`: deregister, then SIGTERM."""
        self._unit_runs("stop-resolvconf", then_killed=True)
        self._end_dnsmasq(signal.SIGTERM)

    def restart_dnsmasq(self) -> bool:
        """`systemctl restart dnsmasq`, which also starts one that is not running; whether it started."""
        if self.is_dnsmasq_running():
            self.stop_dnsmasq()
        return self.start_dnsmasq()

    def reload_dnsmasq(self) -> None:
        """`systemctl reload dnsmasq`."""
        self._signal_dnsmasq(signal.SIGHUP)

    def kill_dnsmasq(self) -> None:
        """Let it crash: nobody deregisters it."""
        self._end_dnsmasq(signal.SIGKILL)

    def hang_dnsmasq(self) -> None:
        """Make it take questions and never answer."""
        self._signal_dnsmasq(signal.SIGSTOP)

    def wake_dnsmasq(self) -> None:
        """End its hang."""
        self._signal_dnsmasq(signal.SIGCONT)

    def configure_dnsmasq(self, *lines: str) -> bool:
        """Replace our part of its configuration, which it reads when it starts; whether that is news."""
        file = self.path("/etc/dnsmasq.d/sandbox.conf")
        before = file.read_text() if file.exists() else ""
        text = "".join(f"{line}\n" for line in lines)
        file.write_text(text)
        return before != text

    def dnsmasq_pid(self) -> int:
        """Its id inside, as its PID file claims."""
        return int(self.path(DNSMASQ_PID_FILE).read_text())

    def is_dnsmasq_running(self) -> bool:
        """Whether the process of its PID file is there."""
        try:
            return self.path(f"/proc/{self.dnsmasq_pid()}").exists()
        except FileNotFoundError:
            return False

    def is_dnsmasq_hung(self) -> bool:
        """Whether the process is there, and stopped."""
        if not self.is_dnsmasq_running():
            return False
        return "\nState:\tT" in self.path(f"/proc/{self.dnsmasq_pid()}/status").read_text()

    # What libc sees -------------------------------------------------------------------------

    def resolv_conf(self) -> str:
        """What /etc/resolv.conf says inside, links followed."""
        return self.run(["cat", "/etc/resolv.conf"]).stdout

    def nameservers(self) -> list[str]:
        """The servers that libc would ask now, in order."""
        lines = [line.split() for line in self.resolv_conf().splitlines()]
        return [words[1] for words in lines if words[:1] == ["nameserver"]]

    def resolves(self) -> bool:
        """Whether one lookup by libc succeeds now; may take as long as libc does."""
        return self.run("getent ahosts once.example.net", check=False).returncode == 0

    def _unit_runs(self, verb: str, then_killed: bool = False) -> bool:
        """Run one line of dnsmasq.service; what it leaves running is left, or killed with the cgroup."""
        line = subprocess.Popen(
            [*self.door(), SYSTEMD_HELPER, verb],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=ENVIRONMENT, start_new_session=True,
        )  # fmt: skip
        status = line.wait(60)
        if then_killed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(line.pid, signal.SIGTERM)
        return status == 0

    def _signal_dnsmasq(self, number: signal.Signals) -> None:
        self.run(["kill", f"-{number.name[3:]}", str(self.dnsmasq_pid())])

    def _end_dnsmasq(self, number: signal.Signals) -> None:
        pid = self.dnsmasq_pid()
        process = self.path(f"/proc/{pid}")
        # As systemd does: what hangs must wake to hear it.
        self.run(f"kill -{number.name[3:]} {pid} && kill -CONT {pid} || :")
        wait_for(lambda: not process.exists(), "end of dnsmasq")
