// MusicGen behind the Model interface: text, a melody or a recording's end to music of any length.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/model.h"
#include "models/musicgen/nets.h"
#include "models/musicgen/piece_maker.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

inline constexpr int64_t kMostTextTokens = 512;

// What the model adds to MusicgenNets: which numbers the components are kept in, and what their configs left over.
struct MusicgenDetails {
  std::string version = "1", licence = "that of the checkpoint";
  double seconds_per_audio_second = 2;  // a first guess; measured runs replace it
  std::vector<std::string> ignored_fields, unread_tensors;
  std::string stored;  // the plan's note on weights that need no conversion
};

// Threads: immutable; sessions of any thread share the networks.
class MusicgenModel : public Model, public std::enable_shared_from_this<MusicgenModel> {
 public:
  static std::shared_ptr<const MusicgenModel> Make(std::string id, std::shared_ptr<const MusicgenNets> nets,
                                                   const ModelContext& context, const MusicgenDetails& details);
  ~MusicgenModel() override;

  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::string> Plan(const GenerateAudioRequest& request) const override;
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override;
  // Its EnCodec: any sound to the codes that the network makes, and back. A stereo model's is a mono one for left and
  // right, whose books take turns.
  absl::StatusOr<std::unique_ptr<AudioCodec>> NewCodec() const override;
  absl::Status SaveCopy(const std::filesystem::path& out, const RunOptions& run) const override;

  const MusicgenNets& nets() const { return *nets_; }
  const ModelContext& context() const { return context_; }
  // Lengths, windows and sampling; text, melody and prompt are left empty. InvalidArgument ("bad_duration").
  absl::StatusOr<PieceSettings> SettingsOf(const GenerateAudioRequest& request) const;
  // Ids of the prompt, </s> last, at most kMostTextTokens; none for an empty prompt without a melody: nothing is told
  // then, as the reference's unconditional inputs. `dropped` counts what was cut.
  absl::StatusOr<std::vector<int32_t>> TextOf(const GenerateAudioRequest& request, int64_t* dropped) const;
  // What a reference is for.
  bool WantsMelody(const GenerateAudioRequest& request) const;
  bool WantsContinuation(const GenerateAudioRequest& request) const;
  // Samples of each channel that are continued, at most.
  int64_t MostPromptSamples(const GenerateAudioRequest& request) const;
  absl::StatusOr<MusicgenWork> WorkOf(const GenerateAudioRequest& request) const;
  // The first plan that keeps to `budget_bytes`; ResourceExhausted (code "over_budget") with what the smaller takes.
  absl::StatusOr<MemoryPlan> PlanFor(const MusicgenWork& work, int64_t budget_bytes) const;
  // A lease on all that `plan` takes, which is made for `work` here.
  absl::StatusOr<MemoryLease> Lease(const MusicgenWork& work, const RunOptions& run, MemoryPlan& plan) const;
  // The parts that the work wants.
  static int PartsOf(const MusicgenWork& work);

 private:
  MusicgenModel() = default;
  MemoryPlan PlanWith(const MusicgenWork& work, bool keep_weights) const;

  std::shared_ptr<const MusicgenNets> nets_;
  ModelContext context_;
  MusicgenDetails details_;
  ModelInfo info_;
};

}  // namespace grym
