#include "runtime/weights.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "checkpoint/bytes_sum.h"
#include "checkpoint/made_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/scratch.h"

namespace grym::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct MadeTensor {
  std::string name, type;
  std::vector<int64_t> shape;
  std::string data;
};

MadeTensor Floats(const std::string& name, std::vector<int64_t> shape, const std::vector<float>& values) {
  return {name, "F32", std::move(shape), BytesOf(values)};
}

std::string FileOf(const std::vector<MadeTensor>& tensors) {
  std::string header = "{", data;
  for (const MadeTensor& tensor : tensors) {
    header += std::string(header.size() > 1 ? "," : "") + "\"" + tensor.name + "\":{\"dtype\":\"" + tensor.type +
              "\",\"shape\":" + ShapeText(tensor.shape) + ",\"data_offsets\":[" + std::to_string(data.size()) + ",";
    data += tensor.data;
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the data begins where every type may
  return SafetensorsOf(header, data);
}

// A set of these tensors and a reader of them.
class Made {
 public:
  explicit Made(const std::vector<MadeTensor>& tensors, Precision precision = Precision::kFloat32,
                const std::string& prefix = "") {
    Put(scratch_ / "model.safetensors", FileOf(tensors));
    set = std::make_unique<const TensorSet>(TensorSet::Open(scratch_.path()).value());
    WeightOptions options;
    options.precision = precision;
    options.cancel = cancel;
    reader = std::make_unique<WeightReader>(*set, "net", options, prefix);
  }
  std::string words() const { return std::string(reader->status().message()); }

 private:
  Scratch scratch_;

 public:
  CancelToken cancel;
  std::unique_ptr<const TensorSet> set;
  std::unique_ptr<WeightReader> reader;
};

std::vector<float> Values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.to(at::kFloat).flatten().contiguous();
  return {flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel()};
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(WeightReaderTest, ReadsWhatIsThereBehindThePrefix) {
  Made made({Floats("text.a", {2, 2}, {1, 2, 3, 4}), Floats("a", {1}, {9})}, Precision::kFloat32, "text.");
  EXPECT_TRUE(made.reader->Has("a"));
  EXPECT_FALSE(made.reader->Has("text.a"));
  EXPECT_EQ(made.reader->ShapeOf("a"), (std::vector<int64_t>{2, 2}));
  EXPECT_TRUE(made.reader->ShapeOf("b").empty());
  EXPECT_EQ(made.reader->FirstOf({"b", "a"}), "a");
  EXPECT_EQ(made.reader->FirstOf({"b", "c"}), "b");
  const at::Tensor a = made.reader->Matrix("a", {2, 2});
  ASSERT_TRUE(a.defined()) << made.reader->status();
  EXPECT_THAT(Values(a), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(made.reader->status().ok());
}

TEST(WeightReaderTest, TellsEverythingThatDoesNotFitAtOnce) {
  Made made({Floats("wide", {3}, {1, 2, 3}), {"ids", "I64", {1}, std::string(8, '\0')}, Floats("good", {1}, {5})});
  EXPECT_FALSE(made.reader->Matrix("gone.weight", {4, 2}).defined());
  EXPECT_FALSE(made.reader->Vector("wide", {2}).defined());
  EXPECT_FALSE(made.reader->Exact("ids", {1}).defined());
  EXPECT_TRUE(made.reader->Vector("good", {1}).defined());
  made.reader->AddProblem("good", "want less of it");
  const absl::Status status = made.reader->status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorCode(status), "bad_weights");
  EXPECT_THAT(made.words(), HasSubstr("gone.weight: want a tensor of shape [4, 2], got none"));
  EXPECT_THAT(made.words(), HasSubstr("wide: want shape [2], got [3]"));
  EXPECT_THAT(made.words(), HasSubstr("ids: want floating point, got I64"));
  EXPECT_THAT(made.words(), HasSubstr("good: want less of it"));
  EXPECT_THAT(made.words(), ::testing::StartsWith("net: "));
}

TEST(WeightReaderTest, ManyProblemsAreCounted) {
  Made made({Floats("a", {1}, {1})});
  for (int i = 0; i < 14; ++i) made.reader->Vector("layer." + std::to_string(i), {1});
  EXPECT_THAT(made.words(), HasSubstr("layer.9"));
  EXPECT_THAT(made.words(), Not(HasSubstr("layer.10")));
  EXPECT_THAT(made.words(), HasSubstr("and 4 more"));
}

TEST(WeightReaderTest, ANumberThatIsNoneIsNamed) {
  const std::string half_infinity("\x00\x3c\x00\x7c", 4), bfloat_nan("\x80\x3f\xc0\x7f", 4);  // 1 and then the bad one
  const std::vector<MadeTensor> bad = {Floats("w", {2}, {1, kNan}),
                                       Floats("w", {2}, {1, -std::numeric_limits<float>::infinity()}),
                                       {"w", "F16", {2}, half_infinity},
                                       {"w", "BF16", {2}, bfloat_nan},
                                       {"w", "F64", {2}, BytesOf<double>({1, std::nan("")})}};
  for (const MadeTensor& tensor : bad) {
    Made made({Floats("good", {1}, {1}), tensor});
    EXPECT_FALSE(made.reader->Matrix("w", {2}).defined()) << tensor.type;
    EXPECT_EQ(made.reader->status().code(), absl::StatusCode::kDataLoss) << tensor.type;
    EXPECT_EQ(ErrorCode(made.reader->status()), "non_finite_weights") << tensor.type;
    EXPECT_THAT(made.words(), HasSubstr("element 1 of \"w\"")) << tensor.type;
    EXPECT_THAT(made.words(), HasSubstr("model.safetensors")) << tensor.type;
    EXPECT_FALSE(made.reader->Matrix("good", {1}).defined());  // nothing is read after it
  }
}

// A packed copy has a sum of each tensor in its metadata.
std::string CopyHolding(const std::vector<int8_t>& codes, const std::string& sum) {
  const std::string data(codes.begin(), codes.end());
  const std::string said = sum.empty() ? SumText(SumOfBytes(std::as_bytes(std::span<const char>(data)))) : sum;
  std::string header = "{\"__metadata__\":{\"grymsynth.sum:q.codes\":\"" + said +
                       "\"},\"q.codes\":{\"dtype\":\"I8\",\"shape\":[2," + std::to_string(codes.size() / 2) +
                       "],\"data_offsets\":[0," + std::to_string(codes.size()) + "]}}";
  return SafetensorsOf(header, data);
}

TEST(WeightReaderTest, WhatIsStoredIsReadAsItLies) {
  const Scratch scratch;
  std::vector<int8_t> codes(static_cast<size_t>(2 * kSumBlockBytes + 6));  // of several blocks
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(i * 7);
  const auto side = static_cast<int64_t>(codes.size() / 2);
  Put(scratch / "copy.safetensors", CopyHolding(codes, ""));
  const TensorSet set = TensorSet::Open(scratch / "copy.safetensors").value();
  WeightReader reader(set, "net", {.from_copy = true});
  const at::Tensor stored = reader.Stored("q.codes", {2, side}, ElementType::kI8);
  ASSERT_TRUE(stored.defined()) << reader.status();
  EXPECT_EQ(std::memcmp(stored.const_data_ptr<int8_t>(), codes.data(), codes.size()), 0);
  EXPECT_TRUE(reader.Unread().empty());
  EXPECT_FALSE(reader.Stored("q.codes", {2, side}, ElementType::kU8).defined());
  EXPECT_FALSE(reader.Stored("q.codes", {side, 2}, ElementType::kI8).defined());
  EXPECT_FALSE(reader.Stored("q.scales", {2}, ElementType::kF32).defined());
  EXPECT_EQ(ErrorCode(reader.status()), "bad_weights");
  EXPECT_THAT(std::string(reader.status().message()), HasSubstr("want U8, got I8"));

  Put(scratch / "damaged.safetensors", CopyHolding(codes, "0123456789abcdef"));
  const TensorSet damaged = TensorSet::Open(scratch / "damaged.safetensors").value();
  WeightReader other(damaged, "net", {.from_copy = true});
  EXPECT_FALSE(other.Stored("q.codes", {2, side}, ElementType::kI8).defined());
  EXPECT_EQ(ErrorCode(other.status()), "damaged_weights");
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("q.codes"));
}

TEST(WeightReaderTest, WhatIsKeptForACopyHasItsFullNames) {
  Made made({Floats("net.a.weight", {1}, {1})}, Precision::kInt8, "net.");
  KeptWeights kept;
  WeightReader reader(*made.set, "net", {.keep = &kept}, "net.");
  reader.Keep(JoinedName({"layer.q", "layer.k"}) + ".packed", at::ones({2}), {"layer.q.weight", "layer.k.weight"});
  reader.Keep("none", {}, {"a.weight"});
  made.reader->Keep("unwanted", at::ones({2}), {"a.weight"});
  ASSERT_EQ(kept.tensors().size(), 1u);
  EXPECT_EQ(kept.tensors()[0].name, "net.layer.q+k.packed");
  EXPECT_TRUE(kept.Replaces("net.layer.q.weight") && kept.Replaces("net.layer.k.weight"));
  EXPECT_FALSE(kept.Replaces("net.a.weight"));
}

TEST(WeightReaderTest, TheThreeSpellingsOfWeightNormAreOneWeight) {
  const std::vector<float> v = {3, 4, 0, 5, 12, 84}, g = {2, 0.5};
  const std::vector<std::vector<MadeTensor>> spellings = {
      {Floats("conv.weight_g", {2, 1, 1}, g), Floats("conv.weight_v", {2, 3, 1}, v)},
      {Floats("conv.parametrizations.weight.original0", {2, 1, 1}, g),
       Floats("conv.parametrizations.weight.original1", {2, 3, 1}, v)},
      {Floats("conv.weight", {2, 3, 1}, {1.2F, 1.6F, 0, 2.5F / 85, 6.F / 85, 42.F / 85})}};
  for (const auto& tensors : spellings) {
    Made made(tensors);
    const at::Tensor weight = made.reader->WeightNormed("conv", {2, 3, 1});
    ASSERT_TRUE(weight.defined()) << made.reader->status();
    EXPECT_THAT(Values(weight), ::testing::Pointwise(::testing::FloatNear(1e-6F),
                                                     {1.2F, 1.6F, 0.F, 2.5F / 85, 6.F / 85, 42.F / 85}));
    EXPECT_THAT(made.reader->Unread(), ElementsAre());
  }
  // Along another dimension, as the positional convolution of wav2vec2 has it.
  Made other({Floats("conv.weight_g", {1, 1, 2}, {1, 10}), Floats("conv.weight_v", {1, 2, 2}, {3, 6, 4, 8})});
  EXPECT_THAT(Values(other.reader->WeightNormed("conv", {1, 2, 2}, 2)),
              ::testing::Pointwise(::testing::FloatNear(1e-6F), {0.6F, 6.F, 0.8F, 8.F}));
  Made halved({Floats("conv.weight_v", {2, 3, 1}, v)}, Precision::kBFloat16);
  EXPECT_FALSE(halved.reader->WeightNormedMatrix("conv", {2, 3, 1}).defined());
  EXPECT_THAT(halved.words(), HasSubstr("conv.weight_g: want a tensor of shape [2, 1, 1], got none"));
}

TEST(WeightReaderTest, ListsWhatNobodyAskedFor) {
  Made made({Floats("net.a", {1}, {1}), Floats("net.b", {1}, {2}), Floats("net.c", {1}, {3}), Floats("d", {1}, {4})},
            Precision::kFloat32, "net.");
  EXPECT_THAT(made.reader->Unread(), ElementsAre("net.a", "net.b", "net.c"));
  made.reader->Vector("a", {1});
  made.reader->Skip("c");
  EXPECT_THAT(made.reader->Unread(), ElementsAre("net.b"));
}

TEST(WeightReaderTest, ConvertsBetweenTheTypesOfFileAndPrecision) {
  const c10::Device cpu(c10::DeviceType::CPU);
  const std::vector<MadeTensor> tensors = {{"half", "F16", {2}, std::string("\x00\x3e\x00\xc1", 4)},     // 1.5, -2.5
                                           {"brain", "BF16", {2}, std::string("\xc0\x3f\x20\xc0", 4)},  // the same
                                           {"twice", "F64", {2}, BytesOf<double>({1.5, -2.5})},
                                           Floats("float", {2}, {1.5, -2.5})};
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16, Precision::kInt8}) {
    Made made(tensors, precision);
    for (const MadeTensor& tensor : tensors) {
      const at::Tensor matrix = made.reader->Matrix(tensor.name, {2}), vector = made.reader->Vector(tensor.name, {2}),
                       exact = made.reader->Exact(tensor.name, {2});
      ASSERT_TRUE(matrix.defined() && vector.defined() && exact.defined()) << made.reader->status();
      EXPECT_EQ(matrix.scalar_type(), StorageType(precision)) << tensor.name;
      EXPECT_EQ(vector.scalar_type(), ComputeType(precision, cpu)) << tensor.name;
      EXPECT_EQ(exact.scalar_type(), at::kFloat) << tensor.name;
      for (const at::Tensor& read : {matrix, vector, exact}) EXPECT_THAT(Values(read), ElementsAre(1.5, -2.5));
    }
  }
}

TEST(WeightReaderTest, ReadsAtOddPlaces) {
  Made made({{"odd", "U8", {1}, std::string(1, '\7')}, Floats("w", {2}, {1.25, -7})});
  ASSERT_FALSE(made.set->Find("w")->entry->aligned());
  EXPECT_THAT(Values(made.reader->Matrix("w", {2})), ElementsAre(1.25, -7));
}

TEST(WeightReaderTest, TakesNoMoreThanTheWeights) {
  const int64_t count = 1 << 16;
  std::vector<MadeTensor> tensors;
  for (const char* name : {"a", "b", "c"})
    tensors.push_back(Floats(name, {count}, std::vector<float>(static_cast<size_t>(count), 0.5F)));
  Made made(tensors, Precision::kBFloat16);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const BudgetScope scope(budget);
  std::vector<at::Tensor> kept;
  for (const char* name : {"a", "b", "c"}) kept.push_back(made.reader->Matrix(name, {count}));
  EXPECT_EQ(budget->used_bytes(), 3 * AllocatedBytes(2 * count));
  EXPECT_EQ(budget->peak_bytes(), budget->used_bytes());
}

// Kernels of convolutions, and numbers that are kept otherwise than they lie: from aligned and other places.
TEST(WeightReaderTest, ReadsIntoOtherLayoutsAndHoldsNothingTwice) {
  const int64_t out = 300, in = 40, count = out * in * 6;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 97) - 48;
  for (const bool odd : {false, true}) {
    for (const Precision precision : {Precision::kFloat32, Precision::kFloat16}) {
      Made made({{"odd", "U8", {odd ? 1 : 4}, std::string(odd ? 1 : 4, '\7')}, Floats("w", {out, in, 2, 3}, numbers)},
                precision);
      ASSERT_EQ(made.set->Find("w")->entry->aligned(), !odd);
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
      const BudgetScope scope(budget);
      const at::Tensor kernel = made.reader->Kernel("w", {out, in, 2, 3});
      EXPECT_TRUE(kernel.is_contiguous(at::MemoryFormat::ChannelsLast));
      EXPECT_EQ(budget->peak_bytes(), static_cast<int64_t>(kernel.nbytes()));
      EXPECT_EQ(Values(kernel), numbers);

      std::vector<float> rows;
      made.reader->ByRows("w", {out, in, 2, 3}, [&](int64_t first, const at::Tensor& some) {
        EXPECT_EQ(first * in * 6, static_cast<int64_t>(rows.size()));
        EXPECT_EQ(some.size(1), in);
        for (const float value : Values(some)) rows.push_back(value);
      });
      EXPECT_EQ(rows, numbers);
    }
  }
  Made made({{"half", "F16", {2, 1}, std::string("\x00\x3e\x00\xc1", 4)}, Floats("bad", {2}, {1, kNan})});
  std::vector<float> rows;
  const auto put = [&](int64_t, const at::Tensor& some) {
    for (const float value : Values(some)) rows.push_back(value);
  };
  made.reader->ByRows("half", {2, 1}, put);
  EXPECT_THAT(rows, ElementsAre(1.5, -2.5));
  made.reader->ByRows("bad", {2}, put);
  EXPECT_EQ(rows.size(), 2u);
  EXPECT_EQ(ErrorCode(made.reader->status()), "non_finite_weights");
  EXPECT_FALSE(made.reader->Kernel("half", {2, 1, 1, 1}).defined());
}

TEST(WeightReaderTest, GathersRowsOfATableAndLooksAtNoOthers) {
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat16}) {
    Made made({Floats("table", {4, 2}, {0, 1, kNan, 3, 4, 5, 6, 7})}, precision);
    const std::vector<int64_t> rows = {3, 0, 3, 2}, bad = {0, 1};
    const at::Tensor gathered = made.reader->Gather("table", {4, 2}, rows);
    EXPECT_EQ(gathered.scalar_type(), StorageType(precision));
    EXPECT_THAT(Values(gathered), ElementsAre(6, 7, 0, 1, 6, 7, 4, 5));
    EXPECT_FALSE(made.reader->Gather("table", {4, 2}, bad).defined());
    EXPECT_EQ(ErrorCode(made.reader->status()), "non_finite_weights");
  }
}

TEST(WeightReaderTest, StopsWhenCancelled) {
  Made made({Floats("a", {1}, {1})});
  made.cancel.Cancel();
  EXPECT_FALSE(made.reader->Vector("a", {1}).defined());
  EXPECT_FALSE(made.reader->Vector("gone", {1}).defined());
  EXPECT_EQ(made.reader->status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace grym::testing
