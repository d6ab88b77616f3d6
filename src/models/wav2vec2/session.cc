#include "models/wav2vec2/session.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "runtime/host_scope.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

constexpr int64_t kMeasureFrames = 1 << 16;
constexpr double kMeasuredAt = 0.02, kLoadedAt = 0.05;  // of the progress

// Rows [from, from + count) of a state, behind what is in `kept` already.
void Keep(const at::Tensor& state, int64_t from, int64_t count, FloatArray& kept) {
  const at::Tensor rows = state.narrow(0, from, count).to(at::kCPU, at::kFloat).contiguous();
  if (kept.shape.empty()) kept.shape = {0, rows.size(1)};
  kept.shape[0] += count;
  const float* const values = rows.const_data_ptr<float>();
  kept.values.insert(kept.values.end(), values, values + rows.numel());
}

}  // namespace

// What a run over windows carries from one to the next.
struct Wav2Vec2Session::Work {
  const Wav2Vec2Net& net;
  const SoundStatistics& statistics;
  const Wav2Vec2Wants& wants;
  const bool want_last;
  SampleStretch stretch;
  std::function<absl::Status()> between;
  Wav2Vec2Heard heard;
  std::vector<double> sum;
};

std::vector<int32_t> CollapseCtc(const std::vector<int32_t>& ids, int64_t blank) {
  std::vector<int32_t> kept;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != blank && (i == 0 || ids[i] != ids[i - 1])) kept.push_back(ids[i]);
  }
  return kept;
}

WindowFrames FramesOfWindows(const Wav2Vec2Config& config, const Wav2Vec2Windows& windows) {
  const double per_second = static_cast<double>(config.rate_hz) / static_cast<double>(config.SamplesPerFrame());
  WindowFrames frames;
  frames.context = std::max<int64_t>(0, std::llround(windows.context_s * per_second));
  frames.longest = std::max<int64_t>(2 * frames.context + 1, std::llround(windows.longest_s * per_second));
  return frames;
}

absl::StatusOr<std::vector<float>> Wav2Vec2Session::Embed(const AudioBuffer& audio, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(Wav2Vec2Heard heard, Listen(audio, {}, false, run));
  double squares = 0;
  for (const float value : heard.mean) squares += static_cast<double>(value) * value;
  const double length = std::sqrt(squares);
  for (float& value : heard.mean) value = length > 0 ? static_cast<float>(value / length) : 0.0f;
  return std::move(heard.mean);
}

absl::StatusOr<std::vector<FloatArray>> Wav2Vec2Session::HiddenStates(const AudioBuffer& audio, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(Wav2Vec2Heard heard, Listen(audio, {.hidden_states = true}, false, run));
  return std::move(heard.hidden_states);
}

absl::StatusOr<std::string> Wav2Vec2Session::Transcribe(const AudioBuffer& audio, const RunOptions& run) {
  if (!letters_) return Embedder::Transcribe(audio, run);
  GRYM_RETURN_IF_ERROR(letters_->status());
  GRYM_ASSIGN_OR_RETURN(const Wav2Vec2Heard heard, Listen(audio, {.letters = true}, false, run));
  return letters_->value()->Decode(heard.ctc_ids);
}

absl::StatusOr<SoundStatistics> Wav2Vec2Session::Measure(BlockSource& source, const RunOptions& run) const {
  SoundMeter meter(config_);
  while (true) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, source.Read(kMeasureFrames));
    if (block.frames() == 0) break;
    meter.Push(block.channel(0));
  }
  SoundStatistics statistics = meter.Finish();
  if (config_.FramesOf(statistics.samples) == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "audio_too_short",
                 Formatted("wav2vec2: want at least %d frames of audio at %d Hz, got %d", config_.SamplesOf(1),
                           config_.rate_hz, statistics.samples));
  }
  GRYM_RETURN_IF_ERROR(source.Rewind());
  return statistics;
}

absl::Status Wav2Vec2Session::RunWindow(const EncodeWindow& window, Work& work) const {
  const int64_t count = config_.SamplesOf(window.frames);
  GRYM_ASSIGN_OR_RETURN(const std::span<const float> heard,
                        work.stretch.Read(window.first * config_.SamplesPerFrame(), count));
  at::Tensor samples = at::empty({count}, at::kFloat);
  float* const normalised = samples.mutable_data_ptr<float>();
  const auto mean = static_cast<float>(work.statistics.mean);
  const auto scale = static_cast<float>(work.statistics.inverse_deviation);
  for (size_t i = 0; i < heard.size(); ++i) normalised[i] = (heard[i] - mean) * scale;
  GRYM_ASSIGN_OR_RETURN(const Wav2Vec2States states, work.net(samples, work.statistics, work.wants, work.between));

  const int64_t from = window.keep_from - window.first, frames = window.keep_frames;
  if (work.wants.extract_features) Keep(states.extract_features, from, frames, work.heard.extract_features);
  work.heard.hidden_states.resize(states.hidden_states.size());
  for (size_t i = 0; i < states.hidden_states.size(); ++i) {
    Keep(states.hidden_states[i], from, frames, work.heard.hidden_states[i]);
  }
  if (work.want_last) Keep(states.last_hidden_state, from, frames, work.heard.last_hidden_state);
  if (states.logits.defined()) {
    if (work.wants.logits) Keep(states.logits, from, frames, work.heard.logits);
    const at::Tensor best = states.logits.narrow(0, from, frames).argmax(1).to(at::kCPU);
    const int64_t* const ids = best.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < frames; ++i) work.heard.ctc_ids.push_back(static_cast<int32_t>(ids[i]));
  }
  const at::Tensor sum = states.last_hidden_state.narrow(0, from, frames).sum(0, false, at::kDouble).to(at::kCPU);
  const double* const sums = sum.const_data_ptr<double>();
  for (size_t i = 0; i < work.sum.size(); ++i) {
    if (!std::isfinite(sums[i])) {
      return Error(absl::StatusCode::kInternal, "non_finite_result",
                   Formatted("wav2vec2: want finite numbers, the window at frame %d has others", window.first));
    }
    work.sum[i] += sums[i];
  }
  ++work.heard.windows;
  return absl::OkStatus();
}

absl::StatusOr<Wav2Vec2Heard> Wav2Vec2Session::Listen(const AudioInput& input, const Wav2Vec2Wants& wants,
                                                      bool want_last, const RunOptions& given) {
  const RunOptions run = ForHost(given);
  ProgressReporter progress(run);
  progress.Report(0, "measure");
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenMono(input, config_.rate_hz));
  GRYM_ASSIGN_OR_RETURN(const SoundStatistics statistics, Measure(*source, run));
  const int64_t frames = config_.FramesOf(statistics.samples);
  const WindowFrames limits = FramesOfWindows(config_, windows_);
  progress.Report(kMeasuredAt, "load");
  const RunOptions loading = PartOf(run, kMeasuredAt, kLoadedAt);
  GRYM_ASSIGN_OR_RETURN(const Run started, start_(std::min(frames, limits.longest), wants, loading));
  const BudgetScope scope(started.lease);
  progress.Report(kLoadedAt, "encode");

  const std::vector<EncodeWindow> windows = PlanWindows(frames, limits.longest, limits.context);
  Work work{*started.net, statistics, wants, want_last, SampleStretch(*source), {}, {},
            std::vector<double>(static_cast<size_t>(config_.hidden))};
  for (size_t i = 0; i < windows.size(); ++i) {
    work.between = [&] {
      progress.Report(kLoadedAt + (1 - kLoadedAt) * static_cast<double>(i) / static_cast<double>(windows.size()),
                      "encode");
      return run.cancel.Check();
    };
    GRYM_RETURN_IF_ERROR(TorchGuard("wav2vec2", [&]() -> absl::Status { return RunWindow(windows[i], work); }));
  }
  for (const double sum : work.sum) work.heard.mean.push_back(static_cast<float>(sum / static_cast<double>(frames)));
  progress.Report(1, "encode");
  return std::move(work.heard);
}

}  // namespace grym
