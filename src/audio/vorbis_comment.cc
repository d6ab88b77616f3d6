#include "audio/vorbis_comment.h"

#include <array>
#include <utility>

#include "audio/byte_order.h"
#include "audio/stream_header.h"
#include "grymsynth/version.h"

namespace grym {
namespace {

// TITLE, LICENSE and ENCODER are what other programs read; the rest are ours.
constexpr std::array<std::pair<std::string_view, std::string AudioMetadata::*>, 7> kCommentFields = {
    {{"TITLE", &AudioMetadata::title},
     {"PROMPT", &AudioMetadata::prompt},
     {"SEED", &AudioMetadata::seed},
     {"MODEL", &AudioMetadata::model},
     {"LICENSE", &AudioMetadata::licence},
     {"PARAMETERS", &AudioMetadata::parameters},
     {"ENCODER", &AudioMetadata::software}}};

bool SameKey(std::string_view a, std::string_view upper) {
  if (a.size() != upper.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const char c = a[i] >= 'a' && a[i] <= 'z' ? static_cast<char>(a[i] - 'a' + 'A') : a[i];
    if (c != upper[i]) return false;
  }
  return true;
}

// A 32-bit length and that many bytes from the front of `body`.
bool TakeSized(std::string_view& body, std::string_view& text) {
  if (body.size() < 4) return false;
  const size_t length = LittleEndian(body, 0, 4);
  if (length > body.size() - 4) return false;
  text = body.substr(4, length);
  body.remove_prefix(4 + length);
  return true;
}

}  // namespace

std::string VorbisCommentBody(const AudioMetadata& metadata) {
  std::string fields;
  uint64_t count = 0;
  for (const auto& [key, field] : kCommentFields) {
    const std::string& text = metadata.*field;
    if (text.empty()) continue;
    PutLittleEndian(fields, key.size() + 1 + text.size(), 4);
    fields += std::string(key) + "=" + text;
    ++count;
  }
  std::string body;
  PutLittleEndian(body, SoftwareName().size(), 4);
  body += SoftwareName();
  PutLittleEndian(body, count, 4);
  return body + fields;
}

bool ReadVorbisComment(std::string_view body, AudioMetadata& metadata) {
  std::string_view vendor, entry;
  if (!TakeSized(body, vendor) || body.size() < 4) return false;
  const uint64_t count = LittleEndian(body, 0, 4);
  body.remove_prefix(4);
  for (uint64_t i = 0; i < count; ++i) {
    if (!TakeSized(body, entry)) return false;
    const size_t equals = entry.find('=');
    if (equals == std::string_view::npos || static_cast<int64_t>(entry.size() - equals - 1) > kMaxTagBytes) continue;
    for (const auto& [key, field] : kCommentFields) {
      if (SameKey(entry.substr(0, equals), key) && (metadata.*field).empty())
        metadata.*field = std::string(entry.substr(equals + 1));
    }
  }
  return true;
}

}  // namespace grym
