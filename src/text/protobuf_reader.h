// The wire format of protocol buffers, field by field. Source: protobuf.dev, "Encoding".
#pragma once
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace grym {

class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : bytes_(bytes) {}

  struct Field {
    uint32_t number = 0;
    enum class Type { kVarint, kBytes, kFixed32, kFixed64 } type = Type::kVarint;
    uint64_t value = 0;       // of a number
    std::string_view bytes;   // of a string or message
    bool boolean() const { return value != 0; }
    float real() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }
    // Negative ones are written with 64 bits.
    int32_t integer() const { return static_cast<int32_t>(static_cast<uint32_t>(value)); }
  };
  // The next field; nothing at the end and, with `damaged()` then true, where no field can be read. Groups, which are
  // long out of use, count as damage.
  std::optional<Field> Next() {
    if (at_ == bytes_.size() || damaged_) return std::nullopt;
    const uint64_t tag = Varint();
    Field field;
    field.number = static_cast<uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0: field.value = Varint(); break;
      case 1: field.type = Field::Type::kFixed64, field.value = Fixed(8); break;
      case 2: field.type = Field::Type::kBytes, field.bytes = Bytes(Varint()); break;
      case 5: field.type = Field::Type::kFixed32, field.value = Fixed(4); break;
      default: damaged_ = true;
    }
    if (tag >> 3 == 0 || tag >> 32 != 0) damaged_ = true;
    return damaged_ ? std::nullopt : std::optional(field);
  }
  bool damaged() const { return damaged_; }
  size_t at() const { return at_; }

 private:
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) break;
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    damaged_ = true;
    return 0;
  }
  std::string_view Bytes(uint64_t count) {
    if (damaged_ || count > bytes_.size() - at_) {
      damaged_ = true;
      return {};
    }
    const std::string_view bytes = bytes_.substr(at_, static_cast<size_t>(count));
    at_ += bytes.size();
    return bytes;
  }
  uint64_t Fixed(size_t count) {
    uint64_t value = 0;
    const std::string_view bytes = Bytes(count);
    for (size_t i = 0; i < bytes.size(); ++i)
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return value;
  }
  std::string_view bytes_;
  size_t at_ = 0;
  bool damaged_ = false;
};

}  // namespace grym
