// One request after another, or many at once, through MusicGen's networks.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "models/musicgen/pipeline.h"
#include "models/musicgen/saved_piece.h"

namespace grym {

// Requests that are made side by side, from their texts to the last sample. Threads: one. After an error other than
// Cancelled it is of no use.
class MusicgenRun {
 public:
  MusicgenRun(std::shared_ptr<const MusicgenModel> model, std::vector<GenerateAudioRequest> requests);

  // Reads references and tells the texts to their encoder, once for each request. Within Guarded.
  absl::Status Prepare(const RunOptions& run);
  // Prepare, by what a file holds of the one request.
  absl::Status PrepareFrom(const SavedPiece& saved, const RunOptions& run);
  PieceMaker& maker() { return *maker_; }  // requires prepared()
  bool prepared() const { return prepared_; }
  // All but the sound.
  GenerateAudioResult ResultOf(size_t i);
  SavedPiece Saved(int64_t given);
  const GenerateAudioRequest& request(size_t i) const { return requests_[i]; }
  // Runs `work` under the run's lease and with LibTorch's exceptions as statuses. The lease is taken whole with the
  // first call, which may wait for it, and held until the run ends or LetGo.
  absl::Status Guarded(const RunOptions& run, const std::function<absl::Status()>& work);
  // All is made, or nothing more will be: networks and lease go. Saved and ResultOf are as before.
  void LetGo();

 private:
  struct Side {  // of one request, beside its settings
    std::vector<std::string> warnings;
    std::map<std::string, double> timings_s;
  };
  absl::Status Plan(const RunOptions& run);
  absl::Status HoldNets(int parts, const CancelToken& cancel);
  absl::Status ReadText(size_t i, const CancelToken& cancel);
  absl::Status ReadReference(size_t i, const CancelToken& cancel);
  absl::Status ReadPrompt(size_t i, const CancelToken& cancel);

  const std::shared_ptr<const MusicgenModel> model_;
  const std::vector<GenerateAudioRequest> requests_;
  std::vector<PieceSettings> settings_;
  std::vector<Side> sides_;
  std::optional<MemoryPlan> plan_;
  MusicgenWork work_;  // of all requests
  MemoryLease lease_;  // before what is counted on it
  int64_t peak_bytes_ = 0;  // once the lease is gone
  std::shared_ptr<const MusicgenNets> nets_;  // the model's, or of this run alone
  std::optional<PieceMaker> maker_;
  bool prepared_ = false;
};

// Sound comes about a second at a time, the first after half a second's worth of codes. From the first Next on it holds
// its lease, until the last sample was given, it fails, or it ends: others wait for it, or are refused, meanwhile.
class MusicgenStream : public GenerationStream {
 public:
  MusicgenStream(std::shared_ptr<const MusicgenModel> model, const GenerateAudioRequest& request);
  // From a file that was loaded.
  MusicgenStream(std::shared_ptr<const MusicgenModel> model, SavedPiece saved);

  absl::StatusOr<AudioBuffer> Next(const RunOptions& run) override;
  absl::StatusOr<GenerateAudioResult> Finish() override;
  // Also before the first Next and after the last. FailedPrecondition after an error.
  absl::Status Save(const std::filesystem::path& path) const override;

 private:
  absl::Status Advance(const RunOptions& run);

  const std::shared_ptr<const MusicgenModel> model_;
  std::optional<SavedPiece> saved_;    // what it began with, until it is prepared
  mutable MusicgenRun run_;
  std::vector<std::vector<float>> waiting_;  // samples that were made and not given
  int64_t given_ = 0, skip_ = 0;
  absl::Status failed_;
  double first_sound_s_ = -1, worked_s_ = 0;
};

class MusicgenGenerator : public Generator {
 public:
  explicit MusicgenGenerator(std::shared_ptr<const MusicgenModel> model) : model_(std::move(model)) {}

  // Of the request's length to a sample, unless `token_budget` ends it. A recording that is continued begins the
  // result, as the codec hears it, and counts. Source: transformers 5.23, MusicgenForConditionalGeneration.generate and
  // MusicgenMelodyForConditionalGeneration.generate; windows beyond 30 s: audiocraft's extension.
  // Errors: InvalidArgument ("bad_duration", "prompt_too_long", "no_frames", "silent_melody", "no_notes");
  // ResourceExhausted ("over_budget") before anything is loaded; Internal ("non_finite_result"); those of files.
  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) override;
  // Side by side where windows fall together (equal stride, no crossfade, prompts of one length), at most 16 and as
  // many as the budget allows; the others after one another. Each comes out as alone, whatever is beside it.
  absl::StatusOr<std::vector<GenerateAudioResult>> GenerateBatch(std::span<const GenerateAudioRequest> requests,
                                                                 const RunOptions& run) override;
  absl::StatusOr<std::unique_ptr<GenerationStream>> Stream(const GenerateAudioRequest& request) override;
  absl::StatusOr<std::unique_ptr<GenerationStream>> Resume(const std::filesystem::path& saved) override;

 private:
  absl::Status MakeGroup(std::span<const GenerateAudioRequest> requests, std::span<const size_t> group,
                         const RunOptions& run, std::vector<GenerateAudioResult>& results);
  const std::shared_ptr<const MusicgenModel> model_;
};

}  // namespace grym
