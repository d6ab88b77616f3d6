"""Error classes, stubs, names."""
from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys

import pytest

import grymsynth as gs
from conftest import ROOT, child_environment

NAMES = ["cancelled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
         "permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented",
         "internal", "unavailable", "data_loss", "unauthenticated"]


def test_a_subclass_per_canonical_status():
    by_status = {kind.status: kind for kind in gs.Error.__subclasses__()}
    assert sorted(by_status) == sorted(NAMES)
    for status, kind in by_status.items():
        name = "".join(word.capitalize() for word in status.split("_")) + "Error"
        assert getattr(gs, name) is kind


def test_messages_are_short_and_clean():
    with pytest.raises(gs.Error) as caught:
        gs.load("/no/\n\x1b[31m" + "a" * 200 + "/" * 3 + "b" * 10000)
    text = str(caught.value)
    assert len(text) < 4000 and all(c.isprintable() for c in text)


def test_errors_can_be_pickled():
    error = gs.InvalidArgumentError("words", code="bad_json", problems=[gs.Problem("/a", "c", "m", "h")])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code, again.problems) == (
        gs.InvalidArgumentError, "words", "bad_json", error.problems)


def test_version_is_the_librarys():
    assert gs.__version__ == gs.version() == "0.1.0"


def test_module_is_typed_and_its_stubs_are_true():
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("needs mypy for stubtest")
    allow = ROOT / "tests" / "python" / "stubtest_allow.txt"
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "grymsynth", "--allowlist", str(allow)],
        env={**child_environment(), "MYPYPATH": child_environment()["PYTHONPATH"]}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_text_that_utf8_cannot_say_is_refused(tmp_path):
    name = str(tmp_path / "caf\udce9.wav")  # a file name in Latin-1, as Python hands it on
    with pytest.raises(gs.InvalidArgumentError, match="UTF-8"):
        gs.Engine().run_workflow(gs.Workflow.template("audio-enhancement"), {"audioFile": name})
    with pytest.raises(gs.InvalidArgumentError, match="UTF-8"):
        gs.Workflow.from_json('{"name": "\udce9"}')
