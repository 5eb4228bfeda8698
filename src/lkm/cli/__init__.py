# SPDX-License-Identifier: MIT
"""The command: `lkm VERB`. Each verb's file is imported when the verb is used."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from importlib import import_module

import click

from lkm.errors import LkmError
from lkm.version import VERSION

# verb: (where its command object is, the line `lkm --help` shows), in the order of a module's life
VERBS: dict[str, tuple[str, str]] = {
    "run": ("run:command", "Build, load, show the kernel's messages, unload: the main job"),
    "watch": ("watch:command", "The same on every save"),
    "new": ("new:command", "Write a new module that builds and loads at once"),
    "build": ("build:command", "Build a module with the kernel's own Kbuild"),
    "shell": ("shell:command", "A terminal in a guest"),
    "check": ("check:command", "Will it load? Which check refuses it, and what to do"),
    "info": ("info:command", "All that a .ko says of itself"),
    "params": ("params:command", "A module's parameters; check values for them"),
    "sections": ("sections:command", "What a module's parts cost in memory"),
    "symbol": ("symbol:command", "Who defines and exports a symbol, and to whom"),
    "map": ("map:command", "A kernel's symbol map"),
    "deps": ("deps:command", "What a module needs, and what needs it"),
    "plan": ("plan:command", "What must be loaded or unloaded, in which order"),
    "depmod": ("depmod:command", "Write the modules.* files of a modules directory"),
    "kernel": ("kernel:group", "Kernels: list, show, add, remove; get and verify sources"),
    "decode": ("decode:command", "A kernel's report at its source lines, and what it means"),
    "doctor": ("doctor:command", "What this machine lacks, and the command that mends it"),
}


# What other tools call it.
_OTHERS_WORDS = {
    "insmod": "run", "modprobe": "run", "rmmod": "run", "load": "run", "unload": "run", "test": "run",
    "modinfo": "info", "make": "build", "compile": "build", "create": "new", "init": "new",
    "boot": "shell", "lsmod": "shell", "kernels": "kernel",
    "oops": "decode", "addr2line": "decode", "faddr2line": "decode", "verify": "check", "verdict": "check",
}  # fmt: skip
_WITH_PARAMETERS = ("lkm run", "lkm watch", "lkm params", "lkm check")


class Verbs(click.Group):
    """A group that knows its verbs' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = VERBS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place[0].partition(":")
        command: click.Command = getattr(import_module(f"lkm.cli.{module}"), attribute)
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] == "help":
            args = [*args[1:2], "--help"]
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = [_OTHERS_WORDS[args[0]]] if args[0] in _OTHERS_WORDS else []
            near += get_close_matches(args[0], VERBS, n=1)
            hint = " ".join(["lkm", near[0], *args[1:]]) if near else "lkm --help"
            raise click.UsageError(f"there is no verb '{args[0]}'\nhint: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "-V", "--version", prog_name="lkm", message="%(prog)s %(version)s")
def lkm() -> None:
    """The workbench for Linux loadable kernel modules: from source to a real kernel's answer.

    Try: lkm new hello && lkm run hello
    """


def show_error(message: str, hint: str = "") -> None:
    """`error: …` and `hint: …` on standard error, coloured on a terminal."""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(message, err=True)
    if hint:
        click.secho("hint: ", fg="cyan", bold=True, nl=False, err=True)
        click.echo(hint, err=True)


def _color() -> bool | None:
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def _verb_path(arguments: list[str]) -> str:
    """`lkm VERB`, or `lkm kernel VERB`, as was typed: click's error on an option does not know its verb."""
    path = "lkm"
    command: click.Group = lkm
    for word in arguments:
        found = command.get_command(click.Context(command), word)
        if found is None:
            break
        path = f"{path} {word}"
        if not isinstance(found, click.Group):
            break
        command = found
    return path


def _usage(error: click.ClickException, arguments: list[str]) -> int:
    message, _, hint = error.format_message().partition("\nhint: ")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lkm"
    if path == "lkm":
        path = _verb_path(arguments)
    message = message.replace("a valid float range", "a number").replace("a valid integer range", "a number")
    if isinstance(error, click.NoSuchOption) and path in _WITH_PARAMETERS and not _near_options(error):
        message = message.partition(" Did you mean")[0].partition(" (Did you mean")[0]
        hint = (
            hint
            or f"a module's parameter has no dashes: {error.option_name.lstrip('-')}=VALUE; {path} --help"
        )
    show_error(message[:1].lower() + message[1:].rstrip("."), hint or f"{path} --help")
    return 2


def _near_options(error: click.NoSuchOption) -> list[str]:
    """The options that may have been meant; click's own are less like it."""
    from difflib import get_close_matches

    return get_close_matches(error.option_name, error.possibilities or [], cutoff=0.7)


# What click 8.2 and later raise; 8.1 shows the help itself.
_NO_ARGUMENTS: tuple[type[click.UsageError], ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])
)


def run_command(arguments: list[str]) -> int:
    """Runs `lkm ARGUMENTS` and gives its exit status (docs/cli.md); errors are shown, not raised."""
    try:
        status = lkm.main(arguments, prog_name="lkm", standalone_mode=False, color=_color())
    except _NO_ARGUMENTS as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        return _usage(error, arguments)
    except LkmError as error:
        show_error(error.message, error.hint)
        return error.status
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # Whoever read us went away (`| head`): nothing more to say, and nothing to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status if isinstance(status, int) else 0


def main() -> None:
    """Runs the command and ends the process."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # see lkm.__main__
        signal.signal(signal.SIGINT, signal.default_int_handler)
    status = run_command(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(status)  # taking the interpreter apart takes as long as importing half of it
