// SHA-256 (FIPS 180-4), for naming things by content.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grymsynth/job.h"

namespace grym {

class Sha256 {
 public:
  Sha256();
  void Update(const void* data, size_t bytes);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  std::string Hex();  // 64 lower-case digits; ends the digest

 private:
  void Block(const uint8_t* block);
  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> pending_{};
  size_t pending_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

std::string Sha256Hex(std::string_view text);
absl::StatusOr<std::string> Sha256OfFile(const std::filesystem::path& path, const CancelToken& cancel = {});

}  // namespace grym
