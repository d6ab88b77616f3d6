#include "models/musicgen/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace grym {
namespace {

constexpr float kOut = -std::numeric_limits<float>::infinity();
// Scores over less run out of the range of floats, and the best is sure long before.
constexpr double kColdest = 1e-6;

SamplingOptions WithoutTheColdest(SamplingOptions options) {
  if (options.temperature < kColdest) options.temperature = 0;
  return options;
}

}  // namespace

CodeSampler::CodeSampler(int64_t vocab, const SamplingOptions& options, int64_t seed)
    : options_(WithoutTheColdest(options)),
      random_(static_cast<uint64_t>(seed), "musicgen"),
      scores_(static_cast<size_t>(vocab)),
      sorted_(static_cast<size_t>(vocab)),
      weights_(static_cast<size_t>(vocab)),
      order_(static_cast<size_t>(vocab)) {}

bool CodeSampler::Guide(const float* conditional, const float* unconditional) {
  const size_t count = scores_.size();
  if (options_.guided()) {
    const auto guidance = static_cast<float>(options_.guidance);
    for (size_t i = 0; i < count; ++i)
      scores_[i] = unconditional[i] + (conditional[i] - unconditional[i]) * guidance;
  } else {
    std::copy_n(conditional, count, scores_.begin());
  }
  bool any = false;
  for (const float score : scores_) {
    if (std::isnan(score) || score == -kOut) return false;
    any |= score != kOut;
  }
  return any;
}

void CodeSampler::KeepLargest() {
  if (options_.top_k <= 0 || options_.top_k >= static_cast<int64_t>(scores_.size())) return;
  std::copy(scores_.begin(), scores_.end(), sorted_.begin());
  const auto last = sorted_.begin() + (options_.top_k - 1);
  std::nth_element(sorted_.begin(), last, sorted_.end(), std::greater<float>());
  for (float& score : scores_) {
    if (score < *last) score = kOut;
  }
}

// Taken from the unlikely end, as the reference does: of equals the earlier ones go first, and what is left out holds
// at most 1 - top_p.
void CodeSampler::KeepLikeliest() {
  if (options_.top_p >= 1) return;
  size_t kept = 0;
  float largest = kOut;
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (scores_[i] == kOut) continue;
    order_[kept++] = static_cast<int32_t>(i);
    largest = std::max(largest, scores_[i]);
  }
  const auto score = [this](int32_t i) { return scores_[static_cast<size_t>(i)]; };
  std::sort(order_.begin(), order_.begin() + static_cast<int64_t>(kept),
            [&score](int32_t a, int32_t b) { return score(a) < score(b) || (score(a) == score(b) && a < b); });
  double total = 0;
  for (size_t i = 0; i < kept; ++i) total += weights_[i] = std::exp(score(order_[i]) - largest);
  const double most_out = 1 - options_.top_p;
  double cumulative = 0;
  for (size_t i = 0; i + 1 < kept; ++i) {
    cumulative += weights_[i] / total;
    if (cumulative > most_out) break;
    scores_[static_cast<size_t>(order_[i])] = kOut;
  }
}

std::span<const float> CodeSampler::Scores(const float* conditional, const float* unconditional) {
  if (!Guide(conditional, unconditional)) return {};
  if (options_.temperature <= 0) return scores_;
  const auto temperature = static_cast<float>(options_.temperature);
  for (float& score : scores_) score /= temperature;
  KeepLargest();
  KeepLikeliest();
  return scores_;
}

int32_t CodeSampler::Draw(const float* conditional, const float* unconditional) {
  const std::span<const float> scores = Scores(conditional, unconditional);
  if (scores.empty()) return -1;
  const auto largest = std::max_element(scores.begin(), scores.end());
  const auto first = static_cast<int32_t>(largest - scores.begin());
  if (options_.temperature <= 0) return first;
  double total = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    total += weights_[i] = scores[i] == kOut ? 0 : std::exp(scores[i] - *largest);
  double left = random_.Uniform() * total;
  int32_t last = first;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (weights_[i] <= 0) continue;
    last = static_cast<int32_t>(i);
    left -= weights_[i];
    if (left < 0) break;
  }
  return last;
}

}  // namespace grym
