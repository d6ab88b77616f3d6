#include <cmath>
#include <type_traits>
#include <vector>

#include "base/format.h"
#include "base/json.h"
#include "base/status.h"
#include "dsp/decibels.h"
#include "grymsynth/audio_features.h"

namespace grym {
namespace {

constexpr const char* kFeaturesSchema = "grymsynth.features/1";
constexpr size_t kLargestFeaturesText = size_t{1} << 30;

// The same list of fields is walked by a writer and a reader, so that neither can forget one.
class FeatureWriter {
 public:
  explicit FeatureWriter(bool with_series) : with_series_(with_series) {}
  bool with_series() const { return with_series_; }
  Json Take() { return std::move(object_); }

  void Number(const char* name, double& value) { object_[name] = value; }
  void Level(const char* name, double& value) { object_[name] = value; }
  template <class Int>
  void Integer(const char* name, Int& value) { object_[name] = static_cast<int64_t>(value); }
  void Text(const char* name, std::string& value) { object_[name] = value; }
  void OptionalText(const char* name, std::optional<std::string>& value) {
    object_[name] = value ? Json(*value) : Json();
  }
  template <class T>
  void Numbers(const char* name, T& values) {
    Json array = Json::Array();
    for (const auto value : values) array.push_back(Json(static_cast<double>(value)));
    object_[name] = std::move(array);
  }
  template <class T, class Fields>
  void Object(const char* name, T& value, Fields fields) {
    FeatureWriter inner(with_series_);
    fields(inner, value);
    object_[name] = inner.Take();
  }
  template <class T, class Fields>
  void Array(const char* name, std::vector<T>& values, Fields fields) {
    Json array = Json::Array();
    for (T& value : values) {
      FeatureWriter inner(with_series_);
      fields(inner, value);
      array.push_back(inner.Take());
    }
    object_[name] = std::move(array);
  }

 private:
  bool with_series_;
  Json object_ = Json::Object();
};

class FeatureReader {
 public:
  FeatureReader(const Json& object, std::string pointer, std::vector<Problem>& problems)
      : object_(object), pointer_(std::move(pointer)), problems_(problems) {
    if (!object.is_object()) Refuse(pointer_, "an object", object);
  }
  bool with_series() const { return true; }

  // Absent members keep their defaults: a text without series is whole.
  void Number(const char* name, double& value) {
    if (const Json* json = Find(name)) ReadNumber(*json, pointer_ + "/" + name, false, value);
  }
  void Level(const char* name, double& value) {  // null stands for -infinity
    if (const Json* json = Find(name)) ReadNumber(*json, pointer_ + "/" + name, true, value);
  }
  template <class Int>
  void Integer(const char* name, Int& value) {
    const Json* json = Find(name);
    if (!json) return;
    const double number = json->number();
    if (!json->is_number() || number != std::floor(number) ||
        std::abs(number) > (sizeof(Int) == 4 ? 2147483647.0 : 9e15)) {
      Refuse(pointer_ + "/" + name, "a whole number", *json);
      return;
    }
    value = static_cast<Int>(number);
  }
  void Text(const char* name, std::string& value) {
    const Json* json = Find(name);
    if (!json) return;
    if (!json->is_string()) Refuse(pointer_ + "/" + name, "a text", *json);
    value = json->text();
  }
  void OptionalText(const char* name, std::optional<std::string>& value) {
    const Json* json = Find(name);
    if (!json || json->is_null()) return;
    if (!json->is_string()) Refuse(pointer_ + "/" + name, "a text or null", *json);
    value = json->text();
  }
  template <class T>
  void Numbers(const char* name, T& values) {
    const Json* json = Items(name);
    if (!json) return;
    using Value = typename T::value_type;
    if constexpr (std::is_same_v<T, std::vector<Value>>) values.resize(json->size());
    if (values.size() != json->size()) {
      Refuse(pointer_ + "/" + name, Formatted("%d numbers", values.size()), *json);
      return;
    }
    for (size_t i = 0; i < values.size(); ++i) {
      double number = 0;
      ReadNumber(json->at(i), Formatted("%s/%s/%d", pointer_, name, i), true, number);
      values[i] = static_cast<Value>(number);
    }
  }
  template <class T, class Fields>
  void Object(const char* name, T& value, Fields fields) {
    if (const Json* json = Find(name)) {
      FeatureReader inner(*json, pointer_ + "/" + name, problems_);
      fields(inner, value);
    }
  }
  template <class T, class Fields>
  void Array(const char* name, std::vector<T>& values, Fields fields) {
    const Json* json = Items(name);
    if (!json) return;
    values.resize(json->size());
    for (size_t i = 0; i < values.size(); ++i) {
      FeatureReader inner(json->at(i), Formatted("%s/%s/%d", pointer_, name, i), problems_);
      fields(inner, values[i]);
    }
  }

 private:
  const Json* Find(const char* name) const { return object_.is_object() ? object_.find(name) : nullptr; }
  const Json* Items(const char* name) {
    const Json* json = Find(name);
    if (json && !json->is_array()) Refuse(pointer_ + "/" + name, "an array", *json);
    return json && json->is_array() ? json : nullptr;
  }
  void ReadNumber(const Json& json, const std::string& pointer, bool null_is_minus_infinity, double& value) {
    if (json.is_number()) value = json.number();
    else if (json.is_null() && null_is_minus_infinity) value = kMinusInfinityDb;
    else Refuse(pointer, "a number", json);
  }
  void Refuse(const std::string& pointer, std::string_view wanted, const Json& came) {
    if (problems_.size() >= 100) return;
    problems_.push_back({pointer, "wrong_type",
                         Formatted("%s: want %s, got %s", pointer.empty() ? "the document" : pointer.c_str(),
                                   std::string(wanted), came.type_name()),
                         ""});
  }
  const Json& object_;
  std::string pointer_;
  std::vector<Problem>& problems_;
};

template <class Archive>
void SeriesField(Archive& archive, const char* name, FrameSeries& series) {
  if (!archive.with_series()) return;
  archive.Object(name, series, [](auto& a, FrameSeries& s) {
    a.Integer("dim", s.dim);
    a.Number("rate_hz", s.rate_hz);
    a.Number("start_s", s.start_s);
    a.Numbers("values", s.values);
  });
}

template <class Archive>
void SpanFields(Archive& a, TimeSpan& span) {
  a.Number("start_s", span.start_s);
  a.Number("end_s", span.end_s);
}

template <class Archive>
void LoudnessFields(Archive& a, Loudness& l) {
  a.Level("integrated_lufs", l.integrated_lufs);
  a.Level("range_lu", l.range_lu);
  a.Level("max_momentary_lufs", l.max_momentary_lufs);
  a.Level("max_short_term_lufs", l.max_short_term_lufs);
  a.Level("true_peak_dbtp", l.true_peak_dbtp);
  SeriesField(a, "momentary", l.momentary);
  SeriesField(a, "short_term", l.short_term);
}

template <class Archive>
void SpectralFields(Archive& a, SpectralFeatures& s) {
  SeriesField(a, "centroid_hz", s.centroid_hz);
  SeriesField(a, "bandwidth_hz", s.bandwidth_hz);
  SeriesField(a, "rolloff_hz", s.rolloff_hz);
  SeriesField(a, "flatness", s.flatness);
  SeriesField(a, "contrast_db", s.contrast_db);
  SeriesField(a, "mfcc", s.mfcc);
  SeriesField(a, "chroma", s.chroma);
  a.Number("mean_centroid_hz", s.mean_centroid_hz);
  a.Number("mean_bandwidth_hz", s.mean_bandwidth_hz);
  a.Number("mean_rolloff_hz", s.mean_rolloff_hz);
  a.Number("mean_flatness", s.mean_flatness);
  a.Numbers("mean_contrast_db", s.mean_contrast_db);
  a.Numbers("mean_mfcc", s.mean_mfcc);
  a.Numbers("std_mfcc", s.std_mfcc);
  a.Numbers("mean_chroma", s.mean_chroma);
  a.Numbers("band_energy_db", s.band_energy_db);
}

template <class Archive>
void ConditionFields(Archive& a, Condition& c) {
  const auto span = [](auto& inner, TimeSpan& value) { SpanFields(inner, value); };
  a.Level("noise_floor_dbfs", c.noise_floor_dbfs);
  a.Number("clipped_ratio", c.clipped_ratio);
  a.Array("clipping", c.clipping, span);
  a.Number("dc_offset", c.dc_offset);
  a.Array("silence", c.silence, span);
  a.Number("leading_silence_s", c.leading_silence_s);
  a.Number("trailing_silence_s", c.trailing_silence_s);
  a.Number("hum_hz", c.hum_hz);
  a.Number("hum_db", c.hum_db);
  a.Integer("replaced_samples", c.replaced_samples);
  a.Number("stereo_width", c.stereo_width);
  a.Number("stereo_correlation", c.stereo_correlation);
}

template <class Archive>
void PitchField(Archive& archive, Pitch& pitch) {
  if (!archive.with_series()) return;
  archive.Object("pitch", pitch, [](auto& a, Pitch& p) {
    a.Numbers("times_s", p.times_s);
    a.Numbers("f0_hz", p.f0_hz);
    a.Numbers("confidence", p.confidence);
  });
}

template <class Archive>
void LabelledSpans(Archive& archive, AudioFeatures& features) {
  const auto labelled = [](auto& a, auto& span) {
    a.Number("start_s", span.start_s);
    a.Number("end_s", span.end_s);
    a.Text("label", span.label);
    a.Number("confidence", span.confidence);
  };
  archive.Array("chords", features.chords, labelled);
  archive.Array("sections", features.sections, labelled);
}

template <class Archive>
void FeatureFields(Archive& a, AudioFeatures& f) {
  a.Number("duration_s", f.duration_s);
  a.Integer("rate_hz", f.rate_hz);
  a.Integer("channels", f.channels);
  a.Integer("frames", f.frames);
  a.Object("level", f.level, [](auto& inner, Level& level) {
    inner.Level("peak_dbfs", level.peak_dbfs);
    inner.Level("rms_dbfs", level.rms_dbfs);
    inner.Number("crest_db", level.crest_db);
  });
  a.Object("loudness", f.loudness, [](auto& inner, Loudness& l) { LoudnessFields(inner, l); });
  a.Object("spectral", f.spectral, [](auto& inner, SpectralFeatures& s) { SpectralFields(inner, s); });
  a.Object("condition", f.condition, [](auto& inner, Condition& c) { ConditionFields(inner, c); });
  SeriesField(a, "onset_strength", f.onset_strength);
  a.Numbers("onsets_s", f.onsets_s);
  a.Number("tempo_bpm", f.tempo_bpm);
  a.Number("tempo_confidence", f.tempo_confidence);
  a.Numbers("beats_s", f.beats_s);
  a.Numbers("downbeats_s", f.downbeats_s);
  a.Integer("meter", f.meter);
  a.Number("meter_confidence", f.meter_confidence);
  a.OptionalText("key", f.key);
  a.Number("key_confidence", f.key_confidence);
  a.Number("tuning_hz", f.tuning_hz);
  PitchField(a, f.pitch);
  LabelledSpans(a, f);
}

Json PartsToJson(const AnalysisParts& parts) {
  Json names = Json::Array();
  for (int part = 0; part < kAnalysisParts; ++part) {
    const auto each = static_cast<AnalysisPart>(part);
    if (parts.has(each)) names.push_back(Json(AnalysisPartName(each)));
  }
  return names;
}

void ReadParts(const Json& json, AnalysisParts& parts, std::vector<Problem>& problems) {
  const auto refuse = [&](const std::string& pointer, const Json& came) {
    const std::string got = came.is_string() ? "\"" + Printable(came.text(), 40) + "\"" : came.type_name();
    problems.push_back({pointer, "wrong_type",
                        Formatted("%s: want names of parts (\"level\", \"rhythm\", ...), got %s", pointer, got), ""});
  };
  if (!json.is_array()) return refuse("/parts", json);
  parts = AnalysisParts::None();
  for (size_t i = 0; i < json.size(); ++i) {
    const auto part = AnalysisPartFromName(json.at(i).text());
    if (!part) return refuse(Formatted("/parts/%d", i), json.at(i));
    parts.Add(*part);
  }
}

}  // namespace

std::string FeaturesToJson(const AudioFeatures& features, bool with_series) {
  FeatureWriter writer(with_series);
  AudioFeatures copy = features;  // the walk takes references that a reader may write
  FeatureFields(writer, copy);
  Json json = writer.Take();
  json["schema"] = kFeaturesSchema;
  if (!features.parts.everything()) json["parts"] = PartsToJson(features.parts);
  return json.Dump();
}

absl::StatusOr<AudioFeatures> FeaturesFromJson(std::string_view text) {
  JsonLimits limits;
  limits.bytes = kLargestFeaturesText;
  GRYM_ASSIGN_OR_RETURN(const Json json, Json::Parse(text, limits));
  std::vector<Problem> problems;
  if (json.is_object() && json.at("schema").text() != kFeaturesSchema) {
    problems.push_back(
        {"/schema", "wrong_schema",
         Formatted("/schema: want \"%s\", got \"%s\"", kFeaturesSchema, Printable(json.at("schema").text(), 40)), ""});
  }
  AudioFeatures features;
  FeatureReader reader(json, "", problems);
  FeatureFields(reader, features);
  if (json.is_object() && json.contains("parts")) ReadParts(json.at("parts"), features.parts, problems);
  if (!problems.empty()) return ProblemsError("bad_features", "features", problems);
  return features;
}

}  // namespace grym
