// What each part of hearing costs on a minute of mono at 44.1 kHz, one thread. The parts from BM_Analysis_Loudness_FromAudio to
// BM_Analysis_Rhythm hear what they would within Analyze, so their sum is the whole. Those named _FromAudio are one
// piece of work alone with all that it needs, as benchmarks/peers/hearing.py sets beside other libraries.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>
#include <vector>

#include "analysis/level_meter.h"
#include "analysis/loudness_meter.h"
#include "analysis/pitch_tracker.h"
#include "analysis/rhythm.h"
#include "analysis/sections.h"
#include "analysis/spectral_stream.h"
#include "analysis/tonal.h"
#include "analysis/tonal_stream.h"
#include "dsp/fft.h"
#include "dsp/fft_batch.h"
#include "dsp/logarithm.h"
#include "dsp/mel.h"
#include "dsp/polyphase.h"
#include "dsp/stft.h"
#include "dsp/window.h"
#include "grymsynth/audio_file.h"
#include "test_music.h"

namespace {

using namespace grym;

constexpr int64_t kBlockFrames = 32768;

// GRYM_BENCH_AUDIO, a mono file at 44.1 kHz, where that is set: what the peers are given is heard then.
const AudioBuffer& Minute() {
  static const AudioBuffer minute = [] {
    const char* path = std::getenv("GRYM_BENCH_AUDIO");
    const AudioBuffer music = path && *path ? LoadAudio(path).value() : TestMusic(60);
    AudioBuffer mono = AudioBuffer::Create(1, music.frames(), kAnalysisRateHz).value();
    std::copy(music.channel(0).begin(), music.channel(0).end(), mono.mutable_channel(0).begin());
    return mono;
  }();
  return minute;
}

std::vector<float> At(int rate_hz, std::span<const float> signal) {
  PolyphaseResampler resampler(kAnalysisRateHz, rate_hz);
  std::vector<float> result;
  resampler.Push(signal, result);
  resampler.Finish(result);
  return result;
}

std::vector<float> At(int rate_hz) { return At(rate_hz, Minute().channel(0)); }

template <class Take>
void InBlocks(Take take) {
  for (int64_t at = 0; at < Minute().frames(); at += kBlockFrames) take(Minute().Slice(at, kBlockFrames));
}

// 5,164 spectra of 2048 points: a minute at a hop of 512.
void BM_Dsp_PowerSpectra(benchmark::State& state) {
  const bool batch = state.range(0) > 1;
  const std::vector<float> window = MakeWindow(WindowKind::kHann, 2048);
  const auto signal = Minute().channel(0);
  RealFftBatch eight(2048);
  RealFft one(2048);
  std::vector<float> power(1025 * 8), frame(2048);
  for (auto _ : state) {
    for (size_t at = 0; at + 2048 + 8 * 512 <= signal.size(); at += batch ? 8 * 512 : 512) {
      if (batch) {
        eight.Power(signal.data() + at, 512, window.data(), power.data());
      } else {
        for (size_t n = 0; n < 2048; ++n) frame[n] = signal[at + n] * window[n];
        one.Power(frame.data(), power.data());
      }
      benchmark::DoNotOptimize(power.data());
    }
  }
}
BENCHMARK(BM_Dsp_PowerSpectra)->ArgName("at_once")->Arg(1)->Arg(8)->Unit(benchmark::kMillisecond);

// Integrated, range, momentary, short-term, true peak.
void BM_Analysis_Loudness_FromAudio(benchmark::State& state) {
  for (auto _ : state) {
    LoudnessMeter meter(1, 44100);
    InBlocks([&](const AudioBuffer& block) { meter.Push(block); });
    benchmark::DoNotOptimize(meter.Finish());
  }
}
BENCHMARK(BM_Analysis_Loudness_FromAudio)->Unit(benchmark::kMillisecond);

// Onset strength, spectral statistics, MFCC, contrast, noise floor.
void BM_Analysis_Spectra(benchmark::State& state) {
  for (auto _ : state) {
    SpectralStream stream;
    InBlocks([&](const AudioBuffer& block) { stream.Push(block.channel(0)); });
    SpectralFeatures features;
    double floor = 0;
    stream.Finish(features, floor);
    benchmark::DoNotOptimize(features);
  }
}
BENCHMARK(BM_Analysis_Spectra)->Unit(benchmark::kMillisecond);

void BM_Analysis_Pitch(benchmark::State& state) {
  const std::vector<float> signal = At(kPitchRateHz);
  for (auto _ : state) {
    PitchTracker tracker;
    tracker.Push(signal);
    benchmark::DoNotOptimize(tracker.Finish());
  }
}
BENCHMARK(BM_Analysis_Pitch)->Unit(benchmark::kMillisecond);

// Peaks, tuning, chroma, key.
void BM_Analysis_Key(benchmark::State& state) {
  const std::vector<float> signal = At(kTonalRateHz);
  for (auto _ : state) {
    TonalStream stream;
    stream.Push(signal);
    const TonalFrames frames = stream.Finish();
    benchmark::DoNotOptimize(EstimateKey(ComputeChroma(frames, EstimateTuning(frames))));
  }
}
BENCHMARK(BM_Analysis_Key)->Unit(benchmark::kMillisecond);

// Onsets, tempo, beats and bars from onset strength and chroma.
void BM_Analysis_Rhythm(benchmark::State& state) {
  SpectralStream stream;
  stream.Push(Minute().channel(0));
  SpectralFeatures features;
  double floor = 0;
  stream.Finish(features, floor);
  TonalStream tones;
  tones.Push(At(kTonalRateHz));
  const ChromaFrames chroma = ComputeChroma(tones.Finish(), 440);
  for (auto _ : state) {
    const std::vector<double> onsets = PickOnsets(stream.onsets());
    benchmark::DoNotOptimize(FindRhythm(stream.onsets(), onsets, chroma, 60));
  }
}
BENCHMARK(BM_Analysis_Rhythm)->Unit(benchmark::kMillisecond);

// Mel spectra of 128 bands at librosa's default sizes, `mfcc` of them folded to 20 cepstra.
std::vector<float> MelSpectra(std::span<const float> signal, bool mfcc) {
  constexpr int kSize = 2048, kHop = 512, kBands = 128, kCepstra = 20, kLanesAtOnce = RealFftBatch::kFrames;
  const std::vector<float> window = MakeWindow(WindowKind::kHann, kSize);
  const FilterBank bank = FilterBank::Mel(kAnalysisRateHz, kSize, kBands, 0, kAnalysisRateHz / 2.0);
  const CosineTransform cosine(kBands, kCepstra);
  RealFftBatch fft(kSize);
  BatchFramer framer(kSize, kHop);
  std::vector<float> power(static_cast<size_t>(fft.bins()) * kLanesAtOnce), lanes(size_t{kBands} * kLanesAtOnce);
  std::vector<float> frame(kBands), result;
  const auto take = [&](const float* first, int frames) {
    fft.Power(first, kHop, window.data(), power.data());
    bank.ApplyToLanes(power.data(), lanes.data());
    for (int f = 0; f < frames; ++f) {
      TakeLane(lanes.data(), kBands, f, frame.data());
      const size_t at = result.size();
      if (!mfcc) {
        result.insert(result.end(), frame.begin(), frame.end());
        continue;
      }
      for (float& band : frame) band = VectorDbOfPower(std::max(band, 1e-10f));
      result.resize(at + kCepstra);
      cosine.Apply(frame.data(), result.data() + at);
    }
  };
  framer.Push(signal, take);
  framer.Finish(take);
  return result;
}

void BM_Dsp_Mel128_FromAudio(benchmark::State& state) {
  const auto signal = Minute().channel(0);
  for (auto _ : state) benchmark::DoNotOptimize(MelSpectra(signal, false));
}
BENCHMARK(BM_Dsp_Mel128_FromAudio)->Unit(benchmark::kMillisecond);

void BM_Dsp_Mfcc_FromAudio(benchmark::State& state) {
  const auto signal = Minute().channel(0);
  for (auto _ : state) benchmark::DoNotOptimize(MelSpectra(signal, true));
}
BENCHMARK(BM_Dsp_Mfcc_FromAudio)->Unit(benchmark::kMillisecond);

// What the listeners below know of a signal once they have heard it.
struct Heard {
  explicit Heard(std::span<const float> signal, SpectralStream::What what = SpectralStream::What::kEverything)
      : stream(RealFftBatch::kFrames, nullptr, what) {
    stream.Push(signal);
    stream.Finish(features, floor);
    onsets_s = PickOnsets(stream.onsets());
  }
  SpectralStream stream;
  SpectralFeatures features;
  double floor = 0;
  std::vector<double> onsets_s;
};

ChromaFrames ChromaOf(std::span<const float> signal) {
  TonalStream tones;
  tones.Push(At(kTonalRateHz, signal));
  const TonalFrames frames = tones.Finish();
  return ComputeChroma(frames, EstimateTuning(frames));
}

void BM_Analysis_Onsets_FromAudio(benchmark::State& state) {
  const auto signal = Minute().channel(0);
  for (auto _ : state) benchmark::DoNotOptimize(Heard(signal, SpectralStream::What::kOnsets).onsets_s);
}
BENCHMARK(BM_Analysis_Onsets_FromAudio)->Unit(benchmark::kMillisecond);

// Onsets, tempo, beats, bars. The chroma, which only the bars listen to, is given.
void BM_Analysis_TempoBeats_FromAudio(benchmark::State& state) {
  const ChromaFrames chroma = ChromaOf(Minute().channel(0));
  for (auto _ : state) {
    Heard heard(Minute().channel(0), SpectralStream::What::kOnsets);
    benchmark::DoNotOptimize(FindRhythm(heard.stream.onsets(), heard.onsets_s, chroma, Minute().duration_s()));
  }
}
BENCHMARK(BM_Analysis_TempoBeats_FromAudio)->Unit(benchmark::kMillisecond);

void BM_Analysis_KeyChroma_FromAudio(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(EstimateKey(ChromaOf(Minute().channel(0))));
}
BENCHMARK(BM_Analysis_KeyChroma_FromAudio)->Unit(benchmark::kMillisecond);

void BM_Analysis_Pitch_FromAudio(benchmark::State& state) {
  for (auto _ : state) {
    PitchTracker tracker;
    tracker.Push(At(kPitchRateHz));
    benchmark::DoNotOptimize(tracker.Finish());
  }
}
BENCHMARK(BM_Analysis_Pitch_FromAudio)->Unit(benchmark::kMillisecond);

// Beats, chroma and MFCC included, since sections are made of them.
void BM_Analysis_Sections_FromAudio(benchmark::State& state) {
  AudioBuffer audio = Minute();  // ten times for 600 s
  for (int64_t i = 1; i < state.range(0) / 60; ++i) {
    if (!audio.Append(Minute()).ok()) return state.SkipWithError("audio does not fit");
  }
  for (auto _ : state) {
    Heard heard(audio.channel(0));
    const ChromaFrames chroma = ChromaOf(audio.channel(0));
    const Rhythm rhythm = FindRhythm(heard.stream.onsets(), heard.onsets_s, chroma, audio.duration_s());
    benchmark::DoNotOptimize(FindSections(heard.features.mfcc, chroma, rhythm.beats_s, rhythm.downbeats_s,
                                          audio.duration_s()));
  }
}
BENCHMARK(BM_Analysis_Sections_FromAudio)->ArgName("s")->Apply([](auto* sections) {
  const char* shortened = std::getenv("GRYM_BENCH_SHORT");
  sections->Arg(60);
  if (!shortened || !*shortened) sections->Arg(600);
})->Unit(benchmark::kMillisecond);

// To 16 kHz: 0 kBest, 1 kMedium, 2 kFast, 3 kLibsamplerate.
void BM_Audio_Resample_FromAudio(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Resample(Minute(), 16000, static_cast<ResampleQuality>(state.range(0))));
  }
}
BENCHMARK(BM_Audio_Resample_FromAudio)->ArgName("quality")->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

}  // namespace
