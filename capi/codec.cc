// Audio as a neural codec's whole numbers, and back.
#include "grymsynth/audio_codec.h"

#include <limits>

#include "call.h"
#include "grymsynth/engine.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

absl::StatusOr<std::unique_ptr<grym::AudioCodec>> CodecOf(grym::Engine& engine, const char* model) {
  GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
  GRYM_C_ASSIGN_OR_RETURN(const auto opened, engine.orchestrator().Find(model));
  return opened->NewCodec();
}

template <class Value, class Read>
Value OfCodes(const grym_codes* codes, Read read) {
  return GuardValue<Value>(Value{}, [&]() -> absl::StatusOr<Value> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(codes, "codes"));
    return read(*found);
  });
}

}  // namespace

grym_status grym_engine_encode(grym_engine* engine, const char* model, const grym_audio* audio, const char* path_utf8,
                               grym_progress_fn progress, void* user_data, grym_codes** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(engine, "engine"));
    if (audio) GRYM_C_RETURN_IF_ERROR(Find(audio, "audio").status());
    GRYM_C_ASSIGN_OR_RETURN(const auto codec, CodecOf(*found, model));
    GRYM_C_ASSIGN_OR_RETURN(const auto recording, RecordingFrom(audio, path_utf8));
    return RunInto(progress, user_data, out, [&](const grym::RunOptions& run) { return codec->Encode(*recording, run); });
  });
}

grym_status grym_engine_decode(grym_engine* engine, const char* model, const grym_codes* codes,
                               grym_progress_fn progress, void* user_data, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const auto given, Find(codes, "codes"));
    GRYM_C_ASSIGN_OR_RETURN(const auto codec, CodecOf(*found, model));
    return RunInto(progress, user_data, out, [&](const grym::RunOptions& run) { return codec->Decode(*given, run); });
  });
}

grym_status grym_codes_create(const int32_t* values, int64_t books, int64_t frames, grym_codes** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    if (books < 1 || books > 1024) return Bad("books: want 1 to 1024, got " + std::to_string(books));
    if (frames < 0 || frames > std::numeric_limits<int64_t>::max() / 8192)
      return Bad("frames: want 0 or more, got " + std::to_string(frames));
    if (frames > 0) GRYM_C_RETURN_IF_ERROR(CheckSet(values, "values"));
    grym::AudioCodes codes;
    codes.books = books;
    codes.frames = frames;
    if (frames > 0) codes.values.assign(values, values + books * frames);
    *out = NewHandleOf<grym_codes>(std::move(codes));
    return absl::OkStatus();
  });
}

int64_t grym_codes_books(const grym_codes* codes) {
  return OfCodes<int64_t>(codes, [](const grym::AudioCodes& found) { return found.books; });
}
int64_t grym_codes_frames(const grym_codes* codes) {
  return OfCodes<int64_t>(codes, [](const grym::AudioCodes& found) { return found.frames; });
}
double grym_codes_frame_rate_hz(const grym_codes* codes) {
  return OfCodes<double>(codes, [](const grym::AudioCodes& found) { return found.frame_rate_hz; });
}
const int32_t* grym_codes_values(const grym_codes* codes) {
  return OfCodes<const int32_t*>(codes, [](const grym::AudioCodes& found) { return found.values.data(); });
}
grym_status grym_codes_destroy(grym_codes* codes) { return Destroy(codes, "codes"); }
