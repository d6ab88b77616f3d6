// A weight matrix as flat bytes, in the order in which the product reads them: what one file or one allocation holds.
//
// Version 1, little endian. A header of 64 bytes:
//   0  8 characters "grymqnt" and a zero   8  uint32 version   12 uint32 format   16 uint32 group   20 uint32 zero
//   24 uint64 out    32 uint64 in   40 uint64 bytes, the header included
//   48 uint64 FNV-1a of the 48 bytes before it   56 8 zeros
// then one block for each four rows (the last block is filled up with rows of zeros), each a multiple of 64 bytes:
//   for each 64 columns (the last filled up with zeros) four tiles, one of each row;
//   then, for int8 and int4, for each group of columns four scales and four offsets of bfloat16;
//   then zeros.
// A tile's 64 columns c, so that one vector operation makes neighbours:
//   float32, float16: in order.   bfloat16: c = 16 j + 8 h + l is half h (low, high) of 32-bit word 8 j + l.
//   int8: c = 32 j + 16 b + l is byte b of 16-bit word 16 j + l, code + 128.
//   int4: c = 16 n + l is bits 4 n to 4 n + 3 of 16-bit word l, code + 8.
// weight = scale * code + offset with the code in [-128, 127] or [-8, 7]. What fills columns up has the code 0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grym {

enum class WeightFormat : uint32_t { kFloat32 = 1, kFloat16 = 2, kBFloat16 = 3, kInt8 = 4, kInt4 = 5 };
const char* WeightFormatName(WeightFormat format);  // "float32", ...
constexpr bool HasGroups(WeightFormat format) { return format == WeightFormat::kInt8 || format == WeightFormat::kInt4; }

inline constexpr int64_t kTileColumns = 64;
inline constexpr int64_t kPackedRows = 4;
inline constexpr int64_t kPackedHeaderBytes = 64;
inline constexpr int64_t kGroupMetaBytes = 16;  // four scales and four offsets of bfloat16

// What a packed matrix looks like: everything follows from these four.
struct PackedLayout {
  WeightFormat format = WeightFormat::kFloat32;
  int64_t out = 0, in = 0;
  int64_t group = 0;  // columns that share a scale: 32, 64 or 128 for int8 and int4, else 0

  // InvalidArgument (code "bad_packed_shape") unless out and in are in [1, 2^24] and the group fits the format.
  static absl::StatusOr<PackedLayout> Create(WeightFormat format, int64_t out, int64_t in, int64_t group);

  int64_t tiles() const { return (in + kTileColumns - 1) / kTileColumns; }
  int64_t padded_in() const { return tiles() * kTileColumns; }
  int64_t groups() const { return group == 0 ? 0 : (in + group - 1) / group; }
  int64_t blocks() const { return (out + kPackedRows - 1) / kPackedRows; }
  int64_t tile_bytes() const;
  int64_t meta_begin() const { return tiles() * kPackedRows * tile_bytes(); }  // within a block
  int64_t block_bytes() const;
  int64_t bytes() const { return kPackedHeaderBytes + blocks() * block_bytes(); }
  bool operator==(const PackedLayout&) const = default;
};

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

  const PackedLayout& layout() const { return layout_; }
  const uint8_t* block(int64_t index) const { return bytes_ + kPackedHeaderBytes + index * layout_.block_bytes(); }
  // Row `row` in [0, out) as float32 [in].
  void DecodeRow(int64_t row, float* weights) const;

 private:
  PackedLayout layout_;
  const uint8_t* bytes_ = nullptr;
};

}  // namespace grym
