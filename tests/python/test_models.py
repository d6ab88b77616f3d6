"""Native models from checkpoint folders: opened, planned, compared with the reference, within their budget."""
from __future__ import annotations

import _thread
import json
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import grymsynth as gs
import reference
from conftest import child_environment

PROMPT = "a dog barks twice in the distance while rain falls"  # peer_run.py's own


def unit(vector):
    return vector / np.linalg.norm(vector)


def sound(found, rate_hz):
    return gs.Audio(np.ascontiguousarray(found["input.audio"]), rate_hz)


def test_importing_loads_no_torch_and_either_order_shares_one():
    code = """
import sys
{first}
maps = lambda: {{line.split()[-1] for line in open("/proc/self/maps") if "libtorch_cpu" in line}}
assert {expect_none} or not maps(), "importing grymsynth alone loaded LibTorch"
try:
    grymsynth.Model.open("/nowhere")
except grymsynth.NotFoundError:
    pass
except grymsynth.FailedPreconditionError as error:
    assert error.code == "no_torch"
    sys.exit(77)
import torch
assert len(maps()) == 1, maps()
assert float(torch.ones(3).sum()) == 3
"""
    for first, loaded in (("import grymsynth", False), ("import torch, grymsynth", True),
                          ("import grymsynth, torch", True)):
        done = subprocess.run([sys.executable, "-c", code.format(first=first, expect_none=loaded)],
                              env=child_environment(), capture_output=True, text=True)
        if done.returncode == 77 or "No module named 'torch'" in done.stderr:
            pytest.skip("needs torch in this Python and a build with LibTorch")
        assert done.returncode == 0, done.stderr


def test_tensors_are_summed_as_they_lie():
    folder = reference.checkpoint("clap-tiny")
    wanted = reference.tensors(folder / "model.safetensors")
    for path in (folder, folder / "model.safetensors"):
        found = gs.runtime.Tensors(path)
        assert found.names() == sorted(wanted)
        assert found.shapes() == {name: tensor.shape for name, tensor in wanted.items()}
        for name, total in found.sums().items():
            assert total == pytest.approx(float(wanted[name].astype(np.float64).sum()), rel=1e-9, abs=1e-9), name


def test_a_config_alone_is_read_with_its_defaults(tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "t5", "d_model": 96, "novelty": 3}))
    plan = gs.runtime.plan_config(config)
    assert plan["family"] == "t5" and plan["fields"]["d_model"] == 96 and plan["fields"]["num_layers"] == 6
    assert plan["ignoredFields"] == ["novelty"]
    config.write_text(json.dumps({"model_type": "t5", "d_model": "wide", "num_heads": 0}))
    with pytest.raises(gs.InvalidArgumentError) as caught:
        gs.runtime.plan_config(config)
    assert caught.value.code == "bad_config"
    assert sorted(problem.pointer for problem in caught.value.problems) == ["/d_model", "/num_heads"]


@pytest.mark.parametrize("preset", ["clap-tiny", "wav2vec2-ctc-tiny", "musicgen-tiny"])
def test_token_ids_are_the_references(preset):
    folder = reference.checkpoint(preset)
    texts = [PROMPT, "", "  two  spaces ", "Ünïcödé 漢字 🎵🎶", "it's 3.14\n\ttabs", "a" * 300]
    if "wav2vec2" in preset:
        texts = ["HELLO WORLD", "", "A B"]
    script = ("import json, sys; from transformers import AutoTokenizer; t = AutoTokenizer.from_pretrained(sys.argv[1]); "
              "print(json.dumps([t(x).input_ids for x in json.loads(sys.stdin.read())]))")
    done = subprocess.run([reference.python(), "-c", script, str(folder)], input=json.dumps(texts), capture_output=True,
                          text=True, check=True)
    tokenizer = gs.runtime.Tokenizer(folder)
    assert [tokenizer.encode(text) for text in texts] == json.loads(done.stdout)


def test_clap_embeds_audio_and_text_as_the_reference():
    folder = reference.checkpoint("clap-tiny")
    found = reference.run(folder, "python", "--seconds", "3")
    model = gs.Model.open(folder, device="cpu")
    reference.assert_same(model.embed_text(PROMPT), unit(found["text_embeds"][0]))
    reference.assert_same(model.embed_audio(sound(found, 48000)), unit(found["audio_embeds"][0]))


@pytest.mark.parametrize("preset", ["wav2vec2-tiny", "wav2vec2-stable-tiny"])
def test_wav2vec2_shows_the_references_hidden_states(preset):
    folder = reference.checkpoint(preset)
    found = reference.run(folder, "python", "--seconds", "2")
    model = gs.Model.open(folder)
    layers = model.hidden_states(sound(found, 16000))
    for i, layer in enumerate(layers):
        reference.assert_same(layer, found[f"hidden_states.{i}"])
    assert f"hidden_states.{len(layers)}" not in found
    assert np.linalg.norm(model.embed_audio(sound(found, 16000))) == pytest.approx(1, abs=1e-5)
    with pytest.raises(gs.UnimplementedError):
        model.embed_text("words")


def test_audioldm_makes_the_references_waveform():
    folder = reference.checkpoint("audioldm-tiny")
    found = reference.run(folder, "python", "--seconds", "2.56", "--steps", "10", "--seed", "3")
    model = gs.Model.open(folder)
    request = gs.GenerateAudioRequest(prompt=PROMPT, duration_s=2.56, seed=3, steps=10, guidance=2.5)
    made = model.generate(request, raw=True)
    ours, theirs = np.asarray(made.audio.samples)[0].astype(np.float64), found["waveform"].ravel().astype(np.float64)
    ours, theirs = ours[:min(ours.size, theirs.size)], theirs[:min(ours.size, theirs.size)]
    assert abs(made.audio.frames - found["waveform"].size) <= 1
    snr_db = 10 * np.log10((theirs @ theirs) / ((ours - theirs) @ (ours - theirs)))
    assert snr_db >= 40
    assert made.provenance.seed == 3
    again = model.generate(request, raw=True)
    assert np.array_equal(made.audio.samples, again.audio.samples)


def test_a_plan_is_the_least_budget_that_does():
    folder = reference.checkpoint("audioldm-tiny")
    request = gs.GenerateAudioRequest(prompt=PROMPT, duration_s=2.56, seed=3, steps=2)
    plan = gs.Model.open(folder).plan(request)
    assert plan["peakBytes"] > plan["weightsBytes"] > 0
    least = plan["peakBytes"]
    for _ in range(20):  # down to the smallest plan that there is
        try:
            smaller = gs.Model.open(folder, budget_bytes=least - 1).plan(request)["peakBytes"]
        except gs.ResourceExhaustedError as error:
            assert str(least - 1) in str(error)
            break
        assert smaller < least
        least = smaller
    made = gs.Model.open(folder, budget_bytes=least).generate(request, raw=True)
    assert made.audio.frames > 0
    with pytest.raises(gs.ResourceExhaustedError) as caught:
        gs.Model.open(folder, budget_bytes=least - 1).generate(request, raw=True)
    assert str(least - 1) in str(caught.value)


def test_engines_take_models_by_id_and_let_them_go(tmp_path):
    folder = reference.checkpoint("clap-tiny")
    with gs.Engine() as engine:
        name = engine.open_model(folder, id="ears")
        assert name == "ears" and "ears" in [info.id for info in engine.models()]
        with pytest.raises(gs.AlreadyExistsError):
            engine.open_model(folder, id="ears")
        engine.close_model("ears")
        with pytest.raises(gs.NotFoundError):
            engine.close_model("ears")


def test_damaged_folders_are_told_of(tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(reference.checkpoint("wav2vec2-tiny"), folder)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(gs.DataLossError):
        gs.Model.open(folder).hidden_states(gs.Audio(np.zeros((1, 16000), np.float32), 16000))
    weights.write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 33}))
    with pytest.raises(gs.InvalidArgumentError) as caught:
        gs.Model.open(folder)
    assert "hidden_size" in str(caught.value)
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 65}))
    with pytest.raises(gs.DataLossError) as caught:
        gs.Model.open(folder).hidden_states(gs.Audio(np.zeros((1, 16000), np.float32), 16000))
    assert "intermediate_dense" in str(caught.value)


def test_words_search_the_memory_by_ear(tmp_path):
    with gs.Engine(tmp_path / "data") as engine:
        ears = engine.open_model(reference.checkpoint("clap-tiny"))
        audio = engine.generate(gs.GenerateAudioRequest(prompt="house", model="composer", duration_s=10, seed=1)).audio
        found = engine.processor.detect_patterns(audio)
        assert len(found) > 0
        engine.recognizer.learn_patterns(found)
        engine.hear_patterns(found, audio, model=ears)
        matches = engine.search_memory("white noise", model=ears, limit=3)
        assert len(matches) == min(3, len(found))
        likenesses = [match.similarity for match in matches]
        assert likenesses == sorted(likenesses, reverse=True) and all(-1 <= value <= 1 for value in likenesses)
        with pytest.raises(gs.UnimplementedError):
            engine.search_memory("white noise", model="rules-embedder")


def test_texts_of_any_length_are_embedded_and_what_was_cut_is_told():
    model = gs.Model.open(reference.checkpoint("clap-tiny"))
    wall = "rain\x01 on\n a\x1b roof " * 6000
    with pytest.warns(UserWarning, match="text: cut to 512 tokens, [0-9]+ were dropped"):
        assert np.linalg.norm(model.embed_text(wall)) == pytest.approx(1, abs=1e-5)
    maker = gs.Model.open(reference.checkpoint("audioldm-tiny"))
    request = gs.GenerateAudioRequest(prompt=wall, negative_prompt=wall, duration_s=0.4, seed=1, steps=1)
    cut = [warning for warning in maker.generate(request, raw=True).warnings if "were dropped" in warning]
    assert len(cut) == 2 and cut[0].startswith("negative_prompt: cut to 512 tokens")


def test_speech_is_written_as_the_reference_decodes_it():
    folder = reference.checkpoint("wav2vec2-ctc-tiny")
    found = reference.run(folder, "python", "--seconds", "3")
    script = ("import json, sys; from transformers import AutoTokenizer; t = AutoTokenizer.from_pretrained(sys.argv[1]); "
              "print(json.dumps(t.decode(json.loads(sys.stdin.read()))))")
    ids = json.dumps(found["ctc_ids"].ravel().tolist())
    done = subprocess.run([reference.python(), "-c", script, str(folder)], input=ids, capture_output=True, text=True,
                          check=True)
    assert gs.Model.open(folder).transcribe(sound(found, 16000)) == json.loads(done.stdout)
    with pytest.raises(gs.UnimplementedError) as caught:
        gs.Model.open(reference.checkpoint("wav2vec2-tiny")).transcribe(sound(found, 16000))
    assert caught.value.code == "no_transcription"


def test_takes_are_ranked_by_an_open_model():
    ears = gs.Model.open(reference.checkpoint("clap-tiny"))
    with gs.Engine() as engine:
        engine.open_model(reference.checkpoint("clap-tiny"), id="ears")
        request = gs.GenerateAudioRequest(prompt="slow house", duration_s=4, seed=4, model="composer", takes=3)
        made = engine.generate(request)
    assert made.facts["ranked_by"] == "ears" and len(made.other_takes) == 2
    scores = [float(ears.embed_text("slow house") @ ears.embed_audio(audio))
              for audio in (made.audio, *(take.audio for take in made.other_takes))]
    assert scores == sorted(scores, reverse=True)
    assert [take.score for take in made.other_takes] == pytest.approx(scores[1:], abs=1e-4)
    assert [float(score) for score in made.facts["take_scores"].split()] == pytest.approx(scores, abs=1e-3)
    assert [int(seed) for seed in made.facts["take_seeds"].split()] == [made.provenance.seed,
                                                                        *(take.seed for take in made.other_takes)]
    with pytest.raises(gs.InvalidArgumentError):
        gs.GenerateAudioRequest(takes=9).validate()
    with pytest.raises(gs.InvalidArgumentError):
        ears.generate(gs.GenerateAudioRequest(takes=2), raw=True, rank_by=ears)


def test_an_interrupted_run_goes_on_with_the_same_request():
    model = gs.Model.open(reference.checkpoint("audioldm-tiny"))
    request = gs.GenerateAudioRequest(prompt=PROMPT, duration_s=0.64, seed=3, steps=4)
    whole = gs.Model.open(reference.checkpoint("audioldm-tiny")).generate(request, raw=True)

    def stop(progress):
        if progress.stage == "vae decode":
            raise RuntimeError("stop")
    with pytest.raises(RuntimeError):
        model.generate(request, raw=True, progress=stop)
    rest = model.generate(request, raw=True)
    assert rest.facts["resumed_from_step"] == "4"
    assert np.array_equal(rest.audio.samples, whole.audio.samples)


def gated(model, progress=None):
    """Noise of random weights fails the gate, which is no error of the call's."""
    try:
        made = model.generate(gs.GenerateAudioRequest(prompt="x", duration_s=0.5, seed=1), progress=progress)
        assert made.provenance.model == model.info.id and ".open" not in made.provenance.request_json
    except gs.FailedPreconditionError as error:
        assert error.code == "take_rejected"


def test_gated_calls_of_open_models_do_not_wait_for_each_other():
    folder = reference.checkpoint("musicgen-tiny")
    one, same, other = gs.Model.open(folder), gs.Model.open(folder), gs.Model.open(reference.checkpoint("clap-tiny"))
    inside, over, calls = threading.Event(), threading.Event(), []

    def hold(progress):
        if not calls:  # in the callback of one: itself, and another of its id
            calls.append(progress.stage)
            gated(one)
            gated(same)
        inside.set()
        over.wait(60)

    thread = threading.Thread(target=gated, args=(one, hold))
    thread.start()
    inside.wait(120)
    assert calls
    gated(one)
    gated(same)
    ids = [info.id for info in gs.engine().models() if info.id.startswith(one.info.id)]
    assert len(ids) == 1 and ids[0] != one.info.id  # of the call that is held
    over.set()
    thread.join()
    assert not [info.id for info in gs.engine().models() if info.id.startswith(one.info.id)]
    with pytest.raises(gs.Error) as error:
        other.generate(gs.GenerateAudioRequest(prompt="x", duration_s=0.5))
    assert error.value.code != "model_exists"

    opened = gs.engine().open_model(folder)
    assert opened == one.info.id
    try:
        gated(one)
    finally:
        gs.engine().close_model(opened)


def test_the_judge_is_named_as_it_was_opened():
    maker, ears = gs.Model.open(reference.checkpoint("musicgen-tiny")), gs.Model.open(reference.checkpoint("clap-tiny"))
    request = gs.GenerateAudioRequest(prompt="x", duration_s=2, seed=1, takes=2)
    try:
        assert maker.generate(request, rank_by=ears).facts["ranked_by"] == ears.info.id
    except gs.FailedPreconditionError as error:
        assert error.code == "take_rejected"


def test_a_callback_is_the_hosts_own():
    torch = pytest.importorskip("torch")
    folder = reference.checkpoint("audioldm-tiny")
    request = gs.GenerateAudioRequest(prompt="x", duration_s=1, seed=1, steps=3)
    model = gs.Model.open(folder, budget_bytes=gs.Model.open(folder).plan(request)["peakBytes"])
    kept = []
    model.generate(request, raw=True, progress=lambda progress: kept.append(torch.ones(10_000_000)))
    assert len(kept) > 2 and not any(tensor.is_inference() for tensor in kept)
    weight = torch.nn.Parameter(torch.ones(10_000_000))
    (weight * kept[0]).sum().backward()
    assert float(weight.grad[0]) == 1


def test_who_waits_for_memory_tells_so_and_hears_ctrl_c():
    folder = reference.checkpoint("audioldm-tiny")
    request = gs.GenerateAudioRequest(prompt="x", duration_s=1, seed=1, steps=3)
    budget = gs.Model.open(folder).plan(request)["peakBytes"]
    model = gs.Model.open(folder, budget_bytes=budget)
    assert model.info.own_budget_bytes == budget
    inside, over = threading.Event(), threading.Event()

    def hold(progress):
        if progress.stage != "waiting for memory":
            inside.set()
            over.wait(60)

    holder = threading.Thread(target=lambda: model.generate(request, raw=True, progress=hold))
    holder.start()
    assert inside.wait(120)
    stages = []

    def told(progress):
        stages.append(progress.stage)
        _thread.interrupt_main()

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.generate(request, raw=True, progress=told)
    assert stages[-1] == "waiting for memory"
    timer = threading.Timer(0.3, _thread.interrupt_main)  # where nobody is told, too
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.generate(request, raw=True)
    assert time.monotonic() - started < 30  # a wait lasts up to 60
    over.set()
    holder.join()
