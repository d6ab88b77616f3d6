// Handles of the C ABI: numbers that look like pointers and are looked up, never followed.
//
// A slab of slots, never freed, holds a shared_ptr per live handle. The handle's value is a mark, the slot's generation
// and its index, so NULL, a pointer of the caller's own, a handle of another type and one that was destroyed (even if
// its slot serves another since) are all told apart without reading memory that is not ours. Each call works on its own
// reference, so a handle destroyed in another thread's hands ends when that thread is done with it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/engine.h"
#include "grymsynth/evaluation.h"
#include "grymsynth/generation.h"
#include "grymsynth/model.h"
#include "grymsynth/pattern.h"
#include "grymsynth/pattern_memory.h"
#include "grymsynth/pattern_recognizer.h"
#include "grymsynth/workflow.h"
#include "guard.h"

namespace grym::capi {

class JobBox;
struct GenerationBox;
struct MemoryBox;
struct ProcessedBox;
struct RunBox;
struct StreamBox;

enum class HandleKind : uint8_t {
  kNone,
  kText,
  kEngine,
  kAudio,
  kFeatures,
  kPatterns,
  kStyle,
  kEnhanced,
  kProcessed,
  kResult,
  kComparison,
  kMemory,
  kMatches,
  kModels,
  kWorkflow,
  kRun,
  kJob,
  kAnalysisStream,
  kGeneration,
  kCodes
};

// Throws std::bad_alloc when there is no room.
uintptr_t NewSlot(HandleKind kind, std::shared_ptr<const void> object);
// InvalidArgument, naming the argument, for whatever is not a live handle of `kind`.
absl::StatusOr<std::shared_ptr<const void>> FindSlot(uintptr_t handle, HandleKind kind, const char* name);
// The same, and marks the handle dead.
absl::StatusOr<std::shared_ptr<const void>> TakeSlot(uintptr_t handle, HandleKind kind, const char* name);

// What stands behind each handle.
template <class Handle>
struct Behind;
#define GRYM_C_BEHIND(handle, type, handle_kind)                \
  template <>                                                   \
  struct Behind<handle> {                                       \
    using Object = type;                                        \
    static constexpr HandleKind kKind = HandleKind::handle_kind; \
  }
GRYM_C_BEHIND(grym_text, const std::string, kText);
GRYM_C_BEHIND(grym_engine, Engine, kEngine);
GRYM_C_BEHIND(grym_audio, const AudioBuffer, kAudio);
GRYM_C_BEHIND(grym_features, const AudioFeatures, kFeatures);
GRYM_C_BEHIND(grym_patterns, const AudioPatterns, kPatterns);
GRYM_C_BEHIND(grym_style, const StyleClassification, kStyle);
GRYM_C_BEHIND(grym_enhanced, const EnhancedAudio, kEnhanced);
GRYM_C_BEHIND(grym_processed, const ProcessedBox, kProcessed);
GRYM_C_BEHIND(grym_result, const GenerateAudioResult, kResult);
GRYM_C_BEHIND(grym_comparison, const Comparison, kComparison);
GRYM_C_BEHIND(grym_memory, MemoryBox, kMemory);
GRYM_C_BEHIND(grym_matches, const std::vector<RelatedPattern>, kMatches);
GRYM_C_BEHIND(grym_models, const std::vector<ModelInfo>, kModels);
GRYM_C_BEHIND(grym_workflow, const Workflow, kWorkflow);
GRYM_C_BEHIND(grym_run, const RunBox, kRun);
GRYM_C_BEHIND(grym_job, JobBox, kJob);
GRYM_C_BEHIND(grym_analysis_stream, StreamBox, kAnalysisStream);
GRYM_C_BEHIND(grym_generation, GenerationBox, kGeneration);
GRYM_C_BEHIND(grym_codes, const AudioCodes, kCodes);
#undef GRYM_C_BEHIND

template <class Handle>
using ObjectOf = typename Behind<Handle>::Object;

template <class Handle>
Handle* NewHandle(std::shared_ptr<ObjectOf<Handle>> object) {
  return reinterpret_cast<Handle*>(NewSlot(Behind<Handle>::kKind, std::move(object)));
}
// A handle over a value that was just made.
template <class Handle, class Value>
Handle* NewHandleOf(Value&& value) {
  return NewHandle<Handle>(std::make_shared<std::decay_t<Value>>(std::forward<Value>(value)));
}

template <class Handle>
absl::StatusOr<std::shared_ptr<ObjectOf<Handle>>> Find(const Handle* handle, const char* name) {
  GRYM_C_ASSIGN_OR_RETURN(auto object, FindSlot(reinterpret_cast<uintptr_t>(handle), Behind<Handle>::kKind, name));
  using Plain = std::remove_const_t<ObjectOf<Handle>>;
  const std::shared_ptr<const Plain> typed = std::static_pointer_cast<const Plain>(object);
  return std::shared_ptr<ObjectOf<Handle>>(std::const_pointer_cast<Plain>(typed));
}

// The body of every _destroy: NULL is fine, a handle that is not alive is not.
template <class Handle>
grym_status Destroy(Handle* handle, const char* name) noexcept {
  return Guard([&]() -> absl::Status {
    if (!handle) return absl::OkStatus();
    return TakeSlot(reinterpret_cast<uintptr_t>(handle), Behind<Handle>::kKind, name).status();
  });
}

}  // namespace grym::capi
