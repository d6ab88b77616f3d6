// Integers in the byte order that a format prescribes, from and to bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace grym {

// Requires offset + the integer's bytes <= bytes.size().
inline uint64_t LittleEndian(std::string_view bytes, size_t offset, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i)
    value = value << 8 | static_cast<uint8_t>(bytes[offset + static_cast<size_t>(i)]);
  return value;
}
inline uint64_t BigEndian(std::string_view bytes, size_t offset, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[offset + static_cast<size_t>(i)]);
  return value;
}
inline void PutLittleEndian(std::string& to, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) to.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}
inline void PutBigEndian(std::string& to, uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i) to.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

}  // namespace grym
