# SPDX-License-Identifier: MIT
"""The main job: build what is a source, load it in a guest, run a command there, unload, report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from errno import ENOENT
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from lkm.errors import BadInputError, LkmError, OutOfTimeError, UsageError
from lkm.guest import End, Ending, ExecResult, Guest, GuestEnded, Step
from lkm.job.parameters import assign_parameters
from lkm.job.reports import find_reports
from lkm.job.value import Job, Listener, ModuleResult, Outcome, RunResult, Timing
from lkm.kernel import Kernel
from lkm.kernel.find import given_kernel
from lkm.klog import Record
from lkm.klog.kept import KeptRecords

if TYPE_CHECKING:
    from lkm.guest import Standby
    from lkm.guest.gdb.debugger import Debugger
    from lkm.guest.start import Clone
    from lkm.job.aftermath import Aftermath
    from lkm.job.order import LoadPlan
    from lkm.kbuild import Built
    from lkm.leftovers.cycles import Cycles
    from lkm.leftovers.value import Leftover

_LOOK = 0.1  # seconds between two looks at the log while nothing else is done
_AFTERWARDS = 0.5  # seconds to unload in, after a command that took all the time there was
_END_OUTCOME = {
    End.PANIC: Outcome.PANIC,
    End.HANG: Outcome.HANG,
    End.POWERED_OFF: Outcome.POWERED_OFF,
    End.GUEST_LOST: Outcome.GUEST_LOST,
}


def run(
    sources: Sequence[Path | str] | Path | str,
    *,
    kernel: Kernel | str | None = None,
    parameters: Sequence[str] = (),
    job: Job | None = None,
    listener: Listener | None = None,
    standby: Standby | None = None,
    begun: Clone | None = None,
) -> RunResult:
    """Builds, loads, runs, unloads `sources` (module sources or `.ko` files) in a guest of `kernel`.

    `kernel`: one, its name, or None for the one that `find_kernel()` gives.  `parameters`: `name=value`
    words.  `standby`: takes its guest, one of the same kernel and settings, where it has one ready.
    `begun`: a clone of the job's settings that is on its way already.

    Whatever the modules do is the result's outcome; raises `UsageError` for what was asked wrongly,
    `BadInputError` for a file that is no module, `MissingError` for what this machine lacks.
    """
    if isinstance(sources, (str, Path)):
        sources = [sources]
    paths = [Path(one) for one in sources]
    kernel = given_kernel(kernel, need_build=not all(map(_is_module, paths)))
    the_run = Run(kernel, job or Job(), listener or Listener(), standby)
    return the_run.run(begun, paths, parameters)


class Run:
    """One run as it goes on; what is known so far is here."""

    def __init__(self, kernel: Kernel, job: Job, listener: Listener, standby: Standby | None) -> None:
        self.kernel = kernel
        self.standby = standby
        self.job = job
        self.listener = listener
        self.began = time.monotonic()
        self.built: list[Built] = []
        self.modules: list[ModuleResult] = []
        self.records = KeptRecords()
        self.ending: Ending | None = None
        self.executed: ExecResult | None = None
        self.accelerator = ""
        self.timing = Timing()
        self.hint = ""
        self.debugger: Debugger | None = None
        self.after: Aftermath | None = None
        self.leftovers: tuple[Leftover, ...] | None = None
        self.cycles: Cycles | None = None
        self.muted: KeptRecords | None = None  # what the kernel says in cycles after the first
        self.boot: Thread | None = None  # makes the first saved guest, while modules are built and read

    def run(self, begun: Clone | None, sources: Sequence[Path], parameters: Sequence[str]) -> RunResult:
        job = self.job
        if job.cycles:
            from lkm.job.cycles import with_cycles

            job = self.job = with_cycles(job, self.kernel)
        guest = Guest(
            self.kernel,
            memory=job.memory,
            cpus=job.cpus,
            cmdline=job.cmdline,
            template=job.template,
            timeout=job.timeout,
            on_record=self.on_record,
        )
        try:
            waits = self.standby is not None and self.standby.ready
            # It wakes up while modules are built and read; where there is none yet, it is made meanwhile.
            if not waits and not guest.begin(begun) and job.template:
                self.listener.booting(self.kernel)
                self.boot = Thread(target=_prepare, args=(guest,), daemon=True)
                self.boot.start()
            return self._run_in(guest, sources, parameters)
        finally:
            if self.after is not None:
                self.after.close()
            guest.close()

    def _run_in(self, guest: Guest, sources: Sequence[Path], parameters: Sequence[str]) -> RunResult:
        import lkm.job.aftermath  # noqa: F401 - imported while the guest wakes up
        from lkm.job.order import plan_load

        paths: list[Path] = []
        for part in iter_modules(sources, kernel=self.kernel, jobs=self.job.jobs):
            if not isinstance(part, Path):
                self.built.append(part)
                self.listener.built(part)
                if not part.ok:
                    self._took(build=self.began)
                    return self._result(Outcome.BUILD_FAILED)
                paths += part.modules
            else:
                paths.append(part)
        if self.built:
            self._took(build=self.began)
        plan = plan_load(paths, modules_dir=self.kernel.modules)
        words = assign_parameters(parameters, plan.given)
        try:
            outcome = self._in_guest(guest, plan, words)
        except GuestEnded as error:
            self.ending = error.ending
            outcome = _END_OUTCOME[error.end]
            from lkm.job.explain import explain_ending

            self.hint = explain_ending(error.ending, self.job.timeout, oopsed=guest.oopsed)
        return self._result(outcome)

    def _in_guest(self, guest: Guest, plan: LoadPlan, words: Mapping[str, str]) -> Outcome:
        began = time.monotonic()
        if self.standby is not None and self.standby.ready:
            guest = self.standby.take(timeout=self.job.timeout, on_record=self.on_record)
        if self.boot is not None:
            from lkm.job.aftermath import find_layout

            find_layout(self.kernel)  # a second's work, once a kernel, while that is booted
            self.boot.join()
        with guest:
            guest.limit(None if self.job.gdb else self.job.timeout)
            self.accelerator = guest.accelerator
            self._took(start=began)
            if self.job.unload:
                from lkm.job.aftermath import Aftermath  # imported while the guest woke up

                self.after = Aftermath(guest, self.kernel, memory=self.job.memory, cpus=self.job.cpus)
            outcome = self._once(guest, plan, words)
            if self.job.cycles and outcome is Outcome.OK and not guest.oopsed:
                from lkm.job.cycles import repeat

                outcome = repeat(self, guest, lambda: self._once(guest, plan, words))
            guest.log()  # whatever is still on its way
            if guest.oopsed:
                return Outcome.OOPS
            return outcome

    def _once(self, guest: Guest, plan: LoadPlan, words: Mapping[str, str]) -> Outcome:
        """Loads all, uses them, unloads them, looks at what is left."""
        outcome = self._load(guest, plan, words)
        if outcome is Outcome.OK:
            outcome = self._use(guest)
        if self.job.unload:
            unloaded = self._unload(guest)
            well = unloaded is Outcome.OK and not guest.oopsed
            if self.after is not None and well and not self.leftovers:
                self.leftovers = self.after.look()
            outcome = min(outcome, unloaded, key=list(Outcome).index)
        return outcome

    def _load(self, guest: Guest, plan: LoadPlan, words: Mapping[str, str]) -> Outcome:
        began = time.monotonic()
        outcome = Outcome.OK
        names = {module.path: module.name for module in plan.given}
        for path in plan.paths:
            name = names.get(path) or path.name.partition(".ko")[0].replace("-", "_")
            result = ModuleResult(name, path)
            self.modules.append(result)
            if outcome is not Outcome.OK:
                continue
            try:
                with self._gdb(guest, name, path, plan):
                    step = guest.load(path, words.get(name, ""), name=name)
            except GuestEnded as error:
                self.modules[-1] = replace(result, load=Step(False, 0, f"no answer: {error.end}"))
                self._took(load=began)
                raise
            shown = guest.parameters(name) if step.ok and path in names else {}
            result = self.modules[-1] = replace(result, load=step, parameters=shown)
            if not step.ok:
                outcome = Outcome.LOAD_FAILED
                guest.log()  # whatever is still on its way
                from lkm.job.explain import explain_load  # only where something went wrong

                self.hint = explain_load(
                    path,
                    step,
                    kernel=self.kernel,
                    parameters=words.get(name, ""),
                    loaded=[one.name for one in self.modules if one.load is not None and one.load.ok],
                    cmdline=self.job.cmdline,
                    beside=plan.paths,
                )
            self.listener.loaded(result)
        self._took(load=began)
        return outcome

    def _gdb(self, guest: Guest, name: str, path: Path, plan: LoadPlan) -> AbstractContextManager[None]:
        """For the length of one load: has the guest wait for gdb where the job asks for it."""
        given = [module.path for module in plan.given]
        if not self.job.gdb or path not in given:
            return nullcontext()
        if self.debugger is None:
            self.debugger = guest.gdb(self.listener.waiting, vscode=self.job.vscode)
        others = {one.name: one.path for one in self.modules if one.name != name}
        last = [one for one in plan.paths if one in given][-1] == path
        return self.debugger.expecting(name, path, others=others, last=last)

    def _use(self, guest: Guest) -> Outcome:
        for path in self.job.copy:
            guest.copy_program(path)
        if self.job.command is not None:
            try:
                self.executed = guest.run(self.job.command)
            except OutOfTimeError as error:
                self.executed = ExecResult(124, b"", b"", self.job.timeout)  # the status of timeout(1)
                self.hint = f"{error.message}; --timeout gives it longer"
                guest.limit(_AFTERWARDS)
            self.listener.executed(self.executed)
        self._wait(guest)
        if self.job.session is not None:
            guest.limit(None)  # a person's time does not count
            self.job.session(guest)
            guest.limit(self.job.timeout)
        return Outcome.EXEC_FAILED if self.executed and self.executed.status else Outcome.OK

    def _wait(self, guest: Guest) -> None:
        """Lets timers, work and threads have their time; what the kernel says meanwhile is told."""
        until = time.monotonic() + self.job.wait
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK))
            guest.limit(self.job.timeout)  # the time that was asked for does not count
            guest.log()

    def _unload(self, guest: Guest) -> Outcome:
        began = time.monotonic()
        outcome = Outcome.OK
        for index in reversed(range(len(self.modules))):
            result = self.modules[index]
            if result.load is None or not result.load.ok:
                continue
            try:
                if self.after is not None:
                    self.after.note(result.name)
                step = guest.unload(result.name)
            except GuestEnded as error:
                self.modules[index] = replace(result, unload=Step(False, 0, f"no answer: {error.end}"))
                self._took(unload=began)
                raise
            if step.errno == ENOENT and self.executed is not None:
                continue  # the command has unloaded it
            self.modules[index] = replace(result, unload=step)
            if not step.ok:
                outcome = Outcome.UNLOAD_FAILED
                from lkm.job.stays import explain_stay

                used = self.executed is not None or self.job.session is not None
                self.hint = self.hint or explain_stay(guest, result.name, step, used=used)
        self._took(unload=began)
        return outcome

    def _took(self, **began: float) -> None:
        """Notes how long a step took that began at the given time."""
        now = time.monotonic()
        self.timing = replace(self.timing, **{name: now - start for name, start in began.items()})

    def on_record(self, record: Record) -> None:
        """The kernel said something."""
        if self.muted is not None:
            self.muted.add(record)
            return
        self.records.add(record)
        self.listener.record(record)

    def _result(self, outcome: Outcome) -> RunResult:
        log = self.records.since()
        reports = find_reports(log, modules=[one.path for one in self.modules], kernel=self.kernel)
        if outcome is Outcome.OOPS:
            from lkm.job.explain import NO_REPORT

            self.hint = "" if reports else NO_REPORT
        return RunResult(
            outcome=outcome,
            kernel=self.kernel,
            accelerator=self.accelerator,
            modules=tuple(self.modules),
            exec=self.executed,
            log=log,
            left_out=self.records.left_out,
            ending=self.ending,
            timing=replace(self.timing, total=time.monotonic() - self.began),
            built=tuple(self.built),
            hint=self.hint,
            leftovers=self.leftovers,
            cycles=self.cycles,
            reports=reports,
        )


def _prepare(guest: Guest) -> None:
    with suppress(LkmError, OSError):  # the start meets it again, and tells it
        guest.prepare()


def _is_module(path: Path) -> bool:
    """Whether it is a module's file, by its name, and nothing to build."""
    return ".ko" in path.suffixes and not path.is_dir()


def iter_modules(
    sources: Sequence[Path], *, kernel: Kernel, jobs: int | None = None
) -> Iterator[Built | Path]:
    """Each of `sources` in turn: a `.ko` file as it is, a module source built.

    Raises `UsageError` for a file that is not there, `BadInputError` for a source that makes no module.
    """
    symbols: list[str] = []  # what sources built so far export, for those after them
    for source in sources:
        if _is_module(source):
            if not source.is_file():
                raise UsageError(f"{source}: there is no such file", hint="lkm build")
            yield source
            continue
        from lkm.kbuild import build  # a run of ready modules has no use for it

        words = [f"KBUILD_EXTRA_SYMBOLS={' '.join(symbols)}"] if symbols else []
        built = build(source, kernel=kernel, jobs=jobs, make_words=words)
        exported = built.output / "Module.symvers"
        if built.ok and exported.is_file() and exported.stat().st_size:
            symbols.append(str(exported))
        if built.ok and not built.modules:
            raise BadInputError(f"{source}: nothing to load was built", hint="name a module in obj-m")
        yield built
