#include "models/vae/layers.h"

#include <algorithm>
#include <utility>

#include "nn/attention.h"

namespace grym {
namespace {

constexpr double kVaeEpsilon = 1e-6;

at::Tensor EmptyImage(int64_t channels, int64_t frames, int64_t bands, const at::Tensor& like) {
  return at::empty({1, channels, frames, bands}, like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

}  // namespace

void ForEachTile(int64_t frames, int64_t tile, const std::function<void(int64_t begin, int64_t end)>& work) {
  for (int64_t begin = 0; begin < frames; begin += tile) work(begin, std::min(frames, begin + tile));
}

TiledImage TilesOf(const at::Tensor& x) {
  return {x.size(2), [x](int64_t begin, int64_t end) { return x.narrow(2, begin, end - begin); }};
}

at::Tensor NormedConvRows(const ChannelAffine& affine, Activation act, const FusedConv& conv, const TiledImage& x,
                          int64_t begin, int64_t end) {
  const int64_t from = std::max<int64_t>(0, begin - 1), to = std::min(x.frames, end + 1);
  const at::Tensor rows = x.rows(from, to);
  at::Tensor normed = at::empty_like(rows, at::MemoryFormat::ChannelsLast);
  ApplyAffine(affine, act, rows, normed);
  return conv(normed).narrow(2, begin - from, end - begin);
}

at::Tensor VaeResnet::operator()(at::Tensor x) const {
  at::Tensor sum = shortcut.loaded() ? shortcut(x) : x;
  at::Tensor inner;
  if (shortcut.loaded()) {  // x itself is not wanted any more
    NormActivateInPlace(norm1, act, x);
    inner = conv1(x);
  } else {
    inner = conv1(NormActivate(norm1, act, x));
  }
  x.reset();
  NormActivateInPlace(norm2, act, inner);
  conv2.AddTo(sum, inner);
  return sum;
}

void VaeResnet::AddSecondHalf(const at::Tensor& inner, int64_t tile, at::Tensor& sum) const {
  const ChannelAffine affine = MeasureGroups(norm2, inner);
  const TiledImage tiles = TilesOf(inner);
  ForEachTile(tiles.frames, tile, [&](int64_t begin, int64_t end) {
    sum.narrow(2, begin, end - begin).add_(NormedConvRows(affine, act, conv2, tiles, begin, end));
  });
}

at::Tensor VaeResnet::Tiled(const TiledImage& x, int64_t tile) const {
  GroupSums sums;
  ForEachTile(x.frames, tile, [&](int64_t begin, int64_t end) { sums.Add(x.rows(begin, end)); });
  const ChannelAffine affine = sums.Finish(norm1);
  at::Tensor inner, sum;
  ForEachTile(x.frames, tile, [&](int64_t begin, int64_t end) {
    // The rows of a tile and of its neighbours are computed once, for both halves.
    const int64_t from = std::max<int64_t>(0, begin - 1), to = std::min(x.frames, end + 1), rows = end - begin;
    at::Tensor source = x.rows(from, to);
    if (!sum.defined()) {
      sum = EmptyImage(conv2.out(), x.frames, source.size(3), source);
      inner = EmptyImage(conv1.out(), x.frames, source.size(3), source);
    }
    const at::Tensor own = source.narrow(2, begin - from, rows);
    sum.narrow(2, begin, rows).copy_(shortcut.loaded() ? shortcut(own) : own);
    const TiledImage here = TilesOf(source);
    inner.narrow(2, begin, rows).copy_(NormedConvRows(affine, act, conv1, here, begin - from, end - from));
  });
  AddSecondHalf(inner, tile, sum);
  return sum;
}

at::Tensor VaeResnet::Tiled(at::Tensor x, int64_t tile) const {
  const TiledImage tiles = TilesOf(x);
  if (shortcut.loaded()) return Tiled(tiles, tile);
  const ChannelAffine affine = MeasureGroups(norm1, x);
  at::Tensor inner = EmptyImage(conv1.out(), x.size(2), x.size(3), x);
  ForEachTile(tiles.frames, tile, [&](int64_t begin, int64_t end) {
    inner.narrow(2, begin, end - begin).copy_(NormedConvRows(affine, act, conv1, tiles, begin, end));
  });
  AddSecondHalf(inner, tile, x);
  return x;
}

at::Tensor VaeAttention::operator()(at::Tensor x) const {
  const int64_t channels = x.size(1), places = x.size(2) * x.size(3);
  const auto rows_of = [&](const at::Tensor& image) {
    return image.permute({0, 2, 3, 1}).view({1, places, channels});
  };
  at::Tensor mixed;
  {
    const at::Tensor all = query_key_value(rows_of(NormActivate(norm, std::nullopt, x)));
    mixed = Attention(all.narrow(2, 0, channels), all.narrow(2, channels, channels),
                      all.narrow(2, 2 * channels, channels), 1);
  }
  rows_of(x).add_(out(mixed));
  return x;
}

at::Tensor VaeUpsample::operator()(const at::Tensor& x) const { return Rows(x, 0, 2 * x.size(2)); }

at::Tensor VaeUpsample::Rows(const at::Tensor& x, int64_t begin, int64_t end) const {
  // Frame n of the large image lies in row n / 2 of the small one and sees its neighbours.
  const int64_t first = begin / 2, last = (end + 1) / 2;
  const int64_t from = std::max<int64_t>(0, first - 1), to = std::min(x.size(2), last + 1);
  const at::Tensor small = x.narrow(2, from, to - from);
  const int64_t rows = last - first, bands = x.size(3);
  at::Tensor large = EmptyImage(phases[0][0].out(), 2 * rows, 2 * bands, x);
  for (int64_t a = 0; a < 2; ++a) {
    for (int64_t b = 0; b < 2; ++b) {
      // With a padding of 1 all around, output (i, j) of the 2 x 2 convolution sees rows i - 1 and i: phase a wants
      // rows i - 1 + a and i + a.
      const at::Tensor phase = phases[a][b](small).narrow(2, first - from + a, rows).narrow(3, b, bands);
      large.slice(2, a, std::nullopt, 2).slice(3, b, std::nullopt, 2).copy_(phase);
    }
  }
  return large.narrow(2, begin - 2 * first, end - begin);
}

at::Tensor VaeDownsample::operator()(const at::Tensor& x) const { return conv(at::constant_pad_nd(x, {0, 1, 0, 1})); }

VaeResnet ReadVaeResnet(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t groups,
                        Activation act) {
  VaeResnet resnet;
  resnet.act = act;
  resnet.norm1 = ReadGroupNorm(weights, layer + ".norm1", in, groups, kVaeEpsilon);
  resnet.conv1 = ReadFusedConv(weights, layer + ".conv1", in, out, 3, 1, 1);
  resnet.norm2 = ReadGroupNorm(weights, layer + ".norm2", out, groups, kVaeEpsilon);
  resnet.conv2 = ReadFusedConv(weights, layer + ".conv2", out, out, 3, 1, 1);
  if (in != out) resnet.shortcut = ReadFusedConv(weights, layer + ".conv_shortcut", in, out, 1, 0, 1);
  return resnet;
}

VaeAttention ReadVaeAttention(WeightReader& weights, const std::string& layer, int64_t channels, int64_t groups) {
  VaeAttention attention;
  attention.norm = ReadGroupNorm(weights, layer + ".group_norm", channels, groups, kVaeEpsilon);
  const auto name_of = [&](const char* today, const char* published) {
    return layer + (weights.Has(layer + published + ".weight") ? published : today);
  };
  const auto matrix = [&](const std::string& name) {
    const bool as_convolution = weights.ShapeOf(name + ".weight").size() == 4;
    at::Tensor read = as_convolution ? weights.Matrix(name + ".weight", {channels, channels, 1, 1})
                                     : weights.Matrix(name + ".weight", {channels, channels});
    return read.defined() ? read.view({channels, channels}) : read;
  };
  std::vector<at::Tensor> matrices, biases;
  bool whole = true;
  for (const std::string& name :
       {name_of(".to_q", ".query"), name_of(".to_k", ".key"), name_of(".to_v", ".value")}) {
    matrices.push_back(matrix(name));
    biases.push_back(weights.Vector(name + ".bias", {channels}));
    whole = whole && matrices.back().defined() && biases.back().defined();
  }
  const Precision precision = weights.options().precision;
  const std::string out = name_of(".to_out.0", ".proj_attn");
  attention.out.weight = WeightMatrix::PackRead(matrix(out), weights, precision);
  attention.out.bias = weights.Vector(out + ".bias", {channels});
  if (!whole) return attention;
  attention.query_key_value.weight = WeightMatrix::PackRead(at::cat(matrices), weights, precision);
  attention.query_key_value.bias = at::cat(biases);
  return attention;
}

VaeUpsample ReadVaeUpsample(WeightReader& weights, const std::string& layer, int64_t channels) {
  VaeUpsample upsample;
  const at::Tensor read = weights.Matrix(layer + ".weight", {channels, channels, 3, 3});
  const at::Tensor bias = weights.Vector(layer + ".bias", {channels});
  if (!read.defined()) return upsample;
  const at::Tensor weight = read.to(at::kFloat);
  // Along one side: the first pixel of two sees {w0, w1 + w2} of the small rows i - 1 and i, the second {w0 + w1, w2}
  // of i and i + 1.
  const auto along = [](const at::Tensor& w, int64_t side, int64_t phase) {
    const auto tap = [&](int64_t at) { return w.select(side, at); };
    return phase == 0 ? at::stack({tap(0), tap(1) + tap(2)}, side) : at::stack({tap(0) + tap(1), tap(2)}, side);
  };
  for (int64_t a = 0; a < 2; ++a) {
    for (int64_t b = 0; b < 2; ++b) {
      upsample.phases[a][b] = FusedConv(along(along(weight, 2, a), 3, b).to(read.scalar_type()), bias,
                                         {{1, 1}, {1, 1}, {1, 1}}, weights.options().precision);
    }
  }
  return upsample;
}

}  // namespace grym
