// Pages of an OGG stream (RFC 3533 section 6).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audio/source_file.h"

namespace grym {

struct OggPage {
  static constexpr uint8_t kContinued = 1, kFirst = 2, kLast = 4;  // flags
  static constexpr int64_t kMaxBytes = 27 + 255 + 255 * 255;

  uint8_t flags = 0;
  int64_t granule = 0;  // position in frames at the page's end, -1 if no packet ends on it
  uint32_t serial = 0, sequence = 0;
  std::string lacing;  // one byte for each segment
  std::string body;

  int64_t bytes() const { return 27 + static_cast<int64_t>(lacing.size() + body.size()); }
  std::string Serialized() const;  // with its checksum
};

// The page at `offset`, its checksum compared; nothing if there is none, whole, up to the file's end.
std::optional<OggPage> ReadOggPage(const SourceFile& file, int64_t offset);

}  // namespace grym
