// ModelOrchestrator: chooses who does a task, checks every hand-over, learns what things cost, and keeps to a budget.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/export.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"
#include "grymsynth/model.h"

namespace grym {

// The capability of that name that a task can ask for; InvalidArgument lists them all.
GRYM_EXPORT absl::StatusOr<Capability> TaskCapability(std::string_view name);

struct AudioTask {
  Capability capability = Capability::kGenerate;
  GenerateAudioRequest request;  // for kGenerate and kEnhance; of kEmbedText its prompt
  AudioBuffer audio;             // input of kEmbedAudio
  std::vector<AudioInput> inputs;  // of kAnalyze, kClassifyStyle, kDetectPatterns (one) and kCompare (two); borrowed
  std::string model;             // "": choose
};

struct ChainLink {
  std::string model;  // id
  Capability capability = Capability::kGenerate;
  ResourceNeed need;
  int rate_hz = 0, channels = 0;  // what it hands on; 0: not audio
};

struct ModelChain {
  AudioTask task;
  std::vector<ChainLink> links;
  std::string reason;                 // why this chain, in words
  std::vector<std::string> rejected;  // "musicgen: not registered", "x: needs 9.1 GB, budget 6.0 GB"
};

struct ProcessingResult {
  GenerateAudioResult generated;        // of the last link that makes audio
  std::vector<float> embedding;         // of kEmbedAudio and kEmbedText
  std::string json;                     // of an Analyzer
  std::vector<std::string> warnings;    // of an Embedder
  std::vector<std::string> trace;       // one line per link: model, seconds, checks
};

struct PerformanceMetrics {
  std::string model;
  Capability capability = Capability::kGenerate;
  double audio_seconds = 0, wall_seconds = 0;
  int64_t peak_bytes = 0;  // the most at once, with the weights
  bool ok = true;
};

struct ProcessingError {
  absl::Status status;
  std::string model;
  int attempt = 1;  // counts the first
};

enum class RecoveryAction { kRetry, kRetryOtherSeed, kUseModel, kFail };

struct RecoveryStrategy {
  RecoveryAction action = RecoveryAction::kFail;
  double wait_s = 0;   // before the next attempt
  std::string model;   // for kUseModel
  std::string reason;
};

struct ResourceDemands {
  std::string who;
  std::string device = "cpu";
  int64_t bytes = 0;
  int cores = 1;
};

// Given back when destroyed. Movable. Must not outlive the orchestrator.
class GRYM_EXPORT ResourceLease {
 public:
  ResourceLease() = default;
  explicit ResourceLease(std::function<void()> give_back) : give_back_(std::move(give_back)) {}
  ResourceLease(ResourceLease&& other) noexcept : give_back_(std::move(other.give_back_)) {
    other.give_back_ = nullptr;
  }
  ResourceLease& operator=(ResourceLease&& other) noexcept {
    Release();
    give_back_ = std::move(other.give_back_);
    other.give_back_ = nullptr;
    return *this;
  }
  ~ResourceLease() { Release(); }
  void Release() {
    if (give_back_) give_back_();
    give_back_ = nullptr;
  }
  bool held() const { return static_cast<bool>(give_back_); }

 private:
  std::function<void()> give_back_;
};

struct DeviceUse {
  std::string device;
  int64_t budget_bytes = 0, used_bytes = 0;
  int cores = 0, used_cores = 0;
};

struct ModelOrchestratorOptions {
  int64_t budget_bytes = int64_t{6} << 30;  // per device
  int cores = 0;                            // 0: as many as the machine has
  // How long a chain, or LeaseInTurn, waits for memory that others hold before it is refused (code "resource_busy").
  double most_wait_s = 60;
};

// Threads: any.
class GRYM_EXPORT ModelOrchestrator {
 public:
  static std::unique_ptr<ModelOrchestrator> Create(const ModelOrchestratorOptions& options = {});
  virtual ~ModelOrchestrator() = default;

  // AlreadyExists for an id that is taken; InvalidArgument for a malformed ModelInfo.
  virtual absl::Status Register(std::shared_ptr<const Model> model) = 0;
  // What runs with it ends as it would; its weights go with the last of these, and what was measured of it is
  // forgotten. NotFound for an unknown id.
  virtual absl::Status Unregister(std::string_view id) = 0;
  virtual std::vector<ModelInfo> Models() const = 0;  // by id
  virtual absl::StatusOr<std::shared_ptr<const Model>> Find(std::string_view id) const = 0;  // NotFound lists the ids

  // NotFound (code "no_model") says what is registered and what is missing; ResourceExhausted has both numbers.
  virtual absl::StatusOr<ModelChain> RouteTask(const AudioTask& task) const = 0;
  // Runs the links in turn under leases; every hand-over is checked (rate, channels, duration, finite samples).
  virtual absl::StatusOr<ProcessingResult> ExecuteChain(const ModelChain& chain, const RunOptions& run = {}) = 0;
  // Takes a measured run into the cost table that RouteTask and time estimates use (running mean, last 32). Its bytes
  // count only for a model that states none of its own.
  virtual absl::Status OptimizeExecution(const PerformanceMetrics& metrics) = 0;
  // Estimated wall seconds per second of audio, measured where there are runs, declared otherwise.
  virtual double SecondsPerAudioSecond(std::string_view model, Capability capability) const = 0;
  // What to do about an error. Always ends: from the third attempt on the answer is kFail.
  virtual RecoveryStrategy HandleErrors(const ProcessingError& error) const = 0;
  // Grants bytes and cores of a device, or ResourceExhausted with what was wanted and what is free.
  virtual absl::StatusOr<ResourceLease> BalanceResources(const ResourceDemands& demands) = 0;
  // As a chain's own: the bytes are waited for, in turn, at most most_wait_s, and of the cores it takes as many as are
  // free, since work that finds none shares. While it waits, progress is told "waiting for memory". Cancelled within
  // 50 ms.
  virtual absl::StatusOr<ResourceLease> LeaseInTurn(const ResourceDemands& demands, const RunOptions& run) = 0;
  virtual std::vector<DeviceUse> Use() const = 0;
};

}  // namespace grym
