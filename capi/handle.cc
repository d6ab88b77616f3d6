#include "handle.h"

#include <deque>
#include <iterator>
#include <mutex>

namespace grym::capi {
namespace {

// Bits of a handle, lowest first: 1 (no aligned pointer is odd), slot index, generation, mark. With 64 bits the mark
// also lies where no address of a user's program lies; with 32 bits there is no room for one.
constexpr bool kWide = sizeof(uintptr_t) >= 8;
constexpr int kIndexBits = kWide ? 24 : 17;
constexpr int kGenerationBits = kWide ? 23 : 14;
constexpr uint64_t kMark = kWide ? 0x6772 : 0;
// A freed slot rests until so many others were freed after it.
constexpr size_t kResting = 1024;

constexpr const char* kHandleNames[] = {
    "nothing",    "grym_text",     "grym_engine", "grym_audio",      "grym_features", "grym_patterns",
    "grym_style", "grym_enhanced", "grym_processed", "grym_result", "grym_comparison", "grym_memory", "grym_matches",
    "grym_models", "grym_workflow", "grym_run",   "grym_job",
    "grym_analysis_stream", "grym_generation", "grym_codes"};
static_assert(std::size(kHandleNames) == static_cast<size_t>(HandleKind::kCodes) + 1, "a name per kind");

constexpr uint32_t kNoSlot = UINT32_MAX;

struct Slot {
  std::shared_ptr<const void> object;
  uint32_t generation = 0;
  uint32_t next_resting = kNoSlot;
  HandleKind kind = HandleKind::kNone;
};

struct Slab {
  std::mutex mutex;
  std::deque<Slot> slots;  // never shrinks, so a slot's address and generation stay
  // Freed slots, the longest freed first: a list through the slots, so that destroying a handle needs no memory.
  uint32_t longest_resting = kNoSlot, last_resting = kNoSlot;
  size_t resting = 0;

  void Rest(uint32_t index) {
    (resting == 0 ? longest_resting : slots[last_resting].next_resting) = index;
    last_resting = index;
    ++resting;
  }
  uint32_t Wake() {
    const uint32_t index = longest_resting;
    longest_resting = slots[index].next_resting;
    slots[index].next_resting = kNoSlot;
    --resting;
    return index;
  }
};

// Never destroyed: a program may call us from its own exit handlers.
Slab& TheSlab() {
  static Slab* const slab = new Slab;
  return *slab;
}

uintptr_t Encode(uint32_t index, uint32_t generation) {
  const uint64_t value = kMark << (1 + kIndexBits + kGenerationBits) |
                         uint64_t{generation} << (1 + kIndexBits) | uint64_t{index} << 1 | 1;
  return static_cast<uintptr_t>(value);
}

absl::Status Wrong(const char* name, HandleKind kind, const std::string& got) {
  return Bad(std::string(name) + ": want a live " + kHandleNames[static_cast<size_t>(kind)] + ", got " + got);
}

// Requires the lock.
absl::StatusOr<Slot*> Look(Slab& slab, uintptr_t handle, HandleKind kind, const char* name) {
  if (handle == 0) return Wrong(name, kind, "NULL");
  const uint64_t value = handle;
  const uint64_t index = value >> 1 & ((uint64_t{1} << kIndexBits) - 1);
  const uint64_t generation = value >> (1 + kIndexBits) & ((uint64_t{1} << kGenerationBits) - 1);
  const uint64_t mark = value >> (1 + kIndexBits + kGenerationBits);
  if ((value & 1) == 0 || mark != kMark || index >= slab.slots.size() || generation > slab.slots[index].generation) {
    return Wrong(name, kind, "a pointer that is no handle of this library");
  }
  Slot& slot = slab.slots[index];
  if (generation != slot.generation || slot.kind == HandleKind::kNone) {
    return Wrong(name, kind, "one that was destroyed");
  }
  if (slot.kind != kind) return Wrong(name, kind, std::string("a ") + kHandleNames[static_cast<size_t>(slot.kind)]);
  return &slot;
}

}  // namespace

uintptr_t NewSlot(HandleKind kind, std::shared_ptr<const void> object) {
  Slab& slab = TheSlab();
  std::lock_guard<std::mutex> lock(slab.mutex);
  uint32_t index = 0;
  if (slab.resting > kResting) {
    index = slab.Wake();
  } else {
    if (slab.slots.size() >> kIndexBits) throw std::bad_alloc();
    index = static_cast<uint32_t>(slab.slots.size());
    slab.slots.emplace_back();
  }
  Slot& slot = slab.slots[index];
  slot.kind = kind;
  slot.object = std::move(object);
  return Encode(index, slot.generation);
}

absl::StatusOr<std::shared_ptr<const void>> FindSlot(uintptr_t handle, HandleKind kind, const char* name) {
  Slab& slab = TheSlab();
  std::lock_guard<std::mutex> lock(slab.mutex);
  GRYM_C_ASSIGN_OR_RETURN(Slot * slot, Look(slab, handle, kind, name));
  return slot->object;
}

absl::StatusOr<std::shared_ptr<const void>> TakeSlot(uintptr_t handle, HandleKind kind, const char* name) {
  Slab& slab = TheSlab();
  std::lock_guard<std::mutex> lock(slab.mutex);
  GRYM_C_ASSIGN_OR_RETURN(Slot * slot, Look(slab, handle, kind, name));
  const auto index = static_cast<uint32_t>(static_cast<uint64_t>(handle) >> 1 & ((uint64_t{1} << kIndexBits) - 1));
  // A slot whose generations are used up is never used again: 2^23 handles later that costs 32 bytes.
  if (slot->generation + 1 < (1u << kGenerationBits)) slab.Rest(index);
  std::shared_ptr<const void> object = std::move(slot->object);
  slot->object = nullptr;
  slot->kind = HandleKind::kNone;
  ++slot->generation;
  return object;  // released by the caller, outside the lock
}

}  // namespace grym::capi

using grym::capi::Find;
using grym::capi::GuardValue;

const char* grym_text_data(const grym_text* text) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(text, "text"));
    return found->c_str();
  });
}
size_t grym_text_size(const grym_text* text) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(text, "text"));
    return found->size();
  });
}
grym_status grym_text_destroy(grym_text* text) { return grym::capi::Destroy(text, "text"); }
