// What was heard in a recording: plain values, times in seconds from the first frame.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/export.h"

namespace grym {

struct TimeSpan {
  double start_s = 0;
  double end_s = 0;
};

// A series of vectors at a fixed rate: value of frame i, dimension d at values[i * dim + d]; frame i is centred at
// start_s + i / rate_hz.
struct FrameSeries {
  int dim = 1;
  double rate_hz = 0;
  double start_s = 0;
  std::vector<float> values;  // [frames, dim]
  int64_t frames() const { return dim > 0 ? static_cast<int64_t>(values.size()) / dim : 0; }
};

// ITU-R BS.1770-5 and EBU R128, at every rate: below 22.05 kHz the loudness is that of the signal brought to 44.1 kHz
// or more. -infinity for silence or audio shorter than one gating block (400 ms).
struct Loudness {
  double integrated_lufs = -std::numeric_limits<double>::infinity();
  double range_lu = 0;
  double max_momentary_lufs = -std::numeric_limits<double>::infinity();
  double max_short_term_lufs = -std::numeric_limits<double>::infinity();
  double true_peak_dbtp = -std::numeric_limits<double>::infinity();
  FrameSeries momentary;   // LUFS at 10 Hz
  FrameSeries short_term;  // LUFS at 10 Hz
};

struct Level {
  double peak_dbfs = -std::numeric_limits<double>::infinity();  // largest sample; -infinity for silence
  double rms_dbfs = -std::numeric_limits<double>::infinity();
  double crest_db = 0;
};

// Frame-wise at `rate_hz`, and the mean over frames that are not silent.
struct SpectralFeatures {
  FrameSeries centroid_hz, bandwidth_hz, rolloff_hz, flatness;  // dim 1; flatness in [0, 1]; rolloff at 85 %
  FrameSeries contrast_db;                                      // dim 7, octave bands
  FrameSeries mfcc;                                             // dim 20
  FrameSeries chroma;                                           // dim 12, C first, largest of a frame is 1
  double mean_centroid_hz = 0, mean_bandwidth_hz = 0, mean_rolloff_hz = 0, mean_flatness = 0;
  std::array<double, 7> mean_contrast_db{};
  std::array<double, 20> mean_mfcc{}, std_mfcc{};
  std::array<double, 12> mean_chroma{};
  // Octave bands centred 31.5 Hz .. 16 kHz, relative to the whole; -120 for silence.
  std::array<double, 10> band_energy_db{-120, -120, -120, -120, -120, -120, -120, -120, -120, -120};
};

struct Pitch {
  std::vector<double> times_s;
  std::vector<float> f0_hz;       // 0 where unvoiced
  std::vector<float> confidence;  // [0, 1]
};

struct Chord {
  double start_s = 0;
  double end_s = 0;
  std::string label;  // "C", "Am", "G7", "Dm7", "Fmaj7", "Bdim", "N" for none
  double confidence = 0;
};

struct Section {
  double start_s = 0;
  double end_s = 0;
  std::string label;  // "A", "B", ...: equal letters sound alike
  double confidence = 0;
};

// Facts about the recording's condition.
struct Condition {
  double noise_floor_dbfs = -std::numeric_limits<double>::infinity();  // of the quietest tenth of the frames, by thirds
  double clipped_ratio = 0;         // share of samples inside runs at full scale, [0, 1]
  std::vector<TimeSpan> clipping;   // at most 1,000
  double dc_offset = 0;             // largest of the channels' means, with its sign
  std::vector<TimeSpan> silence;    // below -60 dBFS for at least 200 ms
  double leading_silence_s = 0, trailing_silence_s = 0;
  double hum_hz = 0;                // 50 or 60 when mains hum was found, else 0
  double hum_db = 0;                // its level above the local floor
  int64_t replaced_samples = 0;     // NaN, infinite or beyond +-1e9 in the input
  double stereo_width = 0;          // side / mid energy ratio in [0, 1]; 0 for mono
  double stereo_correlation = 1;    // [-1, 1]
};

// What can be listened for. Some parts rest on others, which are heard with them.
enum class AnalysisPart {
  kLevel,     // peak, RMS, clipping, DC, silence, stereo
  kLoudness,  // LUFS, range, true peak
  kSpectrum,  // statistics, MFCC, octave energies, noise floor
  kOnsets,    // and onset strength
  kRhythm,    // tempo, beats, bars; with it kOnsets and kKey
  kPitch,
  kKey,       // tuning, chroma, key, hum
  kChords,    // with it kRhythm
  kSections,  // with it kRhythm and kSpectrum
};
inline constexpr int kAnalysisParts = 9;
GRYM_EXPORT const char* AnalysisPartName(AnalysisPart part);  // "level", "loudness", ...
GRYM_EXPORT std::optional<AnalysisPart> AnalysisPartFromName(std::string_view name);

// A set of parts that holds what its members rest on. Everything unless told otherwise: AnalysisParts{} too.
class AnalysisParts {
 public:
  AnalysisParts() = default;
  // Requires at least one.
  AnalysisParts(std::initializer_list<AnalysisPart> parts) : bits_(0) {
    for (const AnalysisPart part : parts) Add(part);
  }
  static AnalysisParts None() {
    AnalysisParts none;
    none.bits_ = 0;
    return none;
  }
  GRYM_EXPORT void Add(AnalysisPart part);
  bool has(AnalysisPart part) const { return bits_ >> static_cast<int>(part) & 1; }
  bool everything() const { return bits_ == (1u << kAnalysisParts) - 1; }

 private:
  uint32_t bits_ = (1u << kAnalysisParts) - 1;
};

// InvalidArgument (code "bad_parts") for an unknown name, or none at all.
GRYM_EXPORT absl::StatusOr<AnalysisParts> AnalysisPartsFromNames(const std::vector<std::string>& names);

struct AudioFeatures {
  AnalysisParts parts;                // what was listened for; all else is at its default
  double duration_s = 0;
  int rate_hz = 0;
  int channels = 0;
  int64_t frames = 0;
  Level level;
  Loudness loudness;
  SpectralFeatures spectral;
  Condition condition;
  FrameSeries onset_strength;         // dim 1
  std::vector<double> onsets_s;
  double tempo_bpm = 0;               // 0 when unsure (silence, speech, free time)
  double tempo_confidence = 0;        // [0, 1]; at most about 0.5 where another level, double or half, speaks as loud
  std::vector<double> beats_s;        // empty when tempo_bpm is 0
  std::vector<double> downbeats_s;
  int meter = 0;                      // beats a bar: 3 or 4; 0 when unsure
  double meter_confidence = 0;
  std::optional<std::string> key;     // "F major", "C# minor"; unset when unsure
  double key_confidence = 0;
  double tuning_hz = 440;             // of A4, from the spectral peaks; 440 when nothing is pitched
  Pitch pitch;
  std::vector<Chord> chords;
  std::vector<Section> sections;
};

// "C major" -> 0, "C# major" -> 1, ..., "A minor" -> 21 (12 + tonic); accepts flats and sharps, "Am", "C".
// InvalidArgument for anything else.
GRYM_EXPORT absl::StatusOr<int> ParseKey(std::string_view name);
GRYM_EXPORT std::string KeyName(int key);  // inverse, sharps; requires 0 <= key < 24

// JSON text (schema "grymsynth.features/1"). Series are left out unless `with_series`. Infinities become null.
GRYM_EXPORT std::string FeaturesToJson(const AudioFeatures& features, bool with_series = false);
// Reads what FeaturesToJson wrote. InvalidArgument names the pointer, what was wanted and what came.
GRYM_EXPORT absl::StatusOr<AudioFeatures> FeaturesFromJson(std::string_view json);

}  // namespace grym
