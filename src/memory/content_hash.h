// A fast 64-bit digest that finds damage in cache files; no defence against forgery.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

namespace grym {

// Four lanes of multiply and rotate over 32-byte blocks, after XXH64 (Collet 2014), whose constants it uses; not equal
// to it. Feed any number of pieces; the digest does not depend on how they were cut.
class ContentHash {
 public:
  void Update(const void* data, size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(data);
    total_ += bytes;
    if (held_ > 0) {
      const size_t taken = bytes < sizeof(pending_) - held_ ? bytes : sizeof(pending_) - held_;
      std::memcpy(pending_ + held_, at, taken);
      held_ += taken;
      at += taken;
      bytes -= taken;
      if (held_ < sizeof(pending_)) return;
      Block(pending_);
      held_ = 0;
    }
    for (; bytes >= sizeof(pending_); at += sizeof(pending_), bytes -= sizeof(pending_)) Block(at);
    if (bytes > 0) std::memcpy(pending_, at, bytes);
    held_ = bytes;
  }
  uint64_t Digest() const {
    uint64_t hash = total_ * kPrime1;
    for (const uint64_t lane : lanes_) hash = Mix(hash, lane);
    for (size_t i = 0; i < held_; ++i) hash = Mix(hash, pending_[i]);
    hash ^= hash >> 33;
    hash *= kPrime2;
    return hash ^ (hash >> 29);
  }
  static uint64_t Of(const void* data, size_t bytes) {
    ContentHash hash;
    hash.Update(data, bytes);
    return hash.Digest();
  }

 private:
  static constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87ULL, kPrime2 = 0xC2B2AE3D27D4EB4FULL;
  static uint64_t Mix(uint64_t hash, uint64_t word) { return std::rotl(hash + word * kPrime2, 31) * kPrime1; }
  void Block(const unsigned char* block) {
    for (int lane = 0; lane < 4; ++lane) {
      uint64_t word;
      std::memcpy(&word, block + 8 * lane, 8);
      lanes_[lane] = Mix(lanes_[lane], word);
    }
  }
  uint64_t lanes_[4] = {1, 2, 3, 4};
  unsigned char pending_[32] = {};
  size_t held_ = 0;
  uint64_t total_ = 0;
};

}  // namespace grym
