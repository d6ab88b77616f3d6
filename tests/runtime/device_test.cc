#include "runtime/device.h"

#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

// Without OpenMP in the rooms' flags at::parallel_for is a plain loop and says nothing: a model on half its speed.
TEST(DeviceTest, OwnLoopsRunOnAllThreads) {
  const int before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    EXPECT_EQ(LoopThreads(), threads);
  }
  at::set_num_threads(before);
}

TEST(DeviceTest, NamesEveryPrecisionAndListsThemForAnother) {
  for (const char* name : {"float32", "bfloat16x3", "bfloat16", "float16", "int8", "int4"}) {
    EXPECT_STREQ(PrecisionName(ParsePrecision(name).value()), name);
  }
  const absl::Status other = ParsePrecision("float8").status();
  EXPECT_EQ(ErrorCode(other), "bad_dtype");
  EXPECT_THAT(std::string(other.message()),
              ::testing::HasSubstr("float32, bfloat16x3, bfloat16, float16, int8 or int4"));
}

TEST(DeviceTest, BFloat16x3WantsACpuWithUnitsForBFloat16) {
  const c10::Device cpu(c10::DeviceType::CPU), gpu(c10::DeviceType::CUDA, 0);
  EXPECT_TRUE(CheckPrecision(Precision::kBFloat16x3, cpu, true).ok());
  EXPECT_TRUE(CheckPrecision(Precision::kBFloat16, cpu, false).ok());
  EXPECT_TRUE(CheckPrecision(Precision::kBFloat16, gpu, false).ok());
  for (const absl::Status& refused : {CheckPrecision(Precision::kBFloat16x3, cpu, false),
                                      CheckPrecision(Precision::kBFloat16x3, gpu, true)}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(ErrorCode(refused), "unsupported_dtype");
    EXPECT_THAT(std::string(refused.message()),
                ::testing::HasSubstr("want float32, or bfloat16x3 on a CPU with AVX-512 BF16 or AMX"));
  }
}

}  // namespace
}  // namespace grym
