#include "nn/activation.h"

#include "gtest/gtest.h"
#include "runtime/seeded_noise.h"

namespace grym {
namespace {

TEST(ActivationTest, InPlaceIsTheSame) {
  at::Generator generator = SeededGenerator(1);
  for (const std::string_view name : kActivationNames) {
    const Activation activation = ActivationOf(name);
    at::Tensor x = Noise({5, 33}, generator);
    const at::Tensor want = Activate(activation, x);
    const void* const place = x.const_data_ptr();
    ActivateInPlace(activation, x);
    EXPECT_TRUE(x.equal(want)) << name;
    EXPECT_EQ(x.const_data_ptr(), place) << name;
  }
}

}  // namespace
}  // namespace grym
