// Products of float32 matrices that lie in the cache.
#pragma once
#include <cstdint>

namespace grym {

// Whether there are kernels for them: LibTorch with oneDNN, its function that calls them, and a CPU that they are written
// for. Asked of the host's settings once, so that what is laid out for them is read by them.
bool HasTileProducts();

// A matrix of float32 in row-major order, a row every `stride` numbers.
struct Tile {
  const float* data = nullptr;
  int64_t stride = 0;
};

// sums [rows, columns], a row every `stride` numbers, = a [rows, in] times b [in, columns], or with `add` that added to
// them. oneDNN's kernel for matrices in the cache, which reads them as they lie, where oneDNN has one for the machine,
// and LibTorch's BLAS elsewhere: at 117 GFLOP/s a core of an AMD EPYC, where bmm, which copies both sides first, has 95.
// It keeps a kernel of some 20 kilobytes for each size in each thread, which no budget counts: call it for few sizes.
void MultiplyTile(int64_t rows, int64_t in, int64_t columns, Tile a, Tile b, bool add, float* sums, int64_t stride);

}  // namespace grym
