#include "checkpoint/tensor_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/content.h"

namespace grym {
namespace {

constexpr int64_t kLookBytes = int64_t{4} << 20;  // between two looks at the cancel token, some milliseconds
constexpr size_t kLanes = 8;

// Elements as they lie in the file: unaligned, little-endian.
template <class Bits>
Bits LoadBits(const std::byte* bytes, size_t index) {
  Bits bits;
  std::memcpy(&bits, bytes + index * sizeof(Bits), sizeof(Bits));
  return bits;
}

template <class Bits, Bits kExponent>
bool AnyNonFinite(const std::byte* bytes, size_t count) {
  Bits found = 0;  // all ones in some lane; no early end, so that the loop becomes vector code
  for (size_t i = 0; i < count; ++i) {
    const Bits exponent = LoadBits<Bits>(bytes, i) & kExponent;
    found |= exponent == kExponent ? static_cast<Bits>(~Bits{0}) : Bits{0};
  }
  return found != 0;
}

// Blocks that fit the nearest cache: the second look, for the index, is taken at one of them.
template <class Bits, Bits kExponent>
std::optional<int64_t> FirstWithExponent(std::span<const std::byte> bytes) {
  constexpr size_t kBlock = 16384 / sizeof(Bits);
  const size_t count = bytes.size() / sizeof(Bits);
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t here = std::min(kBlock, count - begin);
    if (!AnyNonFinite<Bits, kExponent>(bytes.data() + begin * sizeof(Bits), here)) continue;
    for (size_t i = begin; i < begin + here; ++i) {
      if ((LoadBits<Bits>(bytes.data(), i) & kExponent) == kExponent) return static_cast<int64_t>(i);
    }
  }
  return std::nullopt;
}

// IEEE 754 binary16. Exact: every half is a double.
double HalfValue(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
  double value;
  if (exponent == 0x1f) {
    value = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    value = fraction * 0x1p-24;
  } else {
    const uint64_t wide = static_cast<uint64_t>(exponent - 15 + 1023) << 52 | static_cast<uint64_t>(fraction) << 42;
    std::memcpy(&value, &wide, sizeof value);
  }
  return bits & 0x8000 ? -value : value;
}

double BrainValue(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

struct LaneSums {
  std::array<double, kLanes> sum{}, absolute{};
};

// Adds elements [0, count); lane k takes every eighth from k on.
template <class Bits, class Value>
void AddElements(const std::byte* bytes, size_t count, Value value, LaneSums& lanes) {
  const auto add = [&](size_t lane, size_t i) {
    const double x = value(LoadBits<Bits>(bytes, i));
    lanes.sum[lane] += x;
    lanes.absolute[lane] += std::fabs(x);
  };
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) add(lane, i + lane);
  }
  for (size_t lane = 0; i < count; ++i, ++lane) add(lane, i);
}

template <class Bits>
void AddPlain(const std::byte* bytes, size_t count, LaneSums& lanes) {
  AddElements<Bits>(bytes, count, [](Bits x) { return static_cast<double>(x); }, lanes);
}

void AddBytes(std::span<const std::byte> bytes, ElementType type, LaneSums& lanes) {
  const size_t count = bytes.size() / static_cast<size_t>(ElementBytes(type));
  switch (type) {
    case ElementType::kF64:
      return AddPlain<double>(bytes.data(), count, lanes);
    case ElementType::kF32:
      return AddPlain<float>(bytes.data(), count, lanes);
    case ElementType::kF16:
      return AddElements<uint16_t>(bytes.data(), count, HalfValue, lanes);
    case ElementType::kBF16:
      return AddElements<uint16_t>(bytes.data(), count, BrainValue, lanes);
    case ElementType::kI64:
      return AddPlain<int64_t>(bytes.data(), count, lanes);
    case ElementType::kI32:
      return AddPlain<int32_t>(bytes.data(), count, lanes);
    case ElementType::kI16:
      return AddPlain<int16_t>(bytes.data(), count, lanes);
    case ElementType::kI8:
      return AddPlain<int8_t>(bytes.data(), count, lanes);
    case ElementType::kU8:
      return AddPlain<uint8_t>(bytes.data(), count, lanes);
    case ElementType::kBool:
      return AddElements<uint8_t>(bytes.data(), count, [](uint8_t x) { return x != 0 ? 1.0 : 0.0; }, lanes);
  }
}

TensorSums Folded(const LaneSums& lanes, int64_t elements) {
  TensorSums sums;
  sums.elements = elements;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    sums.sum += lanes.sum[lane];
    sums.absolute_sum += lanes.absolute[lane];
  }
  return sums;
}

// Calls `look(part, index of its first element)` over a tensor, a part at a time, until it answers false. Parts but the
// last hold a multiple of eight elements.
template <class Look>
absl::Status WalkTensor(const TensorPlace& place, const CancelToken& cancel, Look look) {
  const TensorEntry& entry = *place.entry;
  for (int64_t done = 0; done < entry.bytes; done += kLookBytes) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const auto bytes, place.file->Bytes(entry));
    const int64_t here = std::min(kLookBytes, entry.bytes - done);
    if (!look(bytes.subspan(static_cast<size_t>(done), static_cast<size_t>(here)), done / ElementBytes(entry.type)))
      break;
  }
  place.file->Forget(entry);
  return absl::OkStatus();
}

}  // namespace

TensorSums SumElements(std::span<const std::byte> bytes, ElementType type) {
  LaneSums lanes;
  AddBytes(bytes, type, lanes);
  return Folded(lanes, static_cast<int64_t>(bytes.size()) / ElementBytes(type));
}

std::optional<int64_t> FirstNonFinite(std::span<const std::byte> bytes, ElementType type) {
  switch (type) {
    case ElementType::kF64:
      return FirstWithExponent<uint64_t, 0x7ff0'0000'0000'0000>(bytes);
    case ElementType::kF32:
      return FirstWithExponent<uint32_t, 0x7f80'0000>(bytes);
    case ElementType::kF16:
      return FirstWithExponent<uint16_t, 0x7c00>(bytes);
    case ElementType::kBF16:
      return FirstWithExponent<uint16_t, 0x7f80>(bytes);
    default:
      return std::nullopt;
  }
}

absl::StatusOr<std::map<std::string, TensorSums>> Sums(const TensorSet& set, const CancelToken& cancel) {
  std::map<std::string, TensorSums> sums;
  for (size_t i = 0; i < set.size(); ++i) {
    LaneSums lanes;
    const TensorEntry& entry = *set.place(i).entry;
    GRYM_RETURN_IF_ERROR(WalkTensor(set.place(i), cancel, [&](std::span<const std::byte> part, int64_t) {
      AddBytes(part, entry.type, lanes);
      return true;
    }));
    sums.emplace(entry.name, Folded(lanes, entry.elements()));
  }
  return sums;
}

absl::StatusOr<std::optional<NonFiniteElement>> FindNonFinite(const TensorSet& set, const CancelToken& cancel) {
  std::optional<NonFiniteElement> found;
  for (size_t i = 0; i < set.size() && !found; ++i) {
    const TensorEntry& entry = *set.place(i).entry;
    GRYM_RETURN_IF_ERROR(WalkTensor(set.place(i), cancel, [&](std::span<const std::byte> part, int64_t first) {
      const std::optional<int64_t> index = FirstNonFinite(part, entry.type);
      if (index) found = NonFiniteElement{entry.name, first + *index};
      return !found;
    }));
  }
  return found;
}

absl::Status CheckFinite(const TensorSet& set, const CancelToken& cancel) {
  GRYM_ASSIGN_OR_RETURN(const auto found, FindNonFinite(set, cancel));
  if (!found) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "non_finite_weights",
               Formatted("%s: tensor %s: want finite numbers, got NaN or infinity at element %d",
                         set.Find(found->tensor)->file->name(), QuotedName(found->tensor), found->index));
}

}  // namespace grym
