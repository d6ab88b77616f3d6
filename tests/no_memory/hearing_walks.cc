// Audio, hearing and cleaning with memory that runs out.
#include <filesystem>

#include "no_memory/walks.h"

namespace grym::testing {
namespace {

std::string FileSize(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  std::filesystem::remove(path, error);
  return std::to_string(bytes);
}

// The life of a stream but for its end.
grym_status ReportOfStream(const grym_audio* audio, grym_analysis_stream** stream, grym_features** out) {
  grym_analysis_stream_options options;
  grym_status status = grym_analysis_stream_options_init(&options, sizeof options);
  options.rate_hz = grym_audio_rate_hz(audio);
  options.longest_s = 5;
  if (status == GRYM_STATUS_OK) status = grym_analysis_stream_create(&options, stream);
  if (status == GRYM_STATUS_OK)
    status = grym_analysis_stream_push_interleaved(*stream, grym_audio_planar(audio), grym_audio_frames(audio));
  if (status == GRYM_STATUS_OK) status = grym_analysis_stream_finish(*stream, nullptr, nullptr, out, nullptr);
  return status;
}

}  // namespace

void AddAudioWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_audio* made = nullptr;
  const auto describe = [] { return Describe(made); };
  const auto folder = [&bench] {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(bench.folder)) {
      const std::string name = entry.path().filename().string();
      if (name[0] == '.') Complain("a temporary file is left: " + name);
      files += name.rfind("store", 0) != 0;
    }
    return std::to_string(files) + " files";
  };
  walks.push_back({"audio_create", [&] { return grym_audio_create(nullptr, 2, 5000, 44100, &made); }, describe});
  walks.push_back({"audio_load wav", [&] { return grym_audio_load(bench.wav.c_str(), &made); }, describe});
  walks.push_back({"audio_load flac", [&] { return grym_audio_load(bench.flac.c_str(), &made); }, describe});
  for (const int32_t quality : {GRYM_RESAMPLE_MEDIUM, GRYM_RESAMPLE_LIBSAMPLERATE}) {
    walks.push_back({"audio_resample " + std::to_string(quality),
                     [&bench, quality] { return grym_audio_resample(bench.audio, 48000, quality, &made); },
                     describe});
  }
  walks.push_back({"audio_mix_channels", [&] { return grym_audio_mix_channels(bench.audio, 2, &made); }, describe});
  for (const char* extension : {".wav", ".flac", ".ogg"}) {
    const std::string path = bench.folder / ("out" + std::string(extension));
    walks.push_back({std::string("audio_save ") + extension,
                     [&bench, path] { return grym_audio_save(bench.audio, path.c_str(), nullptr); },
                     [path] { return FileSize(path); }, folder});
  }
}

void AddHearingWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_features* features = nullptr;
  static grym_patterns* patterns = nullptr;
  static grym_style* style = nullptr;
  static grym_enhanced* enhanced = nullptr;
  static grym_comparison* comparison = nullptr;
  static grym_text* text = nullptr;
  walks.push_back({"analyze",
                   [&] { return grym_engine_analyze(bench.engine, bench.audio, nullptr, nullptr, nullptr, &features); },
                   [] { return Describe(features); }});
  walks.push_back({"analyze a path",
                   [&] { return grym_engine_analyze(bench.engine, nullptr, bench.wav.c_str(), nullptr, nullptr,
                                                            &features); },
                   [] { return Describe(features); }});
  walks.push_back({"detect_patterns",
                   [&] { return grym_engine_detect_patterns(bench.engine, bench.audio, nullptr, nullptr, nullptr,
                                                            &patterns); },
                   [] { return Describe(patterns); }});
  walks.push_back({"patterns_of_features",
                   [&] { return grym_engine_patterns_of_features(bench.engine, bench.features, &patterns); },
                   [] { return Describe(patterns); }});
  static grym_analysis_stream* stream = nullptr;
  walks.push_back({"analysis_stream", [&] { return ReportOfStream(bench.audio, &stream, &features); },
                   [] { return Describe(features); },
                   [] {  // after the words of a failure were read
                     grym_analysis_stream_destroy(stream);
                     stream = nullptr;
                     return std::string();
                   },
                   5});
  walks.push_back({"classify_style",
                   [&] { return grym_engine_classify_style(bench.engine, bench.audio, nullptr, nullptr, nullptr,
                                                            &style); },
                   [] {
                     grym_style_to_json(style, &text);
                     grym_style_destroy(style);
                     return Take(text);
                   }});
  walks.push_back({"enhance",
                   [&] { return grym_engine_enhance(bench.engine, bench.audio, nullptr, nullptr, nullptr, nullptr,
                                                            &enhanced); },
                   [] {
                     grym_audio* audio = nullptr;
                     grym_enhanced_audio(enhanced, &audio);
                     grym_enhanced_destroy(enhanced);
                     return Describe(audio);
                   }});
  walks.push_back({"compare",
                   [&] {
                     return grym_compare(bench.audio, nullptr, bench.audio, nullptr, nullptr, nullptr, &comparison);
                   },
                   [] {
                     grym_comparison_to_json(comparison, &text);
                     grym_comparison_destroy(comparison);
                     return Take(text);
                   }});
  walks.push_back({"features_to_json", [&] { return grym_features_to_json(bench.features, 1, &text); },
                   [] { return Take(text); }});
}

}  // namespace grym::testing
