"""Audio block after block, and codes as arrays."""
from __future__ import annotations

import _thread
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import grymsynth as g


def request(**more: object) -> g.GenerateAudioRequest:
    return g.GenerateAudioRequest(prompt="calm piano", model="composer", duration_s=3, seed=5, **more)


def test_the_blocks_are_the_take() -> None:
    with g.Engine() as engine:
        whole = engine.generate(request())
        stream = engine.stream(request())
        with pytest.raises(g.FailedPreconditionError):
            stream.finish()
        blocks = list(stream)
        assert len(blocks) > 1
        assert np.array_equal(np.concatenate([block.samples for block in blocks], axis=1), whole.audio.samples)
        told = stream.finish()
        assert told.provenance.seed == whole.provenance.seed
        assert told.audio.samples.shape[1] == 0
        assert next(stream, None) is None


def test_a_cancelled_block_is_not_lost() -> None:
    def stop(progress: g.Progress) -> None:
        raise KeyError("enough")

    with g.Engine() as engine:
        stream = engine.stream(request())
        with pytest.raises(KeyError):
            stream.next(progress=stop)
        assert next(stream).samples.shape[1] > 0
    with pytest.raises(g.FailedPreconditionError):
        next(stream)


def test_a_callback_of_its_own_call_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    with g.Engine() as engine:
        stream = engine.stream(request())
        told = []

        def ask_again(progress: g.Progress) -> None:
            for call in (stream.next, stream.finish, lambda: stream.save(tmp_path / "state")):
                with pytest.raises(g.FailedPreconditionError, match="busy"):
                    call()
            told.append(progress.stage)

        first = stream.next(progress=ask_again)
        assert told and first.samples.shape[1] > 0
        assert next(stream).samples.shape[1] > 0


def test_another_thread_waits_for_its_turn() -> None:
    with g.Engine() as engine:
        wanted = [block.samples for block in engine.stream(request())]
        stream = engine.stream(request())
        found = []
        ask = threading.Event()
        thread = threading.Thread(target=lambda: ask.wait() and found.append(next(stream).samples))
        thread.start()
        first = stream.next(progress=lambda progress: ask.set())
        thread.join()
        assert np.array_equal(first.samples, wanted[0]) and np.array_equal(found[0], wanted[1])


def test_ctrl_c_ends_the_wait_for_a_turn() -> None:
    with g.Engine() as engine:
        stream = engine.stream(request())
        inside, over = threading.Event(), threading.Event()

        def hold(progress: g.Progress) -> None:
            inside.set()
            over.wait(60)

        thread = threading.Thread(target=lambda: stream.next(progress=hold))
        thread.start()
        inside.wait()
        threading.Timer(0.05, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            stream.next()
        over.set()
        thread.join()
        assert next(stream).samples.shape[1] > 0  # nobody's turn was kept


def test_what_cannot_be(tmp_path: Path) -> None:
    with g.Engine() as engine:
        stream = engine.stream(request())
        with pytest.raises(g.UnimplementedError) as error:
            stream.save(tmp_path / "state")
        assert error.value.code == "no_saved_state"
        with pytest.raises(g.UnimplementedError):
            engine.resume_stream("composer", tmp_path / "state")
        with pytest.raises(g.NotFoundError):
            engine.resume_stream("nobody", tmp_path / "state")
        with pytest.raises(g.InvalidArgumentError):
            engine.stream(request(steps=3))


def test_codes_are_arrays() -> None:
    codes = g.AudioCodes(np.arange(6).reshape(2, 3), frame_rate_hz=50)
    assert (codes.books, codes.frames, codes.frame_rate_hz) == (2, 3, 50)
    assert codes.values.dtype == np.int32 and codes.values.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError):
        codes.values[0, 0] = 7
    with pytest.raises(g.InvalidArgumentError):
        g.AudioCodes(np.arange(6))


@pytest.mark.parametrize("values, told", [
    ([[0.7, 1.0]], "got float64"),
    (np.ones((1, 2), np.float32), "got float32"),
    (np.ones((1, 2), bool), "got bool"),
    ([["a", "b"]], "got <U1"),
    ([[1, 2, 3], [4, 2**40 + 5, 6]], f"got {2**40 + 5} in book 1, frame 1"),
    ([[1, -2**31 - 1]], f"got {-2**31 - 1} in book 0, frame 1"),
    (np.array([[3, 2**64 - 1]], np.uint64), f"got {2**64 - 1} in book 0, frame 1"),
    ([[10**30]], "got object"),
])
def test_codes_are_neither_rounded_nor_wrapped(values: object, told: str) -> None:
    with pytest.raises(g.InvalidArgumentError, match=re.escape(told)) as error:
        g.AudioCodes(values)  # type: ignore[arg-type]
    assert str(error.value).startswith("values: want whole numbers that an int32 holds")


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int32, np.uint64])
def test_codes_of_every_whole_kind_are_taken(kind: type) -> None:
    whole = np.array([[1, 2, 3], [4, 5, 127]], kind)
    assert g.AudioCodes(whole).values.tolist() == whole.tolist()
    assert g.AudioCodes(whole.T[::2]).values.tolist() == whole.T[::2].tolist()
    ends = [[-2**31, 2**31 - 1]]
    assert g.AudioCodes(ends).values.tolist() == ends
