"""Writes misuse_test.c: every function of symbols.txt with NULL everywhere, each of its handles wrong in every way,
each option struct with sizes that no version has; then all of it again in 16 threads that share one handle of each kind
and use them well beside; and at the end every handle destroyed twice, and every function with what was destroyed.

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
    "grym_last_warnings",
}
# Every kind of handle. The program has one of each alive, in this order.
HANDLES = [
    "engine", "audio", "features", "patterns", "style", "enhanced", "processed", "result", "comparison", "memory", "matches",
    "models", "workflow", "run", "job", "text", "analysis_stream",
    "generation", "codes",
]
WRONG = {
    "dead": "a destroyed handle",
    "other": "a handle of another type",
    "stack": "the address of a variable",
    "small": "a small number",
    "odd": "an odd address",
}
# What changes or ends what the threads share, or waits for it.
NOT_SHARED = re.compile(r"_(destroy|close|remove|cancel|wait|take_\w+)$")

HEAD = r"""/* Made by make_misuse.py from symbols.txt: every function, misused. No call may crash; every one must say
 * what was wrong. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "check.h"
#include "grymsynth.h"

enum { THREADS = 16 };

static _Thread_local long long place[64]; /* an address of ours, and room for whatever a call would write */
static _Thread_local void* out_pointer;
static atomic_int misuse_failures;

static void misuse_failed(const char* what, const char* call, const char* got) {
  ++misuse_failures;
  printf("%s: %s: %s, \"%s\"\n", what, call, got, grym_last_error());
}
#define MISUSED(what, words, call)                                                                         \
  do {                                                                                                     \
    const grym_status misuse_status = (call);                                                              \
    if ((misuse_status != GRYM_STATUS_INVALID_ARGUMENT && misuse_status != GRYM_STATUS_FAILED_PRECONDITION) || \
        grym_last_error()[0] == '\0' || !strstr(grym_last_error(), words))                                 \
      misuse_failed(what, #call, grym_status_name(misuse_status));                                         \
  } while (0)
#define MISUSED_VALUE(what, words, call)                                                                   \
  do {                                                                                                     \
    (void)(call);                                                                                          \
    if (grym_last_error()[0] == '\0' || !strstr(grym_last_error(), words)) misuse_failed(what, #call, "no error"); \
  } while (0)

static const char one_step[] =
    "{\"id\":\"w\",\"name\":\"w\",\"initialStep\":\"s\",\"steps\":{\"s\":{\"id\":\"s\",\"type\":\"analysis\","
    "\"operation\":\"features\",\"inputs\":[{\"source\":\"parameter\",\"key\":\"audioFile\"}],\"parameters\":{},"
    "\"nextSteps\":{}}},\"parameters\":{\"audioFile\":\"no-such.wav\"}}";
static void *dead, *stack, *small, *odd;
"""

MAIN = r"""
static void make_all(void) {
  grym_audio* gone = NULL;
  grym_generate_options options;
  float embedding[GRYM_PATTERN_DIMS] = {1.0f};
  CHECK_OK(grym_engine_create(NULL, &engine));
  CHECK_OK(grym_audio_create(NULL, 1, 4410, 44100, &audio));
  CHECK_OK(grym_engine_analyze(engine, audio, NULL, NULL, NULL, &features));
  CHECK_OK(grym_engine_patterns_of_features(engine, features, &patterns));
  CHECK_OK(grym_engine_classify_style(engine, audio, NULL, NULL, NULL, &style));
  CHECK_OK(grym_engine_enhance(engine, audio, NULL, NULL, NULL, NULL, &enhanced));
  CHECK_OK(grym_engine_process(engine, audio, NULL, NULL, NULL, NULL, &processed));
  CHECK_OK(grym_generate_options_init(&options, sizeof options));
  options.prompt = "ambient";
  options.duration_s = 1;
  options.seed = 1;
  CHECK_OK(grym_engine_generate(engine, &options, NULL, NULL, &result));
  CHECK_OK(grym_compare(audio, NULL, audio, NULL, NULL, NULL, &comparison));
  CHECK_OK(grym_engine_memory(engine, &memory));
  CHECK_OK(grym_memory_query(memory, embedding, 5, GRYM_PATTERN_KIND_ANY, -1, &matches));
  CHECK_OK(grym_engine_models(engine, &models));
  CHECK_OK(grym_workflow_from_json(one_step, &workflow));
  CHECK_OK(grym_engine_run_workflow(engine, workflow, NULL, NULL, NULL, &run)); /* which failed, and can be asked why */
  CHECK_OK(grym_engine_start_analyze(engine, audio, NULL, NULL, NULL, &job));
  CHECK_OK(grym_features_to_json(features, 0, &text));
  CHECK_OK(grym_analysis_stream_create(NULL, &analysis_stream));
  CHECK_OK(grym_engine_open_generation(engine, "{\"prompt\": \"ambient\", \"durationSeconds\": 1}", NULL, &generation));
  CHECK_OK(grym_codes_create((const int32_t[]){1, 2}, 2, 1, &codes));
  CHECK_OK(grym_audio_create(NULL, 1, 1, 44100, &gone));
  CHECK_OK(grym_audio_destroy(gone));
  dead = gone;
  stack = place;
  small = (void*)(uintptr_t)8;
  odd = (char*)place + 1;
}

static void* misuse_and_use(void* nothing) {
  for (int round = 0; round < 3; ++round) {
%(all)s  }
  return nothing;
}

int main(void) {
  pthread_t threads[THREADS];
  make_all();
  if (check_failures) return check_end();
  misuse_and_use(NULL);
  for (int i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, misuse_and_use, NULL) == 0);
  for (int i = 0; i < THREADS; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
%(ends)s%(late)s  check_failures += misuse_failures;
  return check_end();
}
"""


def handle_of(kind: str) -> str | None:
    match = re.fullmatch(r"(?:const )?grym_(\w+)\*", kind)
    return match.group(1) if match and match.group(1) in HANDLES else None


def made_by(kind: str) -> str | None:
    match = re.fullmatch(r"grym_(\w+)\*\*", kind)
    return match.group(1) if match else None


def options_of(kind: str) -> str | None:
    match = re.fullmatch(r"(?:const )?(grym_\w+_options)\*", kind)
    return match.group(1) if match else None


def nothing(kind: str) -> str:
    return "NULL" if kind.endswith("*") or kind.endswith("_fn") else "0"


def plausible(function: declarations.Function, kind: str) -> str:
    """An argument that is not what is wrong."""
    handle = handle_of(kind)
    if handle:
        return handle
    if kind == "const char*":  # where a recording is given as a handle, it is not given as a file too
        if function.name.endswith("_json"):
            return '"{}"'
        given = "const grym_audio*" in function.params and function.name != "grym_audio_save"
        return "NULL" if given else '"x"'
    if kind.endswith("**"):
        return f"({kind})(void*)&out_pointer"
    if kind.endswith("*") and not kind.startswith("const ") and not kind.startswith("void") and "options" not in kind:
        return f"({kind})(void*)place"
    return nothing(kind)


def call(function: declarations.Function, what: str, arguments: list[str], words: str = "") -> str:
    macro = "MISUSED" if function.returns == "grym_status" else "MISUSED_VALUE"
    return f'  {macro}("{what}", "{words}", {function.name}({", ".join(arguments)}));\n'


def misuses(function: declarations.Function) -> str:
    body = ""
    if not function.name.endswith("_destroy"):
        body += call(function, "NULL everywhere", [nothing(kind) for kind in function.params])
    for i, kind in enumerate(function.params):
        handle = handle_of(kind)
        if not handle:
            continue
        body += f"  other = {'models' if handle != 'models' else 'audio'};\n"
        for value, what in WRONG.items():
            arguments = [plausible(function, k) for k in function.params]
            arguments[i] = f"({kind}){value}"
            body += call(function, what, arguments, "want a live")
    declared = "  void* other;\n" if "other" in body else ""
    return f"static void misuse_{function.name}(void) {{\n{declared}{body}}}\n"


def wrong_sizes(function: declarations.Function) -> str:
    """Sizes that no version of a struct has, and a newer struct with something set that is not known."""
    body = ""
    for i, kind in enumerate(function.params):
        options = options_of(kind)
        if not options:
            continue
        if function.name.endswith("_init"):
            for size in ("0", "3", "sizeof given.options + 1", "1u << 20", "UINT32_MAX"):
                body += call(function, f"size {size}", ["&given.options", size], "size")
            continue
        arguments = [plausible(function, k) for k in function.params]
        arguments[i] = "&given.options"
        for size in ("0", "1", "6", "sizeof given.options + 1", "1u << 20", "0xcccccccc"):
            body += f"  given.options.struct_size = {size};\n"
            body += call(function, f"struct_size {size}", arguments, "struct_size")
        body += "  given.options.struct_size = sizeof given;\n  given.added = 1;\n"
        body += call(function, "a newer struct", arguments, "older than the program")
        body = f"  struct {{\n    {options} options;\n    double added;\n  }} given = {{0}};\n" + body
    if body and function.name.endswith("_init"):
        options = next(filter(None, map(options_of, function.params)))
        body = f"  struct {{\n    {options} options;\n  }} given;\n" + body
    return f"static void sizes_{function.name}(void) {{\n{body}}}\n" if body else ""


def use(function: declarations.Function) -> str:
    """A call with what is right, as far as its types say; threads share the handles."""
    for kind in function.params:
        if kind == "const char*" or kind.endswith("_fn") or options_of(kind):
            return ""
    if not any(map(handle_of, function.params)) or NOT_SHARED.search(function.name):
        return ""
    before = after = ""
    arguments = []
    for i, kind in enumerate(function.params):
        made = made_by(kind)
        if made in HANDLES:
            before += f"  grym_{made}* made_{i} = NULL;\n"
            after += f"  (void)grym_{made}_destroy(made_{i});\n"
            arguments.append(f"&made_{i}")
        elif kind in ("const float*", "const double*"):
            arguments.append(f"({kind})(void*)place")
        else:
            arguments.append("NULL" if kind == "int64_t*" else plausible(function, kind))
    return (f"static void use_{function.name}(void) {{\n{before}  (void){function.name}({', '.join(arguments)});\n"
            f"{after}}}\n")


def late(function: declarations.Function) -> str:
    handles = [handle_of(kind) for kind in function.params]
    if not any(handles):
        return ""
    arguments = [f"({kind}){handle}" if handle else plausible(function, kind)
                 for kind, handle in zip(function.params, handles)]
    return call(function, "after all was destroyed", arguments, "destroyed")


def main() -> None:
    capi, output = Path(sys.argv[1]), Path(sys.argv[2])
    declared = {function.name: function for function in declarations.functions(capi / "grymsynth.h")}
    listed = [declared[name] for name in declarations.symbols(capi / "symbols.txt") if name not in HARMLESS]
    parts = [HEAD] + [f"static grym_{handle}* {handle};" for handle in HANDLES]
    everything = ""
    for function in listed:
        for prefix, made in (("misuse", misuses(function)), ("sizes", wrong_sizes(function)), ("use", use(function))):
            if made:
                parts.append(made)
                everything += f"    {prefix}_{function.name}();\n"
    # Destroyed from the last to the first, so that a job and a run go before what they came from; each of them twice.
    ends = ""
    for handle in reversed(HANDLES):
        ends += f"  CHECK_OK(grym_{handle}_destroy(NULL));\n  CHECK_OK(grym_{handle}_destroy({handle}));\n"
        ends += f'  MISUSED("twice", "destroyed", grym_{handle}_destroy({handle}));\n'
    parts.append(MAIN % {"all": everything, "ends": ends, "late": "".join(late(function) for function in listed)})
    output.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
