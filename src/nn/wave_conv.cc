#include "nn/wave_conv.h"

namespace grym {
namespace {

// [frames, channels] as the channels-last image [1, channels, 1, frames], and back; both are views.
at::Tensor ImageOf(const at::Tensor& wave) {
  return wave.view({1, 1, wave.size(0), wave.size(1)}).permute({0, 3, 1, 2});
}
at::Tensor WaveOf(const at::Tensor& image) { return image.permute({0, 2, 3, 1}).view({image.size(3), image.size(1)}); }

}  // namespace

WaveConv::WaveConv(const at::Tensor& weight, const at::Tensor& bias, int64_t padding, int64_t dilation,
                   Precision precision) {
  if (!weight.defined()) return;
  const at::Tensor rows = weight.unsqueeze(2).contiguous(at::MemoryFormat::ChannelsLast);
  conv_ = FusedConv(rows, bias, {{0, padding}, {1, 1}, {1, dilation}}, precision);
  if (!rows.is_cpu() || precision != Precision::kFloat32) return;
  weight_ = rows;
  bias_ = bias;
  tiling_ = {weight.size(1), weight.size(0), weight.size(2), padding, dilation};
}

bool WaveConv::ByTiles(const at::Tensor& wave) const {
  return weight_.defined() && WantsWaveTiles(tiling_, wave.size(0));
}

at::Tensor WaveConv::Tiled(const at::Tensor& wave, double slope_before, double slope_after) const {
  at::Tensor made = at::empty({tiling_.FramesAfter(wave.size(0)), tiling_.out}, wave.options());
  ConvolveByWaveTiles(wave, weight_, bias_, tiling_,
                      {static_cast<float>(slope_before), static_cast<float>(slope_after), /*add=*/false}, made);
  return made;
}

at::Tensor WaveConv::operator()(const at::Tensor& wave) const { return WithLeakyRelu(wave, 1); }

at::Tensor WaveConv::WithLeakyRelu(const at::Tensor& wave, double slope) const {
  return ByTiles(wave) ? Tiled(wave, 1, slope) : WaveOf(conv_.WithLeakyRelu(ImageOf(wave), slope));
}

at::Tensor WaveConv::BetweenLeakyRelus(const at::Tensor& wave, double slope) const {
  return ByTiles(wave) ? Tiled(wave, slope, slope) : WithLeakyRelu(at::leaky_relu(wave, slope), slope);
}

void WaveConv::AddTo(at::Tensor& sum, const at::Tensor& wave) const {
  if (ByTiles(wave)) return ConvolveByWaveTiles(wave, weight_, bias_, tiling_, {1, 1, /*add=*/true}, sum);
  at::Tensor image = ImageOf(sum);
  conv_.AddTo(image, ImageOf(wave));
}

bool WaveConvTiles(const WaveTiling& shape, int64_t frames, Precision precision, c10::Device device) {
  return precision == Precision::kFloat32 && device.is_cpu() && WantsWaveTiles(shape, frames);
}

int64_t WaveConvScratchBytes(const WaveTiling& shape, int64_t frames, Precision precision, c10::Device device) {
  if (WaveConvTiles(shape, frames, precision, device)) return WaveTilesScratchBytes(shape, frames);
  const ConvSteps steps = {{0, shape.padding}, {1, 1}, {1, shape.dilation}};
  return ConvScratchBytes({1, 1, frames, shape.in, shape.out, {1, shape.kernel}, steps}, precision, device);
}

// Output frame n takes what input frame t gives to its tap j where n = t stride + j - padding. With n + padding =
// q stride + r and j = m stride + r that is t = q - m: for each r a convolution over m = 0 .. taps - 1.
WaveUpsample::WaveUpsample(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t padding,
                           Precision precision)
    : stride_(stride), padding_(padding) {
  if (!weight.defined()) return;
  const int64_t in = weight.size(0);
  out_ = weight.size(1);
  kernel_ = weight.size(2);
  const int64_t taps = (kernel_ + stride - 1) / stride;
  at::Tensor phases = at::constant_pad_nd(weight, {0, taps * stride - kernel_}).view({in, out_, taps, stride});
  phases = phases.flip(2).permute({3, 1, 0, 2}).reshape({stride * out_, in, taps});
  conv_ = WaveConv(phases, bias.defined() ? bias.repeat({stride}) : bias, taps - 1, 1, precision);
}

at::Tensor WaveUpsample::operator()(const at::Tensor& wave) const {
  const at::Tensor phases = conv_(wave);  // [frames + taps - 1, stride * out]
  const int64_t frames = (wave.size(0) - 1) * stride_ - 2 * padding_ + kernel_;
  return phases.view({phases.size(0) * stride_, out_}).narrow(0, padding_, frames);
}

}  // namespace grym
