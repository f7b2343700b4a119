"""Scripts that complete the command line in bash, zsh and fish, generated from its parsers."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Sequence

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

# The kinds of values that a shell completes by itself.
FILES, HOSTS, COMMANDS, NOTHING = "files", "hosts", "commands", ""

_KINDS = {
    **dict.fromkeys(("FILE", "DIR", "A", "B", "TARGET", "PATH", "OUTPUT", "FILE|HOST"), FILES),
    **dict.fromkeys(("SERVER", "HOST"), HOSTS),
    "COMMAND": COMMANDS,
}


class Argument(NamedTuple):
    """An option or a positional argument.

    :ivar flags: the spellings of an option; empty for a positional argument
    :ivar name: the name of the value; empty for an option without a value
    :ivar choices: the permitted values; empty for any
    :ivar kind: how a shell completes other values
    :ivar is_repeated: whether it may be given several times
    """

    flags: Sequence[str]
    name: str
    choices: Sequence[str]
    kind: str
    summary: str
    is_repeated: bool


class Verb(NamedTuple):
    """A verb, or the command line without one, whose name is empty."""

    name: str
    summary: str
    arguments: Sequence[Argument]

    @property
    def options(self) -> list[Argument]:
        """The arguments with a flag."""
        return [argument for argument in self.arguments if argument.flags]

    @property
    def positional(self) -> list[Argument]:
        """The arguments without a flag."""
        return [argument for argument in self.arguments if not argument.flags]


def read(parser: argparse.ArgumentParser, verbs: Verbs) -> tuple[Verb, list[Verb]]:
    """Return the command line without a verb, and the verbs that its help lists or mentions."""
    summaries = {action.dest: action.help or "" for action in verbs._choices_actions}
    listed = [
        Verb(name, summaries.get(name, ""), _arguments(verb))
        for name, verb in verbs.choices.items()
        if name in summaries or name == "completion"
    ]
    return Verb("", "", _arguments(parser)), listed


def _arguments(parser: argparse.ArgumentParser) -> list[Argument]:
    return [_argument(action) for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]


def _argument(action: argparse.Action) -> Argument:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    choices = [*map(str, action.choices)] if action.choices else []
    is_flag = action.nargs == 0
    summary = (action.help or "") % {**vars(action), "choices": ", ".join(choices), "prog": "certhook"}
    kind = NOTHING if is_flag or choices else _KINDS.get(metavar, NOTHING)
    is_repeated = action.nargs in ("+", "*", argparse.REMAINDER) or isinstance(action, argparse._AppendAction)
    return Argument(action.option_strings, "" if is_flag else metavar, choices, kind, summary, is_repeated)


def bash(parser: argparse.ArgumentParser, verbs: Verbs) -> str:
    """Return the script for bash, from version 3.2 on."""
    main, listed = read(parser, verbs)
    values, options, positional = [], [], []
    for verb in (main, *listed):
        values += [
            f"        {_pattern(verb, option)}) {_bash_action(option)} ;;" for option in verb.options if option.name
        ]
        flags = " ".join(flag for option in verb.options for flag in option.flags)
        options.append(f"            {shlex.quote(verb.name)}) _certhook_words {shlex.quote(flags)} ;;")
        positional += [f"        {verb.name}) {_bash_action(verb.positional[0])} ;;"] if verb.positional else []
    names = " ".join(verb.name for verb in listed)
    return "\n".join(
        [
            "# Completion of certhook's arguments for bash, printed by 'certhook completion bash'.",
            "_certhook_words() {",
            '    COMPREPLY=($(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}"))',
            "}",
            "_certhook() {",
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= i",
            "    for ((i = 1; i < COMP_CWORD; i++)); do",
            "        case ${COMP_WORDS[i]} in -*) ;; *) verb=${COMP_WORDS[i]}; break ;; esac",
            "    done",
            "    COMPREPLY=()",
            "    case $verb,$prev in",
            *values,
            "    esac",
            "    if [[ $cur == -* ]]; then",
            "        case $verb in",
            *options,
            "        esac",
            "        return",
            "    fi",
            "    case $verb in",
            f"        '') _certhook_words {shlex.quote(names)} ;;",
            *positional,
            "    esac",
            "}",
            "complete -o default -F _certhook certhook",
            "",
        ]
    )


def _pattern(verb: Verb, option: Argument) -> str:
    return "|".join(f"{verb.name},{flag}" for flag in option.flags)


def _bash_action(argument: Argument) -> str:
    if argument.choices:
        return f"_certhook_words {shlex.quote(' '.join(argument.choices))}"
    actions = {HOSTS: "-A hostname", COMMANDS: "-c"}
    # Without a result, bash completes files.
    return f'COMPREPLY=($(compgen {actions[argument.kind]} -- "$cur"))' if argument.kind in actions else ":"


def zsh(parser: argparse.ArgumentParser, verbs: Verbs) -> str:
    """Return the script for zsh, which may be evaluated or installed as ``_certhook`` in ``$fpath``."""
    main, listed = read(parser, verbs)
    names = [_quote(f"{verb.name}:{verb.summary}") for verb in listed if verb.summary]
    cases = []
    for verb in listed:
        specs = [_zsh_option(option) for option in verb.options]
        specs += [_zsh_positional(argument) for argument in verb.positional]
        cases += [f"        {verb.name})", f"            _arguments -s {' '.join(specs)} ;;"]
    return "\n".join(
        [
            "#compdef certhook",
            "# Completion of certhook's arguments for zsh, printed by 'certhook completion zsh'.",
            "_certhook() {",
            "    local curcontext=$curcontext state line",
            "    typeset -A opt_args",
            f"    _arguments -C {' '.join(map(_zsh_option, main.options))} ': :->verb' '*:: :->argument'",
            "    case $state in",
            "    verb)",
            "        local -a verbs",
            f"        verbs=({' '.join(names)})",
            "        _describe -t verbs verb verbs ;;",
            "    argument)",
            "        case $words[1] in",
            *cases,
            "        esac ;;",
            "    esac",
            "}",
            'if [[ $funcstack[1] == _certhook ]]; then _certhook "$@"; else compdef _certhook certhook; fi',
            "",
        ]
    )


def _zsh_option(option: Argument) -> str:
    star = "*" if option.is_repeated else ""
    text = f"[{_escaped(option.summary)}]{_zsh_value(option)}"
    excluded = "" if option.is_repeated or len(option.flags) < 2 else f"({' '.join(option.flags)})"
    return " ".join(_quote(f"{star}{excluded}{flag}{text}") for flag in option.flags)


def _zsh_positional(argument: Argument) -> str:
    start = "*" if argument.is_repeated else ""
    if argument.kind == COMMANDS:
        return "'*::command:_normal'"
    return _quote(f"{start}{_zsh_value(argument)}")


def _zsh_value(argument: Argument) -> str:
    if not argument.name:
        return ""
    actions = {FILES: "_files", HOSTS: "_hosts", COMMANDS: "_command_names", NOTHING: " "}
    action = f"({' '.join(argument.choices)})" if argument.choices else actions[argument.kind]
    return f":{_escaped(argument.name)}:{action}"


def _escaped(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def fish(parser: argparse.ArgumentParser, verbs: Verbs) -> str:
    """Return the script for fish."""
    main, listed = read(parser, verbs)
    lines = [
        "# Completion of certhook's arguments for fish, printed by 'certhook completion fish'.",
        "complete -c certhook -f",
    ]
    for verb in listed:
        if verb.summary:
            lines.append(_fish("__fish_use_subcommand", ["-a", verb.name], verb.summary))
    for verb in (main, *listed):
        condition = f"__fish_seen_subcommand_from {verb.name}" if verb.name else "__fish_use_subcommand"
        # Every file would be offered together with the choices.
        has_choices = any(argument.choices for argument in verb.positional)
        for argument in verb.arguments:
            if not argument.flags and argument.kind == FILES and has_choices:
                continue
            flags = [
                part for flag in argument.flags for part in (("-l", flag[2:]) if flag[:2] == "--" else ("-s", flag[1:]))
            ]
            lines.append(_fish(condition, [*flags, *_fish_value(argument)], argument.summary))
    return "\n".join([*lines, ""])


def _fish(condition: str, words: Iterable[str], summary: str) -> str:
    quoted = " ".join(word if re.fullmatch(r"[\w-]+", word) else _fish_quote(word) for word in words)
    return f"complete -c certhook -n {_fish_quote(condition)} {quoted} -d {_fish_quote(summary)}"


def _fish_flag(flag: str) -> tuple[str, str]:
    return ("-l", flag[2:]) if flag.startswith("--") else ("-s", flag[1:])


def _fish_value(argument: Argument) -> list[str]:
    if not argument.name:
        return []
    actions = {HOSTS: ["-a", "(__fish_print_hostnames)"], COMMANDS: ["-a", "(__fish_complete_command)"], FILES: ["-F"]}
    value = ["-a", " ".join(argument.choices)] if argument.choices else actions.get(argument.kind, [])
    if not argument.flags:
        return value
    return [*(["-r"] if argument.kind == FILES else ["-x"]), *value]


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


#: The shells, and the functions that generate their scripts.
SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
