#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "models/encodec/decoder.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// What one product of a level may make: it and what is made of it next stay in the caches.
constexpr int64_t kLevelBytes = int64_t{3} << 19;
constexpr int64_t kFewestLevelRows = 32;

}  // namespace

EncodecDecoder::Stream::Stream(const EncodecDecoder& decoder, int64_t block_frames)
    : net_(decoder), block_frames_(block_frames), first_(decoder.first_, block_frames) {
  const EncodecConfig& config = decoder.config_;
  int64_t most = first_.most_ready();  // frames that come to a level at once
  latent_ = FrameQueue(config.channels(0), most);
  lstm_ = LstmStream(decoder.lstm_, config.num_lstm_layers, config.channels(0), most);
  for (const Level& level : decoder.levels_) {
    LevelState state;
    state.input = FrameQueue(level.upsample.in, most + 2);
    state.most_rows = std::min(most, std::max(kFewestLevelRows,
                                              kLevelBytes / (4 * level.upsample.ratio * level.upsample.out)));
    most = state.most_rows * level.upsample.ratio;
    for (const EncodecResidual& residual : level.residuals) {
      state.residuals.emplace_back(residual, most);
      most = state.residuals.back().most_ready();
    }
    levels_.push_back(std::move(state));
  }
  last_ = ConvStream(decoder.last_, most);
}

int64_t EncodecDecoder::Stream::bytes() const {
  int64_t sum = first_.bytes() + last_.bytes() + latent_.bytes() + lstm_.bytes();
  for (const LevelState& level : levels_) {
    sum += level.input.bytes();
    for (const ResidualStream& residual : level.residuals) sum += residual.bytes();
  }
  return sum;
}

// The most is made where nothing is held back any more; the answer is a copy of what was made.
int64_t EncodecDecoder::Stream::BytesFor(const EncodecConfig& config, int64_t block_frames) {
  const EncodecDecoder shape(config);
  const int64_t made = (block_frames + LatencyFrames(config)) * config.hop() * config.audio_channels * 4;
  return Stream(shape, block_frames).bytes() + 2 * AllocatedBytes(made) +
         AllocatedBytes(block_frames * config.books() * 8);
}

at::Tensor EncodecDecoder::Stream::Push(const at::Tensor& codes, const CancelToken& cancel) {
  const int64_t most = (frames_in_ + codes.size(1)) * net_.config_.hop() - samples_out_;
  at::Tensor frames = at::empty({most, net_.config_.audio_channels}, at::kFloat);
  const int64_t made = PushTo(codes, cancel, frames.mutable_data_ptr<float>());
  return made < 0 ? at::Tensor() : Planar(frames, made);  // no larger than what was made: the caller may keep it
}

at::Tensor EncodecDecoder::Stream::Finish() {
  const int64_t most = frames_in_ * net_.config_.hop() - samples_out_;
  at::Tensor frames = at::empty({most, net_.config_.audio_channels}, at::kFloat);
  return Planar(frames, FinishTo(frames.mutable_data_ptr<float>()));
}

std::vector<std::span<float>> EncodecDecoder::Stream::Kept() {
  std::vector<std::span<float>> kept = {first_.kept(), last_.kept()};
  for (at::Tensor& state : lstm_.states())
    kept.emplace_back(state.mutable_data_ptr<float>(), static_cast<size_t>(state.numel()));
  for (LevelState& level : levels_) {
    kept.push_back(level.input.kept());
    for (ResidualStream& residual : level.residuals) {
      kept.push_back(residual.kept());
      kept.push_back(residual.kept_within());
    }
  }
  return kept;
}

std::vector<float> EncodecDecoder::Stream::Memory() {
  std::vector<float> memory;
  for (const std::span<float> part : Kept()) memory.insert(memory.end(), part.begin(), part.end());
  return memory;
}

// How much each layer keeps follows from how many frames it saw, and is the same from SettledFrames on: any codes bring
// a stream there, and what it keeps is then put in place. Nothing but numbers is taken from `memory`.
absl::StatusOr<int64_t> EncodecDecoder::Stream::Recall(int64_t frames, std::span<const float> memory) {
  const int64_t seen = std::min(frames, SettledFrames(net_.config_));
  if (seen > 0) Push(at::zeros({1, seen}, at::kLong));
  const std::vector<std::span<float>> kept = Kept();
  size_t wanted = 0;
  for (const std::span<float> part : kept) wanted += part.size();
  if (memory.size() != wanted) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_memory",
                 Formatted("encodec: want %d numbers of a stream of %d frames, got %d", wanted, frames, memory.size()));
  }
  for (const std::span<float> part : kept) {
    std::copy_n(memory.begin(), part.size(), part.begin());
    memory = memory.subspan(part.size());
  }
  return (frames - seen) * net_.config_.hop() + samples_out_;
}

int64_t EncodecDecoder::Stream::PushTo(const at::Tensor& codes, const CancelToken& cancel, float* sink) {
  sink_ = sink;
  sunk_ = 0;
  const int64_t frames = codes.size(1);
  for (int64_t at = 0; at < frames; at += block_frames_) {
    const int64_t count = std::min(block_frames_, frames - at);
    net_.quantizer_.Sum(codes, at, count, first_.Append(count));
    frames_in_ += count;
    cancel_ = &cancel;
    RunLatent(false);
    if (cancel.cancelled()) return -1;
  }
  samples_out_ += sunk_;
  return sunk_;
}

int64_t EncodecDecoder::Stream::FinishTo(float* sink) {
  sink_ = sink;
  sunk_ = 0;
  const CancelToken never;
  cancel_ = &never;
  if (frames_in_ > 0) {
    first_.End();
    RunLatent(true);
  }
  samples_out_ += sunk_;
  return sunk_;
}

void EncodecDecoder::Stream::RunLatent(bool last) {
  const int64_t count = first_.ready();
  if (count > 0) {
    latent_.DropLast(latent_.size());
    float* const latent = latent_.Append(count);
    first_.Run(latent);
    lstm_.Run(latent, count, LevelInput(0, count));
  }
  if (count > 0 || last) RunLevel(0, last);
}

// Behind the frame of the past, which is silence at first.
float* EncodecDecoder::Stream::LevelInput(size_t level, int64_t frames) {
  if (level == levels_.size()) return last_.Append(frames);
  LevelState& state = levels_[level];
  if (!state.begun) {
    const int64_t channels = net_.levels_[level].upsample.in;
    float* const past = state.input.Append(1);
    std::fill(past, past + channels, 0.0f);
    state.begun = true;
    state.trimmed = net_.levels_[level].upsample.trimmed;
  }
  return state.input.Append(frames);
}

void EncodecDecoder::Stream::RunLevel(size_t level, bool last) {
  if (level == levels_.size()) {
    if (last) last_.End();
    const int64_t count = last_.ready();
    last_.Run(sink_ + sunk_ * net_.config_.audio_channels);
    sunk_ += count;
    return;
  }
  if (cancel_->cancelled()) return;
  LevelState& state = levels_[level];
  const int64_t rows = state.input.size() - 1;
  for (int64_t at = 0; at < rows; at += state.most_rows) {
    Upsample(level, at, std::min(state.most_rows, rows - at));
    RunResidual(level, 0, false);
    if (cancel_->cancelled()) return;
  }
  state.input.Drop(std::max<int64_t>(rows, 0));
  if (!last) return;
  // The last frame with silence behind it; of what they make only what the first cut has moved is kept.
  const EncodecUpsample& upsample = net_.levels_[level].upsample;
  float* const beyond = LevelInput(level, 1);
  std::fill(beyond, beyond + upsample.in, 0.0f);
  Upsample(level, 0, 1);
  state.residuals[0].DropLast(upsample.ratio - upsample.trimmed);
  RunResidual(level, 0, true);
}

void EncodecDecoder::Stream::Upsample(size_t level, int64_t at, int64_t rows) {
  const EncodecUpsample& upsample = net_.levels_[level].upsample;
  LevelState& state = levels_[level];
  upsample.matrix.Apply(state.input.at(at), upsample.in, rows, state.residuals[0].Append(rows * upsample.ratio));
  state.residuals[0].Drop(state.trimmed);
  state.trimmed = 0;
}

void EncodecDecoder::Stream::RunResidual(size_t level, size_t index, bool last) {
  LevelState& state = levels_[level];
  const int64_t count = state.residuals[index].Flow(last);
  const bool outermost = index + 1 == state.residuals.size();
  if (count > 0) {
    float* const to = outermost ? LevelInput(level + 1, count) : state.residuals[index + 1].Append(count);
    state.residuals[index].Run(to, outermost);
  }
  if (count == 0 && !last) return;
  if (outermost) return RunLevel(level + 1, last);
  RunResidual(level, index + 1, last);
}

}  // namespace grym
