// Audio: load, make, save, resample, mix, look.
#include "call.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

grym_audio_save_options SaveDefaults() {
  const grym::SaveOptions from;
  grym_audio_save_options to{};
  to.struct_size = sizeof to;
  to.dither = from.dither;
  to.dither_seed = from.dither_seed;
  to.ogg_quality = from.ogg_quality;
  return to;
}

absl::Status CheckChoice(int32_t value, int32_t largest, const char* name) {
  if (value >= 0 && value <= largest) return absl::OkStatus();
  return Bad(std::string(name) + ": want 0 to " + std::to_string(largest) + ", got " + std::to_string(value));
}

absl::StatusOr<grym::SaveOptions> SaveOptionsFromC(const grym_audio_save_options* options) {
  GRYM_C_ASSIGN_OR_RETURN(const grym_audio_save_options from, ReadOptions(options, SaveDefaults(), "options"));
  GRYM_C_RETURN_IF_ERROR(CheckChoice(from.container, GRYM_CONTAINER_OGG, "container"));
  GRYM_C_RETURN_IF_ERROR(CheckChoice(from.sample_format, GRYM_SAMPLE_FORMAT_FLOAT32, "sample_format"));
  constexpr grym::AudioContainer kContainers[] = {grym::AudioContainer::kWav, grym::AudioContainer::kWav,
                                                  grym::AudioContainer::kFlac, grym::AudioContainer::kOggVorbis};
  constexpr grym::SampleFormat kFormats[] = {grym::SampleFormat::kPcm16, grym::SampleFormat::kPcm24,
                                             grym::SampleFormat::kFloat32};
  grym::SaveOptions to;
  if (from.container != GRYM_CONTAINER_BY_NAME) to.container = kContainers[from.container];
  to.format = kFormats[from.sample_format];
  to.dither = from.dither != 0;
  to.dither_seed = from.dither_seed;
  to.ogg_quality = from.ogg_quality;
  to.metadata = {TextOr(from.title),   TextOr(from.prompt),     TextOr(from.seed),    TextOr(from.model),
                 TextOr(from.licence), TextOr(from.parameters), TextOr(from.software)};
  return to;
}

template <class T, class Get>
T OfAudio(const grym_audio* audio, T fallback, Get get) {
  return GuardValue<T>(fallback, [&]() -> absl::StatusOr<T> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(audio, "audio"));
    return get(*found);
  });
}

}  // namespace

grym_status grym_audio_load(const char* path_utf8, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioBuffer audio, grym::LoadAudio(PathFromUtf8(path_utf8)));
    *out = NewHandleOf<grym_audio>(std::move(audio));
    return absl::OkStatus();
  });
}

grym_status grym_audio_create(const float* planar, int32_t channels, int64_t frames, int32_t rate_hz,
                              grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioBuffer audio, grym::AudioBuffer::Create(channels, frames, rate_hz));
    if (planar && frames > 0) std::memcpy(audio.mutable_planar().data(), planar, audio.planar().size_bytes());
    *out = NewHandleOf<grym_audio>(std::move(audio));
    return absl::OkStatus();
  });
}

grym_status grym_audio_save_options_init(grym_audio_save_options* options, uint32_t size) {
  return InitOptions(options, size, SaveDefaults());
}

grym_status grym_audio_save(const grym_audio* audio, const char* path_utf8, const grym_audio_save_options* options) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(audio, "audio"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::SaveOptions save, SaveOptionsFromC(options));
    return grym::SaveAudio(PathFromUtf8(path_utf8), *found, save);
  });
}

grym_status grym_audio_resample(const grym_audio* audio, int32_t rate_hz, int32_t quality, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(audio, "audio"));
    GRYM_C_RETURN_IF_ERROR(CheckChoice(quality, GRYM_RESAMPLE_LIBSAMPLERATE, "quality"));
    constexpr grym::ResampleQuality kQualities[] = {grym::ResampleQuality::kBest, grym::ResampleQuality::kMedium,
                                                    grym::ResampleQuality::kFast, grym::ResampleQuality::kLibsamplerate};
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioBuffer made, grym::Resample(*found, rate_hz, kQualities[quality]));
    *out = NewHandleOf<grym_audio>(std::move(made));
    return absl::OkStatus();
  });
}

grym_status grym_audio_mix_channels(const grym_audio* audio, int32_t channels, grym_audio** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(audio, "audio"));
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioBuffer made, grym::MixChannels(*found, channels));
    *out = NewHandleOf<grym_audio>(std::move(made));
    return absl::OkStatus();
  });
}

int32_t grym_audio_channels(const grym_audio* audio) {
  return OfAudio<int32_t>(audio, 0, [](const grym::AudioBuffer& buffer) { return buffer.channels(); });
}
int32_t grym_audio_rate_hz(const grym_audio* audio) {
  return OfAudio<int32_t>(audio, 0, [](const grym::AudioBuffer& buffer) { return buffer.rate_hz(); });
}
int64_t grym_audio_frames(const grym_audio* audio) {
  return OfAudio<int64_t>(audio, 0, [](const grym::AudioBuffer& buffer) { return buffer.frames(); });
}
const float* grym_audio_planar(const grym_audio* audio) {
  return OfAudio<const float*>(audio, nullptr, [](const grym::AudioBuffer& buffer) { return buffer.planar().data(); });
}
grym_status grym_audio_destroy(grym_audio* audio) { return Destroy(audio, "audio"); }
