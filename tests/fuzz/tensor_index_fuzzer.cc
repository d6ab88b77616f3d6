// Bytes as model.safetensors.index.json beside two shards: what is accepted is what the shards hold.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/tensor_set.h"

namespace {

void PutBytes(const std::filesystem::path& path, std::string_view bytes) {
  if (!grym::WriteFile(path, bytes).ok()) std::abort();
}

// A shard with one tensor of one byte.
std::string ShardOf(char name) {
  std::string header = std::string("{\"") + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  return std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header + "x";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::filesystem::path folder = [] {
    auto made = grym::MakeTempFolder("grym-fuzz").value();
    PutBytes(made / "a", ShardOf('a'));
    PutBytes(made / "b", ShardOf('b'));
    return made;
  }();
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (std::FILE* file = std::fopen(index.c_str(), "wb")) {
    std::fwrite(data, 1, size, file);
    std::fclose(file);
  }
  (void)grym::TellKind(index);
  const auto set = grym::TensorSet::Open(index);
  if (!set.ok()) return 0;
  // Also when the bytes are a tensor file themselves.
  for (size_t i = 0; i < set->size(); ++i) {
    const auto place = set->Find(set->names()[i]);
    if (!place || place->entry->name != set->names()[i] || !place->file->Bytes(*place->entry).ok()) std::abort();
  }
  return 0;
}
