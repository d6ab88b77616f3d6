"""MusicGen and EnCodec from checkpoint folders: the reference's sound, streams, saved states, melodies, plans."""
from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import grymsynth as gs
import reference
from conftest import child_environment

PROMPT = "slow warm house with electric piano"


def request(**more):
    fields = {"prompt": PROMPT, "duration_s": 2, "seed": 3, "temperature": 0, "guidance": 3}
    return gs.GenerateAudioRequest(**{**fields, **more})


def snr_db(ours, theirs):
    error = ((ours - theirs) ** 2).sum()
    return 10 * np.log10((theirs ** 2).sum() / max(error, 1e-300))


def joined(stream):
    return np.concatenate([block.samples for block in stream], axis=1)


# A piece of F frames takes F steps and one for each book that comes later: 3 for four books, mono or stereo.
@pytest.mark.parametrize("preset,guidance", [("musicgen-tiny", 3), ("musicgen-tiny", 1), ("musicgen-stereo-tiny", 3)])
def test_greedy_sound_is_the_references(preset, guidance):
    folder = reference.checkpoint(preset)
    found = reference.run(folder, f"greedy{guidance}", "--prompt", PROMPT, "--tokens", "503", "--guidance", str(guidance))
    made = gs.Model.open(folder).generate(request(duration_s=10, guidance=guidance), raw=True)
    theirs = found["waveform"][0]
    assert made.audio.samples.shape == theirs.shape
    assert snr_db(made.audio.samples, theirs) >= 60


def test_a_batch_is_each_alone():
    model = gs.Model.open(reference.checkpoint("musicgen-tiny"))
    requests = [request(prompt=text, temperature=1, seed=seed) for seed, text in enumerate(("rain", PROMPT + " at night"))]
    for alone, beside in zip((model.generate(one, raw=True) for one in requests), model.generate_batch(requests)):
        assert np.array_equal(alone.audio.samples, beside.audio.samples)
        assert alone.provenance.seed == beside.provenance.seed


def test_blocks_are_the_whole_and_a_saved_state_goes_on_elsewhere(tmp_path):
    folder = reference.checkpoint("musicgen-tiny")
    model = gs.Model.open(folder)
    wanted = request(temperature=1, duration_s=6)
    whole = model.generate(wanted, raw=True).audio.samples
    stream = model.stream(wanted)
    first = next(stream).samples
    assert 0 < first.shape[1] <= 1.5 * 32000
    stream.save(tmp_path / "state")
    rest = joined(stream)
    assert np.abs(np.concatenate([first, rest], axis=1) - whole).max() <= 1e-4
    assert float(stream.finish().facts["first_sound_s"]) >= 0
    script = ("import sys, numpy, grymsynth as gs; stream = gs.Model.open(sys.argv[1]).resume_stream(sys.argv[2]); "
              "numpy.save(sys.argv[3], numpy.concatenate([block.samples for block in stream], axis=1))")
    subprocess.run([sys.executable, "-c", script, str(folder), str(tmp_path / "state"), str(tmp_path / "rest.npy")],
                   env=child_environment(), check=True)
    assert np.array_equal(np.load(tmp_path / "rest.npy"), rest)

    damaged = bytearray((tmp_path / "state").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(gs.DataLossError):
        model.resume_stream(tmp_path / "damaged")
    with pytest.raises(gs.FailedPreconditionError) as caught:
        next(gs.Model.open(reference.checkpoint("musicgen-stereo-tiny")).resume_stream(tmp_path / "state"))
    assert caught.value.code == "other_model"


def test_blocks_that_are_made_when_a_callback_raises_are_not_lost():
    model = gs.Model.open(reference.checkpoint("musicgen-tiny"))
    wanted = joined(model.stream(request(duration_s=2)))
    stream, blocks, raised = model.stream(request(duration_s=2)), [], 0

    def stop(progress):
        if progress.stage == "tokens":
            raise KeyError("enough")

    for _ in range(10000):
        try:
            blocks.append(stream.next(progress=stop).samples)
        except KeyError:
            raised += 1
        except StopIteration:
            break
    assert raised > 0
    assert np.array_equal(np.concatenate(blocks, 1), wanted)


def test_what_a_stream_leaves_out_is_told():
    model = gs.Model.open(reference.checkpoint("musicgen-tiny"))
    stream = model.stream(request(duration_s=0.5, mood="dark", allow_unsupported=True))
    assert joined(stream).shape[1] == 16000
    assert any("mood" in warning for warning in stream.finish().warnings)


def tone(pitches, rate=32000, seconds=1.0):
    t = np.arange(int(rate * seconds)) / rate
    return gs.Audio(np.concatenate([0.3 * np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t) for p in pitches])
                    .astype(np.float32)[None], rate)


def test_two_melodies_make_two_pieces():
    model = gs.Model.open(reference.checkpoint("musicgen-melody-tiny"))
    made = [model.generate(request(reference_audio=tone(melody)), raw=True).audio.samples
            for melody in ([60, 64, 67], [62, 65, 69], [60, 64, 67])]
    assert np.array_equal(made[0], made[2]) and not np.array_equal(made[0], made[1])
    with pytest.raises(gs.InvalidArgumentError):
        model.generate(request(reference_audio=gs.Audio(np.zeros((1, 64000), np.float32), 32000)), raw=True)


def test_a_recording_is_continued():
    model = gs.Model.open(reference.checkpoint("musicgen-tiny"))
    made = model.generate(request(reference_audio=tone([60, 62]), duration_s=4), raw=True)
    assert made.audio.samples.shape == (1, 4 * 32000)
    other = model.generate(request(reference_audio=tone([67, 69]), duration_s=4), raw=True)
    assert not np.array_equal(made.audio.samples[:, -32000:], other.audio.samples[:, -32000:])


def test_the_smallest_plan_is_the_least_budget():
    folder = reference.checkpoint("musicgen-tiny")
    wanted = request(duration_s=4)
    exact = gs.Model.open(folder).generate(wanted, raw=True).audio.samples
    with pytest.raises(gs.ResourceExhaustedError):
        gs.Model.open(folder, budget_bytes=1).plan(wanted)
    low, high = 1, gs.Model.open(folder).plan(wanted)["peakBytes"]
    while low < high:
        middle = (low + high) // 2
        try:
            gs.Model.open(folder, budget_bytes=middle).plan(wanted)
            high = middle
        except gs.ResourceExhaustedError:
            low = middle + 1
    tight = gs.Model.open(folder, budget_bytes=low).generate(wanted, raw=True)
    assert np.array_equal(tight.audio.samples, exact)
    assert 0.9 * low <= tight.peak_bytes <= low
    with pytest.raises(gs.ResourceExhaustedError):
        gs.Model.open(folder, budget_bytes=low - 1).generate(wanted, raw=True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int8", "int4"])
def test_fewer_bits_still_make_sound(dtype):
    made = gs.Model.open(reference.checkpoint("musicgen-tiny"), dtype=dtype).generate(request(), raw=True)
    assert np.isfinite(made.audio.samples).all() and np.abs(made.audio.samples).max() > 0


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_a_packed_copy_makes_the_same_sound(tmp_path, dtype):
    folder, out = reference.checkpoint("musicgen-tiny"), tmp_path / "copy"
    done = subprocess.run([sys.executable, "-m", "grymsynth.convert", "--dtype", dtype, str(folder), str(out)],
                          env=child_environment(), capture_output=True, text=True)
    assert done.returncode == 0 and dtype in done.stdout, done.stderr
    wanted = request(temperature=1)
    original = gs.Model.open(folder, dtype=dtype).generate(wanted, raw=True).audio.samples
    for copy in (gs.Model.open(out), gs.Model.open(out, dtype=dtype)):
        assert np.array_equal(copy.generate(wanted, raw=True).audio.samples, original)
    assert "packed copy" in str(copy.plan(wanted)["phases"])
    assert sum(p.stat().st_size for p in out.iterdir()) < sum(p.stat().st_size for p in folder.iterdir())
    with pytest.raises(gs.InvalidArgumentError, match="leave its dtype out") as caught:
        gs.Model.open(out, dtype="float32")
    assert caught.value.code == "other_precision"

    again = subprocess.run([sys.executable, "-m", "grymsynth.convert", "--dtype", dtype, str(folder), str(out)],
                           env=child_environment(), capture_output=True, text=True)
    assert again.returncode == 1 and "not there yet" in again.stderr
    with open(out / "model.safetensors", "r+b") as weights:
        weights.seek(100_000)
        weights.write(b"damaged")
    with pytest.raises(gs.DataLossError, match="make the copy again"):
        gs.Model.open(out).generate(wanted, raw=True)


def test_a_copy_is_saved_with_components_of_their_own_and_progress(tmp_path):
    options = {"dtype": "int4", "component_dtypes": {"text_encoder": "float16"}}
    model = gs.Model.open(reference.checkpoint("musicgen-stereo-tiny"), **options)
    told = []
    model.save_copy(tmp_path / "copy", progress=lambda now: told.append(now.fraction))
    assert len(told) > 2 and told == sorted(told) and told[-1] >= 0.5
    assert np.array_equal(gs.Model.open(tmp_path / "copy").generate(request(), raw=True).audio.samples,
                          model.generate(request(), raw=True).audio.samples)
    with pytest.raises(gs.FailedPreconditionError) as caught:
        gs.Model.open(tmp_path / "copy").save_copy(tmp_path / "other")
    assert caught.value.code == "nothing_to_pack"
    with pytest.raises(gs.UnimplementedError):
        gs.Model.open(reference.checkpoint("clap-tiny")).save_copy(tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir()] == ["copy"]


def test_encodec_codes_and_decodes_as_the_reference():
    folder = reference.checkpoint("encodec-tiny")
    found = reference.run(folder, "python", "--seconds", "2")
    model = gs.Model.open(folder)
    audio = gs.Audio(np.ascontiguousarray(found["input.audio"]), 32000)
    codes = model.encode(audio)
    theirs = found["codes"].reshape(codes.values.shape)
    assert (codes.values == theirs).mean() >= 0.99
    decoded = model.decode(gs.AudioCodes(theirs.astype(np.int32)))
    wanted = found["waveform"].reshape(1, -1)
    assert snr_db(decoded.samples[:, :wanted.shape[1]], wanted[:, :decoded.samples.shape[1]]) >= 60
    with pytest.raises(gs.InvalidArgumentError) as caught:
        model.decode(gs.AudioCodes(np.full((4, 3), 99)))
    assert caught.value.code == "bad_codes"
    with pytest.raises(gs.UnimplementedError):
        gs.Model.open(reference.checkpoint("clap-tiny")).encode(audio)


def test_a_musicgen_folder_codes_and_decodes_with_its_codec():
    folder = reference.checkpoint("musicgen-tiny")
    model = gs.Model.open(folder)
    assert "code" in model.info.capabilities
    made = model.generate(request(), raw=True).audio
    codes = model.encode(made)
    assert codes.values.shape == (4, 100) and codes.frame_rate_hz == 50
    back = model.decode(codes)
    assert back.samples.shape == made.samples.shape
    # The codes of a sound that is continued are these: their sound begins the piece.
    longer = model.generate(request(reference_audio=made, duration_s=3), raw=True).audio.samples
    assert np.abs(longer[:, :60000] - back.samples[:, :60000]).max() <= 1e-5
    both = gs.Model.open(reference.checkpoint("musicgen-stereo-tiny")).encode(made)
    assert np.array_equal(both.values[0::2], both.values[1::2]) and both.values.shape == (8, 100)
