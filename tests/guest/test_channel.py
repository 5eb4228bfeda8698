# SPDX-License-Identifier: MIT
"""The rings, with this process as the agent too, and with a guest that lies."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

import pytest

from lkm.errors import GuestLostError
from lkm.guest.channel import IN_SIZE, LARGEST, OUT_SIZE, PAGE, WINDOW, Ask, Channel, Say

IN_HEAD, IN_TAIL, OUT_HEAD, OUT_TAIL = 24, 32, 40, 48


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = Channel()
    yield channel
    channel.close()


@pytest.fixture
def window(channel: Channel) -> Iterator[mmap.mmap]:
    with mmap.mmap(channel.fd, WINDOW) as window:
        yield window


def number(window: mmap.mmap, at: int) -> int:
    return struct.unpack_from("<Q", window, at)[0]


def taken(window: mmap.mmap) -> tuple[int, bytes]:
    """What the agent does: the next request, taken."""
    while True:
        tail = number(window, IN_TAIL)
        offset = tail % IN_SIZE
        size, kind, _ = struct.unpack_from("<IHH", window, PAGE + offset)
        if kind == 0:
            struct.pack_into("<Q", window, IN_TAIL, tail + IN_SIZE - offset)
            continue
        body = window[PAGE + offset + 8 : PAGE + offset + 8 + size]
        struct.pack_into("<Q", window, IN_TAIL, tail + 8 + (size + 7 & ~7))
        return kind, body


def say(window: mmap.mmap, kind: int, body: bytes, *, at: int | None = None) -> None:
    head = number(window, OUT_HEAD) if at is None else at
    struct.pack_into("<IHH", window, PAGE + IN_SIZE + head % OUT_SIZE, len(body), kind, 0)
    start = PAGE + IN_SIZE + head % OUT_SIZE + 8
    window[start : start + len(body)] = body
    struct.pack_into("<Q", window, OUT_HEAD, head + 8 + (len(body) + 7 & ~7))


def test_requests_arrive_whole_and_in_order_round_the_ring(channel: Channel, window: mmap.mmap) -> None:
    for turn in range(40):
        body = bytes([turn]) * (3_000_000 + turn)
        assert channel.ask(Ask.PUT, body[:10], memoryview(body)[10:])
        assert taken(window) == (Ask.PUT, body)


def test_a_full_ring_takes_no_more_until_it_is_read(channel: Channel, window: mmap.mmap) -> None:
    body = bytes(LARGEST)
    assert channel.ask(Ask.PUT, body)
    assert channel.ask(Ask.PUT, body)
    assert not channel.ask(Ask.PUT, body)
    taken(window)
    taken(window)
    assert channel.ask(Ask.PUT, body)


def test_replies_round_the_ring(channel: Channel, window: mmap.mmap) -> None:
    for turn in range(200):
        body = bytes([turn]) * (500_000 + turn)
        head = number(window, OUT_HEAD)
        if head % OUT_SIZE + 8 + len(body) + 8 > OUT_SIZE:
            struct.pack_into("<IHH", window, PAGE + IN_SIZE + head % OUT_SIZE, 0, 0, 0)
            struct.pack_into("<Q", window, OUT_HEAD, head + OUT_SIZE - head % OUT_SIZE)
        say(window, Say.OUT, body)
        frame = channel.take()
        assert frame is not None
        assert (frame.type, frame.body) == (Say.OUT, body)
        assert channel.take() is None


@pytest.mark.parametrize(
    ("head", "size"),
    [(8, 100), (1 << 40, 8), (OUT_SIZE + 8, 8), (16, 1 << 31), ((1 << 64) - 1, 8)],
    ids=["longer than what was written", "far ahead", "more than the ring", "huge", "wraps"],
)
def test_nonsense_is_an_error_and_nothing_worse(
    channel: Channel, window: mmap.mmap, head: int, size: int
) -> None:
    struct.pack_into("<IHH", window, PAGE + IN_SIZE, size, Say.OUT, 0)
    struct.pack_into("<Q", window, OUT_HEAD, head)
    with pytest.raises(GuestLostError):
        channel.take()


def test_an_agent_that_takes_what_was_not_asked_gives_no_room(channel: Channel, window: mmap.mmap) -> None:
    struct.pack_into("<Q", window, IN_TAIL, 1 << 50)
    assert channel.ask(Ask.PING)
    assert channel.ask(Ask.PUT, bytes(LARGEST))
    assert channel.ask(Ask.PUT, bytes(LARGEST))


def test_each_waking_has_its_own_randomness(channel: Channel, window: mmap.mmap) -> None:
    channel.wake()
    first = window[:256]
    channel.wake()
    assert window[:256] != first
