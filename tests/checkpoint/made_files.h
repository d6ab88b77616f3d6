// Tensor files made for a test, whole or broken.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"

namespace grym::testing {

inline std::string LengthBytes(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i, length >>= 8) bytes += static_cast<char>(length & 0xff);
  return bytes;
}

// A safetensors file of this header and this data.
inline std::string SafetensorsOf(std::string_view header, std::string_view data) {
  return LengthBytes(header.size()) + std::string(header) + std::string(data);
}

template <class T>
std::string BytesOf(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

inline void Put(const std::filesystem::path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A file of F32 vectors of two elements with these names.
inline std::string PairsNamed(const std::vector<std::string>& names) {
  std::string header = "{", data;
  for (size_t i = 0; i < names.size(); ++i) {
    header += std::string(i > 0 ? "," : "") + "\"" + names[i] +
              "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" + std::to_string(8 * i) + "," +
              std::to_string(8 * i + 8) + "]}";
    data += BytesOf<float>({static_cast<float>(i), 1});
  }
  return SafetensorsOf(header + "}", data);
}

template <class Opened>
std::string CodeOf(const absl::StatusOr<Opened>& opened) {
  return ErrorCode(opened.status());
}

template <class Opened>
std::string WordsOf(const absl::StatusOr<Opened>& opened) {
  return std::string(opened.status().message());
}

}  // namespace grym::testing
