#include "support/peer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

namespace grym::testing {
namespace {

std::string Quoted(const std::string& text) { return "'" + text + "'"; }  // none of ours holds a quote

// One process at a time makes a file; the others wait and find it made. Made beside and renamed, so never half.
std::filesystem::path MadeOnce(const std::filesystem::path& path, const std::string& script,
                               const std::string& before, const std::vector<std::string>& options) {
  std::filesystem::create_directories(path.parent_path());
  const int lock = open((path.string() + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  flock(lock, LOCK_EX);
  if (!std::filesystem::exists(path)) {
    const std::filesystem::path part = path.string() + ".part";
    std::filesystem::remove_all(part);
    std::string command = Quoted(PeerPython()) + " " + Quoted((SharedDir() / "fixtures" / script).string()) + " " +
                          before + " " + Quoted(part.string());
    for (const std::string& option : options) command += " " + Quoted(option);
    command += " >" + Quoted(path.string() + ".log") + " 2>&1";
    if (std::system(command.c_str()) == 0) {
      std::filesystem::rename(part, path);
    } else {
      std::ifstream log(path.string() + ".log");
      ADD_FAILURE() << command << "\n" << std::string(std::istreambuf_iterator<char>(log), {});
    }
  }
  close(lock);
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

std::filesystem::path PeerFolder() { return std::filesystem::path(GRYM_BINARY_DIR) / "peer"; }

}  // namespace

std::string PeerPython() {
  const char* python = std::getenv("GRYM_PEER_PYTHON");
  if (!python || !std::filesystem::exists(SharedDir() / "fixtures" / "peer_run.py")) return "";
  return python;
}

std::filesystem::path PeerCheckpoint(const std::string& preset, const std::string& variant,
                                     const std::vector<std::string>& options) {
  return MadeOnce(PeerFolder() / (preset + (variant.empty() ? "" : "-" + variant)), "make_checkpoint.py",
                  Quoted(preset), options);
}

std::filesystem::path PeerRun(const std::filesystem::path& checkpoint, const std::string& run,
                              const std::vector<std::string>& options) {
  return MadeOnce(checkpoint.string() + "." + run + ".safetensors", "peer_run.py", Quoted(checkpoint.string()),
                  options);
}

at::Tensor PeerTensor(const TensorSet& set, const std::string& name) {
  const auto place = set.Find(name);
  if (!place) {
    ADD_FAILURE() << "the reference kept no " << name;
    return {};
  }
  const TensorEntry& entry = *place->entry;
  const auto bytes = place->file->Bytes(entry);
  const auto type = entry.type == ElementType::kI64    ? at::kLong
                    : entry.type == ElementType::kBool ? at::kBool
                    : entry.type == ElementType::kI32  ? at::kInt
                    : entry.type == ElementType::kBF16 ? at::kBFloat16
                    : entry.type == ElementType::kF16  ? at::kHalf
                    : entry.type == ElementType::kF64  ? at::kDouble
                                                       : at::kFloat;
  at::Tensor tensor = at::empty(entry.shape, type);
  std::memcpy(tensor.mutable_data_ptr(), bytes->data(), bytes->size());
  return tensor;
}

Distance DistanceOf(const at::Tensor& ours, const at::Tensor& reference) {
  Distance distance;
  if (!ours.defined() || !reference.defined() || ours.numel() != reference.numel()) {
    ADD_FAILURE() << "want " << (reference.defined() ? reference.numel() : 0) << " numbers, got "
                  << (ours.defined() ? ours.numel() : 0);
    return distance;
  }
  const at::Tensor a = ours.to(at::kDouble).flatten(), b = reference.to(at::kDouble).flatten();
  const auto sum = [](const at::Tensor& x) { return x.sum().item<double>(); };
  const double aa = sum(a * a), bb = sum(b * b), error = sum((a - b) * (a - b));
  distance.cosine = sum(a * b) / std::sqrt(aa * bb);
  distance.max_relative_error = (a - b).abs().max().item<double>() / b.abs().max().item<double>();
  distance.snr_db = 10 * std::log10(bb / std::max(error, 1e-300));
  return distance;
}

void ExpectSameStage(const std::string& stage, const at::Tensor& ours, const at::Tensor& reference) {
  ASSERT_TRUE(ours.defined()) << stage;
  const Distance distance = DistanceOf(ours, reference);
  EXPECT_GE(distance.cosine, 0.99999) << stage;
  EXPECT_LE(distance.max_relative_error, 1e-3) << stage;
}

}  // namespace grym::testing
