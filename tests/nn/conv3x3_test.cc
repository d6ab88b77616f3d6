#include "nn/conv3x3.h"

#include <fstream>

#include "base/fs.h"
#include "gtest/gtest.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

// A checkpoint of one layer, as the format's description has it.
TensorSet OneLayer(const testing::Scratch& scratch, const at::Tensor& weight, const at::Tensor& bias) {
  const auto shape = [](const at::Tensor& x) {
    std::string text;
    for (const int64_t side : x.sizes()) text += (text.empty() ? "" : ",") + std::to_string(side);
    return text;
  };
  const int64_t split = weight.numel() * 4, end = split + bias.numel() * 4;
  std::string header = "{\"c.weight\":{\"dtype\":\"F32\",\"shape\":[" + shape(weight) + "],\"data_offsets\":[0," +
                       std::to_string(split) + "]},\"c.bias\":{\"dtype\":\"F32\",\"shape\":[" + shape(bias) +
                       "],\"data_offsets\":[" + std::to_string(split) + "," + std::to_string(end) + "]}}";
  while (header.size() % 8 != 0) header += ' ';
  std::ofstream out(scratch / "model.safetensors", std::ios::binary);
  const uint64_t length = header.size();
  out.write(reinterpret_cast<const char*>(&length), 8);
  out << header;
  out.write(reinterpret_cast<const char*>(weight.const_data_ptr<float>()), weight.numel() * 4);
  out.write(reinterpret_cast<const char*>(bias.const_data_ptr<float>()), bias.numel() * 4);
  out.close();
  return *TensorSet::Open(scratch / "model.safetensors");
}

TEST(Conv3x3Test, TilesAndNeighbourhoodsEqualThePlainSum) {
  at::Generator generator = SeededGenerator(1);
  struct Case {
    int64_t rows, in, out, height, width;
  };
  for (const Case& c : {Case{1, 8, 8, 1, 1}, Case{2, 24, 40, 7, 5}, Case{1, 70, 3, 33, 16}, Case{3, 128, 128, 30, 4}}) {
    const testing::Scratch scratch;
    const at::Tensor weight = Noise({c.out, c.in, 3, 3}, generator), bias = Noise({c.out}, generator);
    const TensorSet set = OneLayer(scratch, weight, bias);
    WeightReader reader(set, "test", {});
    const Conv3x3 tiled = ReadConv3x3(reader, "c", c.in, c.out, true);
    const Conv3x3 plain = ReadConv3x3(reader, "c", c.in, c.out, false);
    ASSERT_TRUE(reader.status().ok()) << reader.status();
    ASSERT_TRUE(tiled.tiled.defined() && !plain.tiled.defined());
    const at::Tensor x = Noise({c.rows, c.in, c.height, c.width}, generator).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor exact = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1);
    for (const Conv3x3* conv : {&tiled, &plain}) {
      const auto distance = testing::DistanceOf((*conv)(x), exact);
      EXPECT_LT(distance.max_relative_error, 4e-6) << c.in << " " << c.height;  // 9 * 128 sums in float32
    }
  }
}

TEST(Conv3x3Test, TakesWhatItSays) {
  at::Generator generator = SeededGenerator(2);
  const testing::Scratch scratch;
  const TensorSet set = OneLayer(scratch, Noise({48, 32, 3, 3}, generator), Noise({48}, generator));
  WeightReader reader(set, "test", {});
  const Conv3x3 tiled = ReadConv3x3(reader, "c", 32, 48, true);
  for (const int64_t height : {4, 50, 301}) {
    const at::Tensor x = Noise({2, 32, height, 8}, generator).contiguous(at::MemoryFormat::ChannelsLast);
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
    const BudgetScope scope(budget);
    const at::Tensor y = tiled(x);
    EXPECT_EQ(budget->peak_bytes(), Conv3x3WorkingBytes(32, 48, true, 2, height, 8));
  }
}

}  // namespace
}  // namespace grym
