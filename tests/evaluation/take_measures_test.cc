#include "evaluation/take_measures.h"

#include <gtest/gtest.h>

#include "analysis/enhance/enhance.h"
#include "evaluation/pieces.h"
#include "support/damage.h"

namespace grym {
namespace {

using testing::AtRate;
using testing::Piece;
using testing::WithClipping;

TEST(MeasureTakeTest, SynthesisedPiecesAreNotClipped) {
  EnhanceParams loud;
  loud.target_lufs = -8;
  for (const char* genre : {"synthwave", "funk", "metal"}) {
    const AudioBuffer piece = Piece(genre, 1, 6);
    EXPECT_EQ(MeasureTake(piece)->clipped_ratio, 0) << genre;
    const AudioBuffer limited = EnhanceAudio(piece, loud).value().audio;
    EXPECT_EQ(MeasureTake(limited)->clipped_ratio, 0) << genre << ", limited to -8 LUFS";
    const AudioBuffer resampled = AtRate(WithClipping(piece, 10, false), 48000);
    EXPECT_GT(MeasureTake(resampled)->clipped_ratio, 1e-3) << genre;
  }
}

}  // namespace
}  // namespace grym
