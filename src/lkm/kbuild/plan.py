# SPDX-License-Identifier: MIT
"""The fast path: the saved command lines of what has changed, in one shell, without make.

Kbuild spends most of a small rebuild on reading makefiles.  After a change of contents alone, what it
would run is known: it has saved each command (`lkm.kbuild.commands`), and the environment of those
commands is kept from the last run of make.  What is not saved is the BTF step, which is taken from
scripts/Makefile.modfinal as it stands, and the symbol versions of exports, which are computed only to see
that they are still the same.

Anything that is not exactly of a known shape is refused with the reason (`plan_fast` returns a text), and
Kbuild is asked.  `build` believes a plan only for objects for which it has once made the same bytes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.kbuild.commands import SavedCommand, read_cmd_file, read_command

_QUOTED = re.compile(r"'[^']*'|\"[^\"$`\\]*\"")
_OPERATOR = re.compile(r"[;&|<>`\n]|\$[({]")
_OBJTOOL = r"(?:\s*;\s*\S*objtool/objtool [^;&|<>`$]*)?"
_COMPILE = re.compile(
    rf"^(?P<compile>\S.* -Wp,-MMD,(?P<record>\S+) .* -c -o \S+ (?P<source>\S+))\s*{_OBJTOOL}$"
)
_COMPOSE = re.compile(rf"^\S*ld[\w.]* [^;&|<>`$]* -r -o \S+ @\S+\.mod\s*{_OBJTOOL}$")
_MODPOST = re.compile(r"^(?:sed 's/ko\$/o/'\s+\S+ \| )?\S*scripts/mod/modpost [^;&|<>`$]*$")
_LINK = re.compile(r"^\S*ld[\w.]* -r [^;&|<>`$]* -T \S+ -o \S+ [^;&|<>`$]*(?:;\s*true)?$")
_MARKER = re.compile(r"^__(?:ksymtab|export_symbol)_")
_BTF = re.compile(r"^ *cmd_btf_ko = *(?P<text>(?:.*\\\n)*.*)$", re.MULTILINE)
_VARIABLE = re.compile(r"\$\((\w+)\)")
# Steps that Kbuild does not save (scripts/Makefile.build, Makefile.modfinal), by what turns them on.
_UNSEEN_STEPS = ("KBUILD_CHECKSRC", "KBUILD_EXTRA_WARN", "WARN_ON_UNUSED_TRACEPOINTS", "KBUILD_NSDEPS")
_UNSEEN_OPTIONS = ("CONFIG_FTRACE_MCOUNT_USE_RECORDMCOUNT", "CONFIG_GENDWARFKSYMS", "CONFIG_LTO_CLANG")


@dataclass(frozen=True, slots=True)
class Unit:
    """A module: `stem` below the work directory (`sub/hello`), and the `objects` that it is made of."""

    stem: str
    objects: tuple[str, ...]

    @property
    def is_composite(self) -> bool:
        """Whether its objects are first linked into one."""
        return self.objects != (f"{self.stem}.o",)


@dataclass(frozen=True, slots=True)
class Plan:
    """One shell script that remakes `objects` and their modules.

    `logs`: for each target what its commands said, a file.  `dependencies`: for each object the record
    that its compiler leaves.  `exports`: for each object with versioned exports the file where its
    versions are put, and what they must be.
    """

    script: str
    directory: Path
    objects: tuple[str, ...]
    units: tuple[Unit, ...]
    logs: Mapping[str, Path]
    dependencies: Mapping[str, Path]
    exports: Mapping[str, tuple[Path, tuple[str, ...]]]


def plan_fast(
    work: Path,
    build: Path,
    *,
    stale: Sequence[str],
    units: Sequence[Unit],
    exports: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    scratch: Path,
) -> Plan | str:
    """How to remake the objects `stale` of the modules `units` in `work`, or why not, as a text.

    `build`: the kernel's build directory.  `exports`: see `Record`.  `scratch`: a directory for logs.
    """
    for name in _UNSEEN_STEPS:
        if environment.get(name, "0") not in ("", "0"):
            return f"{name}={environment[name]}"
    options = read_options(build)
    for option in _UNSEEN_OPTIONS:
        if option in options:
            return option
    return _Planner(
        work,
        build,
        units=tuple(units),
        exports=exports,
        environment=environment,
        scratch=scratch,
        options=options,
    ).plan(tuple(stale))


def read_options(build: Path) -> frozenset[str]:
    """The options that are on (`y`) in a kernel's configuration, as its build reads it."""
    try:
        text = (build / "include/config/auto.conf").read_text()
    except OSError:
        return frozenset(_UNSEEN_OPTIONS)  # nothing is known: nothing is planned
    return frozenset(line[:-2] for line in text.splitlines() if line.endswith("=y"))


class _RefusalError(Exception):
    """Something is not of a known shape."""


class _Planner:
    """Puts a script together, command by command."""

    def __init__(
        self,
        work: Path,
        build: Path,
        *,
        units: tuple[Unit, ...],
        exports: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        scratch: Path,
        options: frozenset[str],
    ) -> None:
        self._work, self._build, self._units = work, build, units
        self._environment, self._scratch, self._options = environment, scratch, options
        self._exports_known = exports
        self._is_relative = False
        self._lines = ["set -e"]
        self._logs: dict[str, Path] = {}
        self._dependencies: dict[str, Path] = {}
        self._exports: dict[str, tuple[Path, tuple[str, ...]]] = {}

    def plan(self, stale: tuple[str, ...]) -> Plan | str:
        """The whole script."""
        try:
            modpost = self._command("Module.symvers", _MODPOST)
            self._is_relative = modpost.is_relative
            directory = self._work if modpost.is_relative else self._build
            self._compile(stale)
            units = tuple(unit for unit in self._units if set(unit.objects) & set(stale))
            for unit in units:
                if unit.is_composite:
                    self._step(f"{unit.stem}.o", self._command(f"{unit.stem}.o", _COMPOSE).command)
            self._step("Module.symvers", modpost.command)
            for unit in self._units:
                self._link(unit, is_stale=unit in units)
        except _RefusalError as refusal:
            return str(refusal)
        return Plan(
            "\n".join(self._lines) + "\n",
            directory,
            stale,
            units,
            self._logs,
            self._dependencies,
            self._exports,
        )

    def _command(self, target: str, shape: re.Pattern[str]) -> SavedCommand:
        saved = read_command(self._work / target)
        if saved is None or not shape.match(saved.command):
            raise _RefusalError(f"the command for {target} is of an unknown shape")
        return saved

    def _log(self, target: str) -> Path:
        path = self._scratch / f"{len(self._logs)}.log"
        self._logs[target] = path
        return path

    def _step(self, target: str, command: str) -> None:
        """One command, waited for."""
        self._lines.append(f"{{ {command}\n}} > {shlex.quote(str(self._log(target)))} 2>&1")

    def _compile(self, stale: tuple[str, ...]) -> None:
        """All compilers at once, and each waited for: nothing may still be writing when Kbuild is asked."""
        self._lines.append("failed=0")
        for number, target in enumerate(stale):
            saved = read_cmd_file(self._work / target)
            match = _COMPILE.match(saved.command) if saved is not None else None
            if saved is None or match is None or _OPERATOR.search(_QUOTED.sub("", match["compile"])):
                raise _RefusalError(f"the command for {target} is of an unknown shape")
            if saved.is_relative != self._is_relative:
                raise _RefusalError(f"the command for {target} runs elsewhere")
            base = self._work if saved.is_relative else self._build
            self._dependencies[target] = base / match["record"]
            log = shlex.quote(str(self._log(target)))
            self._lines.append(f"(set -e; {saved.command}\n) > {log} 2>&1 & pid{number}=$!")
            names = {line.split()[1] for line in saved.symvers}
            if "CONFIG_MODVERSIONS" in self._options and names != self._exported(target):
                raise _RefusalError(f"the saved symbol versions of {target} are not those of its exports")
            if saved.symvers:
                self._version(target, saved, match["compile"], number)
        for number, target in enumerate(stale):
            self._lines.append(f"wait $pid{number} || failed=1")
            if target in self._exports:
                self._lines.append(f"wait $versions{number} || failed=1")
        self._lines.append("[ $failed = 0 ]")

    def _exported(self, target: str) -> set[str]:
        """The symbols that an object exports, out of the markers they leave."""
        markers = self._exports_known.get(target, ())
        return {_MARKER.sub("", marker) for marker in markers}

    def _version(self, target: str, saved: SavedCommand, compile_line: str, number: int) -> None:
        """Computes an object's export versions beside its compilation (Makefile.build, gensymtypes_c)."""
        words = compile_line.split()
        if "-c" not in words or not words[-1].endswith(".c"):
            raise _RefusalError(f"{target} exports symbols and is not made from C")
        # c_flags and the source, without the output; its record of dependencies must not meet the other's.
        head, _, tail = compile_line.rpartition(" -c -o ")
        program, _, flags = head.strip().partition(" -Wp,-MMD,")
        flags = flags.partition(" ")[2]
        path = self._scratch / f"{number}.versions"
        genksyms = "scripts/genksyms/genksyms"
        if saved.is_relative:
            genksyms = str(self._build / genksyms)
        self._lines.append(
            f"(set -e; {program} -E -D__GENKSYMS__ {flags} {tail.split()[-1]} | {genksyms} -r /dev/null\n)"
            f" > {shlex.quote(str(path))} 2> /dev/null & versions{number}=$!"
        )
        self._exports[target] = (path, saved.symvers)

    def _link(self, unit: Unit, *, is_stale: bool) -> None:
        """The module's own C file where modpost has changed it, and the final link with its BTF."""
        made, source = (str(self._work / f"{unit.stem}.mod{end}") for end in (".o", ".c"))
        module = f"{unit.stem}.ko"
        compile_line = self._command(f"{unit.stem}.mod.o", _COMPILE).command
        link_line = self._command(module, _LINK).command
        if _OPERATOR.search(_QUOTED.sub("", compile_line.partition(";")[0])):
            raise _RefusalError(f"the command for {unit.stem}.mod.o is of an unknown shape")
        log, other = (shlex.quote(str(self._log(name))) for name in (module, f"{unit.stem}.mod.o"))
        # modpost writes the file only if it is different (modpost.c, write_if_changed).
        self._lines += [
            f"remake={'1' if is_stale else '0'}",
            f"if [ {source} -nt {made} ]; then",
            f"{{ {compile_line}\n}} > {other} 2>&1\nremake=1\nfi",
            "if [ $remake = 1 ]; then",
            f"{{ {link_line}\n{self._btf_line(module, link_line)}\n}} > {log} 2>&1\nfi",
        ]

    def _btf_line(self, module: str, link_line: str) -> str:
        if "CONFIG_DEBUG_INFO_BTF_MODULES" not in self._options:
            return ":"
        try:
            makefile = Path(self._environment["srctree"], "scripts/Makefile.modfinal")
            if not makefile.is_absolute():
                makefile = self._build / makefile
            match = _BTF.search(makefile.read_text())
        except (OSError, KeyError) as error:
            raise _RefusalError("no scripts/Makefile.modfinal") from error
        output = re.search(r" -o (\S+) ", link_line)
        if match is None or output is None:
            raise _RefusalError("the BTF step is of an unknown shape")
        text = match["text"].replace("\\\n", " ").replace("$@", output[1])
        text = _VARIABLE.sub(lambda name: self._environment.get(name[1], name[0]), text)
        if "$(" in text:
            raise _RefusalError(f"the BTF step for {module} is of an unknown shape")
        return text.strip()


def read_exports(path: Path) -> tuple[str, ...]:
    """The names of the markers that an object's exports leave in its string table, in order.

    `__ksymtab_NAME` up to 6.3, `__export_symbol_NAME` since 6.4 (ddb5cdbafaaa).
    """
    try:
        data = path.read_bytes()
    except OSError:
        return ()
    found = set(re.findall(rb"\0(__(?:ksymtab|export_symbol)_\w+)", data)) - {b"__ksymtab_strings"}
    return tuple(sorted(name.decode() for name in found))
