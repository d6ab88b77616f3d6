#include "analysis/beat_states.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace grym {
namespace {
constexpr double kChangeSharpness = 100;  // lambda of Krebs, Böck and Widmer 2015
constexpr double kWander = 0.2;           // octaves, so that a pattern of three over four does not take the tempo along
}  // namespace

BeatStates::BeatStates(int shortest, int longest)
    : shortest_(shortest),
      count_(longest - shortest + 1),
      heads_(static_cast<size_t>(count_)),
      change_(static_cast<size_t>(count_) * count_),
      last_(static_cast<size_t>(count_)) {
  int size = 0;
  for (int i = 0; i < count_; ++i) {
    start_.push_back(size);
    size += shortest + i;
  }
  states_.resize(static_cast<size_t>(size));
}

void BeatStates::Begin(double likely, double spread) {
  for (int i = 0; i < count_; ++i) {
    const double prior = std::log2((shortest_ + i) / likely) / spread;
    const auto ring = states_.begin() + start_[i];
    std::fill(ring, ring + shortest_ + i, -0.5 * prior * prior - std::log(shortest_ + i));
  }
  std::fill(heads_.begin(), heads_.end(), 0);
  Prefer(likely);
}

void BeatStates::Prefer(double likely) {
  for (int i = 0; i < count_; ++i) {
    const double prior = std::log2((shortest_ + i) / likely) / kWander;
    for (int j = 0; j < count_; ++j) {  // from j to i
      change_[static_cast<size_t>(i) * count_ + j] =
          -kChangeSharpness * std::abs(static_cast<double>(shortest_ + i) / (shortest_ + j) - 1) -
          0.5 * prior * prior;
    }
  }
}

void BeatStates::Step(float activation, std::span<unsigned short> from) {
  const double beat = std::log(std::max(1e-3, 0.02 + 0.96 * activation));
  const double rest = std::log((0.98 - 0.96 * activation) / (kObservation - 1) + 1e-3);
  for (int i = 0; i < count_; ++i) last_[i] = At(i, shortest_ + i - 1);
  for (int i = 0; i < count_; ++i) {
    int best = 0;
    double best_value = -std::numeric_limits<double>::infinity();
    for (int j = 0; j < count_; ++j) {
      const double value = last_[j] + change_[static_cast<size_t>(i) * count_ + j];
      if (value > best_value) {
        best_value = value;
        best = j;
      }
    }
    if (!from.empty()) from[i] = static_cast<unsigned short>(best);
    heads_[i] = (heads_[i] + shortest_ + i - 1) % (shortest_ + i);  // what was position p is now p + 1
    At(i, 0) = best_value;
    // Everything gains `rest`; the common part is left out, so only the beat's states are touched.
    for (int p = 0; p * kObservation < shortest_ + i; ++p) At(i, p) += beat - rest;
  }
}

BeatStates::Place BeatStates::Best() const {
  Place best;
  double most = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < count_; ++i) {
    const int size = shortest_ + i;
    const double* ring = states_.data() + start_[i];
    const int at = static_cast<int>(std::max_element(ring, ring + size) - ring);
    if (ring[at] > most) {
      most = ring[at];
      best = {i, (at - heads_[i] + size) % size};
    }
  }
  return best;
}

}  // namespace grym
