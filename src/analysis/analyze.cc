#include "analysis/analyze.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "analysis/ears.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kBlockFrames = 32768;

template <class Take>
void InPieces(const AudioBuffer& block, Take take) {
  std::array<const float*, AudioBuffer::kMaxChannels> channels;
  const auto count = static_cast<size_t>(block.channels());
  for (int64_t at = 0; at < block.frames(); at += Ears::kMostFrames) {
    for (size_t c = 0; c < count; ++c) channels[c] = block.channel(static_cast<int>(c)).data() + at;
    take(std::span<const float* const>(channels.data(), count), std::min(Ears::kMostFrames, block.frames() - at));
  }
}

// The ears, and a thread that hears the rest while the caller's hears the spectra.
class Listening {
 public:
  Listening(Ears& ears, int threads) : ears_(ears) {
    if (threads < 2) return;
    try {
      thread_ = std::thread([this] { HearRests(); });
    } catch (const std::system_error&) {
      // No thread to be had: the caller's hears everything.
    }
  }
  ~Listening() { Stop(true); }
  void Push(AudioBuffer block) {
    if (!thread_.joinable()) {
      InPieces(block, [&](auto channels, int64_t frames) { ears_.Push(channels, frames); });
      return;
    }
    Rest rest;
    InPieces(block, [&](auto channels, int64_t frames) {
      const std::span<const float> heard = ears_.HearSpectra(channels, frames);
      rest.at_analysis.insert(rest.at_analysis.end(), heard.begin(), heard.end());
    });
    rest.block = std::move(block);
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return rests_.size() < kMostRests || failure_; });
    rests_.push_back(std::move(rest));
    changed_.notify_all();
  }
  // Afterwards the ears are the caller's alone. Throws what the thread threw.
  void Finish() {
    Stop(false);
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  static constexpr size_t kMostRests = 4;
  struct Rest {
    AudioBuffer block;
    std::vector<float> at_analysis;
  };

  void Stop(bool at_once) {
    if (!thread_.joinable()) return;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
      if (at_once) rests_.clear();
      changed_.notify_all();
    }
    thread_.join();
  }
  void HearRests() {
    try {
      for (Rest rest; Next(rest);) {
        std::span<const float> at_analysis = rest.at_analysis;
        InPieces(rest.block, [&](auto channels, int64_t frames) {
          ears_.HearRest(channels, frames, at_analysis);
          at_analysis = {};  // all of it with the first piece
        });
      }
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }
  bool Next(Rest& rest) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return over_ || !rests_.empty(); });
    if (rests_.empty()) return false;
    rest = std::move(rests_.front());
    rests_.pop_front();
    changed_.notify_all();
    return true;
  }

  Ears& ears_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Rest> rests_;
  std::exception_ptr failure_;
  bool over_ = false;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace

absl::StatusOr<AudioFeatures> AnalyzeSource(BlockSource& source, const RunOptions& run, int threads,
                                            const AnalysisParts& parts) {
  if (source.rate_hz() < AudioBuffer::kMinRateHz) {
    return Error(
        absl::StatusCode::kInvalidArgument, "bad_rate",
        Formatted("analyse: want a rate of at least %d Hz, got %d", AudioBuffer::kMinRateHz, source.rate_hz()));
  }
  ProgressReporter progress(run);
  AudioFeatures features;
  features.rate_hz = source.rate_hz();
  features.channels = source.channels();
  Ears ears(source.channels(), source.rate_hz(), parts);
  Listening listening(ears, threads);
  while (true) {
    GRYM_RETURN_IF_ERROR(progress.Check());
    GRYM_ASSIGN_OR_RETURN(AudioBuffer block, source.Read(kBlockFrames));
    if (block.frames() == 0) break;
    features.frames += block.frames();
    listening.Push(std::move(block));
    if (source.frames() > 0) {
      progress.Report(0.78 * static_cast<double>(features.frames) / static_cast<double>(source.frames()), "listen");
    }
  }
  if (features.frames == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "no_frames",
                 "analyse: want at least one frame, got an empty recording");
  }
  listening.Finish();
  features.duration_s = static_cast<double>(features.frames) / features.rate_hz;
  features.condition.replaced_samples = source.replaced_samples();
  GRYM_RETURN_IF_ERROR(ears.Finish(features, progress));
  progress.Report(1, "done");
  return features;
}

}  // namespace grym
