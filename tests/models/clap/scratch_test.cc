#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <chrono>
#include <cstdio>
#include <functional>
#include "clap_peer.h"
#include "runtime/memory_budget.h"
namespace grym::testing {
namespace {
double BestMs(int repeats, const std::function<void()>& work) {
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}
TEST(Scratch, Speed) {
  c10::InferenceMode guard;
  at::set_num_threads(2);
  const std::filesystem::path folder = std::getenv("GRYM_CLAP_FULL");
  auto budget = std::make_shared<MemoryBudget>(int64_t{6} << 30);
  BudgetScope scope(budget);
  auto parts = ReadClapParts(folder, Precision::kFloat32);
  ASSERT_TRUE(parts.ok()) << parts.status();
  const int64_t told = ClapTextNet::WeightBytes(parts->config.text, Precision::kFloat32, c10::Device(c10::kCPU)) + ClapAudioNet::WeightBytes(parts->config.audio, Precision::kFloat32, c10::Device(c10::kCPU));
  std::printf("weights %ld told %ld peak %ld\n", budget->used_bytes(), told, budget->peak_bytes());
  std::vector<float> sound(480000);
  unsigned state = 1;
  for (size_t i = 0; i < sound.size(); ++i) { state = state * 1664525u + 1013904223u; sound[i] = 0.3f * std::sin(0.02f * i) + 0.05f * ((state >> 8) / 8388608.0f - 1); }
  ClapFeatureExtractor extractor(parts->features);
  std::printf("features %.2f ms\n", BestMs(40, [&] { (void)extractor.Extract(sound); }));
  at::Tensor features = FeatureTensor(*extractor.Extract(sound));
  int64_t before = budget->used_bytes();
  budget->ResetPeak();
  std::printf("audio 2 threads %.2f ms\n", BestMs(40, [&] { (void)parts->audio.Embed(features, false); }));
  std::printf("audio working %ld told %ld\n", budget->peak_bytes() - before, ClapAudioNet::WorkingBytes(parts->config.audio, 1, Precision::kFloat32, c10::Device(c10::kCPU)));
  std::vector<std::vector<int32_t>> texts = {{0,100,200,300,400,500,600,700,800,900,1000,1100,1200,2},{0,2}};
  for (int n : {2, 10, 100, 500}) { std::vector<std::vector<int32_t>> t = {std::vector<int32_t>(n, 7)}; budget->ResetPeak(); (void)parts->text.Embed(t); std::printf("text %d working %ld told %ld\n", n, budget->peak_bytes() - before, ClapTextNet::WorkingBytes(parts->config.text, Precision::kFloat32, c10::Device(c10::kCPU), n)); }
  std::printf("text 2 threads %.2f ms\n", BestMs(20, [&] { (void)parts->text.Embed(texts); }));
  at::set_num_threads(1);
  std::printf("audio 1 thread %.2f ms\n", BestMs(10, [&] { (void)parts->audio.Embed(features, false); }));
  std::printf("text 1 thread %.2f ms\n", BestMs(10, [&] { (void)parts->text.Embed(texts); }));
}
}  // namespace
}  // namespace grym::testing
