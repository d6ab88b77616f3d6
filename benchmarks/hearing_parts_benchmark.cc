// What each part of hearing costs on a minute of mono at 44.1 kHz, one thread. Every part hears what it would within
// Analyze, so the sum is the whole.
#include <benchmark/benchmark.h>

#include <algorithm>
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
#include "dsp/polyphase.h"
#include "dsp/window.h"
#include "test_music.h"

namespace {

using namespace grym;

constexpr int64_t kBlockFrames = 32768;

const AudioBuffer& Minute() {
  static const AudioBuffer minute = [] {
    const AudioBuffer stereo = TestMusic(60);
    AudioBuffer mono = AudioBuffer::Create(1, stereo.frames(), stereo.rate_hz()).value();
    std::copy(stereo.channel(0).begin(), stereo.channel(0).end(), mono.mutable_channel(0).begin());
    return mono;
  }();
  return minute;
}

std::vector<float> At(int rate_hz) {
  PolyphaseResampler resampler(Minute().rate_hz(), rate_hz);
  std::vector<float> result;
  resampler.Push(Minute().channel(0), result);
  resampler.Finish(result);
  return result;
}

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
void BM_Analysis_Loudness(benchmark::State& state) {
  for (auto _ : state) {
    LoudnessMeter meter(1, 44100);
    InBlocks([&](const AudioBuffer& block) { meter.Push(block); });
    benchmark::DoNotOptimize(meter.Finish());
  }
}
BENCHMARK(BM_Analysis_Loudness)->Unit(benchmark::kMillisecond);

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

}  // namespace
