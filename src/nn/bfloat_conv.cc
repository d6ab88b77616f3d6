#include "nn/bfloat_conv.h"

#include <algorithm>
#include <vector>

#include "nn/bfloat_kernels.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Results at once: enough that laying the weights out costs a few percent of their product, few enough that the inputs
// stay in the second cache; of few channels more, which make little work each.
constexpr int64_t kFewestPositions = 784, kMostPositions = 4480, kWindowNumbers = 1 << 17;
constexpr int64_t kPiecesAThread = 8;

int64_t PositionsAtOnce(int64_t in) {
  const int64_t step = BestBFloatKernels().rows_at_once;
  return std::clamp(kWindowNumbers / in, kFewestPositions, kMostPositions) / step * step;
}

// How the results are divided into bands: whole images, rows of one, or places of one row. The results of a band lie
// beside each other in memory.
struct Bands {
  Bands(const ConvShape& of, int64_t parts_of_a_number)
      : shape(of), high(of.out_size(0)), wide(of.out_size(1)), parts(parts_of_a_number) {
    const int64_t positions = PositionsAtOnce(of.in);
    images = std::clamp<int64_t>(positions / (high * wide), 1, of.images);
    rows = std::clamp<int64_t>(positions / wide, 1, high);
    columns = std::min(positions, wide);
    channels = of.in + of.in % 2;  // the products read two at a time
    window_high = (rows - 1) * of.steps.stride[0] + of.steps.dilation[0] * (of.kernel[0] - 1) + 1;
    window_wide = (columns - 1) * of.steps.stride[1] + of.steps.dilation[1] * (of.kernel[1] - 1) + 1;
  }
  // Taps that lie side by side in a window are one run of numbers.
  bool joined() const { return shape.steps.dilation[1] == 1 && channels == shape.in; }
  int64_t segments() const { return shape.kernel[0] * (joined() ? 1 : shape.kernel[1]); }
  int64_t depth() const { return shape.in * (joined() ? shape.kernel[1] : 1); }
  int64_t segment_numbers() const { return (depth() + 1) / 2 * 2 * kBFloatPanel; }
  // Of each part.
  int64_t panel_numbers() const { return segments() * segment_numbers(); }
  int64_t window_numbers() const { return images * window_high * window_wide * channels; }

  const ConvShape& shape;
  int64_t high, wide;
  int64_t parts;  // of bfloat16 that a number is split into: 1, or 2 for products of whole numbers
  int64_t images, rows, columns, channels, window_high, window_wide;
};

// One band: which results, and the inputs that they want.
class Band {
 public:
  Band(const Bands& bands, int64_t image, int64_t row, int64_t column)
      : bands_(bands), image_(image), row_(row), column_(column),
        images_(std::min(bands.images, bands.shape.images - image)),
        rows_(std::min(bands.rows, bands.high - row)),
        columns_(std::min(bands.columns, bands.wide - column)) {}
  int64_t positions() const { return images_ * rows_ * columns_; }
  int64_t first() const { return (image_ * bands_.high + row_) * bands_.wide + column_; }  // among all results

  // The window's places [begin, end), rounded or split; zeros beyond the image.
  void Read(const float* x, uint16_t* window, int64_t begin, int64_t end) const {
    const ConvShape& shape = bands_.shape;
    while (begin < end) {
      const int64_t line = begin / bands_.window_wide, from = begin % bands_.window_wide;
      const int64_t to = std::min(bands_.window_wide, from + end - begin);
      const int64_t image = image_ + line / bands_.window_high;
      const int64_t y = row_ * shape.steps.stride[0] - shape.steps.padding[0] + line % bands_.window_high;
      const int64_t left = column_ * shape.steps.stride[1] - shape.steps.padding[1];  // of the window's first place
      const bool inside = image < shape.images && y >= 0 && y < shape.height;
      const int64_t begins = inside ? std::clamp<int64_t>(-left, from, to) : to;
      const int64_t ends = inside ? std::clamp<int64_t>(shape.width - left, begins, to) : to;
      uint16_t* const places = window + line * bands_.window_wide * bands_.channels;
      Clear(places + from * bands_.channels, (begins - from) * bands_.channels);
      if (begins < ends) {
        ReadPlaces(x + ((image * shape.height + y) * shape.width + left + begins) * shape.in, ends - begins,
                   places + begins * bands_.channels);
      }
      Clear(places + ends * bands_.channels, (to - ends) * bands_.channels);
      begin += to - from;
    }
  }

  // Where the inputs of results [begin, end) of the band begin.
  void Rows(int64_t begin, int64_t end, int64_t* rows) const {
    const ConvShape& shape = bands_.shape;
    for (int64_t position = begin; position < end; ++position) {
      const int64_t column = position % columns_, row = position / columns_ % rows_;
      const int64_t image = position / (columns_ * rows_);
      rows[position - begin] = ((image * bands_.window_high + row * shape.steps.stride[0]) * bands_.window_wide +
                                column * shape.steps.stride[1]) * bands_.channels;
    }
  }

 private:
  // The parts of a number lie a window apart.
  void Clear(uint16_t* numbers, int64_t count) const {
    for (int64_t part = 0; part < bands_.parts; ++part, numbers += bands_.window_numbers()) {
      std::fill(numbers, numbers + count, uint16_t{0});
    }
  }

  void ReadNumbers(const float* from, int64_t count, uint16_t* to) const {
    if (bands_.parts == 1) return BestBFloatKernels().round(from, count, to);
    BestBFloatKernels().split(from, count, to, to + bands_.window_numbers());
  }

  void ReadPlaces(const float* from, int64_t count, uint16_t* to) const {
    const int64_t in = bands_.shape.in;
    if (bands_.channels == in) return ReadNumbers(from, count * in, to);
    for (int64_t i = 0; i < count; ++i, from += in, to += bands_.channels) {
      ReadNumbers(from, in, to);
      Clear(to + in, bands_.channels - in);
    }
  }

  const Bands& bands_;
  int64_t image_, row_, column_, images_, rows_, columns_;
};

// Of the segments' inputs in a window, for each part of the weights.
std::vector<int64_t> OffsetsOf(const Bands& bands) {
  const ConvShape& shape = bands.shape;
  const auto [down, along] = shape.steps.dilation;
  std::vector<int64_t> offsets;
  for (int64_t part = 0; part < bands.parts; ++part) {
    for (int64_t y = 0; y < shape.kernel[0]; ++y) {
      for (int64_t x = 0; x < (bands.joined() ? 1 : shape.kernel[1]); ++x) {
        offsets.push_back((y * down * bands.window_wide + x * along) * bands.channels);
      }
    }
  }
  return offsets;
}

// As they are kept: one of these.
struct BFloatWeights {
  const uint16_t* halves = nullptr;
  const uint16_t* panels = nullptr;
  const float* floats = nullptr;
  const CodedMatrix* coded = nullptr;
  int64_t parts() const { return floats ? 2 : 1; }
};

class Convolution {
 public:
  Convolution(const ConvShape& shape, const BFloatWeights& weights, const float* bias, const BFloatAfter& after,
              float* y)
      : shape_(shape), bands_(shape_, weights.parts()), offsets_(OffsetsOf(bands_)), weights_(weights), bias_(bias),
        after_(after), y_(y), window_(at::empty({bands_.parts, bands_.window_numbers()}, at::kBFloat16)),
        panels_(at::empty({weights.panels ? 0 : at::get_num_threads(), bands_.parts, bands_.panel_numbers()},
                          at::kBFloat16)),
        decoded_(at::empty({weights.halves || weights.panels ? 0 : at::get_num_threads(), bands_.parts, kBFloatPanel,
                            bands_.depth()},
                           at::kBFloat16)) {}

  void Run(const float* x) {
    for (int64_t image = 0; image < shape_.images; image += bands_.images) {
      for (int64_t row = 0; row < bands_.high; row += bands_.rows) {
        for (int64_t column = 0; column < bands_.wide; column += bands_.columns) {
          RunBand(Band(bands_, image, row, column), x);
        }
      }
    }
  }

 private:
  void RunBand(const Band& band, const float* x) {
    auto* const window = static_cast<uint16_t*>(window_.data_ptr());
    const int64_t places = bands_.images * bands_.window_high * bands_.window_wide;
    at::parallel_for(0, places, std::max<int64_t>(1, 16384 / bands_.channels),
                     [&](int64_t begin, int64_t end) { band.Read(x, window, begin, end); });
    const int64_t panels = (shape_.out + kBFloatPanel - 1) / kBFloatPanel, positions = band.positions();
    const int64_t step = BestBFloatKernels().rows_at_once, most = (positions + step - 1) / step;
    const int64_t chunks = std::clamp<int64_t>(kPiecesAThread * at::get_num_threads() / panels, 1, most);
    const int64_t chunk = (most + chunks - 1) / chunks * step;
    at::parallel_for(0, panels * chunks, 1, [&](int64_t begin, int64_t end) {
      const uint16_t* read = nullptr;
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t panel = piece / chunks, from = piece % chunks * chunk;
        if (piece == begin || piece % chunks == 0) read = PanelOf(panel);
        const int64_t to = std::min(positions, from + chunk);
        for (int64_t at = from; at < to; at += step) RunPiece(band, panel, read, at, std::min(to, at + step));
      }
    });
  }

  const uint16_t* PanelOf(int64_t panel) const {
    if (weights_.panels) return weights_.panels + panel * bands_.panel_numbers();
    auto* const own = static_cast<uint16_t*>(panels_.select(0, at::get_thread_num()).data_ptr());
    PackPanel(panel, own);
    return own;
  }

  void PackPanel(int64_t panel, uint16_t* own) const {
    const int64_t first = panel * kBFloatPanel, outputs = std::min(kBFloatPanel, shape_.out - first);
    const int64_t segments = bands_.segments(), depth = bands_.depth();
    if (weights_.halves) {
      return BestBFloatKernels().pack({weights_.halves + first * segments * depth, outputs, segments, depth, own});
    }
    auto* const rows = static_cast<uint16_t*>(decoded_.select(0, at::get_thread_num()).data_ptr());
    for (int64_t segment = 0; segment < segments; ++segment) {
      Decode(first, outputs, segment, rows);
      for (int64_t part = 0; part < bands_.parts; ++part) {
        BestBFloatKernels().pack({rows + part * kBFloatPanel * depth, outputs, 1, depth,
                        own + part * bands_.panel_numbers() + segment * bands_.segment_numbers()});
      }
    }
  }

  // A segment of some outputs' weights, [parts, kBFloatPanel, depth].
  void Decode(int64_t first, int64_t outputs, int64_t segment, uint16_t* rows) const {
    if (weights_.coded) return weights_.coded->decode(first, outputs, rows);
    const int64_t depth = bands_.depth(), row = bands_.segments() * depth;
    const float* from = weights_.floats + first * row + segment * depth;
    for (int64_t i = 0; i < outputs; ++i, from += row, rows += depth) {
      BestBFloatKernels().split(from, depth, rows, rows + kBFloatPanel * depth);
    }
  }

  void RunPiece(const Band& band, int64_t panel, const uint16_t* own, int64_t begin, int64_t end) const {
    std::array<int64_t, kMostBFloatRows> rows;
    band.Rows(begin, end, rows.data());
    const int64_t first = panel * kBFloatPanel;
    BFloatProductWork work;
    work.x = static_cast<const uint16_t*>(window_.const_data_ptr());
    work.rows = rows.data();
    work.offsets = offsets_.data();
    work.segments = bands_.segments();
    work.pairs = (bands_.depth() + 1) / 2;
    work.panel = own;
    work.outputs = std::min(kBFloatPanel, shape_.out - first);
    work.y = y_ + (band.first() + begin) * shape_.out + first;
    work.y_stride = shape_.out;
    work.add = after_.add;
    if (bands_.parts == 2) {  // the inputs' first parts with both of the weights', then their second with the first
      work.segments *= 2;
      BestBFloatKernels().product(work, end - begin);
      work.segments = bands_.segments();
      work.x += bands_.window_numbers();
      work.add = true;
    }
    work.scales = weights_.coded && weights_.coded->scales ? weights_.coded->scales + first : nullptr;
    work.bias = bias_ ? bias_ + first : nullptr;
    work.slope = static_cast<float>(after_.slope);
    BestBFloatKernels().product(work, end - begin);
  }

  const ConvShape shape_;
  const Bands bands_;
  const std::vector<int64_t> offsets_;
  const BFloatWeights weights_;
  const float* const bias_;
  const BFloatAfter after_;
  float* const y_;
  const at::Tensor window_, panels_, decoded_;
};

}  // namespace

ConvShape RowsShape(int64_t rows, int64_t in, int64_t out) {
  ConvShape shape;
  shape.width = rows;
  shape.in = in;
  shape.out = out;
  return shape;
}

bool HasBFloatProducts() { return Avx512BFloatKernels() != nullptr; }

bool UsesBFloatProducts(Precision precision, c10::Device device) {
  const bool of_bfloat = precision == Precision::kBFloat16 || precision == Precision::kBFloat16x3;
  return of_bfloat && device.is_cpu() && HasBFloatProducts();
}

void RoundToBFloat(const float* from, int64_t count, uint16_t* to) { BestBFloatKernels().round(from, count, to); }

bool FitsPanels(int64_t out, int64_t in, Precision precision) {
  return precision == Precision::kBFloat16 && out > 0 && in > 0 && out % kBFloatPanel == 0 && in % 2 == 0;
}

at::Tensor InPanels(at::Tensor weight) {
  if (!weight.defined() || weight.scalar_type() != at::kBFloat16 || !weight.is_cpu() || !HasBFloatProducts()) {
    return weight;
  }
  const bool whole = weight.dim() == 4 ? weight.is_contiguous(at::MemoryFormat::ChannelsLast) : weight.is_contiguous();
  if (!whole || !FitsPanels(weight.size(0), weight.size(1), Precision::kBFloat16)) return weight;
  // With an even number of channels the pairs of all taps follow each other, in however many segments they are read.
  const int64_t row = weight.numel() / weight.size(0);
  auto* const numbers = static_cast<uint16_t*>(weight.data_ptr());
  at::parallel_for(0, weight.size(0) / kBFloatPanel, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint16_t> rows(static_cast<size_t>(kBFloatPanel * row));
    for (int64_t panel = begin; panel < end; ++panel) {
      uint16_t* const own = numbers + panel * kBFloatPanel * row;
      std::copy_n(own, kBFloatPanel * row, rows.data());
      BestBFloatKernels().pack({rows.data(), kBFloatPanel, 1, row, own});
    }
  });
  return weight.view(at::kShort);
}

void ConvolveBFloat(const ConvShape& shape, const float* x, const at::Tensor& weight, const float* bias,
                    const BFloatAfter& after, float* y) {
  if (shape.empty()) return;
  BFloatWeights weights;
  if (weight.scalar_type() == at::kFloat) {
    weights.floats = weight.const_data_ptr<float>();
  } else if (weight.scalar_type() == at::kShort) {
    weights.panels = static_cast<const uint16_t*>(weight.const_data_ptr());
  } else {
    weights.halves = static_cast<const uint16_t*>(weight.const_data_ptr());
  }
  Convolution(shape, weights, bias, after, y).Run(x);
}

void MultiplyBFloat(const ConvShape& rows, const float* x, const CodedMatrix& matrix, const float* bias,
                    float* y) {
  BFloatWeights weights;
  weights.coded = &matrix;
  if (!rows.empty()) Convolution(rows, weights, bias, {}, y).Run(x);
}

bool TakesBFloatProducts(Precision precision, const at::Tensor& weight, const at::Tensor& x) {
  const bool theirs = weight.scalar_type() == StorageType(precision) || weight.scalar_type() == at::kShort;
  return UsesBFloatProducts(precision, weight.device()) && theirs && x.scalar_type() == at::kFloat && x.is_cpu() &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast) && weight.is_contiguous(at::MemoryFormat::ChannelsLast);
}

void ConvolveBFloat(const ConvSteps& steps, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const BFloatAfter& after, at::Tensor& y) {
  const ConvShape shape = {x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0),
                           {weight.size(2), weight.size(3)}, steps};
  TORCH_CHECK(shape.out_size(0) > 0 && shape.out_size(1) > 0, "want an image of the kernel's size at least, got ",
              x.sizes(), " and ", weight.sizes());
  TORCH_CHECK(!bias.defined() || bias.is_contiguous(), "want a contiguous bias");
  if (!y.defined()) {
    y = at::empty({shape.images, shape.out, shape.out_size(0), shape.out_size(1)},
                  x.options().memory_format(at::MemoryFormat::ChannelsLast));
  }
  const float* const biases = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  ConvolveBFloat(shape, x.const_data_ptr<float>(), weight, biases, after, y.mutable_data_ptr<float>());
}

int64_t BFloatScratchBytes(const ConvShape& shape, Precision precision, bool in_panels) {
  if (shape.empty()) return 0;
  const int64_t threads = at::get_num_threads();
  const Bands bands(shape, precision == Precision::kBFloat16x3 ? 2 : 1);
  const int64_t decoded = precision == Precision::kBFloat16 ? 0 : bands.parts * kBFloatPanel * bands.depth();
  return AllocatedBytes(bands.parts * bands.window_numbers() * 2) +
         AllocatedBytes(in_panels ? 0 : threads * bands.parts * bands.panel_numbers() * 2) +
         AllocatedBytes(threads * decoded * 2);
}

}  // namespace grym
