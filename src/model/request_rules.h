// The ranges of a request's fields and the names that its JSON gives them.
#pragma once
#include <string_view>
#include <vector>

#include "grymsynth/error.h"
#include "grymsynth/generation.h"

namespace grym {

// reliability.md, section 3: one constant per limit.
inline constexpr size_t kMaxRequestBytes = size_t{1} << 20;
inline constexpr size_t kMaxPromptBytes = kMaxRequestBytes;
inline constexpr double kMaxDurationSeconds = 600;
inline constexpr int kMaxSteps = 1000;
inline constexpr double kMaxGuidance = 100;
// Ours: what fits into a request of 1 MiB, or what nobody needs more of.
inline constexpr size_t kMaxPatterns = 256;
inline constexpr size_t kMaxListItems = 64;
inline constexpr size_t kMaxShortTextBytes = 1024;
inline constexpr size_t kMaxPathBytes = 4096;
inline constexpr int kMaxTopK = 1'000'000;
inline constexpr int kMaxTakes = 8;

const char* QualityName(QualityTier quality);  // "draft", "standard", "best"
std::vector<std::string> QualityNames();

// "C# minor", "Bb major": letter A-G, optional # or b, then " major" or " minor".
bool IsKeyName(std::string_view key);
// [a-z0-9][a-z0-9._-]{0,63}
bool IsModelId(std::string_view id);

// Everything out of range, with JSON pointers.
std::vector<Problem> CheckRequest(const GenerateAudioRequest& request);

}  // namespace grym
