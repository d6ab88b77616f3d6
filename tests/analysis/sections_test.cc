#include "analysis/sections.h"

#include <gtest/gtest.h>

#include "analysis/scoring.h"
#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

TEST(SectionsTest, RepeatedPartsShareALetter) {
  // A: a low chord, B: a high one with noise; ten seconds each.
  Random random(4);
  const auto heard = Analyzed(Mono(Samples(40, 44100, [&](double t) {
    const bool second = static_cast<int>(t / 10) % 2 == 1;
    return second ? 0.1 * Harmonics(659.26, t) + 0.1 * random.Uniform(-1, 1)
                  : 0.2 * (Harmonics(130.81, t) + Harmonics(164.81, t));
  })));
  ASSERT_EQ(heard->sections.size(), 4u);
  EXPECT_EQ(heard->sections[0].label, heard->sections[2].label);
  EXPECT_EQ(heard->sections[1].label, heard->sections[3].label);
  EXPECT_NE(heard->sections[0].label, heard->sections[1].label);
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(heard->sections[i].start_s, 10 * static_cast<double>(i), 0.6);
}

TEST(SectionsTest, WhatDoesNotChangeIsOneSection) {
  EXPECT_EQ(Analyzed(Mono(Tone(300, 30)))->sections.size(), 1u);
  EXPECT_EQ(Analyzed(Mono(Tone(300, 2)))->sections.size(), 1u);
}

}  // namespace
}  // namespace grym
