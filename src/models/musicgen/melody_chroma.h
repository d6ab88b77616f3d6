// The melody of a recording or of a MIDI file as MusicGen hears it: the loudest pitch class, eight times a second.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/midi.h"

namespace grym {

// Defaults are those of transformers 5.23, MusicgenMelodyFeatureExtractor.
struct ChromaOptions {
  int rate_hz = 32000;
  int size = 16384;      // of the transform, a power of two
  int hop = 4096;        // samples from frame to frame
  int classes = 12;      // class 0 is C
  double chunk_s = 30;   // what the model hears at once
  int64_t length = 235;  // frames that the model is given, whatever the melody's length

  double frame_rate_hz() const { return static_cast<double>(rate_hz) / hop; }
  int64_t chunk_samples() const { return static_cast<int64_t>(chunk_s * rate_hz); }
};

// How much each bin of the spectrum counts for each class: [classes, size / 2 + 1].
// Source: Ellis, "Chroma Feature Analysis and Synthesis", 2007, as librosa's chroma filters and transformers'
// chroma_filter_bank have it: Gaussian bumps in log frequency, columns of unit length, weighted towards octave 5.
std::vector<float> ChromaFilters(const ChromaOptions& options);

// Power spectra around samples 0, hop, 2 hop, ...: [1 + samples / hop, size / 2 + 1], with a periodic Hann window,
// divided by the window's energy; the signal is mirrored at its ends and, where it is shorter than the transform, first
// padded with zeros at both. Source: torchaudio.transforms.Spectrogram(normalized=True, power=2).
std::vector<float> ChromaPower(std::span<const float> mono, const ChromaOptions& options);
// What the classes hold of it: [frames, classes].
std::vector<float> RawChroma(std::span<const float> mono, const ChromaOptions& options, const CancelToken& cancel);
// The loudest class of each frame, the first of equals as the reference sees them: class 0 where there is silence.
std::vector<uint8_t> LoudestClasses(std::span<const float> raw_chroma, int classes);

// The one-hot rows that the model reads, by their class.
struct Melody {
  std::vector<uint8_t> first;  // what the reference makes of the first chunk
  // Frames of all that was read, for windows beyond the first; empty: `first` is all there is.
  std::vector<uint8_t> all;
  std::vector<std::string> warnings;

  // `length` classes for a window that begins `offset_s` into the sound. A melody that ends starts again: at 0 as the
  // reference repeats its frames, later as audiocraft's extension repeats the wave, to a frame.
  std::vector<uint8_t> Window(double offset_s, const ChromaOptions& options) const;
};

// Mixed to mono and resampled; the file is read in blocks, and no further than `most_s` or one chunk, whichever is
// longer. InvalidArgument: "no_frames" for an empty recording, "silent_melody" for one without sound. A warning where
// hardly a pitch stands out for long: speech, drums, noise. Cancelled; errors of the file.
absl::StatusOr<Melody> MelodyOf(const AudioInput& input, double most_s, const ChromaOptions& options,
                                const CancelToken& cancel);
// From the notes that sound at each frame's centre: a class is as strong as the sum of its notes' squared velocities;
// the strongest is the melody's, of equals that of the highest note. Where nothing sounds the last class stays, before
// the first note that of the first. Percussion (channel 9) is no melody. InvalidArgument "no_notes".
absl::StatusOr<Melody> MelodyOf(const Midi& midi, double most_s, const ChromaOptions& options);

}  // namespace grym
