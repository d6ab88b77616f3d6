// Float to integer samples, with triangular dither.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "grymsynth/audio_buffer.h"

namespace grym {

// Triangular dither of two uniform draws, +-1 LSB: the error's mean and variance no longer depend on the signal.
// Source: Lipshitz, Wannamaker, Vanderkooy 1992, "Quantization and dither: a theoretical survey".
// Differs: a run of at least kSilentRunFrames frames that are exactly 0 on every channel stays 0, so that digital
// silence is kept as such. The draws go on through it: the bytes after a silence do not depend on it. Threads: one at a
// time.
class Quantizer {
 public:
  static constexpr int64_t kSilentRunFrames = 1024;
  // `bits` is 16 or 24. `audio` is borrowed.
  Quantizer(const AudioBuffer& audio, int bits, bool dither, uint64_t seed);
  // The next frames, interleaved, `frames.size() / channels` of them; requires that many to be left.
  void Next(std::span<int32_t> interleaved);

 private:
  // First frame at or after `from` of a run of silence that is long enough, and its end.
  void FindSilence(int64_t from);

  const AudioBuffer& audio_;
  double scale_, low_, high_;
  bool dither_;
  Random random_;
  int64_t position_ = 0, silence_begin_ = 0, silence_end_ = 0;
};

}  // namespace grym
