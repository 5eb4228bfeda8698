# SPDX-License-Identifier: MIT
"""`lkm kernel boot`: how a kernel comes up."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.errors import MissingError, UsageError

if TYPE_CHECKING:
    from lkm.boot import Boot
    from lkm.kernel import Kernel

_WIDEST = 120
_LAST = 15  # records of a kernel that did not come up


@click.command("boot", short_help="How a kernel comes up.")
@click.argument("name", required=False)
@click.option("--compare", nargs=2, metavar="A B", help="Two kernels side by side.")
@click.option("--repeat", type=click.IntRange(1, 99), metavar="N", help="With --compare: boots of each (3).")
@click.option("--memory", type=click.IntRange(16), metavar="MIB", help="The machine's memory (256).")
@click.option("--cpus", type=click.IntRange(1, 64), metavar="N", help="Its processors (1).")
@click.option("--cmdline", metavar="WORDS", help="Added to the kernel command line.")
@click.option("--timeout", type=click.FloatRange(1), metavar="SECONDS", help="For each boot (120).")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="An installed kernel: image and initramfs from DIR/boot.",
)
@click.option("--brief", is_flag=True, help="Without what happens in each phase.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw it into FILE."
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page with all of it.",
)
@common.json_option
@common.verbose_option
def command(
    *,
    name: str | None,
    compare: tuple[str, str] | None,
    repeat: int | None,
    memory: int | None,
    cpus: int | None,
    cmdline: str | None,
    timeout: float | None,
    root: Path | None,
    brief: bool,
    svg: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Boot a kernel from power-on and show how Linux comes up: phases, initcalls, memory given back.

    It is booted three times: for its times, for its initcalls (initcall_debug), and unwatched. Exit status
    1 where it does not come up.

    \b
    lkm kernel boot
    lkm kernel boot debian:6.12 --html boot.html
    lkm kernel boot --compare debian:6.1 debian:6.12 --svg both.svg
    """
    if compare and (name or root):
        raise UsageError(
            "--compare takes two kernels, and no other NAME or --root",
            hint=f"lkm kernel boot --compare {shlex.join(compare)}",
        )
    if repeat and not compare:
        raise UsageError("--repeat is for --compare", hint="lkm kernel boot --compare A B --repeat 5")
    from lkm.boot.measure import BOOT_TIMEOUT
    from lkm.config import read_config

    config = read_config(Path())
    settings: dict[str, Any] = {
        "memory": config.memory if memory is None else memory,
        "cpus": config.cpus if cpus is None else cpus,
        "cmdline": config.cmdline if cmdline is None else cmdline,
        "timeout": BOOT_TIMEOUT if timeout is None else timeout,
    }
    for option, path in (("--svg", svg), ("--html", html)):
        if path is not None:
            _check_writable(path, option)
    if compare:
        return _compare(compare, repeat or 3, settings, svg=svg, html=html, as_json=as_json)
    boot = _boot(name, root, settings)
    if as_json:
        from lkm.show.boot import boot_json

        common.emit_json(boot_json(boot))
    else:
        _show(boot, brief=brief)
    from lkm.show.boot_html import boot_html
    from lkm.show.boot_svg import boot_svg

    _write(svg, lambda: boot_svg(boot))
    _write(html, lambda: boot_html(boot))
    return 0 if boot.ok else 1


def _boot(name: str | None, root: Path | None, settings: dict[str, Any]) -> Boot:
    from lkm.boot import boot_kernel
    from lkm.kernel import find_kernel

    with common.progress() as bar:
        if root is not None:
            kernel, initramfs = _find_installed(root, name)
            return boot_kernel(kernel, initramfs=initramfs, progress=bar, **settings)
        kernel = find_kernel(name, need_build=False, progress=bar)
        return boot_kernel(kernel, progress=bar, **settings)


def _find_installed(root: Path, release: str | None) -> tuple[Kernel, Path | None]:
    """The kernel in DIR/boot, and its initramfs where it has one."""
    from lkm.kernel import find_kernel

    images = sorted(one for one in (root / "boot").glob("vmlinu[xz]-*") if one.suffix != ".old")
    fitting = [one for one in images if release in (None, one.name.partition("-")[2])]
    if len(fitting) != 1:
        names = ", ".join(one.name.partition("-")[2] for one in images) or "none"
        what = f"no kernel {release}" if release and not fitting else "one kernel is to be named"
        raise UsageError(
            f"{root / 'boot'}: {what}; there: {names}", hint=f"lkm kernel boot RELEASE --root {root}"
        )
    found = fitting[0].name.partition("-")[2]
    places = [root / "boot" / f"initrd.img-{found}", root / "boot" / f"initramfs-{found}.img"]
    return find_kernel(str(fitting[0]), need_build=False), next(filter(Path.is_file, places), None)


def _compare(
    names: tuple[str, str],
    repeat: int,
    settings: dict[str, Any],
    *,
    svg: Path | None,
    html: Path | None,
    as_json: bool,
) -> int:
    from lkm.boot import boot_kernel, compare_boots
    from lkm.kernel import find_kernel
    from lkm.show.boot import comparison_json, format_comparison
    from lkm.show.boot_compare import comparison_html, comparison_svg

    boots: tuple[list[Boot], list[Boot]] = ([], [])
    with common.progress() as bar:
        kernels = [find_kernel(one, need_build=False, progress=bar) for one in names]
        for turn in range(repeat):
            for side, kernel in zip(boots, kernels, strict=True):
                bar.update(f"boot {turn + 1} of {repeat}: {kernel.name}", turn, repeat)
                boot = boot_kernel(kernel, debug=True, **settings)
                if not boot.ok:
                    bar.close()
                    _show(boot, brief=True)
                    return 1
                side.append(boot)
    comparison = compare_boots(*boots)
    if as_json:
        common.emit_json(comparison_json(comparison))
    else:
        for line in format_comparison(comparison, width=_width(), color=True):
            click.echo(line)
    _write(svg, lambda: comparison_svg(comparison))
    _write(html, lambda: comparison_html(comparison))
    return 0


def _show(boot: Boot, *, brief: bool) -> None:
    from lkm.show.boot import format_boot

    # click takes the colours out where they are not wanted.
    for line in format_boot(boot, width=_width(), color=True, brief=brief or not boot.ok):
        click.echo(line)
    if not boot.ok:
        _tell_end(boot)


def _tell_end(boot: Boot) -> None:
    """How a kernel that did not come up ended: its last words, and its report at source lines."""
    from lkm.decode import decode_log
    from lkm.klog import format_record
    from lkm.show.boot import ending_line
    from lkm.show.decode import format_decoded

    for record in boot.log[-_LAST:]:
        click.echo(format_record(record))
    sys.stdout.flush()
    common.note(ending_line(boot), fg="red", bold=True)
    decoded = decode_log(boot.log)
    if decoded:
        click.echo(format_decoded(decoded[0], brief=True, color=True, width=_width()), err=True, nl=False)
    in_time = boot.ending is not None and boot.ending.end == "hang"
    common.hint(f"lkm kernel boot {'--timeout 600' if in_time else '--memory 1024'}; or another kernel")


def _width() -> int:
    return min(common.terminal_width(), _WIDEST)


def _check_writable(path: Path, option: str) -> None:
    """Raises `MissingError` where FILE could not be written, before a kernel is booted for it."""
    if path.exists() and not path.is_file():
        return  # a pipe, which is not to be opened twice
    there = path.exists()
    try:
        path.open("a").close()
        if not there:
            path.unlink()
    except OSError as error:
        parent = shlex.quote(str(path.parent))
        raise MissingError(
            f"cannot write {path}: {error.strerror}",
            hint=f"{option} FILE, elsewhere" if path.parent.exists() else f"mkdir -p {parent}",
        ) from error


def _write(path: Path | None, build: Callable[[], str]) -> None:
    if path is None:
        return
    try:
        path.write_text(build(), encoding="utf-8")
    except OSError as error:
        raise MissingError(f"cannot write {path}: {error.strerror}", hint="give another file") from error
    common.note(f"wrote {path}", dim=True)
