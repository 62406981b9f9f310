"""Ansible and Puppet in a booted machine, each with what packaging/ has for it: a run, and what it changed."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.sandbox.namespaces import CHECKOUT
from tests.system.machine import Machine

RUN_S = 300.0
"""How long a run may take on a busy computer; most of it is the tool's own start, and apt-get."""

CHANGE = re.compile(r"^Notice: /Stage\[main\]/Dnsguard/(\w+\[[^]]*\])[^:]*: (?!Dependency |dnsguard: )", re.MULTILINE)
"""A line of Puppet's about something that has changed: not about what it left, nor what a command has said."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to.

    Attributes:
        is_well: whether nothing has failed, as its exit status says.
        changed: what it says that it has changed: Ansible's tasks and handlers, Puppet's resources.
        output: both of its streams.
    """

    is_well: bool
    changed: frozenset[str]
    output: str


class Tool(Protocol):
    """Something that makes hosts what they should be.

    Attributes:
        name: for people.
        a_reload: what it says to have changed when only dnsguard.toml has.
    """

    name: str
    a_reload: frozenset[str]

    def prepare(self, machine: Machine) -> None:
        """Install it, and put what is ours where it looks for it."""
        ...

    def run(self, machine: Machine, is_present: bool = True, **parameters: Any) -> Run:
        """Run it with these parameters of ours, without their prefixes, and others at their defaults."""
        ...

    def lint(self, machine: Machine) -> subprocess.CompletedProcess[str]:
        """Have it look at what is ours, without a run."""
        ...


class Ansible:
    """ansible-core, which manages the host that it is on."""

    name = "ansible"
    a_reload = frozenset({"Write its configuration", "Reload dnsguard"})
    _playbook = "ansible-playbook --inventory localhost, /srv/site.yml"

    def prepare(self, machine: Machine) -> None:
        """One of the places where it looks for roles is /etc/ansible/roles."""
        machine.install("ansible-core", "python3-apt")
        shutil.copytree(CHECKOUT / "packaging/ansible", machine.path("/etc/ansible/roles"))
        self._write(machine, {})

    def run(self, machine: Machine, is_present: bool = True, **parameters: Any) -> Run:
        """Without gathering facts: the role needs none."""
        self._write(machine, {"state": "present" if is_present else "absent", **parameters})
        done = machine.run(self._playbook, check=False, patience_s=RUN_S)
        headings = re.split(r"^(?:TASK|RUNNING HANDLER) \[dnsguard : (.*)\] \**$", done.stdout, flags=re.MULTILINE)
        told = zip(headings[1::2], headings[2::2], strict=True)
        changed = frozenset(name for name, text in told if re.search(r"^changed: ", text, re.MULTILINE))
        # The recap has the last word.
        counted = re.search(r"^localhost +: .* changed=(\d+) ", done.stdout, re.MULTILINE)
        assert counted is None or int(counted[1]) == len(changed), done.stdout
        return Run(done.returncode == 0, changed, done.stdout + done.stderr)

    def lint(self, machine: Machine) -> subprocess.CompletedProcess[str]:
        """Syntax, and the names of its modules; of the page's example, too."""
        machine.path("/srv/example.yml").write_text(example("ansible"))
        # What a role includes while it runs is not looked at, what a play imports is.
        tasks = [{"import_tasks": f"/etc/ansible/roles/dnsguard/tasks/{name}.yml"} for name in ("present", "absent")]
        machine.path("/srv/tasks.yml").write_text(json.dumps([{"hosts": "localhost", "tasks": tasks}]))
        books = "/srv/example.yml /srv/tasks.yml"
        return machine.run(f"{self._playbook} {books} --syntax-check", check=False, patience_s=RUN_S)

    def _write(self, machine: Machine, parameters: Mapping[str, Any]) -> None:
        role = {"role": "dnsguard", **{f"dnsguard_{name}": value for name, value in parameters.items()}}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": [role]}
        machine.path("/srv/site.yml").write_text(json.dumps([play]))


class Puppet:
    """puppet-agent, without a server."""

    name = "puppet"
    a_reload = frozenset({"File[/etc/dnsguard/dnsguard.toml]", "Service[dnsguard]"})
    _modules = "/etc/puppet/code/modules"

    def prepare(self, machine: Machine) -> None:
        """Parameters come from Hiera, as on a host that has a server."""
        machine.install("puppet-agent")
        shutil.copytree(CHECKOUT / "packaging/puppet", machine.path(self._modules), dirs_exist_ok=True)
        source = {"name": "all", "path": "all.json", "data_hash": "json_data", "datadir": "/srv"}
        machine.path("/srv/hiera.yaml").write_text(json.dumps({"version": 5, "hierarchy": [source]}))

    def run(self, machine: Machine, is_present: bool = True, **parameters: Any) -> Run:
        """An exit status of 2 is a run that has changed something."""
        given = {"ensure": "present" if is_present else "absent", **parameters}
        text = json.dumps({f"dnsguard::{name}": value for name, value in given.items()})
        machine.path("/srv/all.json").write_text(text)
        apply = f"puppet apply --modulepath={self._modules} --hiera_config=/srv/hiera.yaml --color=false"
        done = machine.run(f"{apply} --detailed-exitcodes -e 'include dnsguard'", check=False, patience_s=RUN_S)
        changed = frozenset(CHANGE.findall(done.stdout))
        assert (done.returncode in (2, 6)) == bool(changed), done.stdout + done.stderr
        return Run(done.returncode in (0, 2), changed, done.stdout + done.stderr)

    def lint(self, machine: Machine) -> subprocess.CompletedProcess[str]:
        """Its own parser, for the page's example too; Ruby's for the template."""
        machine.path("/srv/example.pp").write_text(example("puppet"))
        module = f"{self._modules}/dnsguard"
        parse = f"puppet parser validate {module}/manifests /srv/example.pp"
        template = f"erb -P -x -T - {module}/templates/dnsguard.toml.erb | ruby -c"
        return machine.run(f"{parse} && {template}", check=False, patience_s=RUN_S)


def example(tool: str) -> str:
    """What the tool's page shows for copying."""
    page = (CHECKOUT / f"packaging/{tool}/dnsguard/README.md").read_text()
    (shown,) = re.findall(r"^```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(shown)


def offer(machine: Machine, deb: Path) -> None:
    """Make a package one of those that apt-get finds by name, without network."""
    machine.run("mkdir -p /srv/ours")
    folder = machine.path("/srv/ours")
    shutil.copy(deb, folder)
    fields = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True).stdout
    content = deb.read_bytes()
    place = f"Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    (folder / "Packages").write_text(fields + place)
    machine.path("/etc/apt/sources.list.d/ours.list").write_text("deb [trusted=yes] file:/srv/ours ./\n")
    machine.run("apt-get --quiet=2 update")
