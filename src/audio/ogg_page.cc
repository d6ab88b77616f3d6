#include "audio/ogg_page.h"

#include <array>

#include "audio/byte_order.h"

namespace grym {
namespace {

// CRC-32 with polynomial 0x04c11db7, not reflected, from 0 (RFC 3533 section 6, field 7).
constexpr std::array<uint32_t, 256> OggCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i << 24;
    for (int bit = 0; bit < 8; ++bit) value = value & 0x80000000u ? (value << 1) ^ 0x04c11db7u : value << 1;
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kOggCrc = OggCrcTable();

uint32_t OggCrc(std::string_view bytes) {
  uint32_t crc = 0;
  for (const char c : bytes) crc = (crc << 8) ^ kOggCrc[(crc >> 24) ^ static_cast<uint8_t>(c)];
  return crc;
}

}  // namespace

std::string OggPage::Serialized() const {
  std::string page = "OggS";
  page.push_back('\0');
  page.push_back(static_cast<char>(flags));
  PutLittleEndian(page, static_cast<uint64_t>(granule), 8);
  PutLittleEndian(page, serial, 4);
  PutLittleEndian(page, sequence, 4);
  PutLittleEndian(page, 0, 4);
  page.push_back(static_cast<char>(lacing.size()));
  page += lacing + body;
  std::string checksum;
  PutLittleEndian(checksum, OggCrc(page), 4);
  return page.replace(22, 4, checksum);
}

std::optional<OggPage> ReadOggPage(const SourceFile& file, int64_t offset) {
  const std::string head = file.ReadString(offset, 27);
  if (head.size() < 27 || head.compare(0, 5, std::string("OggS\0", 5)) != 0) return std::nullopt;
  OggPage page;
  page.flags = static_cast<uint8_t>(head[5]);
  page.granule = static_cast<int64_t>(LittleEndian(head, 6, 8));
  page.serial = static_cast<uint32_t>(LittleEndian(head, 14, 4));
  page.sequence = static_cast<uint32_t>(LittleEndian(head, 18, 4));
  const size_t segments = static_cast<uint8_t>(head[26]);
  page.lacing = file.ReadString(offset + 27, static_cast<int64_t>(segments));
  if (page.lacing.size() < segments) return std::nullopt;
  size_t body_bytes = 0;
  for (const char segment : page.lacing) body_bytes += static_cast<uint8_t>(segment);
  page.body = file.ReadString(offset + 27 + static_cast<int64_t>(segments), static_cast<int64_t>(body_bytes));
  if (page.body.size() < body_bytes) return std::nullopt;
  std::string plain = head;
  plain.replace(22, 4, 4, '\0');
  if (OggCrc(plain + page.lacing + page.body) != LittleEndian(head, 22, 4)) return std::nullopt;
  return page;
}

}  // namespace grym
