#include "nn/group_norm_silu.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"

namespace grym {
namespace {

constexpr int64_t kBlockRows = 128;

bool OwnLoops(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.size(0) == 1 &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

// Sums of x - pivot and of its square over rows [0, rows) of each channel.
GRYM_HOT void SumRows(const float* GRYM_RESTRICT x, int64_t rows, int64_t channels, const float* GRYM_RESTRICT pivot,
                      float* GRYM_RESTRICT sum, float* GRYM_RESTRICT square) {
  for (int64_t row = 0; row < rows; ++row, x += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const float d = x[c] - pivot[c];
      sum[c] += d;
      square[c] += d * d;
    }
  }
}

// e^x within 2 units in the last place, for x in [-87, 88]; values outside are taken for the nearer end.
// Source: the polynomial of Cephes' expf (Moshier 1992). The 2^23 * 1.5 rounds to whole numbers and leaves them in the
// low bits.
GRYM_INLINE float VectorExp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float whole = shifted - 12582912.0f;
  const float f = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const int32_t exponent = (std::bit_cast<int32_t>(shifted) - 0x4b400000) << 23;
  return std::bit_cast<float>(std::bit_cast<int32_t>(p) + exponent);
}

GRYM_HOT void AffineSilu(const float* x, int64_t rows, int64_t channels, const float* GRYM_RESTRICT scale,
                         const float* GRYM_RESTRICT shift, float* out) {
  for (int64_t row = 0; row < rows; ++row, x += channels, out += channels) {
#pragma GCC ivdep  // out is x or does not overlap it
    for (int64_t c = 0; c < channels; ++c) {
      const float y = x[c] * scale[c] + shift[c];
      out[c] = y / (1.0f + VectorExp(-y));
    }
  }
}

GRYM_HOT void Affine(const float* x, int64_t rows, int64_t channels, const float* GRYM_RESTRICT scale,
                     const float* GRYM_RESTRICT shift, float* out) {
  for (int64_t row = 0; row < rows; ++row, x += channels, out += channels) {
#pragma GCC ivdep
    for (int64_t c = 0; c < channels; ++c) out[c] = x[c] * scale[c] + shift[c];
  }
}

void AddDoubles(const at::Tensor& from, std::vector<double>& to) {
  const at::Tensor values = from.to(at::kDouble).cpu().contiguous();
  const double* data = values.const_data_ptr<double>();
  for (size_t c = 0; c < to.size(); ++c) to[c] += data[c];
}

}  // namespace

void GroupSums::Add(const at::Tensor& x) {
  const int64_t channels = x.size(1), rows = x.size(2) * x.size(3);
  const auto count = static_cast<size_t>(channels);
  if (rows_ == 0) {
    device_ = x.device();
    pivot_.assign(count, 0);
    sum_.assign(count, 0);
    square_.assign(count, 0);
    AddDoubles(x.select(0, 0).select(1, 0).select(1, 0), pivot_);
  }
  rows_ += rows;
  const std::vector<float> pivot(pivot_.begin(), pivot_.end());
  if (!OwnLoops(x)) {
    const at::Tensor from = at::tensor(pivot, at::kFloat).to(x.device()).view({1, channels, 1, 1});
    const at::Tensor away = x.to(at::kFloat) - from;
    AddDoubles(away.sum({0, 2, 3}), sum_);
    AddDoubles((away * away).sum({0, 2, 3}), square_);
    return;
  }
  const float* data = x.const_data_ptr<float>();
  const int64_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  std::vector<float> parts(static_cast<size_t>(blocks) * 2 * count, 0.0f);
  at::parallel_for(0, blocks, 4, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      float* part = parts.data() + block * 2 * channels;
      SumRows(data + block * kBlockRows * channels, std::min(kBlockRows, rows - block * kBlockRows), channels,
              pivot.data(), part, part + channels);
    }
  });
  for (size_t block = 0; block < static_cast<size_t>(blocks); ++block) {
    const float* part = parts.data() + block * 2 * count;
    for (size_t c = 0; c < count; ++c) {
      sum_[c] += part[c];
      square_[c] += part[count + c];
    }
  }
}

ChannelAffine GroupSums::Finish(const GroupNorm& norm) const {
  const size_t channels = sum_.size(), each = channels / static_cast<size_t>(norm.groups);
  const at::Tensor weights = norm.weight.to(at::kFloat).cpu(), biases = norm.bias.to(at::kFloat).cpu();
  const float* weight = weights.const_data_ptr<float>();
  const float* bias = biases.const_data_ptr<float>();
  ChannelAffine affine{at::empty({norm.weight.size(0)}, at::kFloat), at::empty({norm.weight.size(0)}, at::kFloat)};
  float* scale = affine.scale.mutable_data_ptr<float>();
  float* shift = affine.shift.mutable_data_ptr<float>();
  const double n = static_cast<double>(rows_);
  for (size_t first = 0; first < channels; first += each) {
    double mean = 0, variance = 0;
    for (size_t c = first; c < first + each; ++c) mean += pivot_[c] + sum_[c] / n;
    mean /= static_cast<double>(each);
    for (size_t c = first; c < first + each; ++c) {
      const double inner = sum_[c] / n, away = pivot_[c] + inner - mean;
      variance += std::max(0.0, square_[c] / n - inner * inner) + away * away;
    }
    const double inverse = 1 / std::sqrt(variance / static_cast<double>(each) + norm.epsilon);
    for (size_t c = first; c < first + each; ++c) {
      scale[c] = static_cast<float>(inverse * weight[c]);
      shift[c] = static_cast<float>(bias[c] - mean * inverse * weight[c]);
    }
  }
  affine.scale = affine.scale.to(device_);
  affine.shift = affine.shift.to(device_);
  return affine;
}

ChannelAffine MeasureGroups(const GroupNorm& norm, const at::Tensor& x) {
  GroupSums sums;
  sums.Add(x);
  return sums.Finish(norm);
}

void ApplyAffine(const ChannelAffine& affine, std::optional<Activation> activation, const at::Tensor& x,
                 at::Tensor& out) {
  if (!OwnLoops(x) || !OwnLoops(out)) {
    const auto by_channel = [&](const at::Tensor& values) { return values.view({1, -1, 1, 1}); };
    const at::Tensor y = (x.to(at::kFloat) * by_channel(affine.scale)).add_(by_channel(affine.shift));
    out.copy_(activation ? Activate(*activation, y) : y);
    return;
  }
  const int64_t channels = x.size(1), rows = x.size(2) * x.size(3);
  const float* from = x.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const float* scale = affine.scale.const_data_ptr<float>();
  const float* shift = affine.shift.const_data_ptr<float>();
  const bool silu = activation == Activation::kSilu;
  at::parallel_for(0, rows, kBlockRows, [&](int64_t begin, int64_t end) {
    (silu ? AffineSilu : Affine)(from + begin * channels, end - begin, channels, scale, shift, to + begin * channels);
  });
  if (activation && !silu) out.copy_(Activate(*activation, out));
}

at::Tensor NormActivate(const GroupNorm& norm, std::optional<Activation> activation, const at::Tensor& x) {
  at::Tensor out = at::empty_like(x);
  ApplyAffine(MeasureGroups(norm, x), activation, x, out);
  return out;
}

void NormActivateInPlace(const GroupNorm& norm, std::optional<Activation> activation, at::Tensor& x) {
  ApplyAffine(MeasureGroups(norm, x), activation, x, x);
}

}  // namespace grym
