// Both sides of every limit of a tensor file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/content.h"
#include "checkpoint/made_files.h"
#include "checkpoint/tensor_file.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::CodeOf;
using testing::LengthBytes;
using testing::Put;
using testing::SafetensorsOf;
using testing::Scratch;

std::string Limited(const Scratch& scratch, std::string_view bytes) {
  Put(scratch / "x", bytes);
  return CodeOf(TensorFile::Open(scratch / "x"));
}

TEST(TensorLimitsTest, HeaderLength) {
  const Scratch scratch;
  std::string header = "{}";
  header.resize(kMostTensorHeaderBytes, ' ');
  EXPECT_EQ(Limited(scratch, SafetensorsOf(header, "")), "ok");
  EXPECT_EQ(Limited(scratch, SafetensorsOf(header + " ", "")), "checkpoint_limit");
}

TEST(TensorLimitsTest, NumberOfTensors) {
  const Scratch scratch;
  const auto many = [](size_t count) {
    std::string header = "{\"__metadata__\":{\"a\":\"b\"}";
    for (size_t i = 0; i < count; ++i)
      header += ",\"t" + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[0,1,1,1,1,1,1,1],\"data_offsets\":[0,0]}";
    return SafetensorsOf(header + "}", "");
  };
  EXPECT_EQ(Limited(scratch, many(kMostTensors)), "ok");
  EXPECT_EQ(Limited(scratch, many(kMostTensors + 1)), "checkpoint_limit");
}

TEST(TensorLimitsTest, LengthOfANameAndRank) {
  const Scratch scratch;
  const auto named = [](const std::string& name, const std::string& shape) {
    return SafetensorsOf("{\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[" + shape + "],\"data_offsets\":[0,1]}}", "x");
  };
  EXPECT_EQ(Limited(scratch, named(std::string(kMostTensorNameBytes, 'n'), "1")), "ok");
  EXPECT_EQ(Limited(scratch, named(std::string(kMostTensorNameBytes + 1, 'n'), "1")), "checkpoint_limit");
  EXPECT_EQ(Limited(scratch, named("n", "1,1,1,1,1,1,1,1")), "ok");
  EXPECT_EQ(Limited(scratch, named("n", "1,1,1,1,1,1,1,1,1")), "checkpoint_limit");
}

TEST(TensorLimitsTest, LengthOfTheFile) {
  const Scratch scratch;
  // Sparse: a hole in the file system takes no room.
  const int64_t data = kMostTensorFileBytes - 8 - 128;
  std::string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(data) + "],\"data_offsets\":[0," +
                       std::to_string(data) + "]}}";
  header.resize(128, ' ');
  Put(scratch / "x", SafetensorsOf(header, ""));
  std::error_code refused;
  std::filesystem::resize_file(scratch / "x", static_cast<uintmax_t>(kMostTensorFileBytes), refused);
  if (refused) GTEST_SKIP() << "needs a file system with sparse files of 64 GiB: " << refused.message();
  EXPECT_EQ(CodeOf(TensorFile::Open(scratch / "x")), "ok");
  std::filesystem::resize_file(scratch / "x", static_cast<uintmax_t>(kMostTensorFileBytes) + 1);
  EXPECT_EQ(CodeOf(TensorFile::Open(scratch / "x")), "file_too_large");
}

TEST(TensorLimitsTest, ValuesInAHeader) {
  // Small values in a large header would become gigabytes; text that only looks like them does not count.
  const Scratch scratch;
  std::string zeros = "{\"a\":[0";
  for (size_t i = 0; i < kMostJsonValues; ++i) zeros += ",0";
  EXPECT_EQ(Limited(scratch, SafetensorsOf(zeros + "]}", "")), "checkpoint_limit");
  const std::string text = "{\"__metadata__\":{\"a\":\"\\\"" + std::string(kMostJsonValues + 1, ',') + "\"}}";
  EXPECT_EQ(Limited(scratch, SafetensorsOf(text, "")), "ok");
}

}  // namespace
}  // namespace grym
