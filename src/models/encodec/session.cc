#include "models/encodec/session.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "audio/block_source.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "runtime/host_scope.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

absl::Status PoisonedCodec() {
  return Error(absl::StatusCode::kFailedPrecondition, "poisoned_session",
               "encodec: want a new session after a run that did not end well");
}

// Every block mixed before it is resampled.
class MixedSource : public BlockSource {
 public:
  MixedSource(std::unique_ptr<BlockSource> source, int channels) : source_(std::move(source)), channels_(channels) {}
  int channels() const override { return channels_; }
  int rate_hz() const override { return source_->rate_hz(); }
  int64_t frames() const override { return source_->frames(); }
  absl::StatusOr<AudioBuffer> Read(int64_t max_frames) override {
    GRYM_ASSIGN_OR_RETURN(AudioBuffer block, source_->Read(max_frames));
    if (block.channels() == channels_) return block;
    return MixChannels(block, channels_);
  }
  absl::Status Rewind() override { return source_->Rewind(); }
  int64_t replaced_samples() const override { return source_->replaced_samples(); }

 private:
  const std::unique_ptr<BlockSource> source_;
  const int channels_;
};

at::Tensor WaveOfBlock(const AudioBuffer& block) {
  at::Tensor wave = at::empty({block.channels(), block.frames()}, at::kFloat);
  float* to = wave.mutable_data_ptr<float>();
  for (int channel = 0; channel < block.channels(); ++channel) {
    to = std::copy(block.channel(channel).begin(), block.channel(channel).end(), to);
  }
  return wave;
}

// Frames [begin, begin + count) of every `streams`th book from `stream` on.
at::Tensor CodesOf(const AudioCodes& codes, int64_t stream, int64_t streams, int64_t begin, int64_t count) {
  at::Tensor part = at::empty({codes.books / streams, count}, at::kLong);
  int64_t* to = part.mutable_data_ptr<int64_t>();
  for (int64_t book = stream; book < codes.books; book += streams) {
    const auto first = codes.values.begin() + (book * codes.frames + begin);
    to = std::copy(first, first + count, to);
  }
  return part;
}

// The channels of `sound` from `first` on, behind the `made` frames that are there; no more than the sound is to have.
absl::Status KeepSound(const at::Tensor& wave, int64_t first, int64_t made, AudioBuffer& sound) {
  const int64_t count = std::min(wave.size(1), sound.frames() - made);
  for (int64_t channel = 0; channel < wave.size(0); ++channel) {
    const float* const from = wave.const_data_ptr<float>() + channel * wave.size(1);
    if (!std::all_of(from, from + count, [](float sample) { return std::isfinite(sample); })) {
      return Error(absl::StatusCode::kInternal, "non_finite_result", "encodec: want finite samples, got others");
    }
    std::copy(from, from + count, sound.mutable_channel(static_cast<int>(first + channel)).begin() + made);
  }
  return absl::OkStatus();
}

}  // namespace

template <class T>
absl::StatusOr<T> EncodecCodec::Kept(absl::StatusOr<T> result) {
  poisoned_ = poisoned_ || !result.ok();
  return result;
}

absl::StatusOr<AudioCodes> EncodecCodec::Encode(const AudioBuffer& audio, const RunOptions& run) {
  if (poisoned_) return PoisonedCodec();
  if (audio.frames() == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "audio_too_short", "encodec: want a frame of audio, got none");
  }
  return Kept(EncodeAll(audio, run));
}

absl::StatusOr<AudioCodes> EncodecCodec::EncodeAll(const AudioBuffer& audio, const RunOptions& given) const {
  const RunOptions run = ForHost(given);
  ProgressReporter progress(run);
  progress.Report(0, "load");
  const double seconds = static_cast<double>(audio.frames()) / audio.rate_hz();
  GRYM_ASSIGN_OR_RETURN(const auto half, halves_->Encoder(seconds, run));
  GRYM_ASSIGN_OR_RETURN(std::unique_ptr<BlockSource> source, OpenInput(audio));
  source = std::make_unique<MixedSource>(std::move(source), channels());
  GRYM_ASSIGN_OR_RETURN(source, ResampledSource(std::move(source), rate_hz(), ResampleQuality::kBest));

  const BudgetScope scope(half.lease);
  std::vector<std::vector<int32_t>> rows(static_cast<size_t>(books()));
  AudioCodes codes;
  const int64_t streams = halves_->streams(), each = halves_->config().audio_channels;
  const auto keep = [&](const at::Tensor& made, int64_t stream) {
    const int64_t* value = made.const_data_ptr<int64_t>();
    for (int64_t row = stream; row < books(); row += streams) {
      std::vector<int32_t>& to = rows[static_cast<size_t>(row)];
      for (int64_t i = 0; i < made.size(1); ++i) to.push_back(static_cast<int32_t>(*value++));
    }
  };
  const absl::Status done = TorchGuard("encodec", [&]() -> absl::Status {
    std::vector<std::unique_ptr<EncodecEncoder::Stream>> coders;
    for (int64_t i = 0; i < streams; ++i)
      coders.push_back(std::make_unique<EncodecEncoder::Stream>(*half.net, kEncodecChunkSamples));
    while (true) {
      progress.Report(static_cast<double>(codes.sound_frames) / (seconds * rate_hz() + 1), "encode");
      GRYM_RETURN_IF_ERROR(progress.Check());
      GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, source->Read(kCodecBlockSamples));
      if (block.frames() == 0) break;
      codes.sound_frames += block.frames();
      const at::Tensor wave = WaveOfBlock(block);
      for (int64_t i = 0; i < streams; ++i) {
        const at::Tensor made = coders[static_cast<size_t>(i)]->Push(wave.narrow(0, i * each, each), run.cancel);
        GRYM_RETURN_IF_ERROR(progress.Check());
        keep(made, i);
      }
    }
    if (codes.sound_frames == 0) {
      // Less than half a sample at the codec's rate.
      return Error(absl::StatusCode::kInvalidArgument, "audio_too_short",
                   Formatted("encodec: want a frame of audio at %d Hz, got none", rate_hz()));
    }
    for (int64_t i = 0; i < streams; ++i) keep(coders[static_cast<size_t>(i)]->Finish(), i);
    return absl::OkStatus();
  });
  GRYM_RETURN_IF_ERROR(done);
  codes.books = books();
  codes.frames = static_cast<int64_t>(rows[0].size());
  codes.frame_rate_hz = halves_->config().frame_rate_hz();
  for (const std::vector<int32_t>& row : rows) codes.values.insert(codes.values.end(), row.begin(), row.end());
  progress.Report(1, "encode");
  return codes;
}

absl::Status EncodecCodec::CheckCodes(const AudioCodes& codes) const {
  const auto bad = [](const std::string& text) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_codes", "encodec: " + text);
  };
  if (codes.books < 1 || codes.books > books()) {
    return bad(Formatted("want 1 to %d books, got %d", books(), codes.books));
  }
  if (codes.books % halves_->streams() != 0) {
    return bad(Formatted("want a whole number of books for each of %d streams, got %d", halves_->streams(),
                         codes.books));
  }
  const auto size = static_cast<int64_t>(codes.values.size());
  if (codes.frames < 1 || codes.frames > size || codes.books * codes.frames != size) {
    return bad(Formatted("want as many values as %d books have in %d frames, a frame at least, got %d", codes.books,
                         codes.frames, size));
  }
  for (int64_t i = 0; i < size; ++i) {
    const int32_t value = codes.values[static_cast<size_t>(i)];
    if (value >= 0 && value < book_size()) continue;
    return bad(Formatted("want values in [0, %d), got %d in book %d, frame %d", book_size(), value, i / codes.frames,
                         i % codes.frames));
  }
  const double rate = halves_->config().frame_rate_hz();
  if (codes.frame_rate_hz != 0 && !(std::fabs(codes.frame_rate_hz - rate) <= 1e-6 * rate)) {
    return bad(Formatted("want %.9g frames a second, got %.9g: are they another codec's?", rate, codes.frame_rate_hz));
  }
  const int64_t most = codes.frames * halves_->config().hop();
  if (codes.sound_frames < 0 || codes.sound_frames > most) {
    return bad(Formatted("want sound_frames in [0, %d], got %d", most, codes.sound_frames));
  }
  return absl::OkStatus();
}

absl::StatusOr<AudioBuffer> EncodecCodec::Decode(const AudioCodes& codes, const RunOptions& run) {
  if (poisoned_) return PoisonedCodec();
  GRYM_RETURN_IF_ERROR(CheckCodes(codes));
  return Kept(DecodeAll(codes, run));
}

absl::StatusOr<AudioBuffer> EncodecCodec::DecodeAll(const AudioCodes& codes, const RunOptions& given) const {
  const RunOptions run = ForHost(given);
  ProgressReporter progress(run);
  progress.Report(0, "load");
  const int64_t frames = codes.frames, whole = frames * halves_->config().hop();
  GRYM_ASSIGN_OR_RETURN(const auto half, halves_->Decoder(frames, run));
  const int64_t wanted = codes.sound_frames > 0 ? codes.sound_frames : whole;
  GRYM_ASSIGN_OR_RETURN(AudioBuffer sound, AudioBuffer::Create(channels(), wanted, rate_hz()));
  const BudgetScope scope(half.lease);
  const int64_t streams = halves_->streams(), each = halves_->config().audio_channels;
  const absl::Status done = TorchGuard("encodec", [&]() -> absl::Status {
    const int64_t chunk = std::min(frames, kEncodecChunkFrames);
    std::vector<std::unique_ptr<EncodecDecoder::Stream>> coders;
    for (int64_t i = 0; i < streams; ++i)
      coders.push_back(std::make_unique<EncodecDecoder::Stream>(*half.net, chunk));
    int64_t made = 0;  // frames of every stream
    for (int64_t at = 0; at < frames; at += chunk) {
      progress.Report(static_cast<double>(at) / static_cast<double>(frames), "decode");
      int64_t more = 0;
      for (int64_t i = 0; i < streams; ++i) {
        const at::Tensor codes_now = CodesOf(codes, i, streams, at, std::min(chunk, frames - at));
        const at::Tensor wave = coders[static_cast<size_t>(i)]->Push(codes_now, run.cancel);
        GRYM_RETURN_IF_ERROR(progress.Check());
        GRYM_RETURN_IF_ERROR(KeepSound(wave, i * each, made, sound));
        more = wave.size(1);
      }
      made += more;
    }
    for (int64_t i = 0; i < streams; ++i)
      GRYM_RETURN_IF_ERROR(KeepSound(coders[static_cast<size_t>(i)]->Finish(), i * each, made, sound));
    return absl::OkStatus();
  });
  GRYM_RETURN_IF_ERROR(done);
  progress.Report(1, "decode");
  return sound;
}

}  // namespace grym
