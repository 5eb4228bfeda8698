# SPDX-License-Identifier: MIT
"""`lkm kernel install` and `lkm kernel uninstall`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.errors import LkmError, MissingError, UsageError

if TYPE_CHECKING:
    from lkm.install import Plan, Proof, Request, Step

SCHEMA = 1
_ROOT = Path("/")
_WAYS = ("hooks", "installkernel", "kernel-install", "tools", "files")

_root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=_ROOT,
    metavar="DIR",
    help="Where boot and lib/modules are (default: /).",
)
_via_option = click.option(
    "--via",
    type=click.Choice(_WAYS),
    help="Who makes it known to the machine (default: what it has, in this order; not /: files).",
)
_yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
_dry_option = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


@click.command("install", short_help="Install a kernel: image, modules, initramfs.")
@click.argument("name", metavar="NAME")
@_root_option
@click.option("--strip", is_flag=True, help="Modules without debug information (INSTALL_MOD_STRIP=1).")
@click.option("--initramfs/--no-initramfs", default=True, help="Make an initramfs (default).")
@click.option("--module", "names", multiple=True, metavar="NAME", help="The initramfs always loads NAME.")
@_via_option
@click.option("--force", is_flag=True, help="Over a kernel of this release from elsewhere; it is kept aside.")
@click.option("--prove", "is_proved", is_flag=True, help="Boot what was installed in a guest, load a module.")
@click.option("--prove-module", metavar="NAME", help="Prove it with this module.")
@_yes_option
@_dry_option
@common.json_option
@common.verbose_option
def install_command(
    *,
    name: str,
    root: Path,
    via: str | None,
    is_proved: bool,
    prove_module: str | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Install the kernel NAME: image, symbol map, configuration and initramfs into DIR/boot, modules into
    DIR/lib/modules, as `make install` and `make modules_install` do.

    Where DIR is /, the machine's own hooks make the initramfs and tell the boot loader; what will be done is
    shown and asked first. Elsewhere the initramfs is one of lkm's own. A kernel of the same release stays as
    .old; `lkm kernel uninstall` undoes it all.

    \b
      lkm kernel install build --root /tmp/root --prove
      lkm kernel install own:6.12.9-mine --dry-run
      sudo lkm kernel install build
    """
    from lkm.install import How, Request, make_plan, read_source
    from lkm.kernel import find_kernel

    request = Request(root, via=How(via) if via else None, **options)
    _check_words(request, prove_module)
    with common.progress() as bar:
        kernel = find_kernel(name, need_build=False, progress=bar)
    source = read_source(kernel, force=request.force)
    plan = make_plan(source, request)
    if dry_run:
        return _show_plan(plan, as_json=as_json)
    _check_rights(plan, name)
    if root.resolve() == _ROOT and not yes:
        from lkm.install import describe_plan

        _ask(f"install {source.kernel.name} ({source.release}) on this machine", describe_plan(plan))
    return _install(
        plan, name, prove_module or "", as_json=as_json, is_proved=is_proved or bool(prove_module)
    )


def _check_words(request: Request, prove_module: str | None) -> None:
    if request.names and not request.initramfs:
        raise UsageError(
            "--module is for the initramfs, which --no-initramfs leaves out", hint="leave one out"
        )
    if request.names and request.via is not None and request.via.value != "files":
        raise UsageError(
            "--module is for lkm's own initramfs; the machine's generator has its own list",
            hint="/etc/initramfs-tools/modules, dracut's add_drivers, mkinitcpio's MODULES",
        )


def _show_plan(plan: Plan, *, as_json: bool) -> int:
    from lkm.install import describe_plan
    from lkm.show.install import format_steps

    steps = list(describe_plan(plan))
    if as_json:
        common.emit_json({"schema": SCHEMA, "release": plan.source.release, "steps": steps})
    else:
        _echo(format_steps(steps))
    return 0


def _echo(lines: Iterable[str]) -> None:
    """Steps; a command is on one line, however long, so that it can be copied."""
    for line in lines:
        if line.startswith("    "):
            click.echo(line)
        else:
            common.echo_lines([line])


def _ask(question: str, steps: Iterable[Step]) -> None:
    """Shows what will be done and asks; raises `click.Abort` for a no."""
    from lkm.show.install import format_steps

    for line in format_steps(steps):
        common.note(f"  {line}")
    if not sys.stdin.isatty():
        raise UsageError("nobody to ask: this changes the machine itself", hint="--yes, or --root DIR")
    click.confirm(f"{question}?", abort=True, err=True)


def _check_rights(plan: Plan, name: str) -> None:
    from lkm.install.plan import check_writable

    try:
        check_writable(plan.places)
    except MissingError as error:
        if error.hint.startswith("sudo"):
            raise MissingError(error.message, hint=_sudo()) from error
        raise


def _sudo() -> str:
    """The same command by root, who has another cache and another PATH."""
    from lkm.paths import cache_dir

    program = Path(sys.argv[0])
    words = [str(program.absolute()) if program.name == "lkm" else "lkm", *sys.argv[1:]]
    return f"sudo LKM_CACHE={shlex.quote(str(cache_dir()))} {shlex.join(words)}"


def _install(plan: Plan, name: str, prove_module: str, *, as_json: bool, is_proved: bool) -> int:
    from lkm.install import install
    from lkm.kernel.layout import list_releases
    from lkm.show.install import format_installed, format_proof

    on_line = None if as_json else lambda line: common.note(line, dim=True)
    with common.progress() as bar:
        done = install(plan, progress=bar, on_line=on_line)
    proof: Proof | None = None
    if not as_json:
        common.echo_lines(format_installed(done))
    if is_proved and done.ok:
        proof = _prove(plan, prove_module)
        if not as_json:
            common.echo_lines(format_proof(proof))
    if as_json:
        common.emit_json({"schema": SCHEMA, **common.to_plain(done), "proof": proof})
    if not done.ok:
        common.hint(f"{_again('uninstall', plan)} undoes it; other kernels are as they were")
    elif not is_proved and plan.places.root != _ROOT:
        root = shlex.quote(str(plan.places.root))
        common.hint(f"lkm kernel install {shlex.quote(name)} --root {root} --prove boots what lies there")
        if len(list_releases(plan.places.root)) == 1:
            common.hint(f"lkm run --kernel {root} MODULE takes it for a kernel by itself")
    return 0 if done.ok and (proof is None or proof.ok) else 1


def _prove(plan: Plan, name: str) -> Proof:
    from lkm.install import prove

    with common.progress() as bar:
        bar.update(f"booting {plan.places.image}")
        return prove(plan.source.release, plan.places.root, name=name)


def _again(verb: str, plan: Plan) -> str:
    from lkm.install.value import root_words

    return f"lkm kernel {verb} {plan.source.release}{root_words(plan.places.root)}"


@click.command("uninstall", short_help="Take away an installed kernel.")
@click.argument("name", metavar="[NAME]", required=False)
@_root_option
@_via_option
@click.option("--force", is_flag=True, help="One that lkm did not install, the running one or the last one.")
@_yes_option
@_dry_option
@common.json_option
@common.verbose_option
def uninstall_command(
    *, name: str | None, root: Path, via: str | None, force: bool, yes: bool, dry_run: bool, as_json: bool
) -> int:
    """Remove exactly what `lkm kernel install` laid out for NAME (its release, or the name it was installed
    by), and tell the machine's boot loader. What was there before goes back. Without NAME it is told which
    there are.
    """
    from lkm.install import (
        How,
        describe_removal,
        find_installed,
        plan_removal,
        suggest_installed,
        uninstall,
    )
    from lkm.install.plan import check_writable
    from lkm.show.install import format_steps, format_uninstalled

    if name is None and root.is_dir():
        raise UsageError("which kernel is to go?", hint=suggest_installed(root))
    removal = plan_removal(
        _find(name or "", root, find_installed), root, via=How(via) if via else None, force=force
    )
    steps = list(describe_removal(removal))
    if dry_run:
        if as_json:
            common.emit_json({"schema": SCHEMA, "release": removal.places.release, "steps": steps})
        else:
            _echo(format_steps(steps))
        return 0
    try:
        check_writable(removal.places)
    except MissingError as error:
        if error.hint.startswith("sudo"):
            raise MissingError(error.message, hint=_sudo()) from error
        raise
    if root.resolve() == _ROOT and not yes:
        _ask(f"uninstall {removal.places.release} from this machine", steps)
    done = uninstall(removal, on_line=None if as_json else lambda line: common.note(line, dim=True))
    if as_json:
        common.emit_json({"schema": SCHEMA, **common.to_plain(done)})
    else:
        common.echo_lines(format_uninstalled(done))
    return 0 if done.ok else 1


def _find(name: str, root: Path, find_installed: Any) -> str:
    """The release that NAME is there; a kernel's name means its own, where nothing there bears it."""
    if not root.is_dir():
        what = "is not a directory" if root.exists() else "does not exist"
        raise UsageError(f"{root} {what}", hint="--root DIR")
    try:
        return str(find_installed(name, root))
    except UsageError as error:
        from lkm.kernel import find_kernel

        try:
            release = find_kernel(name, fetch=False, need_build=False).release
            return str(find_installed(release, root))
        except LkmError:
            raise error from None
