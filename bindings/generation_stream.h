// Audio block after block, for Engine and Model alike.
#pragma once
#include <memory>
#include <optional>

#include "face.h"
#include "grymsynth/generation_stream.h"
#include "turn.h"

namespace grym::python {

// Threads queue up; a callback of a call of its own is refused. `owner` is what the stream stands on.
class PyGeneration {
 public:
  // `warnings`: what was told before it began; they come first in the result.
  PyGeneration(std::shared_ptr<const void> owner, std::unique_ptr<GenerationStream> stream,
               std::vector<std::string> warnings = {})
      : owner_(std::move(owner)), stream_(std::move(stream)), warnings_(std::move(warnings)) {}
  // Raises StopIteration after the last block.
  PyAudio Next(const py::object& progress);
  void Save(const std::filesystem::path& path);
  std::shared_ptr<GenerateAudioResult> Finish();

 private:
  const std::shared_ptr<const void> owner_;
  const std::unique_ptr<GenerationStream> stream_;
  const std::vector<std::string> warnings_;
  Turns turns_;
  std::optional<AudioBuffer> ready_;  // made, and not handed out
};
using Generation_ = std::shared_ptr<PyGeneration>;

}  // namespace grym::python
