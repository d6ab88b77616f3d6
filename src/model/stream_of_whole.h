// The stream of a generator that makes everything at once.
#pragma once
#include <functional>
#include <optional>

#include "grymsynth/generation_stream.h"

namespace grym {

// Calls `make` at the first Next and hands its sound out a second at a time.
class StreamOfWhole : public GenerationStream {
 public:
  using Make = std::function<absl::StatusOr<GenerateAudioResult>(const RunOptions&)>;
  explicit StreamOfWhole(Make make) : make_(std::move(make)) {}

  absl::StatusOr<AudioBuffer> Next(const RunOptions& run) override;
  absl::StatusOr<GenerateAudioResult> Finish() override;

 private:
  const Make make_;
  absl::Status failed_;
  std::optional<GenerateAudioResult> made_;
  int64_t given_ = 0;  // frames
};

}  // namespace grym
