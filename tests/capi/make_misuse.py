"""Writes misuse_test.c: every function of symbols.txt with NULL everywhere, and each of its handles wrong in every way.

Usage: make_misuse.py CAPI_FOLDER OUTPUT
"""
from __future__ import annotations

import re
import sys
from pathlib import Path

import declarations

# These take nothing that could be wrong.
HARMLESS = {
    "grym_version", "grym_last_error", "grym_last_error_code", "grym_last_error_problems_json", "grym_status_name",
}
HANDLES = {
    "engine", "audio", "features", "patterns", "style", "enhanced", "processed", "result", "comparison", "memory", "matches",
    "models", "workflow", "run", "job", "text",
}
# Handles that the program has alive, so that a wrong handle behind a good one is reached.
LIVE = {"engine", "audio", "memory", "models", "workflow", "job"}
WRONG = {
    "dead": "a destroyed handle",
    "other": "a handle of another type",
    "stack": "the address of a variable",
    "small": "a small number",
    "odd": "an odd address",
}

HEAD = r"""/* Made by make_misuse.py from symbols.txt: every function, misused. No call may crash; every one must say
 * what was wrong. */
#include <stdint.h>

#include "check.h"
#include "grymsynth.h"

static long long place[8]; /* an address of ours, and room for whatever a call would write */
static void* out_pointer = place;

static int expected(grym_status status) {
  return status == GRYM_STATUS_INVALID_ARGUMENT || status == GRYM_STATUS_FAILED_PRECONDITION;
}
#define MISUSED(what, call)                                                                      \
  do {                                                                                           \
    const grym_status misuse_status = (call);                                                    \
    if (!expected(misuse_status) || grym_last_error()[0] == '\0') {                              \
      ++check_failures;                                                                          \
      printf("%s: %s: got %s, \"%s\"\n", what, #call, grym_status_name(misuse_status), grym_last_error()); \
    }                                                                                            \
  } while (0)
#define MISUSED_VALUE(what, call)                                                                \
  do {                                                                                           \
    (void)(call);                                                                                \
    if (grym_last_error()[0] == '\0') {                                                          \
      ++check_failures;                                                                          \
      printf("%s: %s: no error\n", what, #call);                                                 \
    }                                                                                            \
  } while (0)

static grym_engine* engine;
static grym_audio* audio;
static grym_memory* memory;
static grym_models* models;
static grym_workflow* workflow;
static grym_job* job;
static void *dead, *other, *stack, *small, *odd;
"""

MAIN = r"""
int main(void) {
  grym_audio* gone = NULL;
  CHECK_OK(grym_engine_create(NULL, &engine));
  if (!engine) return check_end();
  CHECK_OK(grym_audio_create(NULL, 1, 4410, 44100, &audio));
  CHECK_OK(grym_engine_memory(engine, &memory));
  CHECK_OK(grym_engine_models(engine, &models));
  CHECK_OK(grym_workflow_from_template("audio-enhancement", &workflow));
  CHECK_OK(grym_engine_start_analyze(engine, audio, NULL, NULL, NULL, &job));
  CHECK_OK(grym_audio_create(NULL, 1, 1, 44100, &gone));
  CHECK_OK(grym_audio_destroy(gone));
  dead = gone;
  stack = place;
  small = (void*)(uintptr_t)8;
  odd = (char*)place + 1;
%s
  CHECK_OK(grym_job_destroy(job));
  CHECK_OK(grym_workflow_destroy(workflow));
  CHECK_OK(grym_models_destroy(models));
  CHECK_OK(grym_memory_destroy(memory));
  CHECK_OK(grym_audio_destroy(audio));
  CHECK_OK(grym_engine_destroy(engine));
  return check_end();
}
"""


def handle_of(kind: str) -> str | None:
    match = re.fullmatch(r"(?:const )?grym_(\w+)\*", kind)
    return match.group(1) if match and match.group(1) in HANDLES else None


def nothing(kind: str) -> str:
    return "NULL" if kind.endswith("*") or kind.endswith("_fn") else "0"


def plausible(kind: str) -> str:
    """An argument that is not what is wrong."""
    handle = handle_of(kind)
    if handle:
        return handle if handle in LIVE else "NULL"
    if kind == "const char*":
        return '"x"'
    if kind.endswith("**"):
        return f"({kind})(void*)&out_pointer"
    if kind.endswith("*") and not kind.startswith("const ") and not kind.startswith("void") and "options" not in kind:
        return f"({kind})(void*)place"
    return nothing(kind)


def call(function: declarations.Function, what: str, arguments: list[str]) -> str:
    macro = "MISUSED" if function.returns == "grym_status" else "MISUSED_VALUE"
    return f'  {macro}("{what}", {function.name}({", ".join(arguments)}));\n'


def misuses(function: declarations.Function) -> str:
    if function.name.endswith("_destroy"):
        body = f"  CHECK_OK({function.name}(NULL));\n"
    else:
        body = call(function, "NULL everywhere", [nothing(kind) for kind in function.params])
    for i, kind in enumerate(function.params):
        handle = handle_of(kind)
        if not handle:
            continue
        body += f"  other = {'models' if handle != 'models' else 'audio'};\n"
        for value, what in WRONG.items():
            arguments = [plausible(k) for k in function.params]
            arguments[i] = f"({kind}){value}"
            body += call(function, what, arguments)
    return f"static void misuse_{function.name}(void) {{\n{body}}}\n"


def main() -> None:
    capi, output = Path(sys.argv[1]), Path(sys.argv[2])
    declared = {function.name: function for function in declarations.functions(capi / "grymsynth.h")}
    names = [name for name in declarations.symbols(capi / "symbols.txt") if name not in HARMLESS]
    parts = [HEAD] + [misuses(declared[name]) for name in names]
    parts.append(MAIN % "".join(f"  misuse_{name}();\n" for name in names))
    output.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
