// A sum that tells damaged bytes, made as fast as memory is read. It is no proof against whoever means harm.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace grym {

// A file's metadata says under this, and the tensor's name behind it, what its bytes' SumText is.
inline constexpr char kSumOfTensor[] = "grymsynth.sum:";

// What is summed at once; the sum of more is that of its blocks, so that threads may share them.
inline constexpr int64_t kSumBlockBytes = int64_t{1} << 18;

// Of block `index`, of kSumBlockBytes or, the last, of fewer. One word of eight bytes that differs always shows.
uint64_t SumOfBlock(std::span<const std::byte> block, int64_t index);
// The whole: SumOfBlock of all blocks, added up.
uint64_t SumOfBytes(std::span<const std::byte> bytes);
std::string SumText(uint64_t sum);  // 16 lower-case digits

}  // namespace grym
