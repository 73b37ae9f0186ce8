"""The runner delivers everything in order, passes every error on, and leaves no thread behind."""

import faulthandler
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pipeline.recognition.runner import Runner, run


@pytest.fixture(autouse=True)
def no_thread_is_left_and_nothing_hangs() -> Iterator[None]:
    """A test that hangs ends the process with a trace of all threads, after a minute."""
    before = set(threading.enumerate())
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    assert set(threading.enumerate()) <= before


def double(value: int) -> int:
    return 2 * value


def fail_at(bad: int, error: BaseException) -> Callable[[int], int]:
    def stage(value: int) -> int:
        if value == bad:
            raise error
        return value

    return stage


class Boom(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("depth", [1, 2, 50])
@pytest.mark.parametrize("stages", [0, 1, 3])
def test_results_come_in_order_and_complete(stages: int, depth: int) -> None:
    results = list(run(range(100), [double] * stages, depth=depth))
    assert results == [value * 2**stages for value in range(100)]


def test_an_empty_source_gives_nothing() -> None:
    assert list(run([], [double])) == []


def test_stages_run_at_the_same_time_each_in_its_own_thread() -> None:
    meeting = threading.Barrier(3, timeout=10)  # is passed only if all three stages are busy at once

    # Stage 0 is at item n, stage 1 at n - 1 and stage 2 at n - 2 when they meet.
    names: list[set[str]] = [set(), set(), set()]

    def named(i: int) -> Callable[[int], int]:
        def work(value: int) -> int:
            names[i].add(threading.current_thread().name + str(threading.get_ident()))
            if 2 <= i + value < 12:
                meeting.wait()
            return value

        return work

    assert list(run(range(12), [named(0), named(1), named(2)])) == list(range(12))
    assert [len(each) for each in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3


def test_nothing_starts_before_the_first_result_is_asked_for() -> None:
    started = threading.Event()

    def source() -> Iterator[int]:
        started.set()
        yield 1

    results = run(source(), [])
    assert not started.wait(0.05)
    assert list(results) == [1]


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("error", [Boom("bad"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_an_error_in_any_stage_reaches_the_caller_after_the_results_before_it(
    where: int, error: BaseException
) -> None:
    stages = [fail_at(-1, error)] * 3
    stages[where] = fail_at(7, error)
    seen: list[int] = []
    with pytest.raises(type(error)) as caught:
        _collect(run(range(1000), stages, depth=1), seen)
    assert caught.value is error
    assert seen == list(range(7))


def _collect(results: Generator[int], seen: list[int]) -> None:
    for value in results:
        seen.append(value)  # noqa: PERF402 (what came before an error is to be kept)


def test_an_error_in_the_source_reaches_the_caller_after_the_results_before_it() -> None:
    def source() -> Iterator[int]:
        yield from range(5)
        raise Boom("camera gone")

    seen: list[int] = []
    with pytest.raises(Boom, match="camera gone"):
        _collect(run(source(), [double]), seen)
    assert seen == [0, 2, 4, 6, 8]


def test_a_source_that_cannot_be_iterated_is_an_error() -> None:
    with pytest.raises(TypeError):
        list(run(7, [double]))  # type: ignore[arg-type]


def test_a_stage_that_fails_while_its_producer_waits_on_a_full_channel_ends_the_run() -> None:
    produced = threading.Semaphore(0)

    def source() -> Iterator[int]:
        for i in range(10_000):
            yield i
            produced.release()

    def stage(value: int) -> int:
        for _ in range(2):  # the source has filled the channel of two and waits for room
            produced.acquire(timeout=10)
        time.sleep(0.02)
        raise Boom

    with pytest.raises(Boom):
        list(run(source(), [stage], depth=2))


def test_the_traceback_of_an_error_leads_into_the_stage() -> None:
    with pytest.raises(Boom) as caught:
        list(run(range(3), [fail_at(1, Boom())]))
    assert "stage" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize("depth", [1, 4])
def test_leaving_early_stops_the_source_and_closes_it_in_its_own_thread(depth: int) -> None:
    closed_in: list[str] = []
    produced = 0

    def source() -> Iterator[int]:
        nonlocal produced
        try:
            while True:
                produced += 1
                yield produced
        finally:
            closed_in.append(threading.current_thread().name)

    with Runner(source(), [double, double], depth=depth) as results:
        for value in results:
            if value >= 20:
                break
    assert closed_in == ["recog source"]
    assert produced < 20 + 3 * depth + 10


@pytest.mark.parametrize("error", [KeyboardInterrupt, Boom])
def test_an_exception_in_the_callers_loop_stops_every_thread(error: type[BaseException]) -> None:
    def interrupted() -> None:
        with Runner(iter(int, 1), [double]) as results:
            for i, _ in enumerate(results):
                if i == 5:
                    raise error

    before = threading.active_count()
    with pytest.raises(error):
        interrupted()
    assert threading.active_count() == before


def test_control_c_ends_a_run_that_waits_for_its_source() -> None:
    script = """
import itertools, threading, time
from pipeline.recognition.runner import Runner
def source():
    yield 0
    while True:  # a camera that goes on; the caller waits, as the stage lets nothing through
        time.sleep(0.01)
        yield 1
def stage(value):
    if value:
        time.sleep(0.05)
    return value
try:
    with Runner(source(), [stage], live=True) as results:
        for _ in results:
            print("running", flush=True)
except KeyboardInterrupt:
    print("interrupted", threading.active_count(), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert output.endswith("interrupted 1\n")
    assert process.returncode == 0


def test_closing_the_generator_stops_every_thread() -> None:
    before = threading.active_count()
    results = run(iter(int, 1), [double, double])
    next(results)
    assert threading.active_count() == before + 3
    results.close()
    assert threading.active_count() == before


def test_an_error_while_the_source_is_closed_is_not_lost() -> None:
    def source() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            raise Boom("cannot let go")

    with pytest.raises(Boom, match="cannot let go"):
        list(run(source(), []))


def test_a_runner_runs_once() -> None:
    runner = Runner(range(3), [])
    assert list(runner) == [0, 1, 2]
    with pytest.raises(RuntimeError, match="runs once"):
        list(runner)


def test_a_depth_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="depth"):
        Runner([], [], depth=0)


def test_a_file_waits_for_a_slow_stage() -> None:
    produced: list[int] = []

    def source() -> Iterator[int]:
        for i in range(30):
            produced.append(i)
            yield i

    ahead = []

    def slow(value: int) -> int:
        time.sleep(0.002)
        ahead.append(len(produced) - value)
        return value

    runner = Runner(source(), [slow], depth=3)
    assert list(runner) == list(range(30))
    assert runner.dropped == 0
    assert max(ahead) <= 3 + 2  # those that wait, the one in work, and the one about to be put


def test_a_live_source_keeps_only_the_newest_waiting_item_and_counts_the_rest() -> None:
    busy, more = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        yield 0
        busy.wait(10)
        yield from range(1, 8)  # 1 to 6 are replaced while the stage is at 0
        more.set()

    def stage(value: int) -> int:
        busy.set()
        more.wait(10)
        return value

    runner = Runner(source(), [stage], live=True)
    assert list(runner) == [0, 7]
    assert runner.dropped == 6


def test_a_live_run_delivers_or_counts_every_item() -> None:
    def stage(value: int) -> int:
        time.sleep(random.random() / 2000)
        return value

    runner = Runner(iter(range(3000)), [stage, stage], live=True)
    results = list(runner)
    assert results == sorted(set(results))
    assert len(results) + runner.dropped == 3000
    assert results[-1] == 2999  # the newest is never the one that is dropped


def test_random_failures_and_early_exits_never_hang_or_leave_a_thread() -> None:
    before = threading.active_count()
    for seed in range(300):
        dice = random.Random(seed)
        _one_random_run(dice)
        assert threading.active_count() == before, f"seed {seed}"


def _one_random_run(dice: random.Random) -> None:
    length, leave_at = dice.randrange(40), dice.randrange(60)
    failing_stage, fails_at = dice.randrange(-2, 4), dice.randrange(50)
    naps = dice.random() < 0.3

    def work(stage: int) -> Callable[[Any], Any]:
        def call(value: int) -> int:
            if naps and value % 7 == stage:
                time.sleep(0.0005)
            if stage == failing_stage and value == fails_at:
                raise Boom
            return value

        return call

    def source() -> Iterator[int]:
        for i in range(length):
            if failing_stage == -1 and i == fails_at:
                raise Boom
            yield i

    stages = [work(i) for i in range(dice.randrange(4))]
    live = dice.random() < 0.3
    will_fail = -1 <= failing_stage < len(stages) and fails_at < length
    seen: list[int] = []
    failed = False
    try:
        with Runner(source(), stages, live, depth=dice.randint(1, 5)) as results:
            for value in results:
                seen.append(value)
                if value == leave_at:
                    break
    except Boom:
        failed = True
    assert seen == sorted(set(seen))
    if not live:
        end = min(length, leave_at + 1, fails_at if will_fail else length)
        assert seen == list(range(end))
        assert failed == (will_fail and fails_at <= leave_at)
