#include "audio/quantizer.h"

#include <algorithm>
#include <cmath>

namespace grym {

Quantizer::Quantizer(const AudioBuffer& audio, int bits, bool dither, uint64_t seed)
    : audio_(audio),
      scale_(std::ldexp(1.0, bits - 1)),
      low_(-scale_),
      high_(scale_ - 1),
      dither_(dither),
      random_(seed, "dither") {
  if (dither_) FindSilence(0);
}

void Quantizer::FindSilence(int64_t from) {
  const auto silent = [&](int64_t frame) {
    for (int c = 0; c < audio_.channels(); ++c) {
      if (audio_.channel(c)[static_cast<size_t>(frame)] != 0) return false;
    }
    return true;
  };
  silence_begin_ = silence_end_ = from;
  while (silence_begin_ < audio_.frames()) {
    silence_end_ = silence_begin_;
    while (silence_end_ < audio_.frames() && silent(silence_end_)) ++silence_end_;
    if (silence_end_ - silence_begin_ >= kSilentRunFrames) return;
    silence_begin_ = silence_end_ + 1;
  }
  silence_begin_ = silence_end_ = audio_.frames();
}

void Quantizer::Next(std::span<int32_t> interleaved) {
  const auto channels = static_cast<size_t>(audio_.channels());
  const auto frames = static_cast<int64_t>(interleaved.size() / channels);
  for (int64_t i = 0; i < frames; ++i, ++position_) {
    if (dither_ && position_ >= silence_end_ && silence_end_ < audio_.frames()) FindSilence(position_);
    const bool silence = position_ >= silence_begin_ && position_ < silence_end_;
    for (size_t c = 0; c < channels; ++c) {
      double value = audio_.channel(static_cast<int>(c))[static_cast<size_t>(position_)] * scale_;
      if (dither_) {
        const uint64_t draw = random_.Next();  // its two halves are the two uniform draws
        const double triangle = (static_cast<double>(draw >> 32) - static_cast<double>(draw & 0xffffffff)) * 0x1.0p-32;
        if (!silence) value += triangle;
      }
      interleaved[static_cast<size_t>(i) * channels + c] =
          static_cast<int32_t>(std::clamp(std::nearbyint(value), low_, high_));
    }
  }
}

}  // namespace grym
