"""The simulated fleet: that it is what it says, and that the page has the figures of today's scenes."""

import re
from collections import Counter
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from dnsguard.core.vocabulary import Kind, Phase
from tests.fleet.host import FOREVER_S, SETTINGS, Feel, Host, World
from tests.fleet.load import BEGIN, END, PAGE, main, with_table
from tests.fleet.scenes import ALWAYS, BEGINS_S, ENDS_S, LASTS_S, SCENES, Load, Scene, per_s, play
from tests.house.tree import ROOT

HOSTS = range(60)
JITTER = 0.2
"""Up to that share of an interval comes on top of it."""
BY_NAME = {scene.name: scene for scene in SCENES}


def played(name: str, seed: str = "1") -> Load:
    """A scene with a few hosts."""
    return play(BY_NAME[name], HOSTS, seed)


def questions_of(world: World, all_of_it: bool = False) -> list[float]:
    """When one host asks the upstream that it names first."""
    asked: list[float] = []
    feel = Feel(lambda at_s, _answers: asked.append(at_s), lambda *_span: None)
    Host(world, Random(1), feel, all_of_it).run(LASTS_S)
    return asked


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    """A figure that nobody can have again is none."""
    assert played("restart") == played("restart")
    assert played("restart") != played("restart", seed="2")


def test_a_guarded_host_asks_at_most_twice_a_minute() -> None:
    """By the default of forward_interval_s; the jitter comes on top."""
    last = per_s(played("restart").questions)[-300:]
    most = 60 / SETTINGS.guard.forward_interval_s * 5 * len(HOSTS)

    assert sum(last) <= most
    assert most / (1 + JITTER / 2) == pytest.approx(sum(last), rel=0.05)


def test_what_is_passed_over_would_have_changed_nothing() -> None:
    """Without jitter the whole play has the same questions, at the same times but for the time that answers take."""
    world = World(0.0, ((-100.0, 200.3), (300.7, FOREVER_S)), jitter=False)
    short, whole = questions_of(world), questions_of(world, all_of_it=True)

    assert len(short) > 20
    assert short == pytest.approx(whole, abs=SETTINGS.guard.interval_s)


def test_jitter_takes_hosts_out_of_step() -> None:
    """Without it those that were started together ask together for ever."""
    with_it, without = (max(per_s(played(name).questions)[-120:]) for name in ("restart", "no jitter"))

    assert with_it < without / 2


def test_a_host_without_dnsmasq_asks_less_and_its_programs_ask_everything() -> None:
    """What the cache kept off the upstreams is on them; dnsguard only compares them, once a minute."""
    load = played("bad push")
    absent = slice(int(BEGINS_S) + 15, int(ENDS_S))

    # Each 60 to 72 s, that is four times.
    assert 4 * len(HOSTS) == sum(per_s(load.questions)[absent])
    assert {float(len(HOSTS))} == set(load.lookups_per_s()[absent])
    assert max(load.lookups_per_s()[:50]) < len(HOSTS) / 4


def test_coming_back_costs_four_questions_at_most() -> None:
    """As many as passes are asked for, and one more that is there when dnsmasq has just come."""
    back = per_s(played("bad push").questions)[int(ENDS_S) : int(ENDS_S) + 20]

    assert len(HOSTS) * SETTINGS.guard.rise <= sum(back) <= len(HOSTS) * (SETTINGS.guard.rise + 1)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_every_host_is_guarded_in_the_end(scene: Scene) -> None:
    """Whatever happened is over by then."""
    ends: Counter[Kind] = Counter()
    for (kind, _, to_s, _), hosts in played(scene.name).spans.items():
        ends[kind] += hosts * (to_s == LASTS_S)

    assert len(HOSTS) == ends[Kind.GUARDED] == ends.total()


def test_silent_upstreams_are_asked_in_vain() -> None:
    """And nothing is counted as answered that is not."""
    load = played("silence")
    silent = slice(int(BEGINS_S), int(ENDS_S))

    assert 0 == sum(per_s(load.questions)[silent])
    assert sum(per_s(load.in_vain)[silent]) == sum(load.in_vain.values()) > 0


def test_a_host_that_finds_no_upstream_is_not_guarded() -> None:
    feel = Feel(lambda *_question: None, lambda *_span: None)
    dark = Host(World(0.0, ALWAYS, silent=(0.0, FOREVER_S)), Random(1), feel).run(LASTS_S)

    assert Phase.GUARDED is not dark.phase
    assert dark.standby is None


def test_page_and_picture_are_made_of_one_play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Progress goes to standard error, the table to standard output, and into the page between its marks."""
    (tmp_path / PAGE).write_text(f"before\n{BEGIN}old\n{END}after\n")
    assert 0 == main(["--hosts", "1000", "--played", "10", "--into", str(tmp_path)])
    said = capsys.readouterr()

    assert "restart: 10 of 10 hosts" in said.err
    assert f"before\n{BEGIN}{said.out}{END}after\n" == (tmp_path / PAGE).read_text()
    words = "".join(ElementTree.parse(tmp_path / "load.svg").getroot().itertext())
    assert all(scene.words in words for scene in SCENES)


def test_the_page_has_a_row_for_each_scene() -> None:
    """Stale? `make fleet`, three minutes."""
    page = (ROOT / "docs/fleet" / PAGE).read_text()
    table = page.partition(BEGIN)[2].partition(END)[0]

    assert [scene.words for scene in SCENES] == re.findall(r"^\| ([^|]+) \| [\d ]+ \|", table, re.MULTILINE)
    assert page == with_table(page, table)
