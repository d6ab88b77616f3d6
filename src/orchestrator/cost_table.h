// What runs really cost: the last 32 measured runs of each model and capability.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "grymsynth/model_orchestrator.h"

namespace grym {

// Threads: any.
class CostTable {
 public:
  static constexpr int kKept = 32;

  // A run that failed says nothing about cost and is not taken in.
  void Record(const PerformanceMetrics& metrics);
  void Forget(std::string_view model);  // all its rows
  // Mean wall seconds per second of audio over the kept runs.
  std::optional<double> SecondsPerAudioSecond(std::string_view model, Capability capability) const;
  int64_t PeakBytes(std::string_view model, Capability capability) const;  // the most of the kept runs, 0 without any
  int Runs(std::string_view model, Capability capability) const;

 private:
  struct Row {
    std::array<double, kKept> ratios{};
    std::array<int64_t, kKept> peaks{};
    int64_t runs = 0;  // ever; the oldest is overwritten
  };
  const Row* Find(std::string_view model, Capability capability) const;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, Capability>, Row> rows_;
};

}  // namespace grym
