"""The example programs, in both languages: an option is honoured or refused by name, never ignored."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import grymsynth as gs
from conftest import ROOT, child_environment

LANGUAGES = ["cpp", "python"]


@pytest.fixture
def example(build_dir):
    """Runs an example; answers its code and all that it printed."""
    def run(language, name, *arguments):
        program = [build_dir / "examples" / name] if language == "cpp" else [
            sys.executable, ROOT / "examples" / "python" / f"{name}.py"]
        done = subprocess.run([*map(str, program), *map(str, arguments)], env=child_environment(), capture_output=True,
                              text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr
    return run


@pytest.fixture(scope="session")
def moment(tmp_path_factory) -> Path:
    """A second of sound: the shortest main job."""
    path = tmp_path_factory.mktemp("moment") / "moment.wav"
    made = gs.generate(gs.GenerateAudioRequest(prompt="house", seed=1, duration_s=1))
    made.audio.save(path)
    return path


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("option,value", [("--seed", "1.5"), ("--seed", "nan"), ("--seed", "1e30"), ("--seed", str(2**63)),
                                          ("--level", "nan"), ("--level", "loud"), ("--resume", "x")])
def test_enhance_refuses_what_it_cannot_honour(language, option, value, example, moment, tmp_path):
    code, words = example(language, "enhance", moment, "-o", tmp_path, option, value)
    assert code != 0
    assert option in words or "enhancementLevel" in words, words
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("language", LANGUAGES)
def test_compose_takes_whole_seeds_alone(language, example, tmp_path):
    for seed in ("1.5", "nan", str(2**63), "-2"):
        code, words = example(language, "compose", "house", "-o", tmp_path, f"--seed={seed}" if language == "python" else "--seed",
                              *([] if language == "python" else [seed]))
        assert code != 0 and "--seed" in words, words


@pytest.mark.parametrize("option", ["--steps", "--top-k"])
def test_compose_narrows_no_number(option, example, tmp_path):
    for value in ("4294967297", str(2**31), "1e3", "-1"):
        code, words = example("cpp", "compose", "house", "-o", tmp_path, option, value)
        assert code == 2 and option in words and value in words, words
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("language", LANGUAGES)
def test_enhance_says_why_it_failed(language, example, tmp_path):
    code, words = example(language, "enhance", tmp_path / "absent.wav", "-o", tmp_path)
    assert code != 0 and "absent.wav" in words and "file_not_found" in words, words


@pytest.mark.parametrize("language", LANGUAGES)
def test_enhance_is_resumed_by_the_id_that_it_prints(language, example, moment, tmp_path):
    out = tmp_path / "out"
    code, words = example(language, "enhance", moment, "-o", out, "--data", tmp_path / "data")
    assert code == 0, words
    name = re.search(r"--resume (\S+)", words).group(1)
    first = (out / "moment-enhanced.wav").read_bytes()
    code, words = example(language, "enhance", moment, "-o", out, "--data", tmp_path / "data", "--resume", name)
    assert code == 0, words  # it had ended: answered as it was
    assert (out / "moment-enhanced.wav").read_bytes() == first
    code, words = example(language, "enhance", moment, "-o", out, "--data", tmp_path / "data", "--resume", "zzz")
    assert code != 0 and "zzz" in words and name in words, words
    assert len(gs.Engine(tmp_path / "data").executions()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_workflow_of_ones_own_takes_the_options_or_refuses_them(language, example, moment, tmp_path):
    document = json.loads(gs.Workflow.template("audio-enhancement").to_json())
    own = tmp_path / "own.json"
    own.write_text(json.dumps(document))
    code, words = example(language, "enhance", moment, "-o", tmp_path / "a", "--workflow", own, "--level", "0.125",
                          "--target-lufs", "-20")
    assert code == 0, words
    sidecar = (tmp_path / "a" / "moment-enhanced.json").read_text()
    assert "0.125" in sidecar and "-20" in sidecar
    for parameter in ("targetLufs", "regenerationLevel"):
        del document["parameters"][parameter]
        document["parameterSchemas"].pop(parameter, None)
    for step in ("generate-enhanced", "regenerate"):
        del document["steps"][step]["parameters"]["targetLufs"]
    document["steps"]["regenerate"]["parameters"]["enhancementLevel"] = "parameters.enhancementLevel"
    own.write_text(json.dumps(document))
    code, words = example(language, "enhance", moment, "-o", tmp_path / "b", "--workflow", own, "--target-lufs", "-20")
    assert code != 0 and "targetLufs" in words, words
    assert "--target-lufs" in words
    code, words = example(language, "enhance", moment, "-o", tmp_path / "b", "--workflow", own, "--level", "0.125")
    assert code == 0, words
    assert "0.125" in (tmp_path / "b" / "moment-enhanced.json").read_text()
