#include "checkpoint/tensor_writer.h"

#include <gtest/gtest.h>

#include <cstring>

#include "grymsynth/error.h"
#include "support/scratch.h"

namespace grym {
namespace {

TensorToWrite Of(const std::string& name, std::vector<int64_t> shape, std::vector<float> values, size_t pieces = 1) {
  return {name, ElementType::kF32, std::move(shape), [values, pieces](const TensorSink& sink) -> absl::Status {
            const auto bytes = std::as_bytes(std::span<const float>(values));
            for (size_t i = 0; i < pieces; ++i) {
              const size_t begin = bytes.size() * i / pieces, end = bytes.size() * (i + 1) / pieces;
              if (absl::Status status = sink(bytes.subspan(begin, end - begin)); !status.ok()) return status;
            }
            return absl::OkStatus();
          }};
}

TEST(TensorWriterTest, WhatIsWrittenIsReadBack) {
  testing::Scratch scratch;
  std::vector<float> many(16 * 16);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i) * 0.5f;
  const std::vector<TensorToWrite> tensors = {
      Of("b.weight", {16, 16}, many, 7), Of("a \"quoted\"", {3}, {1, 2, 3}), Of("none", {0, 4}, {}), Of("one", {}, {9})};
  const auto path = scratch / "model.safetensors";
  ASSERT_TRUE(WriteTensorFile(path, tensors, {{"format", "pt"}}).ok());
  const auto file = TensorFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata().at("format"), "pt");
  ASSERT_EQ(file->entries().size(), 4u);
  const TensorEntry* entry = file->Find("b.weight");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->shape, (std::vector<int64_t>{16, 16}));
  EXPECT_EQ(entry->offset % kTensorAlignment, 0);
  EXPECT_EQ(std::memcmp(file->Bytes(*entry)->data(), many.data(), many.size() * sizeof(float)), 0);
  float one = 0;
  std::memcpy(&one, file->Bytes(*file->Find("one"))->data(), sizeof one);
  EXPECT_EQ(one, 9);
  EXPECT_EQ(file->Find("none")->bytes, 0);
}

TEST(TensorWriterTest, RefusesWhatTheFormatCannotHold) {
  testing::Scratch scratch;
  const auto path = scratch / "model.safetensors";
  const auto code = [&](std::vector<TensorToWrite> tensors) { return ErrorCode(WriteTensorFile(path, tensors)); };
  EXPECT_EQ(code({Of("", {1}, {1})}), "bad_tensor");
  EXPECT_EQ(code({Of("x", {1}, {1}), Of("x", {1}, {1})}), "bad_tensor");
  EXPECT_EQ(code({Of("__metadata__", {1}, {1})}), "bad_tensor");
  EXPECT_EQ(code({Of("x", {2}, {1})}), "bad_tensor");
  EXPECT_EQ(code({Of("x", {1}, {1, 2})}), "bad_tensor");
  EXPECT_EQ(code({Of("x", {-1}, {})}), "bad_tensor");
  EXPECT_EQ(code({Of("x", {int64_t{1} << 40, int64_t{1} << 40}, {})}), "bad_tensor");
  EXPECT_EQ(code({Of("x", std::vector<int64_t>(9, 1), {1})}), "bad_tensor");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TensorWriterTest, AFailureLeavesWhatWasThere) {
  testing::Scratch scratch;
  const auto path = scratch / "model.safetensors";
  ASSERT_TRUE(WriteTensorFile(path, std::vector<TensorToWrite>{Of("x", {1}, {1})}).ok());
  TensorToWrite broken = Of("x", {1}, {2});
  broken.write = [](const TensorSink&) { return absl::DataLossError("the source is gone"); };
  EXPECT_TRUE(absl::IsDataLoss(WriteTensorFile(path, std::vector<TensorToWrite>{broken})));
  float kept = 0;
  const auto file = TensorFile::Open(path);
  std::memcpy(&kept, file->Bytes(*file->Find("x"))->data(), sizeof kept);
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
}

}  // namespace
}  // namespace grym
