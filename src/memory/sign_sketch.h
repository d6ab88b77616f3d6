// One bit a dimension of a vector: enough to pass over almost all of a large memory without looking at its vectors.
#pragma once
#include <span>

#include "memory/dot.h"

namespace grym {

// Source: Gao and Long 2024, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
// Approximate Nearest Neighbor Search". The signs of a randomly rotated unit vector estimate its inner product with a
// query, and how far they err depends on the dimensions alone, not on the data: nothing is trained, so there is nothing
// to build, and vectors come and go one by one. Scanned through tables in registers after Andre, Kermarrec and Le
// Scouarnec 2015, "Cache locality is not enough: High-performance nearest neighbor search with product quantization
// fast scan". Differs: the rotation is three rounds of random signs and a Hadamard transform (Andoni et al. 2015,
// "Practical and optimal LSH for angular distance"), the same in every program; and instead of estimating similarities
// one by one, what a vector must score follows from how scores spread around this very query, which is why an equal
// vector is never missed and no number beside the signs has to be read. All vectors are scanned by the first half of
// their signs, which settles most of them; the second half is looked at for the rest.

// signs[i]: bit b set where dimension 8 i + b of the rotated vector is not negative.
inline constexpr size_t kSignBytes = 2 * kHalfSignBytes;
void SketchVector(std::span<const float, kVectorDims> vector, uint8_t* signs);

// A query's side of the scan. Both vectors have unit length.
class SketchQuery {
 public:
  // How many standard deviations a score may lie below what its similarity lets expect: by the normal distribution one
  // vector in 160 has a lower score of the first half, one in 44 of the whole, and is missed. Chosen at a million with
  // benchmarks/memory_benchmark, for a recall of 0.97.
  static constexpr double kFirstSigmas = 2.5;
  static constexpr double kWholeSigmas = 2.0;

  explicit SketchQuery(std::span<const float, kVectorDims> query);
  // For DotKernels: 16 tables of 16 entries for the first half of the signs, then as many for the second.
  const uint8_t* tables() const { return tables_; }
  // The least score of the first half, or of all, that a vector of this similarity must have in order not to be missed.
  // Rise with it.
  int FirstCutoff(double similarity) const { return first_.At(similarity); }
  int WholeCutoff(double similarity) const { return whole_.At(similarity); }

 private:
  static constexpr int kAngles = 32;  // even
  struct Cutoffs {
    double at_angle[kAngles + 1];  // from 0 to pi, falling
    int At(double similarity) const;
  };
  static Cutoffs CutoffsFor(std::span<const int> values, int offset, int all_squares, double sigmas);

  uint8_t tables_[2 * kHalfTableBytes];
  Cutoffs first_, whole_;
};

}  // namespace grym
