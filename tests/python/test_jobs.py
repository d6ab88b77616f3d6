"""Jobs, progress, callbacks, asyncio, threads; and the ends of a process."""
from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import numpy as np
import pytest

import grymsynth as gs
from conftest import child_environment

LONG = dict(prompt="rock", duration_s=300.0, seed=1)
SHORT = dict(prompt="rock", duration_s=3.0, seed=1)


def test_job_result_equals_the_blocking_call(engine):
    job = engine.start_generate(gs.GenerateAudioRequest(**SHORT))
    assert job.wait(60)
    assert job.done and job.progress.fraction == 1
    result = job.result()
    assert job.result() is result
    blocking = engine.generate(gs.GenerateAudioRequest(**SHORT))
    assert np.array_equal(result.audio.samples, blocking.audio.samples)


def test_cancel_ends_promptly(engine):
    job = engine.start_generate(gs.GenerateAudioRequest(**LONG))
    assert not job.wait(0)
    job.cancel()
    assert job.wait(10)
    with pytest.raises(gs.CancelledError) as caught:
        job.result()
    assert caught.value.status == "cancelled"


def test_dropping_a_job_cancels_it(engine):
    job = engine.start_generate(gs.GenerateAudioRequest(**LONG))
    started = time.monotonic()
    del job
    assert time.monotonic() - started < 5


def test_await_does_not_block_the_loop(engine):
    async def main():
        job = engine.start_generate(gs.GenerateAudioRequest(**LONG))
        waiting = asyncio.ensure_future(_await(job))
        for _ in range(100):
            await asyncio.sleep(0)  # a turn of the loop
        assert not job.done and not waiting.done()
        job.cancel()
        with pytest.raises(gs.CancelledError):
            await waiting

    asyncio.run(main())


def test_await_gives_the_result(engine):
    async def main():
        return await engine.start_generate(gs.GenerateAudioRequest(**SHORT))

    assert asyncio.run(main()).audio.frames > 0


def test_cancelled_await_cancels_the_job(engine):
    async def main():
        job = engine.start_generate(gs.GenerateAudioRequest(**LONG))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_await(job), 0.05)
        return job

    job = asyncio.run(main())
    assert job.wait(10)
    with pytest.raises(gs.CancelledError):
        job.result()


async def _await(job):
    return await job


def test_progress_rises(engine):
    heard = []
    engine.generate(gs.GenerateAudioRequest(**SHORT), progress=heard.append)
    fractions = [p.fraction for p in heard]
    assert heard and fractions == sorted(fractions) and all(0 <= f <= 1 for f in fractions)
    assert all(isinstance(p.stage, str) for p in heard)


def test_exception_in_a_callback_reaches_the_caller_once(engine, piece):
    class Stop(Exception):
        pass

    calls = []

    def stop(progress):
        calls.append(progress)
        raise Stop("enough")

    with pytest.raises(Stop, match="enough"):
        engine.generate(gs.GenerateAudioRequest(**LONG), progress=stop)
    assert len(calls) == 1
    with pytest.raises(Stop):
        gs.AudioProcessor().analyze(piece, progress=stop)

    job = engine.start_generate(gs.GenerateAudioRequest(**LONG), progress=stop)
    assert job.wait(10)
    with pytest.raises(Stop):
        job.result()
    with pytest.raises(gs.CancelledError):
        job.result()


def test_callback_cannot_wait_for_its_own_job(engine):
    job, there, answers = None, threading.Event(), []

    def wait(progress):
        assert there.wait(30)
        if answers:
            return
        for call in (job.wait, job.result, lambda: job.wait(0)):
            try:
                call()
            except gs.Error as error:
                answers.append(error.status)

    job = engine.start_generate(gs.GenerateAudioRequest(**SHORT), progress=wait)
    there.set()
    assert job.wait(60)
    assert answers == ["failed_precondition"] * 3


def test_callback_may_call_back(engine, piece):
    seen = []

    def again(progress):
        seen.append(len(engine.models()))
        if len(seen) == 1:
            gs.AudioProcessor().analyze(piece)

    engine.generate(gs.GenerateAudioRequest(**SHORT), progress=again)
    assert seen and all(n > 0 for n in seen)


def test_bar(engine, capsys):
    pytest.importorskip("tqdm")
    engine.generate(gs.GenerateAudioRequest(**SHORT), progress=True)
    assert "%" in capsys.readouterr().err
    with pytest.raises(TypeError):
        engine.generate(gs.GenerateAudioRequest(**SHORT), progress=3)


def test_other_threads_run_during_a_call(engine):
    go, inside, seen = threading.Event(), [], []

    def look():
        go.wait()
        seen.append(bool(inside))

    thread = threading.Thread(target=look)
    thread.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody is made to let go of the interpreter; the call must do so by itself
    try:
        inside.append(True)
        go.set()
        engine.generate(gs.GenerateAudioRequest(**SHORT))
        inside.clear()
    finally:
        sys.setswitchinterval(interval)
    thread.join()
    assert seen == [True]


def test_many_threads_share_an_engine(engine):
    expected = engine.generate(gs.GenerateAudioRequest(prompt="jazz", duration_s=1, seed=5)).audio.samples
    wrong = []

    def work():
        samples = engine.generate(gs.GenerateAudioRequest(prompt="jazz", duration_s=1, seed=5)).audio.samples
        if not np.array_equal(samples, expected):
            wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def run_child(code: str, timeout: float = 60) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=child_environment(), timeout=timeout,
                          capture_output=True, text=True)


START = """
    import os, sys, time, threading
    import grymsynth as gs
    engine = gs.Engine()
    request = gs.GenerateAudioRequest(prompt="rock", duration_s=100.0, seed=1)
    started = threading.Event()
"""
ROUNDS = int(os.environ.get("GRYM_END_ROUNDS", "100"))

# A process that forks before the module is there, so that each round is a process which imports, works and ends, at a
# tenth of the price of a new interpreter. It prints how each ended and how long its end took.
ROUND_SERVER = """
import os, struct, sys, time
import numpy
for _ in range(int(sys.argv[1])):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        break
    os.close(writer)
    told = os.read(reader, 8)
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    ended = time.monotonic()
    print(os.waitstatus_to_exitcode(status), ended - struct.unpack("d", told)[0] if len(told) == 8 else -1, flush=True)
else:
    sys.exit(0)

def the_end_begins():
    os.write(writer, struct.pack("d", time.monotonic()))
"""


def expect_good_ends(code: str, rounds: int = ROUNDS, most_s: float = 2) -> None:
    """Each round ends with 0, without words, within the 2 s that are promised."""
    server = subprocess.run([sys.executable, "-c", ROUND_SERVER + textwrap.dedent(START + code), str(rounds)],
                            env={**child_environment(), "OPENBLAS_NUM_THREADS": "1"}, timeout=600,
                            capture_output=True, text=True)
    assert server.returncode == 0, server.stderr
    ends = [line.split() for line in server.stdout.splitlines()]
    assert len(ends) == rounds, server.stdout + server.stderr
    for code_of_end, seconds in ends:
        assert code_of_end == "0", server.stderr
        assert 0 <= float(seconds) < most_s
    assert server.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("end", ["", "sys.exit(0)", "del engine", "del job"])
def test_exit_with_a_running_job(end):
    expect_good_ends(f"""
    job = engine.start_generate(request, progress=lambda p: started.set())
    started.wait()
    the_end_begins()
    {end}
    """, max(1, ROUNDS // 4))


# The process's first array is made on a thread while the interpreter ends, and another thread wants the lock too.
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_exit_while_a_thread_makes_the_first_array():
    expect_good_ends("""
    stream = engine.stream(gs.GenerateAudioRequest(prompt="rock", duration_s=1.0, seed=1, model="composer"))
    def busy():
        while True:
            pass
    def work():
        try:
            stream.next(progress=lambda p: p.stage == "master" and started.set())
        except BaseException:  # cancelled, or whatever else the end makes of it: that it ends is what counts
            pass
    sys.setswitchinterval(1e-4)
    for target in (busy, work):
        threading.Thread(target=target, daemon=True).start()
    started.wait()
    the_end_begins()
    """, max(1, ROUNDS // 4), most_s=60)  # the busy thread may have all of the interpreter's time


# Python code beneath the module's frames: the end waits until it has returned.
def test_exit_waits_for_python_code_beneath_a_call():
    child = run_child("""
    import os, threading, time, numpy, grymsynth as gs
    import grymsynth._html
    audio, started = gs.Audio(numpy.zeros((1, 100), numpy.float32), 44100), threading.Event()
    def slow(shown):
        started.set()
        time.sleep(0.3)
        os.write(1, b"returned")
        return ""
    grymsynth._html.audio = slow
    threading.Thread(target=audio._repr_html_, daemon=True).start()
    started.wait()
    """)
    assert (child.returncode, child.stdout, child.stderr) == (0, "returned", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_exit_with_a_daemon_thread_inside_a_call():
    expect_good_ends("""
    def work():
        try:
            engine.generate(request, progress=lambda p: started.set())
        except gs.CancelledError:
            pass  # the end of the interpreter stops the call
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    started.wait()
    the_end_begins()
    """)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_exit_with_jobs_that_hold_arrays_while_other_threads_want_the_lock():
    expect_good_ends("""
    import numpy, random
    def busy():
        while True:
            pass
    for _ in range(2):
        threading.Thread(target=busy, daemon=True).start()
    sys.setswitchinterval(1e-4)
    processor = gs.AudioProcessor()
    samples = numpy.zeros((1, 44100), dtype=numpy.float32)
    samples[0, ::4410] = 0.5
    jobs = [processor.start_analyze(gs.Audio(samples.copy(), 44100)) for _ in range(4)]
    time.sleep(random.Random(os.getpid()).random() * 0.05)
    the_end_begins()
    """, max(1, ROUNDS // 4))


def test_exit_with_a_running_job_in_an_interpreter_of_its_own():
    child = run_child(START + """
    job = engine.start_generate(request, progress=lambda p: started.set())
    started.wait()
    print(time.time(), flush=True)
    """)
    ended = time.time()
    assert child.returncode == 0 and not child.stderr, child.stderr
    assert ended - float(child.stdout.split()[-1]) < 2


def test_exceptions_in_callbacks_reach_the_caller_once_each_time():
    child = run_child(START + f"""
    class Stop(Exception):
        pass
    calls = caught = 0
    def stop(progress):
        global calls
        calls += 1
        raise Stop(calls)
    for _ in range({ROUNDS}):
        try:
            engine.generate(request, progress=stop)
        except Stop as error:
            caught += error.args == (calls,)
        job = engine.start_generate(request, progress=stop)
        job.wait()
        try:
            job.result()
        except Stop as error:
            caught += error.args == (calls,)
        try:
            job.result()
        except gs.CancelledError:
            caught += 1
    print(calls, caught)
    """, 300)
    assert child.returncode == 0 and not child.stderr, child.stderr
    assert child.stdout.split() == [str(2 * ROUNDS), str(3 * ROUNDS)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_calls_after_a_fork_are_refused():
    child = run_child(START + f"""
    import asyncio, numpy
    async def awaited():
        await job
    # Threads in short calls: one of them may be at any place when the process forks.
    silence = gs.Audio(numpy.zeros((1, 1000), dtype=numpy.float32), 44100)
    over = threading.Event()
    def short_calls():
        while not over.is_set():
            gs.check_take(silence)
    threads = [threading.Thread(target=short_calls) for _ in range(2)]
    for thread in threads:
        thread.start()
    job = engine.start_generate(request, progress=lambda p: started.set())
    processor = gs.AudioProcessor()
    started.wait()
    wrong = []
    for _ in range({ROUNDS}):
        pid = os.fork()
        if pid == 0:
            refused = 0
            for call in (lambda: engine.generate(request), lambda: gs.load("x.wav"), gs.Engine, gs.AudioProcessor,
                         lambda: gs.generate(request), lambda: job.wait(1), lambda: processor.analyze("x.wav"),
                         lambda: job.done, lambda: job.progress, lambda: asyncio.run(awaited()),
                         lambda: gs.Workflow.template("audio-enhancement"), lambda: gs.compare("a.wav", "b.wav")):
                try:
                    call()
                except gs.FailedPreconditionError as error:
                    refused += "fork" in str(error)
            sys.exit(40 + refused)
        begun = time.monotonic()
        _, status = os.waitpid(pid, 0)
        end = (os.waitstatus_to_exitcode(status), time.monotonic() - begun)
        if end[0] != 52 or end[1] > 30:  # for ever is what would be wrong; a busy machine takes its seconds
            wrong.append(end)
    over.set()
    for thread in threads:
        thread.join()
    job.cancel()
    print(wrong)
    """, 300)
    assert child.returncode == 0 and not child.stderr, child.stderr
    assert child.stdout.strip() == "[]"


def test_threads_may_ask_for_one_result_together():
    engine = gs.Engine()
    for _ in range(5):
        job = engine.start_generate(gs.GenerateAudioRequest(prompt="rock", duration_s=1.0, seed=1))
        found = []
        threads = [threading.Thread(target=lambda: found.append(job.result())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4 and all(result is found[0] for result in found)


def test_a_job_whose_callback_holds_it_goes_with_its_holder():
    class Window:
        def start(self, engine):
            self.job = engine.start_generate(gs.GenerateAudioRequest(prompt="rock", duration_s=1.0, seed=1),
                                             progress=self.told)

        def told(self, progress):
            pass

    window = Window()
    window.start(gs.Engine())
    window.job.result()
    gone = weakref.ref(window)
    del window
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("as_job", [False, True])
def test_a_callback_that_closes_its_own_engine_is_told(as_job):
    engine = gs.Engine()
    errors = []

    def close(progress):
        try:
            engine.close()
        except gs.FailedPreconditionError as error:
            errors.append(error.code)

    request = gs.GenerateAudioRequest(prompt="rock", duration_s=20.0, seed=1)
    with pytest.raises(gs.CancelledError):
        if as_job:
            engine.start_generate(request, progress=close).result()
        else:
            engine.generate(request, progress=close)
    assert errors and set(errors) == {"closed_from_callback"}
    engine.close()


def test_interrupt_stops_a_call():
    child = run_child("""
    import _thread, signal, threading, grymsynth as gs
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are begun with it ignored
    engine = gs.Engine()
    started = threading.Event()
    threading.Thread(target=lambda: (started.wait(), _thread.interrupt_main())).start()
    request = gs.GenerateAudioRequest(prompt="rock", duration_s=100.0, seed=1)
    try:
        engine.generate(request, progress=lambda p: started.set())
    except KeyboardInterrupt:
        print("interrupted")
    """)
    assert "interrupted" in child.stdout, child.stdout + child.stderr


def test_a_closed_engine_lets_go_of_its_folder(tmp_path):
    with gs.Engine(tmp_path / "data") as first:
        job = first.start_generate(gs.GenerateAudioRequest(prompt="house", seed=1, duration_s=60))
        assert first.executions() == []
        until = time.monotonic() + 30
        while not job.progress.stage:  # its thread is at work, else it would be refused instead of stopped
            assert time.monotonic() < until
            time.sleep(0.001)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert job.wait(timeout=10)
    with pytest.raises(gs.CancelledError):
        job.result()
    with pytest.raises(gs.FailedPreconditionError) as caught:
        first.generate(gs.GenerateAudioRequest(prompt="house", seed=1, duration_s=2))
    assert caught.value.code == "engine_closed"
    first.close()
    with gs.Engine(tmp_path / "data") as second:  # at once: the lock is free
        assert second.executions() == []


def test_a_run_whose_callback_raised_can_be_resumed(tmp_path, piece):
    path = tmp_path / "piece.wav"
    piece.save(path)
    workflow = gs.Workflow.template("audio-enhancement")
    how = dict(execution_id="once", output_dir=tmp_path / "out", seed=3)
    with gs.Engine(tmp_path / "data") as engine:
        def stop(event):
            if event.kind == "visit_completed":
                assert event.at_ms > 0
                raise KeyError("stop here")
        with pytest.raises(KeyError):
            engine.run_workflow(workflow, {"audioFile": str(path)}, on_event=stop, **how)
        assert engine.executions()[0].state == "interrupted"
        run = engine.run_workflow(workflow, {"audioFile": str(path)}, **how)
        assert run.state == "completed"
