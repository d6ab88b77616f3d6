#include "models/vae/working_set.h"

#include <algorithm>
#include <initializer_list>

#include "nn/fused_conv.h"
#include "nn/linear.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Follows a run, layer by layer, as net.cc and layers.cc take and free their images.
class RunOfImages {
 public:
  RunOfImages(Precision precision, c10::Device device, int64_t kept)
      : precision_(precision),
        device_(device),
        element_bytes_(ComputeType(precision, device) == c10::ScalarType::Float ? 4 : 2),
        kept_(kept) {}
  // Of a padded convolution of 2 x 2 that gives so many places.
  int64_t ScratchOfPhase(int64_t channels, int64_t frames, int64_t bands) const {
    const ConvSteps steps = {{1, 1}, {1, 1}, {1, 1}};
    return ConvScratchBytes({1, frames - 1, bands - 1, channels, channels, {2, 2}, steps}, precision_, device_);
  }
  // Of one of 3 x 3 that halves the image.
  int64_t ScratchOfHalving(int64_t channels, int64_t frames, int64_t bands) const {
    const ConvSteps steps = {{0, 0}, {2, 2}, {1, 1}};
    return ConvScratchBytes({1, frames + 1, bands + 1, channels, channels, {3, 3}, steps}, precision_, device_);
  }
  // Of a convolution of 3 x 3 and stride 1.
  int64_t Scratch3x3(int64_t in, int64_t out, int64_t frames, int64_t bands) const {
    return Conv3x3ScratchBytes(out, in, frames, bands, precision_, device_);
  }
  int64_t Image(int64_t channels, int64_t frames, int64_t bands) const {
    return AllocatedBytes(channels * frames * bands * element_bytes_);
  }
  // These live at once.
  void Hold(std::initializer_list<int64_t> images) {
    int64_t sum = kept_;
    for (const int64_t image : images) sum += image;
    peak_ = std::max(peak_, sum);
  }
  int64_t peak() const { return peak_; }

  void Resnet(int64_t in, int64_t out, int64_t frames, int64_t bands) {
    const int64_t x = Image(in, frames, bands), y = Image(out, frames, bands);
    Hold({x, y, y, Scratch3x3(in, out, frames, bands)});
    Hold({y, y, Scratch3x3(out, out, frames, bands)});
    if (in == out) Hold({x, x, y, Scratch3x3(in, out, frames, bands)});
  }
  void Middle(int64_t channels, int64_t frames, int64_t bands, bool attention) {
    Resnet(channels, channels, frames, bands);
    if (!attention) return;
    const int64_t x = Image(channels, frames, bands), places = frames * bands;
    // LibTorch's attention keeps a block of scores and of sums for each thread.
    const int64_t queries = places >= 768 ? 256 : places >= 192 ? 64 : 32, keys = std::min<int64_t>(512, places);
    const int64_t scratch = at::get_num_threads() * queries * (keys + channels + 2) * 4;
    const int64_t product = LinearScratchBytes(3 * channels, channels, precision_, device_, places);
    Hold({x, x, Image(3 * channels, frames, bands), std::max(scratch, product)});
  }

 private:
  Precision precision_;
  c10::Device device_;
  int64_t element_bytes_, kept_, peak_ = 0;
};

int64_t ConvBytes(int64_t in, int64_t out, int64_t kernel, Precision precision) {
  return ConvWeightBytes(out, in, kernel * kernel, precision);
}

int64_t ResnetBytes(int64_t in, int64_t out, Precision precision) {
  return ConvBytes(in, out, 3, precision) + ConvBytes(out, out, 3, precision) +
         (in == out ? 0 : ConvBytes(in, out, 1, precision)) + 2 * (AllocatedBytes(in * 4) + AllocatedBytes(out * 4));
}

int64_t MiddleBytes(const VaeConfig& config, Precision precision) {
  const int64_t channels = config.block_out_channels.back();
  const int64_t attention = AllocatedBytes(BytesOf(precision, 3 * channels * channels)) +
                            AllocatedBytes(BytesOf(precision, channels * channels)) + 6 * AllocatedBytes(channels * 4);
  return 2 * ResnetBytes(channels, channels, precision) + (config.mid_block_add_attention ? attention : 0);
}

}  // namespace

int64_t VaeDecoderWeightBytes(const VaeConfig& config, Precision precision) {
  const std::vector<int64_t>& channels = config.block_out_channels;
  const int64_t latent = config.latent_channels;
  int64_t sum = config.use_post_quant_conv ? ConvBytes(latent, latent, 1, precision) : 0;
  sum += ConvBytes(latent, channels.back(), 3, precision) + MiddleBytes(config, precision);
  int64_t in = channels.back();
  for (size_t i = channels.size(); i-- > 0; in = channels[i]) {
    sum += ResnetBytes(in, channels[i], precision) +
           config.layers_per_block * ResnetBytes(channels[i], channels[i], precision);
    // Four convolutions of 2 x 2 share a bias.
    if (i > 0) {
      sum += 4 * ConvBytes(channels[i], channels[i], 2, precision) - 3 * AllocatedBytes(channels[i] * 4);
    }
  }
  return sum + 2 * AllocatedBytes(channels.front() * 4) +
         ConvBytes(channels.front(), config.out_channels, 3, precision);
}

int64_t VaeEncoderWeightBytes(const VaeConfig& config, Precision precision) {
  const std::vector<int64_t>& channels = config.block_out_channels;
  const int64_t moments = 2 * config.latent_channels;
  int64_t sum = ConvBytes(config.in_channels, channels.front(), 3, precision), in = channels.front();
  for (size_t i = 0; i < channels.size(); in = channels[i++]) {
    sum += ResnetBytes(in, channels[i], precision) +
           (config.layers_per_block - 1) * ResnetBytes(channels[i], channels[i], precision);
    if (i + 1 < channels.size()) sum += ConvBytes(channels[i], channels[i], 3, precision);
  }
  sum += MiddleBytes(config, precision) + 2 * AllocatedBytes(channels.back() * 4) +
         ConvBytes(channels.back(), moments, 3, precision);
  return sum + (config.use_quant_conv ? ConvBytes(moments, moments, 1, precision) : 0);
}

int64_t VaeDecodeBytes(const VaeConfig& config, Precision precision, c10::Device device, int64_t batch, int64_t frames,
                       int64_t bands, int64_t tile_frames) {
  const std::vector<int64_t>& channels = config.block_out_channels;
  const int64_t stride = config.stride();
  RunOfImages run(precision, device,
                  AllocatedBytes(batch * config.out_channels * frames * stride * bands * stride * 4));
  const int64_t latent = run.Image(config.latent_channels, frames, bands);
  run.Hold({latent, latent});
  run.Hold({latent, run.Image(channels.back(), frames, bands),
            run.Scratch3x3(config.latent_channels, channels.back(), frames, bands)});
  run.Middle(channels.back(), frames, bands, config.mid_block_add_attention);
  int64_t in = channels.back();
  for (size_t i = channels.size(); i-- > 0; in = channels[i]) {
    const int64_t out = channels[i], large = run.Image(out, frames, bands);
    if (tile_frames > 0 && i == 0) {
      const int64_t rows = std::min(frames, tile_frames + 2), tile = std::min(frames, tile_frames);
      const bool told = channels.size() > 1;  // the upsampling is done tile by tile
      const int64_t x = told ? run.Image(in, frames / 2, bands / 2) : large;
      const int64_t source = told ? run.Image(in, std::min(frames + 2, rows + 2), bands) : 0;
      const int64_t phase = told ? run.Image(in, rows / 2 + 4, bands / 2 + 1) : 0;
      const int64_t sum = told || in != out ? large : 0;
      // What both norms multiply and add, measured over all tiles before the first is made.
      const int64_t norms = 2 * (AllocatedBytes(in * 4) + AllocatedBytes(out * 4));
      run.Hold({x, sum, large, source, phase, norms, run.ScratchOfPhase(in, rows / 2 + 4, bands / 2 + 1)});
      run.Hold({x, sum, large, source, norms, run.Image(in, rows, bands), run.Image(out, rows, bands),
                run.Scratch3x3(in, out, rows, bands)});
      run.Hold({x, sum, large, source, norms, run.Image(out, tile, bands)});
      const int64_t scratch = norms + run.Scratch3x3(out, out, rows, bands);
      run.Hold({x, sum, large, run.Image(out, rows, bands), run.Image(out, rows, bands), scratch});
      run.Hold({large, large, run.Image(out, rows, bands), run.Image(out, rows, bands), scratch});
    } else {
      run.Resnet(in, out, frames, bands);
      run.Resnet(out, out, frames, bands);
    }
    if (i == 0) {
      run.Hold({large, run.Image(config.out_channels, frames, bands),
                run.Scratch3x3(out, config.out_channels, frames, bands)});
    } else if (tile_frames <= 0 || i > 1) {
      run.Hold({large, run.Image(out, 2 * frames, 2 * bands), run.Image(out, frames + 1, bands + 1),
                run.ScratchOfPhase(out, frames + 1, bands + 1)});
    }
    if (i > 0) {
      frames *= 2;
      bands *= 2;
    }
  }
  return run.peak();
}

int64_t VaeEncodeBytes(const VaeConfig& config, Precision precision, c10::Device device, int64_t batch, int64_t frames,
                       int64_t bands) {
  const std::vector<int64_t>& channels = config.block_out_channels;
  const int64_t moments = 2 * config.latent_channels, stride = config.stride();
  const int64_t small = AllocatedBytes(moments * (frames / stride) * (bands / stride) * 4);
  RunOfImages run(precision, device, batch * small);
  run.Hold({run.Image(config.in_channels, frames, bands), run.Image(channels.front(), frames, bands),
            run.Scratch3x3(config.in_channels, channels.front(), frames, bands)});
  int64_t in = channels.front();
  for (size_t i = 0; i < channels.size(); in = channels[i++]) {
    run.Resnet(in, channels[i], frames, bands);
    if (config.layers_per_block > 1) run.Resnet(channels[i], channels[i], frames, bands);
    if (i + 1 == channels.size()) break;
    const int64_t x = run.Image(channels[i], frames, bands);
    run.Hold({x, run.Image(channels[i], frames + 1, bands + 1), run.Image(channels[i], frames / 2, bands / 2),
              run.ScratchOfHalving(channels[i], frames, bands)});
    frames /= 2;
    bands /= 2;
  }
  run.Middle(channels.back(), frames, bands, config.mid_block_add_attention);
  run.Hold({run.Image(channels.back(), frames, bands), small,
            run.Scratch3x3(channels.back(), moments, frames, bands)});
  run.Hold({batch * small, batch * small});
  return run.peak();
}

}  // namespace grym
