#include "quant/layout.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/format.h"
#include "base/status.h"
#include "dsp/dispatch.h"
#include "quant/half.h"

namespace grym {
namespace {

static_assert(std::endian::native == std::endian::little, "packed weights are read as little-endian words");

constexpr char kPackedMagic[8] = {'g', 'r', 'y', 'm', 'q', 'n', 't', 0};
constexpr uint32_t kPackedVersion = 1;
constexpr int64_t kMostSide = int64_t{1} << 24;

template <typename T>
void PutPackedField(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

// FNV-1a, 64 bits: a side may change within what fills it up without changing the size.
uint64_t SumOfHeader(const uint8_t* head) {
  uint64_t sum = 0xcbf29ce484222325u;
  for (int i = 0; i < 48; ++i) sum = (sum ^ head[i]) * 0x100000001b3u;
  return sum;
}

bool KnownFormat(WeightFormat format) { return format >= WeightFormat::kFloat32 && format <= WeightFormat::kInt4; }

absl::Status DamagedPacked(const std::string& what) {
  return Error(absl::StatusCode::kDataLoss, "bad_packed_weights", "packed weights: " + what);
}

// How many of `count` words are `least` or more under `mask`, which leaves their exponents.
GRYM_HOT uint32_t CountOfWords16(const uint8_t* words, int64_t count, uint16_t mask, uint16_t least) {
  uint32_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint16_t word;
    std::memcpy(&word, words + 2 * i, sizeof word);
    found += static_cast<uint32_t>((word & mask) >= least);
  }
  return found;
}

GRYM_HOT uint32_t CountOfWords32(const uint8_t* words, int64_t count, uint32_t mask) {
  uint32_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t word;
    std::memcpy(&word, words + 4 * i, sizeof word);
    found += static_cast<uint32_t>((word & mask) == mask);
  }
  return found;
}

}  // namespace

const char* WeightFormatName(WeightFormat format) {
  switch (format) {
    case WeightFormat::kFloat32: return "float32";
    case WeightFormat::kFloat16: return "float16";
    case WeightFormat::kBFloat16: return "bfloat16";
    case WeightFormat::kInt8: return "int8";
    case WeightFormat::kInt4: return "int4";
  }
  return "unknown";
}

absl::StatusOr<PackedLayout> PackedLayout::Create(WeightFormat format, int64_t out, int64_t in, int64_t group) {
  const auto bad = [](const std::string& text) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_packed_shape", "packed weights: " + text);
  };
  if (!KnownFormat(format)) return bad(Formatted("want a format in [1, 5], got %u", static_cast<uint32_t>(format)));
  if (out < 1 || out > kMostSide || in < 1 || in > kMostSide) {
    return bad(Formatted("want [out, in] in [1, %d], got [%d, %d]", kMostSide, out, in));
  }
  const bool fits = HasGroups(format) ? group == 32 || group == 64 || group == 128 : group == 0;
  if (!fits) {
    return bad(Formatted("want a group of %s for %s, got %d", HasGroups(format) ? "32, 64 or 128" : "0",
                         WeightFormatName(format), group));
  }
  return PackedLayout{format, out, in, group};
}

int64_t PackedLayout::column_bytes() const {
  switch (format) {
    case WeightFormat::kFloat32: return 4 * kPackedRows;
    case WeightFormat::kFloat16:
    case WeightFormat::kBFloat16: return 2 * kPackedRows;
    case WeightFormat::kInt8: return kPackedRows;
    case WeightFormat::kInt4: return kPackedRows / 2;
  }
  return 0;
}

float FloatAt(const PackedLayout& layout, const uint8_t* block, int64_t lane, int64_t column) {
  const uint8_t* const whole = block + column * layout.column_bytes();
  if (layout.format == WeightFormat::kFloat32) return LoadedAs<float>(whole + 4 * lane);
  if (layout.format == WeightFormat::kFloat16) return HalfToFloat(LoadedAs<uint16_t>(whole + 2 * lane));
  const uint8_t* const pair = block + column / 2 * 2 * layout.column_bytes();
  return BFloat16ToFloat(LoadedAs<uint16_t>(pair + 4 * lane + 2 * (column % 2)));
}

void WritePackedHeader(const PackedLayout& layout, uint8_t* to) {
  std::memset(to, 0, kPackedHeaderBytes);
  std::memcpy(to, kPackedMagic, sizeof(kPackedMagic));
  PutPackedField(to + 8, kPackedVersion);
  PutPackedField(to + 12, static_cast<uint32_t>(layout.format));
  PutPackedField(to + 16, static_cast<uint32_t>(layout.group));
  PutPackedField(to + 24, static_cast<uint64_t>(layout.out));
  PutPackedField(to + 32, static_cast<uint64_t>(layout.in));
  PutPackedField(to + 40, static_cast<uint64_t>(layout.bytes()));
  PutPackedField(to + 48, SumOfHeader(to));
}

absl::StatusOr<PackedView> PackedView::Open(std::span<const uint8_t> bytes) {
  if (bytes.size() < static_cast<size_t>(kPackedHeaderBytes)) {
    return DamagedPacked(Formatted("want a header of %d bytes, got %d in all", kPackedHeaderBytes, bytes.size()));
  }
  const uint8_t* const head = bytes.data();
  if (std::memcmp(head, kPackedMagic, sizeof(kPackedMagic)) != 0) return DamagedPacked("no packed matrix begins here");
  if (const auto version = LoadedAs<uint32_t>(head + 8); version != kPackedVersion) {
    return DamagedPacked(Formatted("want version %u, got %u", kPackedVersion, version));
  }
  const auto out = LoadedAs<uint64_t>(head + 24), in = LoadedAs<uint64_t>(head + 32);
  const auto most = static_cast<uint64_t>(kMostSide);
  if (out > most || in > most) return DamagedPacked(Formatted("want sides of at most %d, got [%u, %u]", most, out, in));
  const absl::StatusOr<PackedLayout> layout =
      PackedLayout::Create(static_cast<WeightFormat>(LoadedAs<uint32_t>(head + 12)), static_cast<int64_t>(out),
                           static_cast<int64_t>(in), LoadedAs<uint32_t>(head + 16));
  if (!layout.ok()) return DamagedPacked(std::string(layout.status().message()));
  uint8_t whole[kPackedHeaderBytes];
  WritePackedHeader(*layout, whole);
  if (const auto said = LoadedAs<uint64_t>(head + 40); said != static_cast<uint64_t>(layout->bytes())) {
    return DamagedPacked(Formatted("want %d bytes for %s [%d, %d], the header says %u", layout->bytes(),
                                   WeightFormatName(layout->format), layout->out, layout->in, said));
  }
  if (std::memcmp(head, whole, sizeof(whole)) != 0) {
    return DamagedPacked("want the header's own sum, and zeros in what is reserved");
  }
  if (bytes.size() != static_cast<size_t>(layout->bytes())) {
    return DamagedPacked(Formatted("want %d bytes, got %d", layout->bytes(), bytes.size()));
  }
  return PackedView(*layout, bytes.data());
}

absl::StatusOr<PackedView> PackedView::OpenChecked(std::span<const uint8_t> bytes) {
  GRYM_ASSIGN_OR_RETURN(const PackedView view, Open(bytes));
  const PackedLayout& layout = view.layout();
  std::vector<float> weights(static_cast<size_t>(layout.in));
  for (int64_t row = 0; row < layout.out; ++row) {
    view.DecodeRow(row, weights.data());
    float zero = 0;  // times a finite number stays so, and one that is not shows in the sum
    for (const float weight : weights) zero += weight * 0.0f;
    if (zero != 0 || std::isnan(zero)) {
      return Error(absl::StatusCode::kDataLoss, "non_finite_weights",
                   Formatted("packed weights: want finite numbers, row %d has others", row));
    }
  }
  return view;
}

bool PackedView::AreFinite(int64_t begin_block, int64_t end_block) const {
  const int64_t weights = layout_.padded_in() * kPackedRows;
  for (int64_t index = begin_block; index < end_block; ++index) {
    const uint8_t* const here = block(index);
    uint32_t found = 0;
    switch (layout_.format) {
      case WeightFormat::kFloat32: found = CountOfWords32(here, weights, 0x7f800000u); break;
      case WeightFormat::kFloat16: found = CountOfWords16(here, weights, 0x7c00u, 0x7c00u); break;
      case WeightFormat::kBFloat16: found = CountOfWords16(here, weights, 0x7f80u, 0x7f80u); break;
      case WeightFormat::kInt8:
      case WeightFormat::kInt4:
        for (int64_t g = 0; g < layout_.groups(); ++g)
          found += CountOfWords16(here + layout_.meta_begin(g), kGroupMetaBytes / 2, 0x7f80u, 0x7b80u);
        break;
    }
    if (found > 0) return false;
  }
  return true;
}

void PackedView::DecodeRow(int64_t row, float* weights) const {
  const uint8_t* const here = block(row / kPackedRows);
  const int64_t lane = row % kPackedRows;
  for (int64_t c = 0; c < layout_.in; ++c) {
    if (!HasGroups(layout_.format)) {
      weights[c] = FloatAt(layout_, here, lane, c);
      continue;
    }
    const uint8_t* const meta = here + layout_.meta_begin(c / layout_.group) + 2 * lane;
    const float scale = BFloat16ToFloat(LoadedAs<uint16_t>(meta));
    const float offset = BFloat16ToFloat(LoadedAs<uint16_t>(meta + 2 * kPackedRows));
    weights[c] = scale * static_cast<float>(CodeAt(layout_, here, lane, c) - CodeCentre(layout_.format)) + offset;
  }
}

}  // namespace grym
