# SPDX-License-Identifier: MIT
"""A guest: load, unload, run, copy, log."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import BadInputError, LkmError, OutOfTimeError, UsageError
from lkm.guest import Guest, LoadError
from lkm.kernel import Kernel
from lkm.klog import Record

pytestmark = pytest.mark.guest
Find = Callable[[str], Path]


def test_the_lectures_module(guest: Guest, hello: Path) -> None:
    with guest.loaded(hello, month="December", day=31) as module:
        assert module.name == "hello"
        assert "31 December" in module.log.text
        assert module.parameters["month"] == "December"
        assert guest.run("cat /proc/modules").stdout.startswith("hello")
    assert guest.modules() == ()
    assert guest.log().records[-1].text.startswith("Goodbye")
    assert not guest.oopsed


def test_the_log_holds_only_what_this_run_caused(kernel: Kernel, hello: Path) -> None:
    came: list[Record] = []
    with Guest(kernel, on_record=came.append) as guest:
        assert guest.log().records == ()
        guest.load(hello)
        guest.unload("hello")
        log = guest.log()
    assert list(log.records) == came
    assert all("ello" in record.text or "cruel" in record.text for record in came)
    numbers = [record.seq for record in came]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_refused_module_is_a_result(guest: Guest, module: Find, hello: Path) -> None:
    step = guest.load(module("refuses"))
    assert (step.ok, step.errno, step.error) == (False, 19, os.strerror(19))
    assert guest.load(b"no module at all").errno == 8
    assert guest.unload("nothing").errno == 2
    assert guest.load(hello).ok
    assert guest.load(hello).errno == 17
    assert guest.load(module("tells"), "list=1,2,3,4,5").errno == 22
    with pytest.raises(LoadError) as caught, guest.loaded(module("refuses")):
        pass
    assert caught.value.step.errno == 19
    assert "refuses: begins" in caught.value.log.text


def test_a_parameter_that_is_not_there_is_told_before(guest: Guest, hello: Path) -> None:
    for image in (hello, hello.read_bytes()):
        with (
            pytest.raises(UsageError, match="hello has no parameter 'mont'") as caught,
            guest.loaded(image, mont="May"),
        ):
            pass
        assert caught.value.hint == "it has: day, month"
    assert guest.log().records == ()
    with guest.loaded(hello, parameters="mont=May", dyndbg="+p") as module:  # as typed: the kernel's to judge
        assert "unknown parameter 'mont' ignored" in module.log.text


def test_a_kernel_by_name(kernel: Kernel, hello: Path) -> None:
    with Guest(kernel.name) as guest:
        assert guest.kernel.release == kernel.release
        assert guest.load(hello).ok


def test_parameters_of_each_kind(guest: Guest, module: Find) -> None:
    with guest.loaded(module("tells"), flag=True, text="two words", list=[7, 8], secret=3) as loaded:
        assert "tells: 1 <two words> 2: 7 8" in loaded.log.text
        assert loaded.parameters == {"flag": "Y", "text": "two words", "list": "7,8"}
        found = guest.modules()
    assert [(one.name, one.refcount, one.used_by, one.state) for one in found] == [("tells", 0, (), "Live")]
    assert found[0].size > 0
    assert found[0].parameters["text"] == "two words"


def test_a_warning_is_no_oops(guest: Guest, module: Find) -> None:
    assert guest.load(module("warns")).ok
    assert "only a warning" in guest.log().text
    assert not guest.oopsed


@pytest.mark.parametrize("name", ["divides", "points"])
def test_an_oops_kills_the_load_and_not_the_guest(guest: Guest, module: Find, hello: Path, name: str) -> None:
    step = guest.load(module(name))
    assert not step.ok
    assert "oops" in step.error
    assert guest.oopsed
    assert guest.alive
    assert f"[{name}]" in guest.log().text
    assert guest.run("echo still here").stdout == "still here\n"
    assert guest.load(hello).ok


def test_a_bug_in_exit(guest: Guest, module: Find) -> None:
    assert guest.load(module("stumbles")).ok
    assert not guest.oopsed
    assert not guest.unload("stumbles").ok
    assert guest.oopsed
    assert "kernel BUG at" in guest.log().text
    assert guest.alive


def test_records_come_while_a_slow_init_runs(kernel: Kernel, module: Find) -> None:
    came: list[tuple[float, str]] = []
    with Guest(kernel, on_record=lambda record: came.append((time.monotonic(), record.text))) as guest:
        step = guest.load(module("sleeps"), seconds=2)
    assert step.ok
    assert step.seconds > 2
    first = next(when for when, text in came if text == "sleeps: begins")
    last = next(when for when, text in came if text == "sleeps: 2")
    assert last - first > 1  # seconds that passed for us too, so the first did not wait for the last


def test_what_a_timer_says_later_is_in_the_log(guest: Guest, module: Find) -> None:
    with guest.loaded(module("later")) as loaded:
        assert "fired" not in loaded.log.text
        guest.run("sleep 1")
        assert "later: the timer fired" in guest.log().text


def test_a_flood_is_there_whole(guest: Guest, module: Find) -> None:
    assert guest.load(module("floods"), lines=20000).ok
    texts = [record.text for record in guest.log().records]
    lines = [text for text in texts if text.startswith("floods: line ")]
    assert lines == [f"floods: line {number} of the flood" for number in range(20000)]


def test_commands(guest: Guest) -> None:
    result = guest.run("echo out; echo err >&2; exit 3")
    assert (result.status, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert guest.run(["/bin/busybox", "echo", "a b", "$HOME"]).stdout == "a b $HOME\n"
    assert guest.run("kill -9 $$").status == 137
    assert guest.run("id -u; pwd; hostname").stdout == "0\n/root\nguest\n"
    with pytest.raises(UsageError):
        guest.run(["/no/such/program"])
    assert guest.run("true").status == 0


def test_what_a_command_leaves_running_does_not_hold_it(guest: Guest) -> None:
    assert guest.run("sleep 1000 & echo done").stdout == "done\n"


def test_a_command_that_does_not_end_is_killed(guest: Guest) -> None:
    with pytest.raises(OutOfTimeError):
        guest.run("sleep 1000", timeout=0.5)
    assert guest.run("echo here").stdout == "here\n"


def test_bytes_go_through_a_command_unchanged(guest: Guest) -> None:
    data = bytes(range(256)) * 3000 + b"\xff\xfe\0"
    result = guest.run("cat; cat /dev/null >&2", stdin=data)
    assert result.raw_stdout == data


def test_large_files_in_and_out(guest: Guest, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(40 << 20) + b"odd")
    source.chmod(0o751)
    guest.copy_in(source, "/root/deep/er/large")
    assert guest.copy_out("/root/deep/er/large") == source.read_bytes()
    said = guest.run("sha256sum /root/deep/er/large; stat -c %a /root/deep/er/large").stdout.split()
    assert said[0] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert said[-1] == "751"
    guest.copy_in(b"", "/root/empty")
    assert guest.copy_out("/root/empty") == b""
    with pytest.raises(BadInputError, match="No such file"):
        guest.copy_out("/root/none")
    with pytest.raises(UsageError):
        guest.copy_in(tmp_path / "none", "/root/none")


def test_a_module_larger_than_the_window(guest: Guest, hello: Path, tmp_path: Path) -> None:
    # What follows the last section is of no interest to the kernel.
    assert guest.load(hello.read_bytes() + bytes(20 << 20)).ok
    assert guest.unload("hello").ok


def test_a_program_of_the_hosts_with_its_libraries(guest: Guest) -> None:
    path = guest.copy_program(Path("/bin/ls"))
    assert guest.run([path, "/"]).stdout.split()[0] == "bin"


def test_clones_are_separate_and_random(kernel: Kernel) -> None:
    said = set()
    for _ in range(3):
        with Guest(kernel) as guest:
            assert guest.run("cat /root/mark").status == 1
            guest.copy_in(b"x", "/root/mark")
            said.add(
                guest.run("head -c 16 /dev/urandom | hexdump -C; cat /proc/sys/kernel/random/uuid").stdout
            )
    assert len(said) == 3


def test_the_clock_is_ours(guest: Guest) -> None:
    assert abs(int(guest.run("date +%s").stdout) - time.time()) < 60


def test_a_closed_guest_says_so(kernel: Kernel, hello: Path) -> None:
    guest = Guest(kernel)
    with pytest.raises(UsageError):
        guest.load(hello)
    guest.start()
    pid = guest.pid
    guest.load(hello)
    guest.close()
    guest.close()
    assert not Path(f"/proc/{pid}").exists()
    assert "Hello" in guest.log().text
    with pytest.raises(LkmError):
        guest.run("true")


@pytest.mark.parametrize(
    "settings", [{"cpus": 2}, {"memory": 128}, {"cmdline": "lkm_test=1"}, {"template": False}], ids=str
)
def test_shapes(kernel: Kernel, hello: Path, settings: dict[str, object]) -> None:
    with Guest(kernel, **settings) as guest:  # type: ignore[arg-type]
        assert guest.load(hello).ok
        said = guest.run(
            "grep -c ^processor /proc/cpuinfo; cat /proc/cmdline; grep MemTotal /proc/meminfo"
        ).stdout
        cpus, line, memory = said.splitlines()
        assert int(cpus) == settings.get("cpus", 1)
        assert str(settings.get("cmdline", "")) in line
        assert int(memory.split()[1]) < int(str(settings.get("memory", 256))) * 1024


def test_a_kernel_that_is_locked_down(kernel: Kernel, hello: Path) -> None:
    with Guest(kernel, cmdline="lockdown=integrity quiet") as guest:
        assert "[integrity]" in guest.run("cat /sys/kernel/security/lockdown").stdout
        assert guest.load(hello).errno == 1  # its signature is not the distribution's
        assert "Lockdown" in guest.log().text


def test_a_guest_without_memory_left_still_answers(kernel: Kernel, hello: Path) -> None:
    with Guest(kernel, memory=128) as guest:
        said = guest.run(
            "awk 'BEGIN { while (1) text = text \"a long text that fills the memory, turn by turn\" text }'"
        )
        assert said.status != 0
        assert guest.load(hello).ok
        assert guest.run("echo on").stdout == "on\n"


def test_much_output_is_all_there(guest: Guest) -> None:
    data = os.urandom(15 << 20)
    guest.copy_in(data, "/tmp/data")
    assert guest.run("cat /tmp/data", timeout=120).raw_stdout == data


def test_two_processors_one_of_them_lost(kernel: Kernel, module: Find) -> None:
    from lkm.guest import End, GuestEnded

    with Guest(kernel, cpus=2, timeout=5) as guest:
        with pytest.raises(GuestEnded) as caught:
            guest.load(module("loops"))
        assert caught.value.end is End.HANG
        assert "loops_init" in guest.log().text
