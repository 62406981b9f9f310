"""What the shell offers after `dnsguard`: `python -m pages.completion bash|zsh`, made from the parser itself.

Known to it: flags, options with a value, positional words, choices, and files (whatever the parser makes a Path of).
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from dnsguard.cli import command_line

MADE = "made from its parser when the package is built"


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands by name, each with the parser of what follows it."""
    [choices] = (each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(choices)


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What may follow, but for the command itself."""
    return [each for each in parser._actions if not isinstance(each, argparse._SubParsersAction)]


def options(parser: argparse.ArgumentParser) -> list[str]:
    """Every option, in long where there is a long form."""
    return [max(each.option_strings, key=len) for each in arguments(parser) if each.option_strings]


# bash -------------------------------------------------------------------------------------

BASH = r"""# bash completion for dnsguard, {made}
_dnsguard()
{{
	local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command= word
	for word in "${{COMP_WORDS[@]:1:COMP_CWORD - 1}}"; do
		case $word in
		{names})
			command=$word
			break
			;;
		esac
	done
	COMPREPLY=()
	case $command:$previous in
{values}
	esac
	case $command:$current in
{words}
	esac
}}
_dnsguard_files()
{{
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}}
_dnsguard_words()
{{
	mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}}
complete -F _dnsguard dnsguard
"""


def bash(parser: argparse.ArgumentParser) -> str:
    """The script for bash 5."""
    every = {"": parser, **commands(parser)}
    values = [line for name, each in every.items() for line in _bash_values(name, each)]
    words = [line for name, each in every.items() for line in _bash_words(name, each)]
    return BASH.format(made=MADE, names=" | ".join(commands(parser)), values="\n".join(values), words="\n".join(words))


def _bash_values(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """A branch for each option that has a value: after it nothing else may stand."""
    for each in arguments(parser):
        if each.option_strings and each.nargs != 0:
            pattern = " | ".join(f"{name}:{option}" for option in each.option_strings)
            yield f"\t{pattern})\n\t\t{_bash_offer(each)}\n\t\treturn\n\t\t;;"


def _bash_words(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """What may stand where no value is due: options, where one is begun, and else the first positional word."""
    positional = [each for each in arguments(parser) if not each.option_strings]
    offered = " ".join((*(() if name else commands(parser)), *options(parser)))
    if positional:
        yield f'\t{name}:-*) _dnsguard_words "$current" {quote(" ".join(options(parser)))} ;;'
        yield f"\t{name}:*) {_bash_offer(positional[0])} ;;"
    else:
        yield f'\t{name}:*) _dnsguard_words "$current" {quote(offered)} ;;'


def _bash_offer(action: argparse.Action) -> str:
    if action.choices:
        return f'_dnsguard_words "$current" {quote(" ".join(map(str, action.choices)))}'
    return '_dnsguard_files "$current"' if action.type is Path else ":"


# zsh --------------------------------------------------------------------------------------

ZSH = r"""#compdef dnsguard
# zsh completion for dnsguard, {made}
_dnsguard() {{
	local curcontext=$curcontext state line
	local -a commands=(
{commands}
	)
	_arguments -C {options} '1:command:->command' '*::argument:->argument'
	case $state in
	command) _describe command commands ;;
	argument)
		case $words[1] in
{arguments}
		esac
		;;
	esac
}}
_dnsguard "$@"
"""


def zsh(parser: argparse.ArgumentParser) -> str:
    """The script for zsh 5."""
    described = [f"{name}:{each.description or ''}" for name, each in commands(parser).items()]
    branches = [
        f"\t\t{name}) _arguments {' '.join(map(_zsh_spec, arguments(each)))} ;;"
        for name, each in commands(parser).items()
    ]
    return ZSH.format(
        made=MADE,
        commands="\n".join(f"\t\t{quote(each)}" for each in described),
        options=" ".join(map(_zsh_spec, arguments(parser))),
        arguments="\n".join(branches),
    )


def _zsh_spec(action: argparse.Action) -> str:
    """One word for _arguments. Source: zshcompsys(1), zsh 5.9."""
    offer = "()"
    if action.choices:
        offer = f"({' '.join(map(str, action.choices))})"
    elif action.type is Path:
        offer = "_files"
    name = str(action.metavar or action.dest).lower()
    if not action.option_strings:
        return quote(f"{'*' if action.nargs in ('*', '+') else ''}:{name}:{offer}")
    # It ends the line: nothing goes with --help.
    alone = "(- *)" if isinstance(action, argparse._HelpAction | argparse._VersionAction) else ""
    option = max(action.option_strings, key=len)
    value = "" if action.nargs == 0 else f":{name}:{offer}"
    return quote(f"{alone}{option}[{_zsh_help(action)}]{value}")


def _zsh_help(action: argparse.Action) -> str:
    words = action.help or str(action.metavar or action.dest).lower()
    return words.replace("[", "(").replace("]", ")").replace(":", ",")


if __name__ == "__main__":
    print({"bash": bash, "zsh": zsh}[sys.argv[1]](command_line()), end="")
