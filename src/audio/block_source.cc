#include "audio/block_source.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "audio/stream_resampler.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

absl::Status CheckBlockFrames(int64_t max_frames) {
  if (max_frames > 0) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "bad_block",
               Formatted("max_frames: want more than 0, got %d", max_frames));
}

class BufferSource : public BlockSource {
 public:
  explicit BufferSource(const AudioBuffer& audio) : audio_(audio) {}
  int channels() const override { return audio_.channels(); }
  int rate_hz() const override { return audio_.rate_hz(); }
  int64_t frames() const override { return audio_.frames(); }
  absl::StatusOr<AudioBuffer> Read(int64_t max_frames) override {
    GRYM_RETURN_IF_ERROR(CheckBlockFrames(max_frames));
    AudioBuffer block = audio_.Slice(position_, max_frames);
    position_ += block.frames();
    replaced_ += block.ReplaceNonFinite();
    return block;
  }
  absl::Status Rewind() override {
    position_ = 0;
    replaced_ = 0;
    return absl::OkStatus();
  }
  int64_t replaced_samples() const override { return replaced_; }

 private:
  const AudioBuffer& audio_;
  int64_t position_ = 0;
  int64_t replaced_ = 0;
};

class FileSource : public BlockSource {
 public:
  explicit FileSource(AudioReader reader) : reader_(std::move(reader)) {}
  int channels() const override { return reader_.info().channels; }
  int rate_hz() const override { return reader_.info().rate_hz; }
  int64_t frames() const override { return reader_.info().frames; }
  absl::StatusOr<AudioBuffer> Read(int64_t max_frames) override { return reader_.Read(max_frames); }
  absl::Status Rewind() override { return reader_.Rewind(); }
  int64_t replaced_samples() const override { return reader_.replaced_samples(); }

 private:
  AudioReader reader_;
};

class ResamplingSource : public BlockSource {
 public:
  ResamplingSource(std::unique_ptr<BlockSource> source, StreamResampler resampler)
      : source_(std::move(source)), resampler_(std::move(resampler)) {}
  int channels() const override { return source_->channels(); }
  int rate_hz() const override { return resampler_.to_rate_hz(); }
  int64_t frames() const override {
    const int64_t from = source_->frames();
    return from < 0 ? -1 : ResampledFrames(from, resampler_.from_rate_hz(), resampler_.to_rate_hz());
  }
  absl::StatusOr<AudioBuffer> Read(int64_t max_frames) override {
    GRYM_RETURN_IF_ERROR(CheckBlockFrames(max_frames));
    while (pending_.frames() - taken_ < max_frames && !finished_) {
      const int64_t missing = max_frames - (pending_.frames() - taken_);
      GRYM_RETURN_IF_ERROR(Fill(missing));
    }
    AudioBuffer block = pending_.Slice(taken_, max_frames);
    taken_ += block.frames();
    // An empty block must still say its rate and channels.
    if (block.empty()) return AudioBuffer::Create(channels(), 0, rate_hz());
    return block;
  }
  absl::Status Rewind() override {
    GRYM_RETURN_IF_ERROR(source_->Rewind());
    resampler_.Reset();
    pending_ = AudioBuffer();
    taken_ = 0;
    finished_ = false;
    return absl::OkStatus();
  }
  int64_t replaced_samples() const override { return source_->replaced_samples(); }

 private:
  // Reads about as much as `missing` output frames need, in blocks that never outgrow kMaxStep.
  absl::Status Fill(int64_t missing) {
    constexpr int64_t kMaxStep = 65536;
    const double ratio = static_cast<double>(resampler_.from_rate_hz()) / resampler_.to_rate_hz();
    const auto wanted = static_cast<int64_t>(std::ceil(static_cast<double>(missing) * ratio));
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer input, source_->Read(std::clamp<int64_t>(wanted, 256, kMaxStep)));
    finished_ = input.empty();
    GRYM_ASSIGN_OR_RETURN(AudioBuffer made, finished_ ? resampler_.Finish() : resampler_.Push(input));
    if (taken_ == pending_.frames()) {
      pending_ = std::move(made);
    } else {
      pending_ = pending_.Slice(taken_, pending_.frames() - taken_);
      GRYM_RETURN_IF_ERROR(pending_.Append(made));
    }
    taken_ = 0;
    return absl::OkStatus();
  }

  std::unique_ptr<BlockSource> source_;
  StreamResampler resampler_;
  AudioBuffer pending_;
  int64_t taken_ = 0;  // frames of pending_ that were handed out
  bool finished_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlockSource>> OpenInput(const AudioInput& input, const AudioLimits& limits) {
  if (const AudioBuffer* audio = input.audio()) return std::make_unique<BufferSource>(*audio);
  if (!input.path())
    return Error(absl::StatusCode::kInvalidArgument, "bad_input", "audio input: want a buffer or a path, got null");
  GRYM_ASSIGN_OR_RETURN(AudioReader reader, AudioReader::Open(*input.path(), limits));
  return std::make_unique<FileSource>(std::move(reader));
}

absl::StatusOr<std::unique_ptr<BlockSource>> ResampledSource(std::unique_ptr<BlockSource> source, int rate_hz,
                                                             ResampleQuality quality) {
  if (source->rate_hz() == rate_hz) return source;
  GRYM_ASSIGN_OR_RETURN(StreamResampler resampler,
                        StreamResampler::Create(source->channels(), source->rate_hz(), rate_hz, quality));
  return std::make_unique<ResamplingSource>(std::move(source), std::move(resampler));
}

}  // namespace grym
