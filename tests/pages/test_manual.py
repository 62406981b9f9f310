"""The manual pages tell of everything that there is, and of nothing else."""

import argparse
import re
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path

import pytest

from dnsguard import cli
from dnsguard.core.settings import Paths, Settings
from dnsguard.core.vocabulary import Phase
from pages.completion import arguments, commands
from pages.settings import SOURCE, page

ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "pages/dnsguard.8.scd"
NAME = MANUAL.relative_to(ROOT)
OURS = re.compile(r"/(etc|run|var/lib)/dnsguard/")


def section(title: str) -> str:
    """A section of dnsguard(8)."""
    return MANUAL.read_text().partition(f"\n# {title}\n")[2].partition("\n# ")[0]


def heads(title: str) -> list[str]:
    """The lines in a section that head an entry."""
    lines = pairwise(section(title).splitlines())
    return [line for line, following in lines if following.startswith("\t") and line[:1] in ("*", "_")]


def bold(text: str) -> set[str]:
    return set(re.findall(r"\*([^*]+)\*", text))


def underlined(text: str) -> set[str]:
    return set(re.findall(r"(?:^|(?<=\W))_([^ ]+?)_(?=\W|$)", text))


def long_options(parser: argparse.ArgumentParser) -> set[str]:
    """Its options, but for --help, which every parser has."""
    return {option for each in arguments(parser) for option in each.option_strings} - {"-h", "--help"}


def test_every_command_has_an_entry_and_no_other() -> None:
    """A verb without a page is a riddle."""
    told = {sorted(bold(head) - options_of(head))[0] for head in heads("COMMANDS")}

    assert set(commands(cli.command_line())) == told, f"{NAME}, COMMANDS: an entry for each command, `*verb* [...]`"


def options_of(head: str) -> set[str]:
    return {word for word in bold(head) if word.startswith("-")}


@pytest.mark.parametrize("name", list(commands(cli.command_line())))
def test_the_head_of_a_command_has_its_options_and_no_other(name: str) -> None:
    """Whoever reads the line can type it."""
    parser = commands(cli.command_line())[name]
    [told] = [options_of(head) for head in heads("COMMANDS") if head.startswith(f"*{name}*")]

    assert long_options(parser) == told, f"{NAME}, COMMANDS: the line of *{name}* must name its options"


def test_every_option_is_explained_and_no_other() -> None:
    """Once for all commands that have it."""
    parser = cli.command_line()
    there = set().union(*map(long_options, (parser, *commands(parser).values()))) | {"-h", "--help"}

    assert there == {option for head in heads("OPTIONS") for option in bold(head)}, f"{NAME}, OPTIONS"


def test_every_choice_is_named() -> None:
    """`--for` what?"""
    for name, parser in commands(cli.command_line()).items():
        choices = {str(choice) for each in arguments(parser) for choice in each.choices or ()}

        assert choices <= bold(section("COMMANDS")), f"{NAME}: the choices of *{name}*"


def test_every_exit_status_is_explained_and_no_other() -> None:
    """Scripts depend on them."""
    there = {0, 1, 2} | {value for name, value in vars(cli).items() if name.startswith("EXIT_")}

    assert there == {int(*bold(head)) for head in heads("EXIT STATUS")}, f"{NAME}, EXIT STATUS"


def test_every_phase_is_explained_and_no_other() -> None:
    """`systemctl status dnsguard` begins with it."""
    assert {phase.value for phase in Phase} == {next(iter(bold(head))) for head in heads("PHASES")}, f"{NAME}, PHASES"


def test_every_file_of_ours_is_named() -> None:
    """By its default; other programs' files are dnsguard.toml(5)'s."""
    paths = [value for value in asdict(Paths()).values() if isinstance(value, str)]
    there = {path for path in [*paths, str(cli.DEFAULT_CONFIG)] if OURS.match(path)}

    assert there == {path for head in heads("FILES") for path in underlined(head)}, f"{NAME}, FILES"


def test_every_unit_is_named_and_no_other() -> None:
    """What runs on the host is nobody's secret."""
    there = {each.name for kind in ("service", "path", "target") for each in (ROOT / "systemd").glob(f"*.{kind}")}
    there |= {"dnsmasq.service.d/dnsguard.conf"}

    assert there == {unit for head in heads("UNITS") for unit in underlined(head)}, f"{NAME}, UNITS"


def test_every_key_stands_in_its_section_with_its_default() -> None:
    """dnsguard.toml(5) is made from the configuration file, whose completeness is another test's."""
    made = page(SOURCE.read_text())
    for part in fields(Settings):
        text = made.partition(f"\n# [{part.name}]\n")[2].partition("\n# ")[0]
        keys = set(
            re.findall(r"^#(\w+) = ", SOURCE.read_text().partition(f"\n[{part.name}]\n")[2].partition("\n[")[0], re.M)
        )

        assert keys
        assert keys == set(re.findall(r"^\*(\w+)\* = \S", text, re.MULTILINE))
    # Each entry has its comment.
    assert not re.search(r"^\*\w+\* = .*\n\s*\n", made, re.MULTILINE)


def test_what_a_comment_holds_is_no_format() -> None:
    """scdoc takes stars, underscores and brackets for formats."""
    text = '# Title.\n# Whole.\n\n# Section.\n[guard]\n\n# A *star*, _under_, `tick`.\n# "yes": [so].\n#key = ["a_b"]\n'

    made = page(text)
    assert "\nWhole.\n" in made
    assert "\n# [guard]\n\nSection.\n" in made
    assert '\n*key* = \\["a\\_b"\\]\n\tA \\*star\\*, \\_under\\_, tick.++\n"yes": \\[so\\].\n' in made
