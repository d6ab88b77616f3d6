#include "orchestrator/cost_table.h"

#include <algorithm>

namespace grym {

void CostTable::Record(const PerformanceMetrics& metrics) {
  if (!metrics.ok || !(metrics.audio_seconds > 0)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  Row& row = rows_[{metrics.model, metrics.capability}];
  const size_t slot = static_cast<size_t>(row.runs % kKept);
  row.ratios[slot] = metrics.wall_seconds / metrics.audio_seconds;
  row.peaks[slot] = metrics.peak_bytes;
  ++row.runs;
}

void CostTable::Forget(std::string_view model) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(rows_, [&](const auto& row) { return row.first.first == model; });
}

const CostTable::Row* CostTable::Find(std::string_view model, Capability capability) const {
  const auto found = rows_.find({std::string(model), capability});
  return found == rows_.end() ? nullptr : &found->second;
}

std::optional<double> CostTable::SecondsPerAudioSecond(std::string_view model, Capability capability) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Row* row = Find(model, capability);
  if (!row) return std::nullopt;
  // Summed anew each time: a running sum would gather rounding over a long life.
  const int64_t kept = std::min<int64_t>(row->runs, kKept);
  double sum = 0;
  for (int64_t i = 0; i < kept; ++i) sum += row->ratios[static_cast<size_t>(i)];
  return sum / static_cast<double>(kept);
}

int64_t CostTable::PeakBytes(std::string_view model, Capability capability) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Row* row = Find(model, capability);
  return row ? *std::max_element(row->peaks.begin(), row->peaks.end()) : 0;
}

int CostTable::Runs(std::string_view model, Capability capability) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Row* row = Find(model, capability);
  return row ? static_cast<int>(std::min<int64_t>(row->runs, kKept)) : 0;
}

}  // namespace grym
