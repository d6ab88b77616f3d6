#include "nn/panel_matrix.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "nn/bfloat_conv.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "runtime/tensor.h"

namespace grym {
namespace {

at::Tensor NormalNumbers(const std::vector<int64_t>& shape, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise(shape, generator);
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

// Sizes around every border: narrow, a part of a panel, whole ones, rows that fill no tile, depths beyond a block.
TEST(PanelMatrixTest, IsAProductWithWhatFollows) {
  for (const int64_t out : {1, 3, 4, 15, 16, 17, 40, 160}) {
    for (const int64_t in : {1, 7, 32, 257, 600}) {
      for (const int64_t rows : {1, 5, 6, 97, 200}) {
        const at::Tensor weight = NormalNumbers({out, in}, 1), bias = NormalNumbers({out}, 2);
        const at::Tensor x = NormalNumbers({rows, in}, 3), added = NormalNumbers({rows, out}, 4);
        const PanelMatrix matrix = PanelMatrix::Pack(weight, bias);
        at::Tensor y = at::empty({rows, out}, at::kFloat);
        const double scale = std::sqrt(static_cast<double>(in));
        const at::Tensor plain = at::linear(x, weight, bias);
        matrix.Apply(x.const_data_ptr<float>(), in, rows, y.mutable_data_ptr<float>());
        EXPECT_LT(LargestDifference(y, plain), 2e-6 * scale * scale) << out << " " << in << " " << rows;
        matrix.Apply(x.const_data_ptr<float>(), in, rows, y.mutable_data_ptr<float>(),
                     {added.const_data_ptr<float>(), out, true});
        EXPECT_LT(LargestDifference(y, at::elu(plain + added)), 2e-6 * scale * scale) << out << " " << in;
      }
    }
  }
}

// As the same product of weights rounded to bfloat16; rows are rounded as well where the CPU has units for it.
TEST(PanelMatrixTest, WeightsInBFloat16) {
  for (const int64_t out : {2, 4, 31, 32, 33, 40, 160}) {
    for (const int64_t in : {1, 7, 32, 257, 600}) {
      for (const int64_t rows : {1, 5, 57, 200}) {
        const at::Tensor weight = NormalNumbers({out, in}, 1), bias = NormalNumbers({out}, 2);
        const at::Tensor x = NormalNumbers({rows, in}, 3), added = NormalNumbers({rows, out}, 4);
        const PanelMatrix matrix = PanelMatrix::Pack(weight, bias, Precision::kBFloat16);
        const auto rounded = [](const at::Tensor& numbers) { return numbers.to(at::kBFloat16).to(at::kFloat); };
        const bool narrow = out < 4;
        const at::Tensor plain = at::linear(HasBFloatProducts() && !narrow ? rounded(x) : x,
                                            narrow ? weight : rounded(weight), bias);
        at::Tensor y = at::empty({rows, out}, at::kFloat);
        const double bound = 2e-6 * static_cast<double>(in + 8);
        matrix.Apply(x.const_data_ptr<float>(), in, rows, y.mutable_data_ptr<float>());
        EXPECT_LT(LargestDifference(y, plain), bound) << out << " " << in << " " << rows;
        matrix.Apply(x.const_data_ptr<float>(), in, rows, y.mutable_data_ptr<float>(),
                     {added.const_data_ptr<float>(), out, true});
        EXPECT_LT(LargestDifference(y, at::elu(plain + added)), bound) << out << " " << in << " " << rows;
      }
    }
  }
}

// The kernels that widen them, for CPUs without units, against the plain ones.
TEST(PanelKernelsTest, WidenBFloat16) {
  for (const int64_t out : {16, 24, 48}) {
    for (const int64_t in : {1, 256, 700}) {
      const int64_t rows = 101, panels = (out + kPanelWidth - 1) / kPanelWidth;
      const at::Tensor weights = NormalNumbers({panels, in, kPanelWidth}, 1).to(at::kBFloat16);
      const at::Tensor x = NormalNumbers({rows, in}, 2), bias = at::zeros({panels * kPanelWidth}, at::kFloat);
      at::Tensor made[2] = {at::zeros({rows, out}, at::kFloat), at::zeros({rows, out}, at::kFloat)};
      for (int i = 0; i < 2; ++i) {
        PanelWork work;
        work.x = x.const_data_ptr<float>();
        work.x_stride = work.in = in;
        work.halves = static_cast<const uint16_t*>(weights.const_data_ptr());
        work.bias = bias.const_data_ptr<float>();
        work.out = work.y_stride = out;
        work.y = made[i].mutable_data_ptr<float>();
        (i == 0 ? PortablePanelKernels() : BestPanelKernels()).product(work, 0, rows, 0, panels);
      }
      EXPECT_GT(made[0].abs().max().item<float>(), 0.5f);
      EXPECT_LT(LargestDifference(made[0], made[1]), 2e-6 * static_cast<double>(in + 8)) << out << " " << in;
    }
  }
}

// Rows that overlap are the windows of a convolution.
TEST(PanelMatrixTest, OverlappingRowsAreAConvolution) {
  const int64_t in = 24, out = 40, kernel = 7, frames = 301;
  for (const auto& [stride, precision] : {std::pair{1, Precision::kFloat32}, {3, Precision::kFloat32},
                                          {1, Precision::kBFloat16}, {3, Precision::kBFloat16}}) {
    const at::Tensor weight = NormalNumbers({out, in, kernel}, 1), bias = NormalNumbers({out}, 2);
    const at::Tensor x = NormalNumbers({frames, in}, 3);
    const bool halved = precision == Precision::kBFloat16;
    const auto as_kept = [](const at::Tensor& numbers, bool rounded) {
      return rounded ? numbers.to(at::kBFloat16).to(at::kFloat) : numbers;
    };
    const at::Tensor reference = at::conv1d(as_kept(x, halved && HasBFloatProducts()).t().unsqueeze(0),
                                            as_kept(weight, halved), bias, stride).squeeze(0).t();
    const PanelMatrix matrix = PanelMatrix::Pack(weight.permute({0, 2, 1}).reshape({out, kernel * in}), bias,
                                                 precision);
    at::Tensor y = at::empty(reference.sizes(), at::kFloat);
    matrix.Apply(x.const_data_ptr<float>(), stride * in, y.size(0), y.mutable_data_ptr<float>());
    EXPECT_LT(LargestDifference(y, reference), 1e-4);
  }
}

// A number that is none stays within the rows that hold it, whatever the width and the stride.
TEST(PanelMatrixTest, RowsDoNotSeeEachOtherInBFloat16) {
  for (const int64_t in : {7, 8}) {
    for (const int64_t stride : {1, 3, 7, 20}) {
      const int64_t rows = 130, out = 5, odd = 61 * stride + 2;
      const PanelMatrix matrix = PanelMatrix::Pack(NormalNumbers({out, in}, 1), {}, Precision::kBFloat16);
      at::Tensor x = NormalNumbers({(rows - 1) * stride + in}, 2), y = at::empty({rows, out}, at::kFloat);
      x[odd] = std::numeric_limits<float>::infinity();
      matrix.Apply(x.const_data_ptr<float>(), stride, rows, y.mutable_data_ptr<float>());
      for (int64_t i = 0; i < rows; ++i) {
        const bool holds = i * stride <= odd && odd < i * stride + in;
        EXPECT_EQ(std::isfinite(y[i][0].item<float>()), !holds) << in << " " << stride << " " << i;
      }
    }
  }
}

TEST(PanelMatrixTest, TellsItsBytes) {
  for (const auto& [out, precision] : {std::pair{1, Precision::kFloat32}, {17, Precision::kFloat32},
                                       {64, Precision::kFloat32}, {3, Precision::kBFloat16},
                                       {17, Precision::kBFloat16}, {64, Precision::kBFloat16}}) {
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
    const at::Tensor weight = NormalNumbers({out, 50}, 1);
    const BudgetScope scope(budget);
    const PanelMatrix matrix = PanelMatrix::Pack(weight, {}, precision);
    EXPECT_EQ(budget->used_bytes(), PanelMatrix::BytesKept(50, out, precision)) << out;
  }
}

TEST(PanelKernelsTest, AllAgree) {
  const PanelKernels& best = BestPanelKernels();
  const PanelKernels& portable = PortablePanelKernels();
  std::printf("panel kernels: %s\n", best.name);
  const at::Tensor x = NormalNumbers({100'003}, 5) * 8;
  at::Tensor fast = at::empty_like(x), plain = at::empty_like(x);
  best.elu(x.const_data_ptr<float>(), fast.mutable_data_ptr<float>(), x.numel());
  portable.elu(x.const_data_ptr<float>(), plain.mutable_data_ptr<float>(), x.numel());
  EXPECT_LT(LargestDifference(fast, plain), 3e-7);
  EXPECT_LT(LargestDifference(plain, at::elu(x)), 3e-7);
  const float edges[] = {0, -0.0f, -1e-30f, -1000, 1000, std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  float made[8];
  best.elu(edges, made, 8);
  EXPECT_EQ(made[0], 0);
  EXPECT_EQ(made[3], -1);
  EXPECT_EQ(made[5], edges[5]);
  EXPECT_EQ(made[6], -1);
  EXPECT_TRUE(std::isnan(made[7]));
}

// Against the equations, written out; units that fill no block, and a state that goes on.
TEST(LstmLayerTest, IsTorchsLstm) {
  for (const int64_t units : {3, 8, 20, 64}) {
    const int64_t in = 12, steps = 37;
    const at::Tensor w_ih = NormalNumbers({4 * units, in}, 1) * 0.4, w_hh = NormalNumbers({4 * units, units}, 2) * 0.4;
    const at::Tensor b_ih = NormalNumbers({4 * units}, 3), b_hh = NormalNumbers({4 * units}, 4);
    const at::Tensor x = NormalNumbers({steps, in}, 5);
    at::Tensor h = at::zeros({units}, at::kFloat), c = at::zeros({units}, at::kFloat);
    std::vector<at::Tensor> outputs;
    const auto sigmoid = [](const at::Tensor& value) { return (1 + (-value).exp()).reciprocal(); };
    for (int64_t step = 0; step < steps; ++step) {
      const at::Tensor gates = at::linear(x[step], w_ih, b_ih) + at::linear(h, w_hh, b_hh);
      const auto gate = [&](int64_t index) { return gates.narrow(0, index * units, units); };
      c = sigmoid(gate(1)) * c + sigmoid(gate(0)) * gate(2).tanh();
      h = sigmoid(gate(3)) * c.tanh();
      outputs.push_back(h);
    }
    LstmLayer layer;
    layer.PackInput(w_ih, b_ih + b_hh);
    layer.PackRecurrent(w_hh);
    ASSERT_TRUE(layer.loaded());
    at::Tensor state = layer.NewState(), y = at::empty({steps, units}, at::kFloat);
    at::Tensor room = at::empty({steps, 4 * layer.padded_units()}, at::kFloat);
    for (const auto& [begin, count] : {std::pair<int64_t, int64_t>{0, 5}, {5, 1}, {6, 31}}) {
      layer.Run(x.const_data_ptr<float>() + begin * in, in, count, room.mutable_data_ptr<float>(),
                y.mutable_data_ptr<float>() + begin * units, state);
    }
    EXPECT_LT(LargestDifference(y, at::stack(outputs)), 2e-6) << units;
    LstmLayer halved;
    halved.PackInput(w_ih, b_ih + b_hh, Precision::kBFloat16);
    halved.PackRecurrent(w_hh, Precision::kBFloat16);
    at::Tensor fresh = halved.NewState(), rough = at::empty({steps, units}, at::kFloat);
    halved.Run(x.const_data_ptr<float>(), in, steps, room.mutable_data_ptr<float>(), rough.mutable_data_ptr<float>(),
               fresh);
    EXPECT_LT(LargestDifference(rough, y), 0.05) << units;
    EXPECT_GT(LargestDifference(rough, y), 1e-5) << units;
  }
}

}  // namespace
}  // namespace grym
