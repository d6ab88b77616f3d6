#include "checkpoint/bytes_sum.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/format.h"

namespace grym {
namespace {

constexpr size_t kLanes = 8;  // a multiplication of 64 bits takes the time of four others
constexpr uint64_t kOdd = 0x9e3779b97f4a7c15u;

// One to one in `sum` and in `word`: what differs goes on to differ.
uint64_t Stirred(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * kOdd;
  return sum ^ sum >> 29;
}

// A word for each lane.
void StirIn(std::array<uint64_t, kLanes>& lanes, const std::byte* from) {
  for (size_t i = 0; i < kLanes; ++i) {
    uint64_t word;
    std::memcpy(&word, from + 8 * i, sizeof word);
    lanes[i] = (lanes[i] ^ word) * kOdd;
  }
}

}  // namespace

uint64_t SumOfBlock(std::span<const std::byte> block, int64_t index) {
  std::array<uint64_t, kLanes> lanes{};
  std::array<uint64_t, kLanes> words{};
  const size_t whole = block.size() / sizeof words * sizeof words;
  for (size_t at = 0; at < whole; at += sizeof words) StirIn(lanes, block.data() + at);
  if (whole < block.size()) {
    std::memcpy(words.data(), block.data() + whole, block.size() - whole);
    StirIn(lanes, reinterpret_cast<const std::byte*>(words.data()));
  }
  uint64_t sum = Stirred(static_cast<uint64_t>(index), block.size());
  for (const uint64_t lane : lanes) sum = Stirred(sum, lane);
  return sum;
}

uint64_t SumOfBytes(std::span<const std::byte> bytes) {
  constexpr auto kBlock = static_cast<size_t>(kSumBlockBytes);
  uint64_t sum = 0;
  for (size_t at = 0; at < bytes.size(); at += kBlock) {
    sum += SumOfBlock(bytes.subspan(at, std::min(kBlock, bytes.size() - at)), static_cast<int64_t>(at / kBlock));
  }
  return sum;
}

std::string SumText(uint64_t sum) { return Formatted("%016x", sum); }

}  // namespace grym
