// Hearing while the audio runs: no call of the stream's own waits, so its handle is found without a lock too.
#include <algorithm>
#include <atomic>
#include <iterator>
#include <limits>
#include <thread>
#include <utility>

#include "call.h"
#include "grymsynth/analysis_stream.h"
#include "json_text.h"

namespace grym::capi {

struct StreamBox {
  explicit StreamBox(std::unique_ptr<AnalysisStream> made) : stream(std::move(made)) {}
  const std::unique_ptr<AnalysisStream> stream;
  std::atomic<bool> pushing{false}, reading{false};
};

namespace {

// The live streams by handle, beside the slab. A reader pins the entry before it looks, and whoever empties it waits
// until nobody has it pinned. What finds its entry taken is found through the slab alone.
class StreamTable {
 public:
  void Add(uintptr_t handle, StreamBox* box) {
    Entry& entry = At(handle);
    StreamBox* none = nullptr;
    if (entry.box.compare_exchange_strong(none, box)) entry.handle.store(handle);
  }
  void Remove(uintptr_t handle) {
    Entry& entry = At(handle);
    if (entry.handle.load() != handle) return;
    entry.handle.store(0);
    while (entry.pins.load() != 0) std::this_thread::yield();
    entry.box.store(nullptr);
  }
  // Answers false where the handle is not in the table.
  template <class Work>
  bool With(uintptr_t handle, Work work) {
    Entry& entry = At(handle);
    entry.pins.fetch_add(1);
    const bool found = handle != 0 && entry.handle.load() == handle;
    if (found) work(*entry.box.load());
    entry.pins.fetch_sub(1);
    return found;
  }

 private:
  struct Entry {
    std::atomic<uintptr_t> handle{0};
    std::atomic<StreamBox*> box{nullptr};
    std::atomic<int> pins{0};
  };
  static constexpr size_t kEntries = 256;
  Entry& At(uintptr_t handle) { return entries_[(handle >> 1) % kEntries]; }
  Entry entries_[kEntries];
};

constinit StreamTable g_streams;

// `work(StreamBox&)` returns absl::Status.
template <class Work>
grym_status WithStream(const grym_analysis_stream* stream, Work work) {
  return Guard([&]() -> absl::Status {
    absl::Status status;
    if (g_streams.With(reinterpret_cast<uintptr_t>(stream), [&](StreamBox& box) { status = work(box); })) return status;
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(stream, "stream"));
    return work(*found);
  });
}

template <class Push>
grym_status PushInto(grym_analysis_stream* stream, const void* samples, int64_t frames, Push push) {
  return WithStream(stream, [&](StreamBox& box) -> absl::Status {
    if (frames < 0 || frames > std::numeric_limits<int64_t>::max() / AudioBuffer::kMaxChannels)
      return Bad("frames: want 0 or more, got " + std::to_string(frames));
    if (frames > 0) GRYM_C_RETURN_IF_ERROR(CheckSet(samples, "samples"));
    const Turn turn(box.pushing);
    GRYM_C_RETURN_IF_ERROR(turn.Check("analysis stream: another call pushes"));
    if (frames == 0 || push(*box.stream)) return absl::OkStatus();
    return absl::FailedPreconditionError("analysis stream: it was finished");
  });
}

grym_analysis_stream_options StreamDefaults() {
  const AnalysisStreamOptions from;
  return {sizeof(grym_analysis_stream_options), from.rate_hz, from.channels, from.most_events, from.longest_s};
}

grym_analysis_live LiveToC(const LiveAnalysis& from, uint32_t size) {
  grym_analysis_live to{};
  to.struct_size = size;
  to.time_s = from.time_s;
  to.momentary_lufs = from.momentary_lufs;
  to.short_term_lufs = from.short_term_lufs;
  to.integrated_lufs = from.integrated_lufs;
  to.true_peak_dbtp = from.true_peak_dbtp;
  to.pitch_time_s = from.pitch_time_s;
  to.f0_hz = from.f0_hz;
  to.voicing = from.voicing;
  to.tempo_bpm = from.tempo_bpm;
  to.tempo_confidence = from.tempo_confidence;
  to.chroma_time_s = from.chroma_time_s;
  for (size_t p = 0; p < from.chroma.size(); ++p) to.chroma[p] = from.chroma[p];
  to.replaced_samples = from.replaced_samples;
  to.dropped_events = from.dropped_events;
  return to;
}

// Gives the handle back unless it was handed out.
struct KeptFeatures {
  grym_features* features = nullptr;
  ~KeptFeatures() {
    if (features) grym_features_destroy(features);  // else it would clear the error
  }
};

std::string GapsJson(const std::vector<ReportGap>& gaps) {
  JsonText json;
  json.Begin('[');
  for (const ReportGap& gap : gaps) {
    json.Begin('{').Key("field").Text(gap.field).Key("reason").Text(gap.reason).End('}');
  }
  return json.End(']').Take();
}

}  // namespace
}  // namespace grym::capi

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

grym_status grym_analysis_stream_options_init(grym_analysis_stream_options* options, uint32_t size) {
  return InitOptions(options, size, StreamDefaults());
}

grym_status grym_analysis_stream_create(const grym_analysis_stream_options* options, grym_analysis_stream** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(const grym_analysis_stream_options from, ReadOptions(options, StreamDefaults(), "options"));
    grym::AnalysisStreamOptions to;
    to.rate_hz = from.rate_hz;
    to.channels = from.channels;
    to.most_events = from.most_events;
    to.longest_s = from.longest_s;
    GRYM_C_ASSIGN_OR_RETURN(std::unique_ptr<grym::AnalysisStream> made, grym::AnalysisStream::Create(to));
    auto box = std::make_shared<StreamBox>(std::move(made));
    StreamBox* const borrowed = box.get();
    *out = NewHandle<grym_analysis_stream>(std::move(box));
    g_streams.Add(reinterpret_cast<uintptr_t>(*out), borrowed);
    return absl::OkStatus();
  });
}

grym_status grym_analysis_stream_push(grym_analysis_stream* stream, const float* const* channels, int64_t frames) {
  return PushInto(stream, channels, frames, [&](grym::AnalysisStream& to) {
    return to.Push({channels, static_cast<size_t>(to.channels())}, frames);
  });
}

grym_status grym_analysis_stream_push_interleaved(grym_analysis_stream* stream, const float* samples,
                                                  int64_t frames) {
  return PushInto(stream, samples, frames, [&](grym::AnalysisStream& to) {
    return to.PushInterleaved({samples, static_cast<size_t>(frames * to.channels())});
  });
}

grym_status grym_analysis_stream_live(grym_analysis_stream* stream, grym_analysis_live* live) {
  return WithStream(stream, [&](StreamBox& box) -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(CheckSet(live, "live"));
    const uint32_t size = live->struct_size;
    if (size < alignof(grym_analysis_live) || size % alignof(grym_analysis_live) != 0 || size > kMaxStructSize) {
      return Bad("live: want struct_size " + std::to_string(sizeof(grym_analysis_live)) + ", got " +
                 std::to_string(size));
    }
    const Turn turn(box.reading);
    GRYM_C_RETURN_IF_ERROR(turn.Check("analysis stream: another call reads"));
    const grym_analysis_live now = LiveToC(box.stream->live(), size);
    std::memset(static_cast<void*>(live), 0, size);
    std::memcpy(static_cast<void*>(live), &now, size < sizeof now ? size : sizeof now);
    return absl::OkStatus();
  });
}

grym_status grym_analysis_stream_events(grym_analysis_stream* stream, size_t most, int32_t* kinds, double* times_s,
                                        double* late_s, size_t* count) {
  return WithStream(stream, [&](StreamBox& box) -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(CheckSet(count, "count"));
    *count = 0;
    const Turn turn(box.reading);
    GRYM_C_RETURN_IF_ERROR(turn.Check("analysis stream: another call reads"));
    grym::AnalysisEvent some[64];
    while (*count < most) {
      const size_t taken = box.stream->TakeEvents({some, std::min(std::size(some), most - *count)});
      if (taken == 0) break;
      for (size_t i = 0; i < taken; ++i, ++*count) {
        if (kinds) kinds[*count] = static_cast<int32_t>(some[i].kind);
        if (times_s) times_s[*count] = some[i].time_s;
        if (late_s) late_s[*count] = some[i].late_s;
      }
    }
    return absl::OkStatus();
  });
}

grym_status grym_analysis_stream_latencies(grym_analysis_stream* stream, double* onset_s, double* beat_s,
                                           double* pitch_s, double* chroma_s) {
  return WithStream(stream, [&](StreamBox& box) -> absl::Status {
    if (onset_s) *onset_s = box.stream->onset_latency_s();
    if (beat_s) *beat_s = box.stream->beat_latency_s();
    if (pitch_s) *pitch_s = box.stream->pitch_latency_s();
    if (chroma_s) *chroma_s = box.stream->chroma_latency_s();
    return absl::OkStatus();
  });
}

grym_status grym_analysis_stream_finish(grym_analysis_stream* stream, grym_progress_fn progress, void* user_data,
                                        grym_features** out, grym_text** gaps_json) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    if (gaps_json) *gaps_json = nullptr;
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(stream, "stream"));
    const Turn push(box->pushing), read(box->reading);
    GRYM_C_RETURN_IF_ERROR(push.Check("analysis stream: another call pushes"));
    GRYM_C_RETURN_IF_ERROR(read.Check("analysis stream: another call reads"));
    std::string gaps;
    const auto work = [&](const grym::RunOptions& run) -> absl::StatusOr<grym::AudioFeatures> {
      GRYM_C_ASSIGN_OR_RETURN(grym::AnalysisReport report, box->stream->Finish(run));
      gaps = GapsJson(report.gaps);
      return std::move(report.features);
    };
    KeptFeatures kept;
    GRYM_C_RETURN_IF_ERROR(RunInto(progress, user_data, &kept.features, work));
    if (gaps_json) GRYM_C_RETURN_IF_ERROR(TextInto(std::move(gaps), gaps_json));
    *out = std::exchange(kept.features, nullptr);
    return absl::OkStatus();
  });
}

grym_status grym_analysis_stream_destroy(grym_analysis_stream* stream) {
  return Guard([&]() -> absl::Status {
    if (!stream) return absl::OkStatus();
    const auto handle = reinterpret_cast<uintptr_t>(stream);
    GRYM_C_ASSIGN_OR_RETURN(const auto box, TakeSlot(handle, HandleKind::kAnalysisStream, "stream"));
    g_streams.Remove(handle);  // after which nobody finds it, and nobody works with it but through a hold of his own
    return absl::OkStatus();
  });
}
