// Making: requests and results.
#include "grymsynth/generation.h"

#include <cmath>
#include <limits>

#include "call.h"
#include "grymsynth/midi.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

grym_generate_options GenerateDefaults() {
  const grym::GenerateAudioRequest from;
  grym_generate_options to{};
  to.struct_size = sizeof to;
  to.want_stems = from.want_stems;
  to.duration_s = from.duration_s;
  to.seed = from.seed;
  to.tempo_bpm = kUnset;
  to.reference_strength = from.reference_strength;
  to.enhancement_level = from.enhancement_level;
  to.target_lufs = kUnset;
  to.quality = static_cast<int32_t>(from.quality);
  to.preserve_original = from.preserve_original_characteristics;
  to.allow_unsupported = from.allow_unsupported;
  return to;
}

absl::StatusOr<const grym::Stem*> StemAt(const std::shared_ptr<const grym::GenerateAudioResult>& result, size_t index) {
  GRYM_C_RETURN_IF_ERROR(CheckIndex(index, result->stems.size(), "index"));
  return &result->stems[index];
}

}  // namespace

absl::StatusOr<grym::GenerateAudioRequest> grym::capi::RequestFromC(const grym_generate_options* options) {
  GRYM_C_ASSIGN_OR_RETURN(const grym_generate_options from, ReadOptions(options, GenerateDefaults(), "options"));
  if (from.quality < GRYM_QUALITY_DRAFT || from.quality > GRYM_QUALITY_BEST) {
    return Bad("quality: want a GRYM_QUALITY_ value from 0 to 2, got " + std::to_string(from.quality));
  }
  GenerateAudioRequest to;
  to.prompt = TextOr(from.prompt);
  to.negative_prompt = TextOr(from.negative_prompt);
  to.duration_s = from.duration_s;
  to.seed = from.seed;
  to.model = TextOr(from.model);
  if (!std::isnan(from.tempo_bpm)) to.tempo_bpm = from.tempo_bpm;
  if (from.key) to.key = from.key;
  if (from.meter != 0) to.meter = from.meter;
  to.structure = TextOr(from.structure);
  to.mood = TextOr(from.mood);
  if (from.reference) {
    GRYM_C_ASSIGN_OR_RETURN(const auto reference, Find(from.reference, "reference"));
    to.reference_buffer = *reference;
  }
  to.reference_audio = TextOr(from.reference_path);
  to.reference_strength = from.reference_strength;
  to.want_stems = from.want_stems != 0;
  to.quality = static_cast<QualityTier>(from.quality);
  to.allow_unsupported = from.allow_unsupported != 0;
  to.enhancement_level = from.enhancement_level;
  to.preserve_original_characteristics = from.preserve_original != 0;
  if (!std::isnan(from.target_lufs)) to.target_lufs = from.target_lufs;
  if (from.patterns) {
    GRYM_C_ASSIGN_OR_RETURN(const auto patterns, Find(from.patterns, "patterns"));
    to.patterns = patterns->patterns;
  }
  return to;
}

absl::StatusOr<grym::GenerateAudioRequest> grym::capi::RequestFromCJson(const char* request_json,
                                                                        const grym_audio* reference) {
  GRYM_C_RETURN_IF_ERROR(CheckSet(request_json, "request_json"));
  GRYM_C_ASSIGN_OR_RETURN(GenerateAudioRequest request, RequestFromJson(request_json));
  if (reference) {
    GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(reference, "reference"));
    request.reference_buffer = *found;
  }
  return request;
}

grym_status grym_generate_options_init(grym_generate_options* options, uint32_t size) {
  return InitOptions(options, size, GenerateDefaults());
}

grym_status grym_engine_generate(grym_engine* engine, const grym_generate_options* options, grym_progress_fn progress,
                                 void* user_data, grym_result** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::GenerateAudioRequest request, RequestFromC(options));
    return RunInto(progress, user_data, out,
                   [&](const grym::RunOptions& run) { return found->Generate(request, run); });
  });
}

grym_status grym_engine_generate_json(grym_engine* engine, const char* request_json, const grym_audio* reference,
                                      grym_progress_fn progress, void* user_data, grym_result** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::GenerateAudioRequest request, RequestFromCJson(request_json, reference));
    return RunInto(progress, user_data, out,
                   [&](const grym::RunOptions& run) { return found->Generate(request, run); });
  });
}

grym_status grym_result_audio(const grym_result* result, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    *out = NewHandle<grym_audio>(std::shared_ptr<const grym::AudioBuffer>(found, &found->audio));
    return absl::OkStatus();
  });
}

size_t grym_result_stem_count(const grym_result* result) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    return found->stems.size();
  });
}

const char* grym_result_stem_name(const grym_result* result, size_t index) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::Stem* stem, StemAt(found, index));
    return stem->name.c_str();
  });
}

grym_status grym_result_stem_audio(const grym_result* result, size_t index, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::Stem* stem, StemAt(found, index));
    *out = NewHandle<grym_audio>(std::shared_ptr<const grym::AudioBuffer>(found, &stem->audio));
    return absl::OkStatus();
  });
}

size_t grym_result_other_take_count(const grym_result* result) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    return found->other_takes.size();
  });
}

grym_status grym_result_other_take(const grym_result* result, size_t index, int64_t* seed, double* score,
                                   grym_audio** audio) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(audio, "audio"));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->other_takes.size(), "index"));
    const grym::RankedTake& take = found->other_takes[index];
    *audio = NewHandle<grym_audio>(std::shared_ptr<const grym::AudioBuffer>(found, &take.audio));
    if (seed) *seed = take.seed;
    if (score) *score = take.score;
    return absl::OkStatus();
  });
}

int32_t grym_result_has_midi(const grym_result* result) {
  return GuardValue<int32_t>(0, [&]() -> absl::StatusOr<int32_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    return found->midi.has_value();
  });
}

grym_status grym_result_save_midi(const grym_result* result, const char* path_utf8) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    if (!found->midi) return absl::FailedPreconditionError("result: it has no MIDI");
    return grym::SaveMidi(PathFromUtf8(path_utf8), *found->midi);
  });
}

int64_t grym_result_seed(const grym_result* result) {
  return GuardValue<int64_t>(0, [&]() -> absl::StatusOr<int64_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    return found->provenance.seed;
  });
}

grym_status grym_result_to_json(const grym_result* result, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(result, "result"));
    return TextInto(grym::ResultToJson(*found), out);
  });
}

grym_status grym_result_destroy(grym_result* result) { return Destroy(result, "result"); }
