// Bytes as a safetensors file: whatever is accepted lies inside the file, tensor after tensor, and can be looked at.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/fs.h"
#include "checkpoint/tensor_set.h"
#include "checkpoint/tensor_sums.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // One file for the life of the process: what is read is mapped.
  static const std::filesystem::path path = grym::MakeTempFolder("grym-fuzz").value() / "input";
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto file = grym::TensorFile::Open(path);
  if (!file.ok()) return 0;
  int64_t bytes = 0;
  for (const grym::TensorEntry& entry : file->entries()) {
    const auto view = file->Bytes(entry);
    if (!view.ok() || static_cast<int64_t>(view->size()) != entry.bytes) std::abort();
    if (file->Find(entry.name) != &entry || entry.elements() * grym::ElementBytes(entry.type) != entry.bytes)
      std::abort();
    const auto bad = grym::FirstNonFinite(*view, entry.type);
    if (bad && *bad >= entry.elements()) std::abort();
    if (grym::SumElements(*view, entry.type).elements != entry.elements()) std::abort();
    bytes += entry.bytes;
  }
  if (bytes > file->size()) std::abort();
  return 0;
}
