#include "checkpoint/fingerprint.h"

#include <gtest/gtest.h>

#include <set>

#include "checkpoint/made_files.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::BytesOf;
using testing::Put;
using testing::SafetensorsOf;
using testing::Scratch;

std::string PrintOf(const std::string& header, const std::string& data, const std::string& configs = "{}") {
  Scratch scratch;
  Put(scratch / "model.safetensors", SafetensorsOf(header, data));
  const auto set = TensorSet::Open(scratch / "model.safetensors");
  EXPECT_TRUE(set.ok()) << set.status();
  return set.ok() ? ShortFingerprint(configs, *set) : "";
}

TEST(FingerprintTest, TellsWeightsNamesShapesAndConfigsApart) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  const std::string data = BytesOf(std::vector<float>{1, 2, 3, 4, 5, 6});
  const std::set<std::string> prints = {
      PrintOf(header, data),
      PrintOf(header, BytesOf(std::vector<float>{1, 2, 3, 4, 5, 7})),
      PrintOf(R"({"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", data),
      PrintOf(R"({"a":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}})", data),
      PrintOf(R"({"a":{"dtype":"I32","shape":[2,3],"data_offsets":[0,24]}})", data),
      PrintOf(header, data, R"({"layers":2})"),
  };
  EXPECT_EQ(prints.size(), 6u);
  EXPECT_EQ(PrintOf(header, data), PrintOf(header, data));
  for (const std::string& print : prints) {
    EXPECT_EQ(print.size(), 16u);
    EXPECT_EQ(print.find_first_not_of("0123456789abcdef"), std::string::npos) << print;
  }
}

}  // namespace
}  // namespace grym
