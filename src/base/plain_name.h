// Names that may become file names: nothing in them leads elsewhere.
#pragma once
#include <algorithm>
#include <string_view>

namespace grym {

// Not empty, no "." or "..", no separator of any system, and no control character.
inline bool IsPlainName(std::string_view name) {
  const auto leads_elsewhere = [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  };
  return !name.empty() && name != "." && name != ".." && std::none_of(name.begin(), name.end(), leads_elsewhere);
}

// Longest name that common file systems take.
inline constexpr size_t kMostNameBytes = 255;

}  // namespace grym
