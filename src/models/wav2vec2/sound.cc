#include "models/wav2vec2/sound.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kReadFrames = 1 << 15;

// Every block mixed to one channel, so that only one is resampled.
class MonoSource : public BlockSource {
 public:
  explicit MonoSource(std::unique_ptr<BlockSource> source) : source_(std::move(source)) {}
  int channels() const override { return 1; }
  int rate_hz() const override { return source_->rate_hz(); }
  int64_t frames() const override { return source_->frames(); }
  absl::StatusOr<AudioBuffer> Read(int64_t max_frames) override {
    GRYM_ASSIGN_OR_RETURN(AudioBuffer block, source_->Read(max_frames));
    if (block.channels() == 1) return block;
    return MixChannels(block, 1);
  }
  absl::Status Rewind() override { return source_->Rewind(); }
  int64_t replaced_samples() const override { return source_->replaced_samples(); }

 private:
  const std::unique_ptr<BlockSource> source_;
};

}  // namespace

SoundMeter::SoundMeter(const Wav2Vec2Config& config)
    : normalise_(config.normalise),
      patches_wanted_(!config.norm_every_conv),
      kernel_(config.conv_kernel[0]),
      stride_(config.conv_stride[0]) {
  if (!patches_wanted_) return;
  patch_sum_.resize(static_cast<size_t>(kernel_));
  patch_products_.resize(static_cast<size_t>(kernel_ * kernel_));
}

void SoundMeter::AddPatch(const float* patch) {
  ++patches_;
  for (size_t i = 0; i < patch_sum_.size(); ++i) {
    const double x = patch[i];
    patch_sum_[i] += x;
    double* const row = patch_products_.data() + i * patch_sum_.size();
    for (size_t j = 0; j <= i; ++j) row[j] += x * patch[j];
  }
}

void SoundMeter::Push(std::span<const float> samples) {
  for (const float sample : samples) {
    sum_ += sample;
    squares_ += static_cast<double>(sample) * sample;
  }
  samples_ += static_cast<int64_t>(samples.size());
  if (!patches_wanted_) return;
  held_.insert(held_.end(), samples.begin(), samples.end());
  for (; next_patch_ + kernel_ <= samples_; next_patch_ += stride_) AddPatch(held_.data() + (next_patch_ - held_from_));
  const int64_t done = std::min(next_patch_, samples_) - held_from_;
  held_.erase(held_.begin(), held_.begin() + done);
  held_from_ += done;
}

SoundStatistics SoundMeter::Finish() const {
  SoundStatistics found;
  found.samples = samples_;
  const double count = static_cast<double>(std::max<int64_t>(samples_, 1));
  if (normalise_) {
    found.mean = sum_ / count;
    const double variance = std::max(0.0, squares_ / count - found.mean * found.mean);
    found.inverse_deviation = 1 / std::sqrt(variance + 1e-7);
  }
  if (!patches_wanted_ || patches_ == 0) return found;
  const size_t kernel = patch_sum_.size();
  const double patches = static_cast<double>(patches_), scale = found.inverse_deviation;
  found.patch_covariance.resize(kernel * kernel);
  for (size_t i = 0; i < kernel; ++i) {
    found.patch_mean.push_back((patch_sum_[i] / patches - found.mean) * scale);
    for (size_t j = 0; j <= i; ++j) {
      const double product = patch_products_[i * kernel + j] / patches;
      const double covariance = product - patch_sum_[i] / patches * (patch_sum_[j] / patches);
      found.patch_covariance[i * kernel + j] = found.patch_covariance[j * kernel + i] = covariance * scale * scale;
    }
  }
  return found;
}

absl::StatusOr<std::unique_ptr<BlockSource>> OpenMono(const AudioInput& input, int rate_hz) {
  GRYM_ASSIGN_OR_RETURN(std::unique_ptr<BlockSource> source, OpenInput(input));
  if (source->channels() > 1) source = std::make_unique<MonoSource>(std::move(source));
  return ResampledSource(std::move(source), rate_hz, ResampleQuality::kBest);
}

absl::StatusOr<std::span<const float>> SampleStretch::Read(int64_t begin, int64_t count) {
  while (held_from_ + static_cast<int64_t>(held_.size()) < begin + count) {
    const int64_t passed = std::min<int64_t>(begin - held_from_, static_cast<int64_t>(held_.size()));
    held_.erase(held_.begin(), held_.begin() + passed);
    held_from_ += passed;
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, source_.Read(kReadFrames));
    if (block.frames() == 0) {
      return Error(absl::StatusCode::kDataLoss, "audio_changed",
                   Formatted("wav2vec2: want %d frames of audio as measured before, got %d", begin + count,
                             held_from_ + static_cast<int64_t>(held_.size())));
    }
    held_.insert(held_.end(), block.channel(0).begin(), block.channel(0).end());
  }
  return std::span<const float>(held_).subspan(static_cast<size_t>(begin - held_from_), static_cast<size_t>(count));
}

std::vector<EncodeWindow> PlanWindows(int64_t frames, int64_t longest, int64_t context) {
  std::vector<EncodeWindow> windows;
  for (int64_t kept = 0; kept < frames;) {
    EncodeWindow window;
    window.first = std::min(std::max<int64_t>(kept - context, 0), std::max<int64_t>(frames - longest, 0));
    window.frames = std::min(longest, frames - window.first);
    const bool last = window.first + window.frames == frames;
    window.keep_from = kept;
    window.keep_frames = (last ? frames : window.first + window.frames - context) - kept;
    kept += window.keep_frames;
    windows.push_back(window);
  }
  return windows;
}

}  // namespace grym
