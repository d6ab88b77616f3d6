#include "nn/bfloat_conv.h"

#include <algorithm>
#include <vector>

#include "nn/bfloat_kernels.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t kMostRowsAtOnce = 64;
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
  explicit Bands(const ConvShape& of) : shape(of), high(of.out_size(0)), wide(of.out_size(1)) {
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
  int64_t panel_numbers() const { return segments() * ((depth() + 1) / 2) * 2 * kBFloatPanel; }
  int64_t window_numbers() const { return images * window_high * window_wide * channels; }

  const ConvShape& shape;
  int64_t high, wide, images, rows, columns, channels, window_high, window_wide;
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

  // The window's places [begin, end), rounded; zeros beyond the image.
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
      std::fill(places + from * bands_.channels, places + begins * bands_.channels, uint16_t{0});
      if (begins < ends) {
        ReadPlaces(x + ((image * shape.height + y) * shape.width + left + begins) * shape.in, ends - begins,
                   places + begins * bands_.channels);
      }
      std::fill(places + ends * bands_.channels, places + to * bands_.channels, uint16_t{0});
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
  void ReadPlaces(const float* from, int64_t count, uint16_t* to) const {
    const int64_t in = bands_.shape.in;
    if (bands_.channels == in) return BestBFloatKernels().round(from, count * in, to);
    for (int64_t i = 0; i < count; ++i) {
      BestBFloatKernels().round(from + i * in, in, to + i * bands_.channels);
      to[i * bands_.channels + in] = 0;
    }
  }

  const Bands& bands_;
  int64_t image_, row_, column_, images_, rows_, columns_;
};

std::vector<int64_t> OffsetsOf(const Bands& bands) {
  const ConvShape& shape = bands.shape;
  const auto [down, along] = shape.steps.dilation;
  std::vector<int64_t> offsets;
  for (int64_t y = 0; y < shape.kernel[0]; ++y) {
    for (int64_t x = 0; x < (bands.joined() ? 1 : shape.kernel[1]); ++x) {
      offsets.push_back((y * down * bands.window_wide + x * along) * bands.channels);
    }
  }
  return offsets;
}

class Convolution {
 public:
  // Of plain weights, or of coded ones.
  Convolution(const ConvShape& shape, const uint16_t* weights, const CodedMatrix* coded, const float* bias,
              const BFloatAfter& after, float* y)
      : shape_(shape), bands_(shape_), offsets_(OffsetsOf(bands_)), weights_(weights), coded_(coded), bias_(bias),
        after_(after), y_(y), window_(at::empty({bands_.window_numbers()}, at::kBFloat16)),
        panels_(at::empty({at::get_num_threads(), bands_.panel_numbers()}, at::kBFloat16)),
        decoded_(at::empty({coded ? at::get_num_threads() : 0, kBFloatPanel, shape.in}, at::kBFloat16)) {}

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
      uint16_t* const own = static_cast<uint16_t*>(panels_.data_ptr()) + at::get_thread_num() * bands_.panel_numbers();
      for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t panel = piece / chunks, from = piece % chunks * chunk;
        if (piece == begin || piece % chunks == 0) PackPanel(panel, own);
        const int64_t to = std::min(positions, from + chunk);
        for (int64_t at = from; at < to; at += step) RunPiece(band, panel, own, at, std::min(to, at + step));
      }
    });
  }

  void PackPanel(int64_t panel, uint16_t* own) const {
    BFloatPanelWork work;
    work.segments = bands_.segments();
    work.depth = bands_.depth();
    const int64_t first = panel * kBFloatPanel;
    work.outputs = std::min(kBFloatPanel, shape_.out - first);
    if (coded_) {
      uint16_t* const rows = static_cast<uint16_t*>(decoded_.data_ptr()) +
                             at::get_thread_num() * kBFloatPanel * shape_.in;
      coded_->decode(first, work.outputs, rows);
      work.weights = rows;
    } else {
      work.weights = weights_ + first * work.segments * work.depth;
    }
    work.panel = own;
    BestBFloatKernels().pack(work);
  }

  void RunPiece(const Band& band, int64_t panel, const uint16_t* own, int64_t begin, int64_t end) const {
    std::array<int64_t, kMostRowsAtOnce> rows;
    band.Rows(begin, end, rows.data());
    const int64_t first = panel * kBFloatPanel;
    BFloatProductWork work;
    work.x = static_cast<const uint16_t*>(window_.const_data_ptr());
    work.rows = rows.data();
    work.offsets = offsets_.data();
    work.segments = bands_.segments();
    work.pairs = (bands_.depth() + 1) / 2;
    work.panel = own;
    work.scales = coded_ && coded_->scales ? coded_->scales + first : nullptr;
    work.bias = bias_ ? bias_ + first : nullptr;
    work.outputs = std::min(kBFloatPanel, shape_.out - first);
    work.y = y_ + (band.first() + begin) * shape_.out + first;
    work.y_stride = shape_.out;
    work.add = after_.add;
    work.slope = static_cast<float>(after_.slope);
    BestBFloatKernels().product(work, end - begin);
  }

  const ConvShape shape_;
  const Bands bands_;
  const std::vector<int64_t> offsets_;
  const uint16_t* const weights_;
  const CodedMatrix* const coded_;
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
  return precision == Precision::kBFloat16 && device.is_cpu() && HasBFloatProducts();
}

void RoundToBFloat(const float* from, int64_t count, uint16_t* to) { BestBFloatKernels().round(from, count, to); }

void ConvolveBFloat(const ConvShape& shape, const float* x, const at::Tensor& weight, const float* bias,
                    const BFloatAfter& after, float* y) {
  if (!shape.empty()) Convolution(shape, static_cast<const uint16_t*>(weight.const_data_ptr()), nullptr, bias, after, y).Run(x);
}

void MultiplyBFloat(const ConvShape& rows, const float* x, const CodedMatrix& matrix, const float* bias,
                    float* y) {
  if (!rows.empty()) Convolution(rows, nullptr, &matrix, bias, {}, y).Run(x);
}

bool TakesBFloatProducts(const at::Tensor& weight, const at::Tensor& x) {
  return x.scalar_type() == at::kFloat && weight.scalar_type() == at::kBFloat16 && x.is_cpu() &&
         UsesBFloatProducts(Precision::kBFloat16, weight.device()) && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         weight.is_contiguous(at::MemoryFormat::ChannelsLast);
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

int64_t BFloatScratchBytes(const ConvShape& shape) {
  if (shape.empty()) return 0;
  const Bands bands(shape);
  return AllocatedBytes(bands.window_numbers() * 2) + AllocatedBytes(at::get_num_threads() * bands.panel_numbers() * 2);
}

int64_t CodedScratchBytes(const ConvShape& rows) {
  if (rows.empty()) return 0;
  return BFloatScratchBytes(rows) + AllocatedBytes(at::get_num_threads() * kBFloatPanel * rows.in * 2);
}

}  // namespace grym
