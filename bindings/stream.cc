// Hearing while the audio runs.
#include "grymsynth/analysis_stream.h"

#include <pybind11/stl.h>

#include <array>

#include "face.h"
#include "turn.h"

namespace grym::python {
namespace {

// AnalysisStream allows one pusher and one reader at a time; Python threads queue up instead, and a callback of finish
// that pushes is refused.
class PyStream {
 public:
  explicit PyStream(std::unique_ptr<AnalysisStream> stream) : stream_(std::move(stream)) {}
  AnalysisStream& operator*() { return *stream_; }

  void Push(const py::object& samples) {
    Enter();
    const std::shared_ptr<const AudioBuffer> audio = PyAudio::FromArray(samples, stream_->rate_hz()).Buffer();
    std::array<const float*, AudioBuffer::kMaxChannels> channels;
    for (int c = 0; c < audio->channels(); ++c) channels[static_cast<size_t>(c)] = audio->channel(c).data();
    if (audio->channels() != stream_->channels()) {
      ThrowBad("samples: want " + std::to_string(stream_->channels()) + " channels, got " +
               std::to_string(audio->channels()));
    }
    const Turn turn(pushing_, "analysis stream");
    const bool heard = Unlocked(
        [&] { return stream_->Push({channels.data(), static_cast<size_t>(audio->channels())}, audio->frames()); });
    if (!heard) Throw(absl::FailedPreconditionError("analysis stream: it was finished"));
  }

  LiveAnalysis Live() {
    const std::lock_guard<std::mutex> lock(reading_);
    return stream_->live();
  }

  std::vector<AnalysisEvent> Events() {
    const std::lock_guard<std::mutex> lock(reading_);
    std::vector<AnalysisEvent> events;
    std::array<AnalysisEvent, 64> some;
    for (size_t count; (count = stream_->TakeEvents(some)) > 0;)
      events.insert(events.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
    return events;
  }

  std::shared_ptr<AnalysisReport> Finish(const py::object& progress) {
    const Turn turn(pushing_, "analysis stream");
    return std::make_shared<AnalysisReport>(
        Blocking(progress, [this](const RunOptions& run, Listener&) { return stream_->Finish(run); }));
  }

 private:
  std::unique_ptr<AnalysisStream> stream_;
  Turns pushing_;
  std::mutex reading_;
};

void BindLive(py::module_& m) {
  py::class_<AnalysisEvent>(m, "AnalysisEvent", "An onset or a beat.")
      .def_property_readonly("kind", [](const AnalysisEvent& event) {
        return event.kind == AnalysisEvent::Kind::kOnset ? "onset" : "beat";
      }, "\"onset\" or \"beat\".")
      .def_readonly("time_s", &AnalysisEvent::time_s, "Where it lies.")
      .def_readonly("late_s", &AnalysisEvent::late_s, "How much audio after it was needed to tell it.")
      .def("__repr__", [](const AnalysisEvent& event) {
        return py::str("AnalysisEvent({!r}, {:.3f}, late_s={:.3f})")
            .format(event.kind == AnalysisEvent::Kind::kOnset ? "onset" : "beat", event.time_s, event.late_s);
      });
  py::class_<LiveAnalysis>(m, "LiveAnalysis", "What is known now; times in seconds from the first frame.")
      .def_readonly("time_s", &LiveAnalysis::time_s, "Of audio pushed.")
      .def_readonly("momentary_lufs", &LiveAnalysis::momentary_lufs, "Last 400 ms.")
      .def_readonly("short_term_lufs", &LiveAnalysis::short_term_lufs, "Last 3 s.")
      .def_readonly("integrated_lufs", &LiveAnalysis::integrated_lufs, "So far.")
      .def_readonly("true_peak_dbtp", &LiveAnalysis::true_peak_dbtp, "So far.")
      .def_readonly("pitch_time_s", &LiveAnalysis::pitch_time_s, "What f0_hz and voicing speak of.")
      .def_readonly("f0_hz", &LiveAnalysis::f0_hz, "0.0 where unvoiced.")
      .def_readonly("voicing", &LiveAnalysis::voicing, "[0, 1].")
      .def_readonly("chroma_time_s", &LiveAnalysis::chroma_time_s, "What the chroma speaks of.")
      .def_readonly("chroma", &LiveAnalysis::chroma, "C first, the largest is 1.")
      .def_readonly("tempo_bpm", &LiveAnalysis::tempo_bpm, "0.0 while unsure.")
      .def_readonly("tempo_confidence", &LiveAnalysis::tempo_confidence, "[0, 1].")
      .def_readonly("replaced_samples", &LiveAnalysis::replaced_samples, "No numbers: heard as 0.")
      .def_readonly("dropped_events", &LiveAnalysis::dropped_events, "That found no room.")
      .def("__repr__", [](const LiveAnalysis& live) {
        return py::str("LiveAnalysis(time_s={:.3f}, momentary_lufs={:.1f}, f0_hz={:.1f}, tempo_bpm={:.1f})")
            .format(live.time_s, live.momentary_lufs, live.f0_hz, live.tempo_bpm);
      });
}

}  // namespace

void BindStream(py::module_& m) {
  BindLive(m);
  py::class_<ReportGap>(m, "ReportGap")
      .def_readonly("field", &ReportGap::field, "Of AudioFeatures.")
      .def_readonly("reason", &ReportGap::reason);
  py::class_<AnalysisReport, std::shared_ptr<AnalysisReport>>(m, "AnalysisReport")
      .def_readonly("features", &AnalysisReport::features)
      .def_readonly("gaps", &AnalysisReport::gaps,
                    "Where the features are not those that analyze gives for the same audio; empty: they are equal.");
  py::class_<PyStream, std::shared_ptr<PyStream>>(m, "AnalysisStream", R"(Hears audio while it runs.

Nothing depends on how the audio is cut into blocks. One thread may push while another reads.

Args:
  rate_hz: of the audio.
  channels: of every block.
  longest_s: what the report can cover, at 20 KB a second; 0 for live values only.
  most_events: told and not yet taken; what finds no room is dropped and counted.)")
      .def(py::init([](int rate_hz, int channels, double longest_s, int most_events) {
        Enter();
        AnalysisStreamOptions options;
        options.rate_hz = rate_hz;
        options.channels = channels;
        options.longest_s = longest_s;
        options.most_events = most_events;
        return std::shared_ptr<PyStream>(new PyStream(ValueOrThrow(AnalysisStream::Create(options))), Release());
      }), py::arg("rate_hz") = 44100, py::arg("channels") = 1, py::kw_only(), py::arg("longest_s") = 600.0,
           py::arg("most_events") = 1024)
      .def("push", &PyStream::Push, py::arg("samples"),
           R"(Hears a block: float32 of shape (channels, frames), or 1-D for mono; read in place.

Raises: InvalidArgumentError for another layout; FailedPreconditionError after finish.)")
      .def_property_readonly("live", &PyStream::Live, "LiveAnalysis: what is known now.")
      .def("events", &PyStream::Events, "The onsets and beats that were told since the last call, oldest first.")
      .def("finish", &PyStream::Finish, py::kw_only(), py::arg("progress") = py::none(),
           R"(Hears the end and reports on all of it; once.

Returns: AnalysisReport.)")
      .def_property_readonly("rate_hz", [](PyStream& stream) { return (*stream).rate_hz(); })
      .def_property_readonly("channels", [](PyStream& stream) { return (*stream).channels(); })
      .def_property_readonly("onset_latency_s", [](PyStream& stream) { return (*stream).onset_latency_s(); },
                             "Audio after an onset that is needed at most to tell it.")
      .def_property_readonly("beat_latency_s", [](PyStream& stream) { return (*stream).beat_latency_s(); })
      .def_property_readonly("pitch_latency_s", [](PyStream& stream) { return (*stream).pitch_latency_s(); })
      .def_property_readonly("chroma_latency_s", [](PyStream& stream) { return (*stream).chroma_latency_s(); });
}

}  // namespace grym::python
