#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <utility>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "models/musicgen/generator.h"
#include "runtime/host_scope.h"

namespace grym {
namespace {

using StreamClock = std::chrono::steady_clock;

}  // namespace

MusicgenStream::MusicgenStream(std::shared_ptr<const MusicgenModel> model, const GenerateAudioRequest& request)
    : model_(std::move(model)), run_(model_, {request}) {}

MusicgenStream::MusicgenStream(std::shared_ptr<const MusicgenModel> model, SavedPiece saved)
    : model_(std::move(model)), saved_(std::move(saved)), run_(model_, {saved_->request}), given_(saved_->given) {}

// Until there is something to give, or all was given.
absl::Status MusicgenStream::Advance(const RunOptions& run) {
  if (!run_.prepared()) {
    GRYM_RETURN_IF_ERROR(saved_ ? run_.PrepareFrom(*saved_, run) : run_.Prepare(run));
    skip_ = given_ - run_.maker().taken(0);
    saved_.reset();
  }
  PieceMaker& maker = run_.maker();
  ProgressReporter progress(run);
  while (true) {
    std::vector<std::vector<float>> more = maker.TakeSamples(0);
    const auto there = static_cast<int64_t>(more[0].size());
    const int64_t skipped = std::min(skip_, there);
    for (std::vector<float>& channel : more)
      channel.erase(channel.begin(), channel.begin() + static_cast<std::ptrdiff_t>(skipped));
    skip_ -= skipped;
    if (there > skipped || maker.done()) {
      waiting_ = std::move(more);
      return absl::OkStatus();
    }
    GRYM_RETURN_IF_ERROR(maker.Step(run.cancel));
    progress.Report(maker.fraction(), "tokens");
  }
}

absl::StatusOr<AudioBuffer> MusicgenStream::Next(const RunOptions& given) {
  GRYM_RETURN_IF_ERROR(failed_);
  const RunOptions run = ForHost(given);
  const StreamClock::time_point start = StreamClock::now();
  const absl::Status status = run_.Guarded(run, [&] { return Advance(run); });
  worked_s_ += std::chrono::duration<double>(StreamClock::now() - start).count();
  if (absl::IsCancelled(status)) return status;
  failed_ = status;
  if (!failed_.ok()) run_.LetGo();
  GRYM_RETURN_IF_ERROR(failed_);
  std::vector<float> planar;
  for (const std::vector<float>& channel : waiting_) planar.insert(planar.end(), channel.begin(), channel.end());
  const auto channels = static_cast<int>(waiting_.size());
  waiting_.clear();
  if (std::any_of(planar.begin(), planar.end(), [](float x) { return !std::isfinite(x); })) {
    failed_ = Error(absl::StatusCode::kInternal, "non_finite_result",
                    "musicgen: want finite samples, the codec gave others");
    run_.LetGo();
    return failed_;
  }
  const int rate_hz = model_->info().rate_hz;
  GRYM_ASSIGN_OR_RETURN(AudioBuffer block, AudioBuffer::FromPlanar(std::move(planar), channels, rate_hz));
  given_ += block.frames();
  if (run_.maker().done() && given_ >= run_.maker().released(0)) run_.LetGo();
  if (first_sound_s_ < 0 && !block.empty()) first_sound_s_ = worked_s_;
  return block;
}

absl::StatusOr<GenerateAudioResult> MusicgenStream::Finish() {
  GRYM_RETURN_IF_ERROR(failed_);
  if (!run_.prepared() || !run_.maker().done() || given_ < run_.maker().released(0)) {
    return Error(absl::StatusCode::kFailedPrecondition, "not_finished",
                 Formatted("musicgen: want the last block given first, got %d frames so far", given_));
  }
  GenerateAudioResult result = run_.ResultOf(0);
  result.facts["first_sound_s"] = Formatted("%.3f", first_sound_s_);
  return result;
}

absl::Status MusicgenStream::Save(const std::filesystem::path& path) const {
  if (!failed_.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition, "stream_failed",
                 "musicgen: want a stream that has not failed, got " + std::string(failed_.message()));
  }
  if (saved_) return SavePiece(path, *saved_);  // nothing was done since it was loaded
  if (!run_.prepared()) {
    return Error(absl::StatusCode::kFailedPrecondition, "not_started",
                 "musicgen: want a stream that gave a block, or was asked for one, got a fresh one");
  }
  return SavePiece(path, run_.Saved(given_));
}

}  // namespace grym
