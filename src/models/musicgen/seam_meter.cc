#include "models/musicgen/seam_meter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "dsp/window.h"

namespace grym {

SeamMeter::SeamMeter() : fft_(kSize), window_(MakeWindow(WindowKind::kHann, kSize)) {
  frame_.resize(kSize);
  bins_.resize(static_cast<size_t>(fft_.bins()));
  log_.resize(bins_.size());
  before_.resize(bins_.size());
}

void SeamMeter::Push(std::span<const float> mono) {
  pending_.insert(pending_.end(), mono.begin(), mono.end());
  size_t at = 0;
  for (; at + kSize <= pending_.size(); at += kHop) {
    for (size_t i = 0; i < kSize; ++i) frame_[i] = pending_[at + i] * window_[i];
    fft_.Forward(frame_.data(), bins_.data());
    float flux = 0;
    for (size_t k = 0; k < bins_.size(); ++k) {
      log_[k] = std::log1p(1000 * std::abs(bins_[k]));
      flux += std::abs(log_[k] - before_[k]);
    }
    flux_.push_back(flux_.empty() ? 0 : flux);
    std::swap(log_, before_);
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(at));
}

std::vector<float> SeamMeter::Memory() const {
  std::vector<float> memory = flux_;
  memory.insert(memory.end(), before_.begin(), before_.end());
  memory.insert(memory.end(), pending_.begin(), pending_.end());
  return memory;
}

bool SeamMeter::Recall(int64_t samples, std::span<const float> memory) {
  const int64_t frames = samples < kSize ? 0 : (samples - kSize) / kHop + 1, waiting = samples - frames * kHop;
  if (static_cast<int64_t>(memory.size()) != frames + static_cast<int64_t>(before_.size()) + waiting) return false;
  const auto before = memory.begin() + frames, pending = before + static_cast<std::ptrdiff_t>(before_.size());
  flux_.assign(memory.begin(), before);
  before_.assign(before, pending);
  pending_.assign(pending, memory.end());
  return true;
}

double SeamMeter::ratio() const {
  const auto count = static_cast<int64_t>(flux_.size());
  // The largest of three neighbours, at seams as elsewhere: a seam may lie between two frames.
  const auto change = [&](int64_t frame) {
    double largest = 0;
    for (int64_t f = std::max<int64_t>(1, frame - 1); f <= std::min(count - 1, frame + 1); ++f)
      largest = std::max(largest, static_cast<double>(flux_[static_cast<size_t>(f)]));
    return largest;
  };
  double at_seams = 0, all = 0;
  int64_t heard = 0;
  for (const int64_t seam : seams_) {
    const int64_t frame = (seam - kSize / 2) / kHop;
    if (frame < 1 || frame >= count) continue;
    at_seams += change(frame);
    ++heard;
  }
  if (heard == 0) return 1;
  for (int64_t f = 1; f < count; ++f) all += change(f);
  all /= static_cast<double>(count - 1);
  return all > 0 ? at_seams / static_cast<double>(heard) / all : 1;
}

}  // namespace grym
