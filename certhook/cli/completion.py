"""``python -m certhook completion``: print the completion of arguments for a shell."""

from __future__ import annotations

import argparse

from certhook.cli import _completion_scripts, _terminal


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line, without a line in the list of verbs."""
    parser = _terminal.add_verb(
        verbs,
        "completion",
        None,
        (
            "Print a script that makes a shell complete the verbs and options of certhook. Add it to the configuration "
            "of the shell:",
            '  bash:  eval "$(certhook completion bash)"     in ~/.bashrc\n'
            '  zsh:   eval "$(certhook completion zsh)"      in ~/.zshrc, after compinit\n'
            "  fish:  certhook completion fish | source      in ~/.config/fish/config.fish",
        ),
        ("Exit status: 0 if the script was printed, 2 for an unknown SHELL.",),
    )
    shells = _completion_scripts.SHELLS
    parser.add_argument("shell", metavar="SHELL", choices=shells, help=f"one of {', '.join(shells)}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script.

    :returns: 0
    """
    parser, verbs = options.command_line
    _terminal.show_bytes(_completion_scripts.SHELLS[options.shell](parser, verbs).encode())
    return 0
