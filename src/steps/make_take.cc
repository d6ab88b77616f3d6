#include "steps/make_take.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "base/number_text.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/status.h"
#include "grymsynth/error.h"
#include "steps/rank_takes.h"

namespace grym {
namespace {

// Seeds stay below 2^53, so that every JSON reader keeps them exact.
constexpr uint64_t kSeedMask = (uint64_t{1} << 53) - 1;

absl::Status Rest(double seconds, const CancelToken& cancel) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // a token cannot wake anybody
  }
  return cancel.Check();
}

// Runs the request until it works or the orchestrator says to stop.
absl::StatusOr<GenerateAudioResult> RunWithRecovery(ModelOrchestrator& orchestrator, GenerateAudioRequest request,
                                                    const RunOptions& run) {
  const bool named = !request.model.empty();
  for (int attempt = 1;; ++attempt) {
    AudioTask task;
    task.capability = Capability::kGenerate;
    task.model = request.model;
    task.request = request;
    absl::StatusOr<ModelChain> chain = orchestrator.RouteTask(task);
    absl::StatusOr<ProcessingResult> made =
        chain.ok() ? orchestrator.ExecuteChain(*chain, run) : absl::StatusOr<ProcessingResult>(chain.status());
    if (made.ok()) return std::move(made->generated);
    const std::string model = chain.ok() && !chain->links.empty() ? chain->links.back().model : request.model;
    const RecoveryStrategy strategy = orchestrator.HandleErrors({made.status(), model, attempt});
    switch (strategy.action) {
      case RecoveryAction::kFail: return made.status();
      case RecoveryAction::kRetryOtherSeed: request.seed = NextSeed(request.seed); break;
      case RecoveryAction::kUseModel:
        if (named) return made.status();  // who names a model wants that one or the reason why not
        request.model = strategy.model;
        break;
      case RecoveryAction::kRetry: break;
    }
    GRYM_RETURN_IF_ERROR(Rest(strategy.wait_s, run.cancel));
  }
}

// What the generator says that it made, whether the request asked for it or left it open: so a request that was
// resolved by an earlier run is judged as that run was.
GateWants WantsOf(const GenerateAudioRequest& request, const GenerateAudioResult& made) {
  GateWants wants;
  if (request.reference_buffer) {
    wants.duration_s = request.reference_buffer->duration_s();
  } else if (!request.reference_audio.empty()) {
    const absl::StatusOr<AudioFileInfo> info = ProbeAudioFile(request.reference_audio);
    if (info.ok() && info->frames > 0) wants.duration_s = static_cast<double>(info->frames) / info->rate_hz;
  } else {
    wants.duration_s = request.duration_s;
    const auto fact = [&](const char* name) {
      const auto found = made.facts.find(name);
      return found == made.facts.end() ? std::string() : found->second;
    };
    wants.tempo_bpm = request.tempo_bpm;
    if (const auto tempo = ParseNumber(fact("tempo_bpm")); !wants.tempo_bpm && tempo && *tempo > 0)
      wants.tempo_bpm = *tempo;
    wants.key = request.key;
    if (const std::string key = fact("key"); !wants.key && ParseKey(key).ok()) wants.key = key;
  }
  return wants;
}

// What the reference itself fails, so that a take of it is not blamed for it.
absl::StatusOr<std::vector<std::string>> ReferenceFaults(const GenerateAudioRequest& request, const RunOptions& run) {
  absl::StatusOr<AudioBuffer> loaded = AudioBuffer();
  if (!request.reference_buffer) loaded = LoadAudio(request.reference_audio, {}, RunOptions{run.cancel, {}});
  if (!loaded.ok()) return loaded.status();
  GRYM_ASSIGN_OR_RETURN(const GateReport report,
                        CheckTake(request.reference_buffer ? *request.reference_buffer : *loaded, {}, run));
  return report.failures;
}

// Another try starts anew: what is told stays at the highest fraction meanwhile.
RunOptions Rising(const RunOptions& outer, double* highest) {
  RunOptions run;
  run.cancel = outer.cancel;
  if (outer.progress) {
    run.progress = [&outer, highest](Progress now) {
      now.fraction = *highest = std::max(*highest, now.fraction);
      outer.progress(now);
    };
  }
  return run;
}

bool HasReference(const GenerateAudioRequest& request) {
  return request.reference_buffer || !request.reference_audio.empty();
}

// Moves failures that are the reference's own into the take's warnings.
absl::Status ForgiveReferenceFaults(const GenerateAudioRequest& request, GateReport& report,
                                    std::vector<std::string>& warnings, const RunOptions& run) {
  if (report.passed || !HasReference(request)) return absl::OkStatus();
  GRYM_ASSIGN_OR_RETURN(const std::vector<std::string> faults, ReferenceFaults(request, run));
  for (size_t i = report.failures.size(); i-- > 0;) {
    const std::string& failure = report.failures[i];
    if (failure == "non_finite" || std::find(faults.begin(), faults.end(), failure) == faults.end()) continue;
    warnings.push_back("as in the original: " + (i < report.texts.size() ? report.texts[i] : failure));
    report.failures.erase(report.failures.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < report.texts.size()) report.texts.erase(report.texts.begin() + static_cast<std::ptrdiff_t>(i));
  }
  report.passed = report.failures.empty();
  return absl::OkStatus();
}

}  // namespace

int64_t RandomSeed() {
  std::random_device device;
  return static_cast<int64_t>((uint64_t{device()} << 32 | device()) & kSeedMask);
}

int64_t NextSeed(int64_t seed) {
  uint64_t state = static_cast<uint64_t>(seed);
  return static_cast<int64_t>(SplitMix64(state) & kSeedMask);
}

int64_t DeriveSeed(int64_t seed, std::string_view part) {
  uint64_t state = static_cast<uint64_t>(seed) ^ HashName(part);
  return static_cast<int64_t>(SplitMix64(state) & kSeedMask);
}

namespace {

absl::StatusOr<GenerateAudioResult> MakeOne(ModelOrchestrator& orchestrator, GenerateAudioRequest request,
                                            const RunOptions& run) {
  std::vector<TakeAttempt> attempts;
  std::string words;
  for (int attempt = 0; attempt < 2; ++attempt) {
    GRYM_ASSIGN_OR_RETURN(GenerateAudioResult made,
                          RunWithRecovery(orchestrator, request, PartOf(run, 0, 0.85)));
    GRYM_ASSIGN_OR_RETURN(GateReport report, CheckTake(made.audio, WantsOf(request, made), PartOf(run, 0.85, 0.95)));
    GRYM_RETURN_IF_ERROR(ForgiveReferenceFaults(request, report, made.warnings, PartOf(run, 0.95, 1.0)));
    attempts.push_back({made.provenance.seed, report.passed, report.failures});
    if (report.passed) {
      made.attempts = std::move(attempts);
      return made;
    }
    words +=
        (words.empty() ? "seed " : "; seed ") + std::to_string(made.provenance.seed) + ": " + Join(report.texts, ", ");
    request.seed = NextSeed(request.seed);
  }
  return Error(absl::StatusCode::kFailedPrecondition, "take_rejected", "take: two takes failed the gate: " + words);
}

absl::StatusOr<GenerateAudioResult> MakeSeveral(ModelOrchestrator& orchestrator, GenerateAudioRequest request,
                                                const RunOptions& run) {
  const int count = request.takes.value_or(1);
  const std::string rank_by = request.rank_by;
  const int64_t seed = request.seed;
  request.takes.reset();
  request.rank_by.clear();
  GRYM_ASSIGN_OR_RETURN(const std::string ranker, FindRanker(orchestrator, rank_by));
  constexpr double kRankedFrom = 0.95;
  std::vector<GenerateAudioResult> made;
  std::vector<std::string> warnings;
  absl::Status rejected;
  for (int i = 0; i < count; ++i) {
    if (i > 0) request.seed = DeriveSeed(seed, "take " + std::to_string(i + 1));
    absl::StatusOr<GenerateAudioResult> take =
        MakeOne(orchestrator, request, PartOf(run, kRankedFrom * i / count, kRankedFrom * (i + 1) / count));
    if (take.ok()) {
      made.push_back(*std::move(take));
      continue;
    }
    if (ErrorCode(take.status()) != "take_rejected") return take.status();
    warnings.push_back("take " + std::to_string(i + 1) + " is left out: " + std::string(take.status().message()));
    if (rejected.ok()) rejected = take.status();
  }
  if (made.empty()) return rejected;
  GRYM_ASSIGN_OR_RETURN(GenerateAudioResult best,
                        RankTakes(orchestrator, ranker, request.prompt, std::move(made), PartOf(run, kRankedFrom, 1)));
  best.warnings.insert(best.warnings.end(), warnings.begin(), warnings.end());
  return best;
}

}  // namespace

absl::StatusOr<GenerateAudioResult> MakeTake(ModelOrchestrator& orchestrator, GenerateAudioRequest request,
                                             const RunOptions& outer) {
  double highest = 0;
  const RunOptions run = Rising(outer, &highest);
  GRYM_RETURN_IF_ERROR(ValidateRequest(request));
  if (request.seed < 0) request.seed = RandomSeed();
  const bool one = request.takes.value_or(1) == 1 && request.rank_by.empty();
  if (one) request.takes.reset();
  absl::StatusOr<GenerateAudioResult> made =
      one ? MakeOne(orchestrator, std::move(request), run) : MakeSeveral(orchestrator, std::move(request), run);
  if (made.ok()) ProgressReporter(run).Report(1, "done");
  return made;
}

}  // namespace grym
