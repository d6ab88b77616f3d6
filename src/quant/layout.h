// A weight matrix as flat bytes, in the order in which the product reads them: what one file or one allocation holds.
//
// Version 1, little endian. A header of 64 bytes:
//   0  8 characters "grymqnt" and a zero   8  uint32 version   12 uint32 format   16 uint32 group   20 uint32 zero
//   24 uint64 out    32 uint64 in   40 uint64 bytes, the header included
//   48 uint64 FNV-1a of the 48 bytes before it   56 8 zeros
// then one block for each sixteen rows (the last block is filled up with rows of zeros), each a multiple of 64 bytes,
// its columns filled up with zeros to a multiple of eight. A vector of 64 bytes holds a few columns of all sixteen rows,
// one 32-bit word for each row, so that products add up within their lanes:
//   float32: one column.   float16: two columns, sixteen halves of one, then of the other.
//   bfloat16: two columns, in the low and the high half of the word.
//   int8: four columns, one a byte, code + 128.
//   int4: eight columns, code + 8: column k in the low half of byte k, column 4 + k in its high half.
// For int8 and int4 each group of columns is followed by sixteen scales and sixteen offsets of bfloat16, 64 bytes:
// weight = scale * code + offset with the code in [-128, 127] or [-8, 7]. What fills columns up has the code 0.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grym {

enum class WeightFormat : uint32_t { kFloat32 = 1, kFloat16 = 2, kBFloat16 = 3, kInt8 = 4, kInt4 = 5 };
const char* WeightFormatName(WeightFormat format);  // "float32", ...
constexpr bool HasGroups(WeightFormat format) { return format == WeightFormat::kInt8 || format == WeightFormat::kInt4; }

// What is added to a code, so that it is stored without a sign.
constexpr int32_t CodeCentre(WeightFormat format) { return format == WeightFormat::kInt8 ? 128 : 8; }

inline constexpr int64_t kPackedRows = 16;
inline constexpr int64_t kPackedColumns = 8;  // what columns are filled up to a multiple of
inline constexpr int64_t kPackedHeaderBytes = 64;
inline constexpr int64_t kGroupMetaBytes = 4 * kPackedRows;  // scales and offsets of bfloat16

// What a packed matrix looks like: everything follows from these four.
struct PackedLayout {
  WeightFormat format = WeightFormat::kFloat32;
  int64_t out = 0, in = 0;
  int64_t group = 0;  // columns that share a scale: 32, 64 or 128 for int8 and int4, else 0

  // InvalidArgument (code "bad_packed_shape") unless out and in are in [1, 2^24] and the group fits the format.
  static absl::StatusOr<PackedLayout> Create(WeightFormat format, int64_t out, int64_t in, int64_t group);

  int64_t padded_in() const { return (in + kPackedColumns - 1) / kPackedColumns * kPackedColumns; }
  int64_t groups() const { return group == 0 ? 0 : (in + group - 1) / group; }
  // Columns of group g, filled up.
  int64_t group_columns(int64_t g) const { return std::min(group, padded_in() - g * group); }
  int64_t blocks() const { return (out + kPackedRows - 1) / kPackedRows; }
  int64_t column_bytes() const;  // of a block
  // Within a block: where group g begins, and where its scales do.
  int64_t group_begin(int64_t g) const { return g * (group * column_bytes() + kGroupMetaBytes); }
  int64_t meta_begin(int64_t g) const { return group_begin(g) + group_columns(g) * column_bytes(); }
  int64_t block_bytes() const { return padded_in() * column_bytes() + groups() * kGroupMetaBytes; }
  int64_t bytes() const { return kPackedHeaderBytes + blocks() * block_bytes(); }
  bool operator==(const PackedLayout&) const = default;
};

// A number at any alignment.
template <typename T>
T LoadedAs(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// Of row `lane` of a block: the code plus its centre, and a floating weight.
inline int32_t CodeAt(const PackedLayout& layout, const uint8_t* block, int64_t lane, int64_t column) {
  const int64_t g = column / layout.group, c = column - g * layout.group;
  const uint8_t* const group = block + layout.group_begin(g);
  if (layout.format == WeightFormat::kInt8) return group[c / 4 * 64 + 4 * lane + c % 4];
  return group[c / 8 * 64 + 4 * lane + c % 4] >> (c % 8 / 4 * 4) & 15;
}
float FloatAt(const PackedLayout& layout, const uint8_t* block, int64_t lane, int64_t column);

// The 64 bytes that begin a packed matrix.
void WritePackedHeader(const PackedLayout& layout, uint8_t* to);

// Packed bytes that somebody else owns. Copies look at the same bytes. Const, so any number of threads may read.
class PackedView {
 public:
  PackedView() = default;
  // Reads the header and believes none of it: DataLoss (code "bad_packed_weights") for another magic or version, an
  // unknown format, a shape or group out of range, a sum of the header that is not its own, and a size that is not
  // exactly the one that the shape takes, in the header or in `bytes`. Any alignment is read; 64 bytes are fastest.
  static absl::StatusOr<PackedView> Open(std::span<const uint8_t> bytes);
  // As Open, and all scales, offsets and floating weights are looked at as well: DataLoss (code "non_finite_weights").
  static absl::StatusOr<PackedView> OpenChecked(std::span<const uint8_t> bytes);
  // Bytes that PackRows wrote, layout.bytes() of them; nothing is checked.
  PackedView(const PackedLayout& layout, const uint8_t* bytes) : layout_(layout), bytes_(bytes) {}

  // Whether every scale, offset and floating weight of these blocks is a number, and no scale of a size (2^120) that a
  // code could make infinity of. At the speed at which they are read.
  bool AreFinite(int64_t begin_block, int64_t end_block) const;

  const PackedLayout& layout() const { return layout_; }
  const uint8_t* block(int64_t index) const { return bytes_ + kPackedHeaderBytes + index * layout_.block_bytes(); }
  // Row `row` in [0, out) as float32 [in].
  void DecodeRow(int64_t row, float* weights) const;

 private:
  PackedLayout layout_;
  const uint8_t* bytes_ = nullptr;
};

}  // namespace grym
