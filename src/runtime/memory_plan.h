// What a request will take, made before anything is loaded, and what was done to make it fit.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/model.h"
#include "runtime/device.h"

namespace grym {

// One phase of a run: what it needs beside what stays. Phases run one after another.
struct PhasePlan {
  std::string component;  // "text_encoder", "unet", "vae", "vocoder"
  Precision precision = Precision::kFloat32;
  int64_t weights_bytes = 0;   // of this component
  int64_t working_bytes = 0;   // the most that its tensors take at once, beside its weights
  std::string tiling = "whole";  // "tiles of 64 x 16", "chunks of 200 frames"
  bool streamed = false;         // its layers are read when their turn comes: weights_bytes has two of them
  std::string note;              // what the precision does not say: "convolutions in float16"; "" for nothing
  std::string device;            // "": the plan's; what runs elsewhere is told and takes nothing of the budget
};

struct MemoryPlan {
  std::string device;
  int64_t budget_bytes = 0;
  std::vector<PhasePlan> phases;
  std::string enforced_by;   // below the plan: see MemoryBudget
  bool keep_weights = true;  // false: each component is let go after its phase
  std::vector<std::string> levers;          // taken, in their order: "dropped components after their phase"
  std::vector<std::string> ignored_fields;  // members of the configs that nothing reads
  std::vector<std::string> unread_tensors;  // of the checkpoint

  int64_t weights_bytes() const;  // on `device` that live at once at most
  // The most that lives there at once: with all weights kept, their sum and the largest working set; else the largest
  // phase.
  int64_t peak_bytes() const;
  bool fits() const { return peak_bytes() <= budget_bytes; }
  Json ToJson() const;  // schema "grymsynth.plan/1"
};

// Names the levers that a lease took before those of the plan: idle models were evicted first.
void PutBefore(const std::vector<std::string>& evicted, MemoryPlan& plan);

// ResourceExhausted (code "over_budget") with both numbers and the levers that were taken.
absl::Status OverBudget(const std::string& where, const MemoryPlan& plan);
// The plan as the orchestrator counts: weights, what lives beside them, every core that tensors may use.
ResourceNeed NeedOf(const MemoryPlan& plan, double seconds);

// For who may lower its precision: puts tiers into `lowered`, none at first, until `fits` says so. bfloat16 comes before
// int8 and int4 also where its layers must be streamed (`may_stream`), since what is packed cannot be: whatever fits
// without lowering then fits with it, and bfloat16 is nearer to the reference. int4 where nothing does.
void LowerUntilItFits(std::optional<Precision>& lowered, const std::function<bool(bool may_stream)>& fits);

}  // namespace grym
