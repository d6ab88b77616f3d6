// What was heard.
#include "grymsynth/audio_features.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {
namespace {

// A property that is a numpy view into a vector<double> of T.
template <class T>
auto Times(std::vector<double> T::*member) {
  return [member](const py::object& self) { return View(self.cast<const T&>().*member, self); };
}
template <class T>
auto Floats(std::vector<float> T::*member) {
  return [member](const py::object& self) {
    const std::vector<float>& values = self.cast<const T&>().*member;
    return View(values.data(), {static_cast<py::ssize_t>(values.size())}, self);
  };
}

void BindSmall(py::module_& m) {
  py::class_<TimeSpan>(m, "TimeSpan")
      .def_readonly("start_s", &TimeSpan::start_s)
      .def_readonly("end_s", &TimeSpan::end_s)
      .def("__repr__", [](const TimeSpan& span) {
        return py::str("TimeSpan({:.3f}, {:.3f})").format(span.start_s, span.end_s);
      });
  py::class_<FrameSeries>(m, "FrameSeries", "Vectors at a fixed rate; frame i is centred at start_s + i / rate_hz.")
      .def_readonly("dim", &FrameSeries::dim)
      .def_readonly("rate_hz", &FrameSeries::rate_hz)
      .def_readonly("start_s", &FrameSeries::start_s)
      .def_property_readonly("frames", &FrameSeries::frames)
      .def_property_readonly("values", [](const py::object& self) {
        const auto& series = self.cast<const FrameSeries&>();
        return View(series.values.data(), {static_cast<py::ssize_t>(series.frames()), series.dim}, self);
      }, "float32, shape (frames, dim); a read-only view.");
  py::class_<Loudness>(m, "Loudness", "ITU-R BS.1770-5 and EBU R128; -inf for silence.")
      .def_readonly("integrated_lufs", &Loudness::integrated_lufs)
      .def_readonly("range_lu", &Loudness::range_lu)
      .def_readonly("max_momentary_lufs", &Loudness::max_momentary_lufs)
      .def_readonly("max_short_term_lufs", &Loudness::max_short_term_lufs)
      .def_readonly("true_peak_dbtp", &Loudness::true_peak_dbtp)
      .def_readonly("momentary", &Loudness::momentary)
      .def_readonly("short_term", &Loudness::short_term);
  py::class_<Level>(m, "Level")
      .def_readonly("peak_dbfs", &Level::peak_dbfs)
      .def_readonly("rms_dbfs", &Level::rms_dbfs)
      .def_readonly("crest_db", &Level::crest_db);
  py::class_<Pitch>(m, "Pitch", "Pitch track.")
      .def_property_readonly("times_s", Times(&Pitch::times_s))
      .def_property_readonly("f0_hz", Floats(&Pitch::f0_hz), "0 where unvoiced.")
      .def_property_readonly("confidence", Floats(&Pitch::confidence), "[0, 1].");
  py::class_<Chord>(m, "Chord", "A chord: \"C\", \"Am\", \"G7\", ...; \"N\" for none.")
      .def_readonly("start_s", &Chord::start_s)
      .def_readonly("end_s", &Chord::end_s)
      .def_readonly("label", &Chord::label)
      .def_readonly("confidence", &Chord::confidence)
      .def("__repr__", [](const Chord& chord) {
        return py::str("Chord('{}', {:.3f}, {:.3f})").format(chord.label, chord.start_s, chord.end_s);
      });
  py::class_<Section>(m, "Section", "A section; equal letters sound alike.")
      .def_readonly("start_s", &Section::start_s)
      .def_readonly("end_s", &Section::end_s)
      .def_readonly("label", &Section::label)
      .def_readonly("confidence", &Section::confidence)
      .def("__repr__", [](const Section& section) {
        return py::str("Section('{}', {:.3f}, {:.3f})").format(section.label, section.start_s, section.end_s);
      });
}

void BindSpectral(py::module_& m) {
  py::class_<SpectralFeatures>(m, "SpectralFeatures")
      .def_readonly("centroid_hz", &SpectralFeatures::centroid_hz)
      .def_readonly("bandwidth_hz", &SpectralFeatures::bandwidth_hz)
      .def_readonly("rolloff_hz", &SpectralFeatures::rolloff_hz)
      .def_readonly("flatness", &SpectralFeatures::flatness)
      .def_readonly("contrast_db", &SpectralFeatures::contrast_db)
      .def_readonly("mfcc", &SpectralFeatures::mfcc)
      .def_readonly("chroma", &SpectralFeatures::chroma)
      .def_readonly("mean_centroid_hz", &SpectralFeatures::mean_centroid_hz)
      .def_readonly("mean_bandwidth_hz", &SpectralFeatures::mean_bandwidth_hz)
      .def_readonly("mean_rolloff_hz", &SpectralFeatures::mean_rolloff_hz)
      .def_readonly("mean_flatness", &SpectralFeatures::mean_flatness)
      .def_readonly("mean_contrast_db", &SpectralFeatures::mean_contrast_db)
      .def_readonly("mean_mfcc", &SpectralFeatures::mean_mfcc)
      .def_readonly("std_mfcc", &SpectralFeatures::std_mfcc)
      .def_readonly("mean_chroma", &SpectralFeatures::mean_chroma)
      .def_readonly("band_energy_db", &SpectralFeatures::band_energy_db);
  py::class_<Condition>(m, "Condition", "Facts about the recording's condition.")
      .def_readonly("noise_floor_dbfs", &Condition::noise_floor_dbfs)
      .def_readonly("clipped_ratio", &Condition::clipped_ratio)
      .def_readonly("clipping", &Condition::clipping)
      .def_readonly("dc_offset", &Condition::dc_offset)
      .def_readonly("silence", &Condition::silence)
      .def_readonly("leading_silence_s", &Condition::leading_silence_s)
      .def_readonly("trailing_silence_s", &Condition::trailing_silence_s)
      .def_readonly("hum_hz", &Condition::hum_hz)
      .def_readonly("hum_db", &Condition::hum_db)
      .def_readonly("replaced_samples", &Condition::replaced_samples)
      .def_readonly("stereo_width", &Condition::stereo_width)
      .def_readonly("stereo_correlation", &Condition::stereo_correlation);
}

}  // namespace

void BindFeatures(py::module_& m) {
  BindSmall(m);
  BindSpectral(m);
  py::class_<AudioFeatures, std::shared_ptr<AudioFeatures>>(m, "AudioFeatures",
                                                            "What was heard; times in seconds from the first frame.")
      .def_property_readonly("parts", [](const AudioFeatures& features) {
        py::list names;
        for (int part = 0; part < kAnalysisParts; ++part) {
          const auto each = static_cast<AnalysisPart>(part);
          if (features.parts.has(each)) names.append(AnalysisPartName(each));
        }
        return py::tuple(names);
      }, "What was listened for; all else is at its default.")
      .def_readonly("duration_s", &AudioFeatures::duration_s)
      .def_readonly("rate_hz", &AudioFeatures::rate_hz)
      .def_readonly("channels", &AudioFeatures::channels)
      .def_readonly("frames", &AudioFeatures::frames)
      .def_readonly("level", &AudioFeatures::level)
      .def_readonly("loudness", &AudioFeatures::loudness)
      .def_readonly("spectral", &AudioFeatures::spectral)
      .def_readonly("condition", &AudioFeatures::condition)
      .def_readonly("onset_strength", &AudioFeatures::onset_strength)
      .def_property_readonly("onsets_s", Times(&AudioFeatures::onsets_s))
      .def_readonly("tempo_bpm", &AudioFeatures::tempo_bpm, "0.0 when unsure.")
      .def_readonly("tempo_confidence", &AudioFeatures::tempo_confidence)
      .def_property_readonly("beats_s", Times(&AudioFeatures::beats_s))
      .def_property_readonly("downbeats_s", Times(&AudioFeatures::downbeats_s))
      .def_readonly("meter", &AudioFeatures::meter, "Beats a bar; 0 when unsure.")
      .def_readonly("meter_confidence", &AudioFeatures::meter_confidence)
      .def_readonly("key", &AudioFeatures::key, "\"F major\", \"C# minor\"; None when unsure.")
      .def_readonly("key_confidence", &AudioFeatures::key_confidence)
      .def_readonly("tuning_hz", &AudioFeatures::tuning_hz, "Of A4.")
      .def_readonly("pitch", &AudioFeatures::pitch)
      .def_readonly("chords", &AudioFeatures::chords)
      .def_readonly("sections", &AudioFeatures::sections)
      .def("to_json", [](const AudioFeatures& features, bool with_series) {
        return FeaturesToJson(features, with_series);
      }, py::arg("with_series") = false, "Schema \"grymsynth.features/1\".")
      .def_static("from_json", [](const std::string& json) { return ValueOrThrow(FeaturesFromJson(json)); },
                  py::arg("json"))
      .def("__repr__", [](const AudioFeatures& features) {
        py::str text = py::str("AudioFeatures(duration_s={:.3f}").format(features.duration_s);
        const auto add = [&](AnalysisPart part, const char* format, const auto& value) {
          if (features.parts.has(part)) text = py::str(text + py::str(format).format(value));
        };
        add(AnalysisPart::kRhythm, ", tempo_bpm={:.2f}", features.tempo_bpm);
        add(AnalysisPart::kKey, ", key={!r}", features.key);
        add(AnalysisPart::kLoudness, ", integrated_lufs={:.1f}", features.loudness.integrated_lufs);
        return py::str(text + py::str(")"));
      })
      .def("_repr_html_", [](const py::object& self) { return Html("features", self); });
}

}  // namespace grym::python
