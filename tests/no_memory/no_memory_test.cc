// Memory runs out at the N-th allocation, once and for good, in every call of the C ABI that works: the call answers
// RESOURCE_EXHAUSTED, or does without, and then its result is that of an undisturbed call. What was there before is
// there afterwards, and the same call works again once there is memory.
//
// Each N up to the number of allocations of the call; of workflows, jobs and requests in JSON, which repeat what other
// walks do, the first 40 and from there on every stride-th, and under a sanitizer, which takes ten times as long, every
// seventh of that (GRYM_EVERY_ALLOCATION=1: all). NAME as argument: only walks whose name contains it.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "grymsynth.h"
#include "no_memory/failing_malloc.h"

namespace {

using grym::testing::FailAllocation;
using grym::testing::StopFailing;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSlow = true;
#else
constexpr bool kSlow = false;
#endif

int g_failures = 0;

void Complain(const std::string& what) {
  ++g_failures;
  std::printf("  not so: %s\n", what.c_str());
}

// A call under test. `call` runs short of memory; the others do not.
struct Walk {
  std::string name;
  std::function<grym_status()> call;    // leaves what it made in a variable
  std::function<std::string()> result;  // describes and releases what it made
  std::function<std::string()> state = [] { return std::string(); };  // of what the call works upon
  int64_t stride = 1;  // above the first 40, for calls that take long or repeat another's
};

// The result's words, with the handle given back.
std::string Take(grym_text*& text) {
  std::string words = text ? grym_text_data(text) : "";
  grym_text_destroy(text);
  text = nullptr;
  return words;
}

struct Undisturbed {
  std::string result, state;
  int64_t allocations = 0;
};

// The first run fills caches; the second is what the others are compared with.
Undisturbed RunWithoutFailure(const Walk& walk) {
  Undisturbed plain;
  for (int i = 0; i < 2; ++i) {
    plain.state = walk.state();
    FailAllocation(0, false);
    const grym_status status = walk.call();
    plain.allocations = StopFailing(nullptr);
    if (status != GRYM_STATUS_OK) Complain(walk.name + " with memory: " + grym_last_error());
    plain.result = walk.result();
  }
  return plain;
}

struct Tally {
  int refused = 0, coped = 0;
};

// False when the N-th allocation was never reached.
bool RunShortOfMemory(const Walk& walk, const Undisturbed& plain, int64_t nth, bool for_good, Tally& tally) {
  FailAllocation(nth, for_good);
  const grym_status status = walk.call();
  int64_t refused = 0;
  StopFailing(&refused);
  const std::string where = walk.name + ", allocation " + std::to_string(nth) + (for_good ? " and on" : "");
  if (status == GRYM_STATUS_OK) {
    const std::string result = walk.result();
    if (result != plain.result) Complain(where + ": OK with another result: " + result.substr(0, 300));
    tally.coped += refused > 0;
  } else {
    const std::string words = grym_last_error();
    if (status != GRYM_STATUS_RESOURCE_EXHAUSTED) Complain(where + ": " + grym_status_name(status) + ": " + words);
    if (words.empty()) Complain(where + ": an error without words");
    ++tally.refused;
  }
  const std::string state = walk.state();
  if (state != plain.state) Complain(where + ": it left " + state + " instead of " + plain.state);
  return refused > 0;
}

void Run(const Walk& walk) {
  const auto started = std::chrono::steady_clock::now();
  const Undisturbed plain = RunWithoutFailure(walk);
  constexpr int64_t kFirst = 40;
  const int64_t stride = std::getenv("GRYM_EVERY_ALLOCATION") ? 1 : kSlow ? 7 * walk.stride : walk.stride;
  Tally tally;
  for (const bool for_good : {false, true}) {
    for (int64_t nth = 1; nth <= plain.allocations; nth += nth < kFirst ? 1 : stride) {
      if (!RunShortOfMemory(walk, plain, nth, for_good, tally)) break;
    }
    // And it works again.
    if (walk.call() != GRYM_STATUS_OK) Complain(walk.name + " afterwards: " + grym_last_error());
    if (walk.result() != plain.result) Complain(walk.name + " afterwards: another result");
    walk.state();
  }
  if (plain.allocations > 0 && tally.refused == 0) Complain(walk.name + ": no failure was ever felt");
  std::printf("%-28s %8lld allocations, every %lld: %d refused, %d coped, %.1f s\n", walk.name.c_str(),
              static_cast<long long>(plain.allocations), static_cast<long long>(stride), tally.refused, tally.coped,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  std::fflush(stdout);
}

// A folder of our own; the library's is not to be had behind the C ABI.
std::filesystem::path NewFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "grym-test-XXXXXX").string();
  if (!mkdtemp(name.data())) Complain("no temporary folder");
  return name;
}

// What all walks share.
struct Bench {
  const std::filesystem::path folder = NewFolder();
  const std::string wav = folder / "short.wav", flac = folder / "short.flac", store = folder / "store.db";
  grym_engine* engine = nullptr;
  grym_audio* audio = nullptr;
  grym_features* features = nullptr;
  grym_patterns* patterns = nullptr;
  grym_memory* memory = nullptr;
  std::string patterns_json;

  // Half a second of a pulsing tone: long enough to be heard, short enough to be heard a thousand times.
  static std::vector<float> Pulses(double seconds, int rate_hz) {
    std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
    for (size_t i = 0; i < samples.size(); ++i) {
      const double t = static_cast<double>(i) / rate_hz;
      samples[i] = static_cast<float>(0.5 * std::sin(6.2831853 * 220 * t) * std::exp(-8 * std::fmod(t, 0.25)));
    }
    return samples;
  }

  Bench() {
    const std::vector<float> samples = Pulses(0.5, 22050), longer = Pulses(6, 22050);
    grym_audio* heard = nullptr;
    Want(grym_engine_create(nullptr, &engine));
    Want(grym_audio_create(samples.data(), 1, static_cast<int64_t>(samples.size()), 22050, &audio));
    Want(grym_audio_save(audio, wav.c_str(), nullptr));
    Want(grym_audio_save(audio, flac.c_str(), nullptr));
    Want(grym_audio_create(longer.data(), 1, static_cast<int64_t>(longer.size()), 22050, &heard));
    Want(grym_engine_analyze(engine, heard, nullptr, nullptr, nullptr, &features));
    Want(grym_engine_patterns_of_features(engine, features, &patterns));
    grym_text* text = nullptr;
    Want(grym_patterns_to_json(patterns, &text));
    patterns_json = Take(text);
    Want(grym_memory_open(store.c_str(), 0, &memory));
    Want(grym_memory_store(memory, patterns, nullptr, 0));
    grym_audio_destroy(heard);
    if (grym_patterns_count(patterns) == 0) Complain("the pulses have no pattern");
  }
  ~Bench() {
    grym_memory_destroy(memory);
    grym_patterns_destroy(patterns);
    grym_features_destroy(features);
    grym_audio_destroy(audio);
    grym_engine_destroy(engine);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  static void Want(grym_status status) {
    if (status != GRYM_STATUS_OK) Complain(std::string("setting up: ") + grym_last_error());
  }
  // Counts, and whether rows and index agree.
  std::string StoreState() {
    grym_text* text = nullptr;
    Want(grym_memory_stats_json(memory, &text));
    const std::string stats = Take(text);
    const grym_status whole = grym_memory_check(memory);
    return stats.substr(0, stats.find("\"file_bytes\"")) + grym_status_name(whole) +
           (whole == GRYM_STATUS_OK ? "" : grym_last_error());
  }
};

std::string Describe(grym_audio*& audio) {
  double sum = 0;
  const float* samples = grym_audio_planar(audio);
  const int64_t count = grym_audio_channels(audio) * grym_audio_frames(audio);
  for (int64_t i = 0; i < count; ++i) sum += (1 + i % 7) * samples[i];
  const std::string words =
      std::to_string(count) + " " + std::to_string(sum) + " " + std::to_string(grym_audio_rate_hz(audio));
  grym_audio_destroy(audio);
  audio = nullptr;
  return words;
}

std::string Describe(grym_features*& features) {
  grym_text* text = nullptr;
  grym_features_to_json(features, 1, &text);
  grym_features_destroy(features);
  features = nullptr;
  return Take(text);
}

std::string Describe(grym_patterns*& patterns) {
  grym_text* text = nullptr;
  grym_patterns_to_json(patterns, &text);
  grym_patterns_destroy(patterns);
  patterns = nullptr;
  return Take(text);
}

std::string Describe(grym_result*& result) {
  grym_audio* audio = nullptr;
  grym_result_audio(result, &audio);
  grym_result_destroy(result);
  result = nullptr;
  return Describe(audio);
}

std::string FileSize(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  std::filesystem::remove(path, error);
  return std::to_string(bytes);
}

void AddAudioWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_audio* made = nullptr;
  const auto describe = [] { return Describe(made); };
  const auto folder = [&bench] {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(bench.folder)) {
      const std::string name = entry.path().filename().string();
      if (name[0] == '.') Complain("a temporary file is left: " + name);
      files += name.rfind("store", 0) != 0;
    }
    return std::to_string(files) + " files";
  };
  walks.push_back({"audio_create", [&] { return grym_audio_create(nullptr, 2, 5000, 44100, &made); }, describe});
  walks.push_back({"audio_load wav", [&] { return grym_audio_load(bench.wav.c_str(), &made); }, describe});
  walks.push_back({"audio_load flac", [&] { return grym_audio_load(bench.flac.c_str(), &made); }, describe});
  walks.push_back({"audio_resample",
                   [&] { return grym_audio_resample(bench.audio, 48000, GRYM_RESAMPLE_MEDIUM, &made); },
                   describe});
  walks.push_back({"audio_mix_channels", [&] { return grym_audio_mix_channels(bench.audio, 2, &made); }, describe});
  for (const char* extension : {".wav", ".flac", ".ogg"}) {
    const std::string path = bench.folder / ("out" + std::string(extension));
    walks.push_back({std::string("audio_save ") + extension,
                     [&bench, path] { return grym_audio_save(bench.audio, path.c_str(), nullptr); },
                     [path] { return FileSize(path); }, folder});
  }
}

void AddHearingWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_features* features = nullptr;
  static grym_patterns* patterns = nullptr;
  static grym_style* style = nullptr;
  static grym_enhanced* enhanced = nullptr;
  static grym_comparison* comparison = nullptr;
  static grym_text* text = nullptr;
  walks.push_back({"analyze",
                   [&] { return grym_engine_analyze(bench.engine, bench.audio, nullptr, nullptr, nullptr, &features); },
                   [] { return Describe(features); }});
  walks.push_back({"analyze a path",
                   [&] { return grym_engine_analyze(bench.engine, nullptr, bench.wav.c_str(), nullptr, nullptr,
                                                            &features); },
                   [] { return Describe(features); }});
  walks.push_back({"detect_patterns",
                   [&] { return grym_engine_detect_patterns(bench.engine, bench.audio, nullptr, nullptr, nullptr,
                                                            &patterns); },
                   [] { return Describe(patterns); }});
  walks.push_back({"patterns_of_features",
                   [&] { return grym_engine_patterns_of_features(bench.engine, bench.features, &patterns); },
                   [] { return Describe(patterns); }});
  walks.push_back({"classify_style",
                   [&] { return grym_engine_classify_style(bench.engine, bench.audio, nullptr, nullptr, nullptr,
                                                            &style); },
                   [] {
                     grym_style_to_json(style, &text);
                     grym_style_destroy(style);
                     return Take(text);
                   }});
  walks.push_back({"enhance",
                   [&] { return grym_engine_enhance(bench.engine, bench.audio, nullptr, nullptr, nullptr, nullptr,
                                                            &enhanced); },
                   [] {
                     grym_audio* audio = nullptr;
                     grym_enhanced_audio(enhanced, &audio);
                     grym_enhanced_destroy(enhanced);
                     return Describe(audio);
                   }});
  walks.push_back({"compare",
                   [&] {
                     return grym_compare(bench.audio, nullptr, bench.audio, nullptr, nullptr, nullptr, &comparison);
                   },
                   [] {
                     grym_comparison_to_json(comparison, &text);
                     grym_comparison_destroy(comparison);
                     return Take(text);
                   }});
  walks.push_back({"features_to_json", [&] { return grym_features_to_json(bench.features, 1, &text); },
                   [] { return Take(text); }});
}

void AddMemoryWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_memory* opened = nullptr;
  static grym_patterns* patterns = nullptr;
  static grym_matches* matches = nullptr;
  static grym_text* text = nullptr;
  static std::vector<int64_t> ids;
  ids.assign(grym_patterns_count(bench.patterns), 0);
  const auto state = [&bench] { return bench.StoreState(); };
  const std::string other = bench.folder / "store-other.db";
  const auto close = [] {
    const grym_status closed = grym_memory_close(opened);
    grym_memory_destroy(opened);
    opened = nullptr;
    return std::string(grym_status_name(closed));
  };
  walks.push_back({"memory_open", [&] { return grym_memory_open(bench.store.c_str(), 1, &opened); }, close, state});
  walks.push_back({"memory_open a new one", [other] { return grym_memory_open(other.c_str(), 0, &opened); },
                   [close, other] {
                     std::string closed = close();
                     std::error_code error;
                     std::filesystem::remove(other, error);
                     return closed;
                   }});
  walks.push_back({"memory_store",
                   [&] { return grym_memory_store(bench.memory, bench.patterns, ids.data(), ids.size()); },
                   [&] {
                     for (const int64_t id : ids) Bench::Want(grym_memory_remove(bench.memory, id));
                     return std::to_string(ids.size());
                   },
                   state});
  walks.push_back({"memory_query",
                   [&] {
                     return grym_memory_query(bench.memory, grym_patterns_embedding(bench.patterns, 0), 10,
                                              GRYM_PATTERN_KIND_ANY, -1, &matches);
                   },
                   [] {
                     grym_matches_patterns(matches, &patterns);
                     grym_matches_destroy(matches);
                     return Describe(patterns);
                   },
                   state});
  walks.push_back({"memory_open and query",
                   [&] {
                     const grym_status status = grym_memory_open(bench.store.c_str(), 0, &opened);
                     if (status != GRYM_STATUS_OK) return status;
                     return grym_memory_query(opened, grym_patterns_embedding(bench.patterns, 0), 10,
                                              GRYM_PATTERN_KIND_ANY, -1, &matches);
                   },
                   [] {
                     grym_matches_patterns(matches, &patterns);
                     grym_matches_destroy(matches);
                     return Describe(patterns);
                   },
                   [&] {
                     Bench::Want(grym_memory_destroy(opened));
                     opened = nullptr;
                     return bench.StoreState();
                   }});
  walks.push_back({"memory_get", [&] { return grym_memory_get(bench.memory, 1, &patterns); },
                   [] { return Describe(patterns); }, state});
  walks.push_back({"memory_record_outcome", [&] { return grym_memory_record_outcome(bench.memory, 1, 0.5, "note"); },
                   [] { return std::string(); }});
  walks.push_back({"memory_stats_json", [&] { return grym_memory_stats_json(bench.memory, &text); },
                   [] { return Take(text).substr(0, 12); }, state});
  walks.push_back({"memory_check",
                   [&] { return grym_memory_check(bench.memory); }, [] { return std::string(); }, state});
}

constexpr char kOneStep[] =
    R"({"id":"w","name":"w","initialStep":"s","steps":{"s":{"id":"s","type":"analysis","operation":"features",
  "inputs":[{"source":"parameter","key":"audioFile"}],"parameters":{},"nextSteps":{}}},
  "parameters":{"audioFile":null}})";

void AddTextWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_text* text = nullptr;
  static grym_patterns* patterns = nullptr;
  static grym_workflow* workflow = nullptr;
  static grym_models* models = nullptr;
  walks.push_back({"patterns_from_json",
                   [&] { return grym_patterns_from_json(bench.patterns_json.c_str(), &patterns); },
                   [] { return Describe(patterns); }});
  walks.push_back({"patterns_to_json", [&] { return grym_patterns_to_json(bench.patterns, &text); },
                   [] { return Take(text); }});
  walks.push_back({"workflow_from_template", [] { return grym_workflow_from_template("audio-enhancement", &workflow); },
                   [] {
                     grym_workflow_to_json(workflow, &text);
                     grym_workflow_destroy(workflow);
                     return Take(text);
                   }});
  walks.push_back({"workflow_from_json", [] { return grym_workflow_from_json(kOneStep, &workflow); },
                   [] {
                     grym_workflow_to_json(workflow, &text);
                     grym_workflow_destroy(workflow);
                     return Take(text);
                   }});
  static grym_workflow* planned = nullptr;
  Bench::Want(grym_workflow_from_template("audio-enhancement", &planned));
  walks.push_back({"workflow_plan_json", [] { return grym_workflow_plan_json(planned, &text); },
                   [] { return Take(text); }});
  walks.push_back({"route", [&] { return grym_engine_route(bench.engine, R"({"capability": "generate"})", &text); },
                   [] { return Take(text); }});
  walks.push_back({"models", [&] { return grym_engine_models(bench.engine, &models); },
                   [] {
                     const std::string count = std::to_string(grym_models_count(models));
                     grym_models_destroy(models);
                     return count;
                   }});
}

void AddMakingWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_result* result = nullptr;
  static grym_job* job = nullptr;
  static grym_features* features = nullptr;
  static grym_engine* engine = nullptr;
  static grym_generate_options options;
  Bench::Want(grym_generate_options_init(&options, sizeof options));
  options.prompt = "ambient";
  options.duration_s = 1;
  options.seed = 3;
  walks.push_back({"engine_create", [] { return grym_engine_create(nullptr, &engine); },
                   [] { return std::string(grym_status_name(grym_engine_destroy(engine))); },
                   [] { return std::string(); }, 5});
  walks.push_back({"generate", [&] { return grym_engine_generate(bench.engine, &options, nullptr, nullptr, &result); },
                   [] { return Describe(result); }});
  walks.push_back({"generate_json",
                   [&] {
                     return grym_engine_generate_json(
                         bench.engine, R"({"prompt": "ambient", "durationSeconds": 1, "seed": 3})", nullptr, nullptr,
                         nullptr, &result);
                   },
                   [] { return Describe(result); }, [] { return std::string(); }, 11});
  walks.push_back({"a job",
                   [&] {
                     const grym_status status =
                         grym_engine_start_analyze(bench.engine, bench.audio, nullptr, nullptr, nullptr, &job);
                     if (status != GRYM_STATUS_OK) return status;
                     return grym_job_take_features(job, &features);
                   },
                   [] { return Describe(features); },
                   [] {
                     const grym_status gone = grym_job_destroy(job);
                     job = nullptr;
                     return std::string(grym_status_name(gone));
                   },
                   5});
}

void AddWorkflowWalk(Bench& bench, std::vector<Walk>& walks) {
  static grym_workflow* workflow = nullptr;
  static grym_run* run = nullptr;
  static grym_workflow_options options;
  static std::string parameters, id;
  static int number = 0;
  Bench::Want(grym_workflow_from_json(kOneStep, &workflow));
  Bench::Want(grym_workflow_options_init(&options, sizeof options));
  parameters = "{\"audioFile\": \"" + bench.wav + "\"}";
  options.parameters_json = parameters.c_str();
  walks.push_back({"run_workflow",
                   [&] { return grym_engine_run_workflow(bench.engine, workflow, &options, nullptr, nullptr, &run); },
                   [] {
                     const std::string result = std::string(grym_run_state(run)) + grym_run_result_json(run);
                     grym_run_destroy(run);
                     return result;
                   },
                   [] {  // a fresh execution each time
                     id = "walk-" + std::to_string(++number);
                     options.execution_id = id.c_str();
                     return std::string();
                   },
                   23});
  // Cut short and then taken up again under the same id, it ends as if nothing had been.
  walks.push_back({"run_workflow, taken up",
                   [&] {
                     return grym_engine_run_workflow(bench.engine, workflow, &options, nullptr, nullptr, &run);
                   },
                   [] {
                     const std::string result = std::string(grym_run_state(run)) + grym_run_result_json(run);
                     grym_run_destroy(run);
                     return result;
                   },
                   [&] {
                     std::string state = "completed";
                     if (!id.empty()) {
                       Bench::Want(grym_engine_run_workflow(bench.engine, workflow, &options, nullptr, nullptr, &run));
                       state = grym_run_state(run);
                       grym_run_destroy(run);
                     }
                     id = "again-" + std::to_string(++number);
                     options.execution_id = id.c_str();
                     return state;
                   },
                   41});
}

}  // namespace

int main(int argc, char** argv) {
  if (!grym::testing::MallocCanFail()) {
    std::printf("skipped: malloc can be replaced where glibc is\n");
    return 77;
  }
  {
    Bench bench;
    std::vector<Walk> walks;
    AddAudioWalks(bench, walks);
    AddTextWalks(bench, walks);
    AddMemoryWalks(bench, walks);
    AddHearingWalks(bench, walks);
    AddMakingWalks(bench, walks);
    AddWorkflowWalk(bench, walks);
    for (const Walk& walk : walks) {
      if (argc < 2 || std::strstr(walk.name.c_str(), argv[1])) Run(walk);
    }
  }
  if (g_failures > 0) std::printf("%d were not so\n", g_failures);
  return g_failures > 0;
}
