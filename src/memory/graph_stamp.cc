#include "memory/graph_stamp.h"

#include <cstring>
#include <fstream>

#include "base/fs.h"
#include "base/status.h"
#include "memory/content_hash.h"
#include "memory/graph_index.h"

namespace grym {
namespace {

// In this machine's byte order, which `byte_order` shows: the cache does not travel.
struct StampHead {
  char magic[8];
  uint32_t byte_order;
  uint32_t format;
  uint32_t links, build_width;
  char identity[16];
  uint64_t graph_bytes, graph_digest, vectors;
  uint64_t digest;  // of the head up to here and of the list
};
static_assert(sizeof(StampHead) == 72);
constexpr char kStampMagic[8] = {'G', 'R', 'Y', 'M', 'H', 'N', 'S', 'W'};
constexpr int64_t kMaxStampBytes = int64_t{4} << 30;

StampHead HeadOf(const GraphStamp& stamp) {
  StampHead head{};
  std::memcpy(head.magic, kStampMagic, sizeof(head.magic));
  head.byte_order = 0x01020304;
  head.format = 1;
  head.links = GraphIndex::kLinks;
  head.build_width = GraphIndex::kBuildWidth;
  std::memcpy(head.identity, stamp.identity.data(), std::min(stamp.identity.size(), sizeof(head.identity)));
  head.graph_bytes = stamp.graph_bytes;
  head.graph_digest = stamp.graph_digest;
  head.vectors = stamp.vectors.size();
  ContentHash hash;
  hash.Update(&head, offsetof(StampHead, digest));
  hash.Update(stamp.vectors.data(), stamp.vectors.size() * sizeof(StampedVector));
  head.digest = hash.Digest();
  return head;
}

absl::Status DamagedCache(const std::filesystem::path& path) {
  return Error(absl::StatusCode::kDataLoss, "index_damaged",
               "vector index: \"" + Printable(path.string()) + "\" is not what was written");
}

absl::Status DigestFile(const std::filesystem::path& path, uint64_t& bytes, uint64_t& digest) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return Error(absl::StatusCode::kNotFound, "file_not_found",
                 "vector index: no file \"" + Printable(path.string()) + "\"");
  std::vector<char> block(size_t{1} << 20);
  ContentHash hash;
  bytes = 0;
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    hash.Update(block.data(), static_cast<size_t>(file.gcount()));
    bytes += static_cast<uint64_t>(file.gcount());
  }
  digest = hash.Digest();
  return absl::OkStatus();
}

}  // namespace

uint64_t VectorDigest(const float* vector) { return ContentHash::Of(vector, kVectorDims * sizeof(float)); }

absl::StatusOr<GraphStamp> ReadGraphStamp(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxStampBytes));
  GraphStamp stamp;
  StampHead read;
  if (text.size() < sizeof(read)) return DamagedCache(path);
  std::memcpy(&read, text.data(), sizeof(read));
  if (read.vectors != (text.size() - sizeof(read)) / sizeof(StampedVector)) return DamagedCache(path);
  stamp.identity.assign(read.identity, sizeof(read.identity));
  stamp.graph_bytes = read.graph_bytes;
  stamp.graph_digest = read.graph_digest;
  stamp.vectors.resize(read.vectors);
  if (read.vectors > 0)
    std::memcpy(stamp.vectors.data(), text.data() + sizeof(read), read.vectors * sizeof(StampedVector));
  // The head that these values should have had, digest included.
  const StampHead want = HeadOf(stamp);
  if (text.size() != sizeof(read) + read.vectors * sizeof(StampedVector) ||
      std::memcmp(&want, &read, sizeof(read)) != 0)
    return DamagedCache(path);
  return stamp;
}

absl::Status CheckStampedFile(const GraphStamp& stamp, const std::filesystem::path& graph) {
  uint64_t bytes = 0, digest = 0;
  GRYM_RETURN_IF_ERROR(DigestFile(graph, bytes, digest));
  return bytes == stamp.graph_bytes && digest == stamp.graph_digest ? absl::OkStatus() : DamagedCache(graph);
}

absl::Status WriteStamped(GraphStamp stamp, const std::filesystem::path& graph, const std::filesystem::path& stamp_file,
                          const std::function<absl::Status(const std::filesystem::path&)>& write_graph) {
  const auto write = [&](const std::filesystem::path& temporary) {
    absl::Status written = write_graph(temporary);
    return written.ok() ? DigestFile(temporary, stamp.graph_bytes, stamp.graph_digest) : written;
  };
  GRYM_RETURN_IF_ERROR(WriteWhole(graph, write));
  const StampHead head = HeadOf(stamp);
  std::string text(reinterpret_cast<const char*>(&head), sizeof(head));
  text.append(reinterpret_cast<const char*>(stamp.vectors.data()), stamp.vectors.size() * sizeof(StampedVector));
  return WriteFile(stamp_file, text);
}

}  // namespace grym
