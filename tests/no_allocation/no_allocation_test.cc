// AnalysisStream in an audio callback: no memory is asked for or given back, and no mutex is locked, after the start.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>

#include "grymsynth/analysis_stream.h"
#ifdef __GLIBC__
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace {

std::atomic<bool> g_watching{false};
std::atomic<int64_t> g_allocations{0}, g_frees{0}, g_locks{0};

void* Allocated(std::size_t bytes, std::size_t alignment) {
  if (g_watching.load(std::memory_order_relaxed)) ++g_allocations;
  void* block = nullptr;
  if (alignment <= alignof(std::max_align_t)) block = std::malloc(bytes > 0 ? bytes : 1);
  else if (posix_memalign(&block, alignment, bytes) != 0) block = nullptr;
  if (!block) throw std::bad_alloc();
  return block;
}
void Freed(void* block) {
  if (block && g_watching.load(std::memory_order_relaxed)) ++g_frees;
  std::free(block);
}

}  // namespace

void* operator new(std::size_t bytes) { return Allocated(bytes, 1); }
void* operator new[](std::size_t bytes) { return Allocated(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t a) { return Allocated(bytes, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t bytes, std::align_val_t a) { return Allocated(bytes, static_cast<std::size_t>(a)); }
void operator delete(void* block) noexcept { Freed(block); }
void operator delete[](void* block) noexcept { Freed(block); }
void operator delete(void* block, std::size_t) noexcept { Freed(block); }
void operator delete[](void* block, std::size_t) noexcept { Freed(block); }
void operator delete(void* block, std::align_val_t) noexcept { Freed(block); }
void operator delete[](void* block, std::align_val_t) noexcept { Freed(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { Freed(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { Freed(block); }

#ifdef __GLIBC__
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto real = reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (g_watching.load(std::memory_order_relaxed)) ++g_locks;
  return real(mutex);
}
#endif

namespace grym {
namespace {

// Half a minute that everything in the stream has something to do with: strokes, a gliding tone, clipping, pauses.
std::vector<float> Everything(int rate_hz, double seconds) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t n = 0; n < samples.size(); ++n) {
    const double t = static_cast<double>(n) / rate_hz, in_beat = std::fmod(t, 0.5), in_ten = std::fmod(t, 10);
    double value = 0.9 * std::exp(-30 * in_beat) * std::sin(2 * M_PI * 70 * in_beat);
    value += 0.3 * std::sin(2 * M_PI * (220 * t + 10 * std::sin(t)));
    if (in_ten > 8) value = in_ten > 9 ? 0 : 4 * value;
    samples[n] = static_cast<float>(std::fmax(-1, std::fmin(1, value)));
  }
  samples[samples.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  return samples;
}

void Watch(int rate_hz, int channels, double longest_s) {
  AnalysisStreamOptions options;
  options.rate_hz = rate_hz;
  options.channels = channels;
  options.longest_s = longest_s;
  options.most_events = 32;  // overflows
  const auto stream = AnalysisStream::Create(options).value();
  const std::vector<float> samples = Everything(rate_hz, 16);
  std::vector<const float*> planes(static_cast<size_t>(channels));
  AnalysisEvent events[4];
  size_t told = 0;
  double pitch_hz = 0;
  g_allocations = g_frees = g_locks = 0;
  g_watching = true;
  int64_t block = 1;
  for (int64_t at = 0; at < static_cast<int64_t>(samples.size()); at += block) {
    block = std::min<int64_t>(at % 7 == 0 ? 20000 : at % 5 == 0 ? 0 : 64, static_cast<int64_t>(samples.size()) - at);
    for (const float*& plane : planes) plane = samples.data() + at;
    ASSERT_TRUE(stream->Push(planes, block));
    block = std::max<int64_t>(block, 1);
    told += stream->TakeEvents(events);
    pitch_hz = std::max(pitch_hz, stream->live().f0_hz);
  }
  g_watching = false;
  EXPECT_EQ(g_allocations, 0) << rate_hz;
  EXPECT_EQ(g_frees, 0) << rate_hz;
  EXPECT_EQ(g_locks, 0) << rate_hz;
  // It did hear.
  EXPECT_GT(told, 10u);
  EXPECT_GT(pitch_hz, 150);
  EXPECT_EQ(stream->live().replaced_samples, channels);
}

TEST(NoAllocationTest, TheWatchSees) {
  g_allocations = g_frees = g_locks = 0;
  g_watching = true;
  delete new int;  // NOLINT
#ifdef __GLIBC__
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  EXPECT_GE(g_locks, 1);
#endif
  g_watching = false;
  std::vector<int>* kept = new std::vector<int>(1);
  g_watching = true;
  kept->push_back(2);
  g_watching = false;
  delete kept;
  EXPECT_GE(g_allocations, 1);
  EXPECT_GE(g_frees, 1);
}

TEST(NoAllocationTest, NothingIsAskedForWhileAudioPasses) {
  Watch(44100, 1, 600);
  Watch(48000, 2, 600);
  Watch(8000, 1, 600);
  Watch(96000, 6, 600);
}

TEST(NoAllocationTest, NorBeyondWhatTheReportCovers) {
  Watch(44100, 2, 5);
  Watch(44100, 2, 0);
}

}  // namespace
}  // namespace grym

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
