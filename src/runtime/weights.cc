#include "runtime/weights.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/bytes_sum.h"
#include "checkpoint/tensor_sums.h"

namespace grym {
namespace {

constexpr int64_t kPieceElements = 1 << 13;

c10::ScalarType ScalarOf(ElementType type) {
  switch (type) {
    case ElementType::kF64: return c10::ScalarType::Double;
    case ElementType::kF32: return c10::ScalarType::Float;
    case ElementType::kF16: return c10::ScalarType::Half;
    case ElementType::kBF16: return c10::ScalarType::BFloat16;
    case ElementType::kI64: return c10::ScalarType::Long;
    case ElementType::kI32: return c10::ScalarType::Int;
    case ElementType::kI16: return c10::ScalarType::Short;
    case ElementType::kI8: return c10::ScalarType::Char;
    case ElementType::kU8: return c10::ScalarType::Byte;
    case ElementType::kBool: return c10::ScalarType::Bool;
  }
  return c10::ScalarType::Undefined;
}

// Of a tensor at once: the threads take turns, and the pages of a mapped file come in along with the work on them.
constexpr int64_t kBlockOfFile = kSumBlockBytes;

int64_t BlocksOf(std::span<const std::byte> bytes) {
  return (static_cast<int64_t>(bytes.size()) + kBlockOfFile - 1) / kBlockOfFile;
}
std::span<const std::byte> BlockOf(std::span<const std::byte> bytes, int64_t block) {
  const auto begin = static_cast<size_t>(block * kBlockOfFile);
  return bytes.subspan(begin, std::min<size_t>(kBlockOfFile, bytes.size() - begin));
}

// As FirstNonFinite, by all threads.
std::optional<int64_t> FirstNonFiniteOfBlocks(std::span<const std::byte> bytes, ElementType type) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> first{kNone};
  at::parallel_for(0, BlocksOf(bytes), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const auto bad = FirstNonFinite(BlockOf(bytes, block), type);
      if (!bad) continue;
      const int64_t found = block * (kBlockOfFile / ElementBytes(type)) + *bad;
      int64_t known = first.load();
      while (found < known && !first.compare_exchange_weak(known, found)) {
      }
      return;
    }
  });
  return first.load() == kNone ? std::nullopt : std::optional<int64_t>(first.load());
}

void CopyBlocks(std::span<const std::byte> bytes, at::Tensor& to) {
  auto* const data = static_cast<std::byte*>(to.mutable_data_ptr());
  at::parallel_for(0, BlocksOf(bytes), 1, [&](int64_t begin, int64_t end) {
    const int64_t last = std::min(end * kBlockOfFile, static_cast<int64_t>(bytes.size()));
    std::memcpy(data + begin * kBlockOfFile, bytes.data() + begin * kBlockOfFile,
                static_cast<size_t>(last - begin * kBlockOfFile));
  });
}

// `of(block, index)` of all blocks, added up.
template <class Of>
uint64_t SumByThreads(std::span<const std::byte> bytes, Of of) {
  std::atomic<uint64_t> sum{0};
  at::parallel_for(0, BlocksOf(bytes), 1, [&](int64_t begin, int64_t end) {
    uint64_t own = 0;
    for (int64_t block = begin; block < end; ++block) own += of(BlockOf(bytes, block), block);
    sum += own;
  });
  return sum;
}

uint64_t SumOfBlocks(std::span<const std::byte> bytes) { return SumByThreads(bytes, &SumOfBlock); }

// As CopyBlocks; the sum is made of what was copied, while it is still near.
uint64_t CopyAndSum(std::span<const std::byte> bytes, at::Tensor& to) {
  auto* const data = static_cast<std::byte*>(to.mutable_data_ptr());
  return SumByThreads(bytes, [&](std::span<const std::byte> from, int64_t block) {
    std::byte* const copied = data + block * kBlockOfFile;
    std::memcpy(copied, from.data(), from.size());
    return SumOfBlock({copied, from.size()}, block);
  });
}

// What a packed copy says of a tensor; null in any other file.
const std::string* SaidSum(const TensorFile& file, const TensorEntry& entry) {
  const auto said = file.metadata().find(kSumOfTensor + entry.name);
  return said == file.metadata().end() ? nullptr : &said->second;
}

}  // namespace

WeightReader::WeightReader(const TensorSet& set, std::string where, const WeightOptions& options, std::string prefix)
    : set_(set), where_(std::move(where)), options_(options), prefix_(std::move(prefix)) {}

bool WeightReader::Has(const std::string& name) const { return set_.contains(prefix_ + name); }

std::vector<int64_t> WeightReader::ShapeOf(const std::string& name) const {
  const auto place = set_.Find(prefix_ + name);
  return place ? place->entry->shape : std::vector<int64_t>();
}

void WeightReader::AddProblem(const std::string& name, std::string text) {
  problems_.push_back({"", "bad_weights", Printable(prefix_ + name) + ": " + std::move(text), ""});
}

void WeightReader::Copy(const std::byte* from, c10::ScalarType type, bool aligned, at::Tensor& to) const {
  if (options_.pinned && options_.device.is_cuda()) {  // compiled, and not run: no GPU was at hand
    const at::Tensor moved = at::empty(to.sizes(), at::TensorOptions().dtype(type).pinned_memory(true));
    std::memcpy(moved.mutable_data_ptr(), from, moved.nbytes());
    to.copy_(moved, /*non_blocking=*/true);
    // The pinned block is used again as soon as it is let go of.
    c10::impl::VirtualGuardImpl(options_.device.type()).getStream(options_.device).synchronize();
    return;
  }
  if (aligned) {
    to.copy_(at::from_blob(const_cast<std::byte*>(from), to.sizes(), type));
    return;
  }
  // A piece at a time: a copy of a whole tensor would be on top of what plans count.
  const auto element = static_cast<int64_t>(c10::elementSize(type));
  if (!to.is_contiguous()) {  // channels-last: what lies together in the file is spread over a row of it
    const int64_t row_bytes = to.numel() / to.size(0) * element;
    for (int64_t row = 0; row < to.size(0); ++row) {
      at::Tensor part = to.select(0, row);
      std::vector<double> whole(static_cast<size_t>(row_bytes / static_cast<int64_t>(sizeof(double)) + 1));
      std::memcpy(whole.data(), from + row * row_bytes, static_cast<size_t>(row_bytes));
      part.copy_(at::from_blob(whole.data(), part.sizes(), type));
    }
    return;
  }
  std::vector<double> piece(static_cast<size_t>(kPieceElements));  // aligned for every type
  const at::Tensor flat = to.view({-1});
  for (int64_t begin = 0; begin < flat.numel(); begin += kPieceElements) {
    const int64_t count = std::min(kPieceElements, flat.numel() - begin);
    std::memcpy(piece.data(), from + begin * element, static_cast<size_t>(count * element));
    flat.narrow(0, begin, count).copy_(at::from_blob(piece.data(), {count}, type));
  }
}

void WeightReader::Fail(const std::string& name, const absl::Status& status) {
  if (failed_.ok()) failed_ = Annotate(status, where_ + ": " + Printable(prefix_ + name));
}

std::optional<WeightReader::Found> WeightReader::Find(const std::string& name, const std::vector<int64_t>& shape) {
  if (!failed_.ok()) return std::nullopt;
  if (absl::Status cancelled = options_.cancel.Check(); !cancelled.ok()) {
    failed_ = cancelled;
    return std::nullopt;
  }
  const auto place = set_.Find(prefix_ + name);
  if (!place) {
    AddProblem(name, "want a tensor of shape " + ShapeText(shape) + ", got none");
    return std::nullopt;
  }
  read_.insert(prefix_ + name);
  if (place->entry->shape != shape) {
    AddProblem(name, "want shape " + ShapeText(shape) + ", got " + ShapeText(place->entry->shape));
    return std::nullopt;
  }
  const auto bytes = place->file->Bytes(*place->entry);
  if (!bytes.ok()) {
    failed_ = Annotate(bytes.status(), where_);
    return std::nullopt;
  }
  return Found{place->file, place->entry, *bytes};
}

bool WeightReader::IsFinite(const Found& found) {
  const auto bad = FirstNonFiniteOfBlocks(found.bytes, found.entry->type);
  if (!bad) return true;
  failed_ = Error(absl::StatusCode::kDataLoss, "non_finite_weights",
                  Formatted("%s: want finite numbers, element %d of \"%s\" in %s is none", where_.c_str(), *bad,
                            Printable(found.entry->name).c_str(), found.file->name().c_str()));
  return false;
}

bool WeightReader::HasSum(const Found& found, uint64_t sum) {
  const std::string& said = *SaidSum(*found.file, *found.entry);
  if (SumText(sum) == said) return true;
  failed_ = Error(absl::StatusCode::kDataLoss, "damaged_weights",
                  Formatted("%s: want bytes of the sum %s, got %s: \"%s\" of %s is damaged; make the copy again", where_,
                            Printable(said), SumText(sum), Printable(found.entry->name), found.file->name()));
  return false;
}

std::optional<WeightReader::Found> WeightReader::FindNumbers(const std::string& name,
                                                             const std::vector<int64_t>& shape) {
  const std::optional<Found> found = Find(name, shape);
  if (!found) return std::nullopt;
  const TensorEntry& entry = *found->entry;
  if (!c10::isFloatingType(ScalarOf(entry.type))) {
    AddProblem(name, std::string("want floating point, got ") + ElementName(entry.type));
    return std::nullopt;
  }
  if (SaidSum(*found->file, entry) && !HasSum(*found, SumOfBlocks(found->bytes))) return std::nullopt;
  return IsFinite(*found) ? found : std::nullopt;
}

at::Tensor WeightReader::Read(const std::string& name, const std::vector<int64_t>& shape, c10::ScalarType type,
                              at::MemoryFormat format) {
  const std::optional<Found> found = FindNumbers(name, shape);
  if (!found) return {};
  const TensorEntry& entry = *found->entry;
  const c10::ScalarType from = ScalarOf(entry.type);
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type).device(options_.device).memory_format(format));
  if (from == type && tensor.is_cpu() && tensor.is_contiguous()) {
    CopyBlocks(found->bytes, tensor);
  } else {
    Copy(found->bytes.data(), from, entry.aligned(), tensor);
  }
  found->file->Forget(entry);
  return tensor;
}

void WeightReader::ByRows(const std::string& name, std::vector<int64_t> shape,
                          const std::function<void(int64_t first, const at::Tensor& rows)>& use) {
  const std::optional<Found> found = FindNumbers(name, shape);
  if (!found) return;
  const TensorEntry& entry = *found->entry;
  const int64_t count = shape[0];
  if (entry.type == ElementType::kF32 && entry.aligned()) {
    use(0, at::from_blob(const_cast<std::byte*>(found->bytes.data()), shape, at::kFloat));
  } else {
    const int64_t row = entry.elements() / std::max<int64_t>(count, 1), row_bytes = row * ElementBytes(entry.type);
    const int64_t most = std::max<int64_t>(1, kPieceElements / std::max<int64_t>(row, 1));
    std::vector<float> numbers(static_cast<size_t>(most * row));
    for (int64_t first = 0; first < count; first += most) {
      shape[0] = std::min(most, count - first);
      at::Tensor rows = at::from_blob(numbers.data(), shape, at::kFloat);
      Copy(found->bytes.data() + first * row_bytes, ScalarOf(entry.type), entry.aligned(), rows);
      use(first, rows);
    }
  }
  found->file->Forget(entry);
}

at::Tensor WeightReader::Gather(const std::string& name, std::vector<int64_t> shape, std::span<const int64_t> rows) {
  const std::optional<Found> found = Find(name, shape);
  if (!found) return {};
  const TensorEntry& entry = *found->entry;
  const c10::ScalarType from = ScalarOf(entry.type);
  if (!c10::isFloatingType(from)) {
    AddProblem(name, std::string("want floating point, got ") + ElementName(entry.type));
    return {};
  }
  const size_t row_bytes = found->bytes.size() / static_cast<size_t>(std::max<int64_t>(shape[0], 1));
  shape[0] = static_cast<int64_t>(rows.size());
  const at::Tensor gathered =
      at::empty(shape, at::TensorOptions().dtype(StorageType(options_.precision)).device(options_.device));
  for (size_t i = 0; i < rows.size(); ++i) {
    Found row = *found;
    row.bytes = row.bytes.subspan(static_cast<size_t>(rows[i]) * row_bytes, row_bytes);
    if (!IsFinite(row)) return {};
    at::Tensor to = gathered.select(0, static_cast<int64_t>(i));
    Copy(row.bytes.data(), from, entry.aligned(), to);
  }
  found->file->Forget(entry);
  return gathered;
}

at::Tensor WeightReader::Stored(const std::string& name, std::vector<int64_t> shape, ElementType type) {
  const std::optional<Found> found = Find(name, shape);
  if (!found) return {};
  if (found->entry->type != type) {
    AddProblem(name, std::string("want ") + ElementName(type) + ", got " + ElementName(found->entry->type));
    return {};
  }
  if (!SaidSum(*found->file, *found->entry)) {
    AddProblem(name, "want its sum in the file's metadata, as a packed copy has it, got none");
    return {};
  }
  found->file->Prefetch(*found->entry);
  at::Tensor tensor = at::empty(shape, ScalarOf(type));
  if (!HasSum(*found, CopyAndSum(found->bytes, tensor))) return {};
  if (c10::isFloatingType(tensor.scalar_type()) && !IsFinite(*found)) return {};
  found->file->Forget(*found->entry);
  return tensor.to(options_.device);
}

void WeightReader::Keep(const std::string& name, const at::Tensor& tensor, std::vector<std::string> replaced) const {
  if (!options_.keep || !tensor.defined()) return;
  for (std::string& each : replaced) each = prefix_ + each;
  options_.keep->Put(prefix_ + name, tensor.to(at::kCPU).contiguous(), replaced);
}

at::Tensor WeightReader::Matrix(const std::string& name, std::vector<int64_t> shape) {
  return Read(name, shape, StorageType(options_.precision));
}
at::Tensor WeightReader::Kernel(const std::string& name, std::vector<int64_t> shape) {
  const c10::ScalarType type = StorageType(options_.precision);
  if (options_.device.is_cpu()) return Read(name, shape, type, at::MemoryFormat::ChannelsLast);
  const at::Tensor kernel = Read(name, shape, type);
  return kernel.defined() ? kernel.contiguous(at::MemoryFormat::ChannelsLast) : kernel;
}
at::Tensor WeightReader::Vector(const std::string& name, std::vector<int64_t> shape) {
  return Read(name, shape, compute_type());
}
at::Tensor WeightReader::Exact(const std::string& name, std::vector<int64_t> shape) {
  return Read(name, shape, c10::ScalarType::Float);
}

std::string WeightReader::FirstOf(std::initializer_list<std::string> names) const {
  for (const std::string& name : names) {
    if (Has(name)) return name;
  }
  return *names.begin();
}

at::Tensor WeightReader::WeightNormed(const std::string& layer, std::vector<int64_t> shape, int64_t dim) {
  if (Has(layer + ".weight")) return Exact(layer + ".weight", shape);
  const bool current = Has(layer + ".parametrizations.weight.original1");
  const std::string gain = layer + (current ? ".parametrizations.weight.original0" : ".weight_g");
  const std::string direction = layer + (current ? ".parametrizations.weight.original1" : ".weight_v");
  std::vector<int64_t> gain_shape(shape.size(), 1), rest;
  gain_shape[static_cast<size_t>(dim)] = shape[static_cast<size_t>(dim)];
  for (int64_t i = 0; i < static_cast<int64_t>(shape.size()); ++i) {
    if (i != dim) rest.push_back(i);
  }
  const at::Tensor g = Exact(gain, gain_shape);
  at::Tensor v = Exact(direction, shape);
  if (!g.defined() || !v.defined()) return {};
  return v.mul_(g / at::linalg_vector_norm(v, 2, rest, /*keepdim=*/true));
}

at::Tensor WeightReader::WeightNormedMatrix(const std::string& layer, std::vector<int64_t> shape, int64_t dim) {
  const at::Tensor weight = WeightNormed(layer, std::move(shape), dim);
  return weight.defined() ? weight.to(StorageType(options_.precision)) : weight;
}

std::vector<std::string> WeightReader::Unread() const {
  std::vector<std::string> unread;
  for (const std::string& name : set_.names()) {
    if (name.rfind(prefix_, 0) == 0 && read_.count(name) == 0) unread.push_back(name);
  }
  return unread;
}

absl::Status WeightReader::status() const {
  if (!failed_.ok()) return failed_;
  if (problems_.empty()) return absl::OkStatus();
  std::string text = where_ + ": the weights do not fit the config: ";
  constexpr size_t kMostTold = 10;
  for (size_t i = 0; i < std::min(problems_.size(), kMostTold); ++i) {
    text += (i ? "; " : "") + problems_[i].message;
  }
  if (problems_.size() > kMostTold) text += Formatted("; and %d more", problems_.size() - kMostTold);
  return Error(absl::StatusCode::kDataLoss, "bad_weights", text);
}

}  // namespace grym
