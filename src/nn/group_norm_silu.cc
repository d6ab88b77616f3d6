#include "nn/group_norm_silu.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dsp/dispatch.h"
#include "nn/vector_exp.h"

namespace grym {
namespace {

constexpr int64_t kBlockRows = 128;

bool LoopsReach(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}
bool OwnLoops(const at::Tensor& x) { return x.size(0) == 1 && LoopsReach(x); }

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

ChannelAffine GroupSums::Finish(const GroupNorm& norm, const at::Tensor& offset) const {
  const size_t channels = sum_.size(), each = channels / static_cast<size_t>(norm.groups);
  const at::Tensor weights = norm.weight.to(at::kFloat).cpu(), biases = norm.bias.to(at::kFloat).cpu();
  const float* weight = weights.const_data_ptr<float>();
  const float* bias = biases.const_data_ptr<float>();
  std::vector<double> added(channels, 0.0);
  if (offset.defined()) AddDoubles(offset, added);
  ChannelAffine affine{at::empty({norm.weight.size(0)}, at::kFloat), at::empty({norm.weight.size(0)}, at::kFloat)};
  float* scale = affine.scale.mutable_data_ptr<float>();
  float* shift = affine.shift.mutable_data_ptr<float>();
  const double n = static_cast<double>(rows_);
  for (size_t first = 0; first < channels; first += each) {
    double mean = 0, variance = 0;
    for (size_t c = first; c < first + each; ++c) mean += pivot_[c] + added[c] + sum_[c] / n;
    mean /= static_cast<double>(each);
    for (size_t c = first; c < first + each; ++c) {
      const double inner = sum_[c] / n, away = pivot_[c] + added[c] + inner - mean;
      variance += std::max(0.0, square_[c] / n - inner * inner) + away * away;
    }
    const double inverse = 1 / std::sqrt(variance / static_cast<double>(each) + norm.epsilon);
    for (size_t c = first; c < first + each; ++c) {
      scale[c] = static_cast<float>(inverse * weight[c]);
      shift[c] = static_cast<float>(bias[c] + (added[c] - mean) * inverse * weight[c]);
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

namespace {

void NormActivateInto(const GroupNorm& norm, std::optional<Activation> activation, const at::Tensor& x,
                      const at::Tensor& offset, at::Tensor& out) {
  for (int64_t row = 0; row < x.size(0); ++row) {
    const at::Tensor image = x.narrow(0, row, 1);
    GroupSums sums;
    sums.Add(image);
    at::Tensor to = out.narrow(0, row, 1);
    ApplyAffine(sums.Finish(norm, offset.defined() ? offset.select(0, row) : offset), activation, image, to);
  }
}

at::Tensor NormActivateByOperators(const GroupNorm& norm, std::optional<Activation> activation, const at::Tensor& x,
                                   const at::Tensor& offset) {
  at::Tensor y = norm(offset.defined() ? x + offset.view({x.size(0), x.size(1), 1, 1}) : x);
  if (activation) ActivateInPlace(*activation, y);
  return y;
}

}  // namespace

at::Tensor NormActivate(const GroupNorm& norm, std::optional<Activation> activation, const at::Tensor& x,
                        const at::Tensor& offset) {
  if (!LoopsReach(x)) return NormActivateByOperators(norm, activation, x, offset);
  at::Tensor out = at::empty_like(x);
  NormActivateInto(norm, activation, x, offset, out);
  return out;
}

void NormActivateInPlace(const GroupNorm& norm, std::optional<Activation> activation, at::Tensor& x,
                         const at::Tensor& offset) {
  if (!LoopsReach(x)) {
    x = NormActivateByOperators(norm, activation, x, offset);
  } else {
    NormActivateInto(norm, activation, x, offset, x);
  }
}

}  // namespace grym
