// Tensors out of a checkpoint: by name, checked against the shape that the config asks for, in the numbers wanted.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/error.h"
#include "grymsynth/job.h"
#include "runtime/device.h"
#include "runtime/kept_weights.h"
#include "runtime/tensor.h"

namespace grym {

struct WeightOptions {
  Precision precision = Precision::kFloat32;
  c10::Device device = c10::Device(c10::DeviceType::CPU);
  CancelToken cancel;
  // To a GPU: through pinned memory and on this thread's stream, so that what runs on other streams goes on meanwhile.
  bool pinned = false;
  // The checkpoint is a packed copy (runtime/packed_copy.h): int8 and int4 matrices, and all of MusicGen's decoder, lie
  // there as they are kept here.
  bool from_copy = false;
  KeptWeights* keep = nullptr;  // takes what a packed copy holds otherwise than the checkpoint; borrowed
};

// Reads one component's weights. Each tensor is converted straight from the mapped file, whose pages are let go again,
// so that nothing is held twice. Everything that is wrong is collected: what is asked for after a failure answers an
// undefined tensor, and status() tells all at the end. What a packed copy says the sum of is checked against it:
// DataLoss (code "damaged_weights"). Belongs to one thread; call under a TorchGuard and, where
// it shall count, a BudgetScope.
class WeightReader {
 public:
  // `set` is borrowed. `where` names the component in errors: "unet". `prefix` is put before every name.
  WeightReader(const TensorSet& set, std::string where, const WeightOptions& options, std::string prefix = "");

  const WeightOptions& options() const { return options_; }
  c10::ScalarType compute_type() const { return ComputeType(options_.precision, options_.device); }
  bool Has(const std::string& name) const;
  // The shape in the file, empty for one that is not there. For what no config tells.
  std::vector<int64_t> ShapeOf(const std::string& name) const;

  // What is multiplied in bulk, in the storage type of the precision (float32 for int8 and int4, which nn/linear.h
  // packs itself). A wrong shape, type (integers) or a NaN is a problem of the name; so is a tensor that is not there.
  at::Tensor Matrix(const std::string& name, std::vector<int64_t> shape);
  // The same of a convolution's kernel [out, in, height, width], laid channels-last in memory as it is read.
  at::Tensor Kernel(const std::string& name, std::vector<int64_t> shape);
  // For who keeps numbers otherwise than they lie in the file, in float32 on the CPU: `use` gets rows [first, first +
  // rows.size(0)) one part after another, until all are read. Where the file has them so they are its own, else a
  // small copy; either dies after the call.
  void ByRows(const std::string& name, std::vector<int64_t> shape,
              const std::function<void(int64_t first, const at::Tensor& rows)>& use);
  // Some rows of a table, in the storage type and in the order of `rows`, each from 0 to shape[0] - 1. The rest of it
  // is not looked at, nor is a packed copy's sum, which is of the whole.
  at::Tensor Gather(const std::string& name, std::vector<int64_t> shape, std::span<const int64_t> rows);
  // Everything else: biases, norms, tables. In the compute type.
  at::Tensor Vector(const std::string& name, std::vector<int64_t> shape);
  // In float32 whatever the precision.
  at::Tensor Exact(const std::string& name, std::vector<int64_t> shape);
  // As it lies in a packed copy, of exactly this type: no number is converted.
  at::Tensor Stored(const std::string& name, std::vector<int64_t> shape, ElementType type);
  // For WeightOptions::keep, if there is one: `tensor`, which is called `name`, stands for `replaced`. An undefined one
  // is passed over.
  void Keep(const std::string& name, const at::Tensor& tensor, std::vector<std::string> replaced) const;
  // The first of `names` that is there: checkpoints of several ages call one thing by several names.
  std::string FirstOf(std::initializer_list<std::string> names) const;

  // The weight g * v / |v| of a weight-normed layer in float32, from "<layer>.weight_g" and "<layer>.weight_v", or
  // "<layer>.parametrizations.weight.original0" and "1", or a plain "<layer>.weight". The norm is over all
  // dimensions of v but `dim`. Source: Salimans and Kingma, "Weight Normalization", 2016, equation 2.
  at::Tensor WeightNormed(const std::string& layer, std::vector<int64_t> shape, int64_t dim = 0);
  // The same, handed on in the storage type.
  at::Tensor WeightNormedMatrix(const std::string& layer, std::vector<int64_t> shape, int64_t dim = 0);

  // Read and of no use here: integer buffers, heads for training. Not listed by Unread().
  void Skip(const std::string& name) { read_.insert(prefix_ + name); }
  // Names under the prefix that nobody asked for; a config of another model shows here.
  std::vector<std::string> Unread() const;

  void AddProblem(const std::string& name, std::string text);
  // What ends the reading at once, with the tensor's name before it.
  void Fail(const std::string& name, const absl::Status& status);
  // OK; DataLoss (code "bad_weights") that lists what is missing or of another shape; DataLoss ("non_finite_weights");
  // Cancelled; what the file answered.
  absl::Status status() const;

 private:
  struct Found {
    const TensorFile* file = nullptr;
    const TensorEntry* entry = nullptr;
    std::span<const std::byte> bytes;
  };
  // A tensor of this shape; nothing where it is a problem, or where reading has failed.
  std::optional<Found> Find(const std::string& name, const std::vector<int64_t>& shape);
  // The same, of finite floating-point numbers alone.
  std::optional<Found> FindNumbers(const std::string& name, const std::vector<int64_t>& shape);
  bool IsFinite(const Found& found);
  bool HasSum(const Found& found, uint64_t sum);
  void Copy(const std::byte* from, c10::ScalarType type, bool aligned, at::Tensor& to) const;
  at::Tensor Read(const std::string& name, const std::vector<int64_t>& shape, c10::ScalarType type,
                  at::MemoryFormat format = at::MemoryFormat::Contiguous);

  const TensorSet& set_;
  const std::string where_;
  const WeightOptions options_;
  const std::string prefix_;
  std::set<std::string, std::less<>> read_;
  std::vector<Problem> problems_;
  absl::Status failed_;
};

}  // namespace grym
