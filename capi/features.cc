// Hearing: features, style, enhancement.
#include <cmath>
#include <limits>

#include "absl/strings/str_split.h"
#include "call.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace
using grym::AudioFeatures;
using grym::FrameSeries;

namespace {

struct NamedNumber {
  const char* name;
  double (*get)(const AudioFeatures&);
};
#define GRYM_C_NUMBER(name, member) \
  {name, [](const AudioFeatures& features) { return static_cast<double>(features.member); }}
constexpr NamedNumber kNumbers[] = {
    GRYM_C_NUMBER("duration_s", duration_s),
    GRYM_C_NUMBER("rate_hz", rate_hz),
    GRYM_C_NUMBER("channels", channels),
    GRYM_C_NUMBER("frames", frames),
    GRYM_C_NUMBER("peak_dbfs", level.peak_dbfs),
    GRYM_C_NUMBER("rms_dbfs", level.rms_dbfs),
    GRYM_C_NUMBER("crest_db", level.crest_db),
    GRYM_C_NUMBER("integrated_lufs", loudness.integrated_lufs),
    GRYM_C_NUMBER("range_lu", loudness.range_lu),
    GRYM_C_NUMBER("max_momentary_lufs", loudness.max_momentary_lufs),
    GRYM_C_NUMBER("max_short_term_lufs", loudness.max_short_term_lufs),
    GRYM_C_NUMBER("true_peak_dbtp", loudness.true_peak_dbtp),
    GRYM_C_NUMBER("mean_centroid_hz", spectral.mean_centroid_hz),
    GRYM_C_NUMBER("mean_bandwidth_hz", spectral.mean_bandwidth_hz),
    GRYM_C_NUMBER("mean_rolloff_hz", spectral.mean_rolloff_hz),
    GRYM_C_NUMBER("mean_flatness", spectral.mean_flatness),
    GRYM_C_NUMBER("noise_floor_dbfs", condition.noise_floor_dbfs),
    GRYM_C_NUMBER("clipped_ratio", condition.clipped_ratio),
    GRYM_C_NUMBER("dc_offset", condition.dc_offset),
    GRYM_C_NUMBER("leading_silence_s", condition.leading_silence_s),
    GRYM_C_NUMBER("trailing_silence_s", condition.trailing_silence_s),
    GRYM_C_NUMBER("hum_hz", condition.hum_hz),
    GRYM_C_NUMBER("hum_db", condition.hum_db),
    GRYM_C_NUMBER("replaced_samples", condition.replaced_samples),
    GRYM_C_NUMBER("stereo_width", condition.stereo_width),
    GRYM_C_NUMBER("stereo_correlation", condition.stereo_correlation),
    GRYM_C_NUMBER("tempo_bpm", tempo_bpm),
    GRYM_C_NUMBER("tempo_confidence", tempo_confidence),
    GRYM_C_NUMBER("meter", meter),
    GRYM_C_NUMBER("meter_confidence", meter_confidence),
    GRYM_C_NUMBER("key_confidence", key_confidence),
    GRYM_C_NUMBER("tuning_hz", tuning_hz),
};
#undef GRYM_C_NUMBER

struct NamedTimes {
  const char* name;
  const std::vector<double>& (*get)(const AudioFeatures&);
};
#define GRYM_C_TIMES(name, member) \
  {name, [](const AudioFeatures& features) -> const std::vector<double>& { return features.member; }}
constexpr NamedTimes kTimes[] = {GRYM_C_TIMES("onsets_s", onsets_s), GRYM_C_TIMES("beats_s", beats_s),
                                 GRYM_C_TIMES("downbeats_s", downbeats_s),
                                 GRYM_C_TIMES("pitch_times_s", pitch.times_s)};
#undef GRYM_C_TIMES

struct NamedSeries {
  const char* name;
  const FrameSeries* (*series)(const AudioFeatures&);
  const std::vector<float>* (*values)(const AudioFeatures&);  // for those without a rate
};
#define GRYM_C_SERIES(name, member) \
  {name, [](const AudioFeatures& features) -> const FrameSeries* { return &features.member; }, nullptr}
#define GRYM_C_VALUES(name, member) \
  {name, nullptr, [](const AudioFeatures& features) -> const std::vector<float>* { return &features.member; }}
constexpr NamedSeries kSeries[] = {
    GRYM_C_SERIES("momentary", loudness.momentary),
    GRYM_C_SERIES("short_term", loudness.short_term),
    GRYM_C_SERIES("centroid_hz", spectral.centroid_hz),
    GRYM_C_SERIES("bandwidth_hz", spectral.bandwidth_hz),
    GRYM_C_SERIES("rolloff_hz", spectral.rolloff_hz),
    GRYM_C_SERIES("flatness", spectral.flatness),
    GRYM_C_SERIES("contrast_db", spectral.contrast_db),
    GRYM_C_SERIES("mfcc", spectral.mfcc),
    GRYM_C_SERIES("chroma", spectral.chroma),
    GRYM_C_SERIES("onset_strength", onset_strength),
    GRYM_C_VALUES("pitch_f0_hz", pitch.f0_hz),
    GRYM_C_VALUES("pitch_confidence", pitch.confidence),
};
#undef GRYM_C_SERIES
#undef GRYM_C_VALUES

// The entry of that name; NotFound lists all names.
template <class Entry, size_t N>
absl::StatusOr<const Entry*> ByName(const Entry (&entries)[N], const char* name) {
  GRYM_C_RETURN_IF_ERROR(CheckSet(name, "name"));
  std::string names;
  for (const Entry& entry : entries) {
    if (std::strcmp(entry.name, name) == 0) return &entry;
    names += std::string(" ") + entry.name;
  }
  return absl::NotFoundError("name: want one of" + names + ", got " + Shown(name));
}

grym_enhance_options EnhanceDefaults() {
  const grym::EnhanceParams from;
  grym_enhance_options to{};
  to.struct_size = sizeof to;
  to.denoise = from.denoise;
  to.declip = from.declip;
  to.dehum = from.dehum;
  to.balance = from.balance;
  to.dynamics = from.dynamics;
  to.stereo = from.stereo;
  to.level = from.level;
  to.tilt_db_per_octave = from.tilt_db_per_octave;
  to.target_lufs = std::numeric_limits<double>::quiet_NaN();
  to.true_peak_dbtp = from.true_peak_dbtp;
  return to;
}

absl::StatusOr<const std::vector<grym::ScoredLabel>*> LabelsOf(const grym::StyleClassification& style, int32_t kind) {
  switch (kind) {
    case GRYM_STYLE_GENRES: return &style.genres;
    case GRYM_STYLE_MOODS: return &style.moods;
    case GRYM_STYLE_TEXTURES: return &style.textures;
    default: return Bad("kind: want a GRYM_STYLE_ value from 0 to 2, got " + std::to_string(kind));
  }
}

template <class Span>
absl::Status SpanInto(const std::vector<Span>& spans, size_t index, double* start_s, double* end_s, const char** label,
                      double* confidence) {
  GRYM_C_RETURN_IF_ERROR(CheckIndex(index, spans.size(), "index"));
  const Span& span = spans[index];
  if (start_s) *start_s = span.start_s;
  if (end_s) *end_s = span.end_s;
  if (label) *label = span.label.c_str();
  if (confidence) *confidence = span.confidence;
  return absl::OkStatus();
}

absl::Status CheckSpanKind(int32_t kind) {
  if (kind == GRYM_SPANS_CHORDS || kind == GRYM_SPANS_SECTIONS) return absl::OkStatus();
  return Bad("kind: want GRYM_SPANS_CHORDS or GRYM_SPANS_SECTIONS, got " + std::to_string(kind));
}

}  // namespace

absl::StatusOr<grym::EnhanceParams> grym::capi::EnhanceParamsFromC(const grym_enhance_options* options) {
  GRYM_C_ASSIGN_OR_RETURN(const grym_enhance_options from, ReadOptions(options, EnhanceDefaults(), "options"));
  EnhanceParams to;
  to.level = from.level;
  to.denoise = from.denoise != 0;
  to.declip = from.declip != 0;
  to.dehum = from.dehum != 0;
  to.balance = from.balance != 0;
  to.dynamics = from.dynamics != 0;
  to.stereo = from.stereo != 0;
  to.tilt_db_per_octave = from.tilt_db_per_octave;
  if (!std::isnan(from.target_lufs)) to.target_lufs = from.target_lufs;
  to.true_peak_dbtp = from.true_peak_dbtp;
  if (from.match_band_energy_db) {
    to.match_band_energy_db.emplace();
    std::memcpy(to.match_band_energy_db->data(), from.match_band_energy_db, sizeof(*to.match_band_energy_db));
  }
  return to;
}

absl::StatusOr<grym::AnalysisParts> grym::capi::AnalysisPartsFromC(const char* names) {
  if (!names) return grym::AnalysisParts();
  return grym::AnalysisPartsFromNames(absl::StrSplit(names, ' ', absl::SkipEmpty()));
}

grym_status grym_engine_analyze(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                grym_progress_fn progress, void* user_data, grym_features** out) {
  return grym_engine_analyze_parts(engine, audio, path_utf8, nullptr, progress, user_data, out);
}

grym_status grym_engine_analyze_parts(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                      const char* parts, grym_progress_fn progress, void* user_data,
                                      grym_features** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput kept, KeptInput::From(audio, path_utf8));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AnalysisParts wanted, AnalysisPartsFromC(parts));
    return RunInto(progress, user_data, out, [&](const grym::RunOptions& run) {
      return found->processor().AnalyzeParts(kept.input(), wanted, run);
    });
  });
}

grym_status grym_features_number(const grym_features* features, const char* name, double* value) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(value, "value"));
    GRYM_C_ASSIGN_OR_RETURN(const NamedNumber* entry, ByName(kNumbers, name));
    *value = entry->get(*found);
    return absl::OkStatus();
  });
}

const char* grym_features_key(const grym_features* features) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    return found->key ? found->key->c_str() : "";
  });
}

grym_status grym_features_times(const grym_features* features, const char* name, const double** values, size_t* count) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(values, "values"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(count, "count"));
    *count = 0;
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    GRYM_C_ASSIGN_OR_RETURN(const NamedTimes* entry, ByName(kTimes, name));
    *values = entry->get(*found).data();
    *count = entry->get(*found).size();
    return absl::OkStatus();
  });
}

grym_status grym_features_series(const grym_features* features, const char* name, const float** values, size_t* frames,
                                 size_t* dim, double* rate_hz, double* start_s) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(values, "values"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(frames, "frames"));
    *frames = 0;
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    GRYM_C_ASSIGN_OR_RETURN(const NamedSeries* entry, ByName(kSeries, name));
    const FrameSeries* series = entry->series ? entry->series(*found) : nullptr;
    const std::vector<float>& all = series ? series->values : *entry->values(*found);
    *values = all.data();
    *frames = series ? static_cast<size_t>(series->frames()) : all.size();
    if (dim) *dim = series ? static_cast<size_t>(series->dim) : 1;
    if (rate_hz) *rate_hz = series ? series->rate_hz : 0;
    if (start_s) *start_s = series ? series->start_s : 0;
    return absl::OkStatus();
  });
}

size_t grym_features_span_count(const grym_features* features, int32_t kind) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    GRYM_C_RETURN_IF_ERROR(CheckSpanKind(kind));
    return kind == GRYM_SPANS_CHORDS ? found->chords.size() : found->sections.size();
  });
}

grym_status grym_features_span(const grym_features* features, int32_t kind, size_t index, double* start_s,
                               double* end_s, const char** label, double* confidence) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    GRYM_C_RETURN_IF_ERROR(CheckSpanKind(kind));
    return kind == GRYM_SPANS_CHORDS ? SpanInto(found->chords, index, start_s, end_s, label, confidence)
                                     : SpanInto(found->sections, index, start_s, end_s, label, confidence);
  });
}

grym_status grym_features_to_json(const grym_features* features, int32_t with_series, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(features, "features"));
    return TextInto(grym::FeaturesToJson(*found, with_series != 0), out);
  });
}

grym_status grym_features_destroy(grym_features* features) { return Destroy(features, "features"); }

grym_status grym_engine_classify_style(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                       grym_progress_fn progress, void* user_data, grym_style** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput kept, KeptInput::From(audio, path_utf8));
    return RunInto(progress, user_data, out,
                   [&](const grym::RunOptions& run) { return found->processor().ClassifyStyle(kept.input(), run); });
  });
}

size_t grym_style_count(const grym_style* style, int32_t kind) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(style, "style"));
    GRYM_C_ASSIGN_OR_RETURN(const auto* labels, LabelsOf(*found, kind));
    return labels->size();
  });
}

grym_status grym_style_label(const grym_style* style, int32_t kind, size_t index, const char** label, double* score) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(style, "style"));
    GRYM_C_ASSIGN_OR_RETURN(const auto* labels, LabelsOf(*found, kind));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, labels->size(), "index"));
    if (label) *label = (*labels)[index].label.c_str();
    if (score) *score = (*labels)[index].score;
    return absl::OkStatus();
  });
}

grym_status grym_style_to_json(const grym_style* style, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(style, "style"));
    return TextInto(grym::StyleToJson(*found), out);
  });
}

grym_status grym_style_destroy(grym_style* style) { return Destroy(style, "style"); }

grym_status grym_enhance_options_init(grym_enhance_options* options, uint32_t size) {
  return InitOptions(options, size, EnhanceDefaults());
}

grym_status grym_engine_enhance(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                const grym_enhance_options* options, grym_progress_fn progress, void* user_data,
                                grym_enhanced** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput kept, KeptInput::From(audio, path_utf8));
    GRYM_C_ASSIGN_OR_RETURN(const grym::EnhanceParams params, EnhanceParamsFromC(options));
    return RunInto(progress, user_data, out, [&](const grym::RunOptions& run) {
      return found->processor().Enhance(kept.input(), params, run);
    });
  });
}

grym_status grym_enhanced_audio(const grym_enhanced* enhanced, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(enhanced, "enhanced"));
    *out = NewHandle<grym_audio>(std::shared_ptr<const grym::AudioBuffer>(found, &found->audio));
    return absl::OkStatus();
  });
}

size_t grym_enhanced_stage_count(const grym_enhanced* enhanced) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(enhanced, "enhanced"));
    return found->stages.size();
  });
}

grym_status grym_enhanced_stage(const grym_enhanced* enhanced, size_t index, const char** name, int32_t* applied,
                                double* change_db, const char** text) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(enhanced, "enhanced"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->stages.size(), "index"));
    const grym::EnhanceStage& stage = found->stages[index];
    if (name) *name = stage.name.c_str();
    if (applied) *applied = stage.applied;
    if (change_db) *change_db = stage.change_db;
    if (text) *text = stage.text.c_str();
    return absl::OkStatus();
  });
}

grym_status grym_enhanced_destroy(grym_enhanced* enhanced) { return Destroy(enhanced, "enhanced"); }
