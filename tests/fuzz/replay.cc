// Runs a fuzz target over every file of a folder, and over cut and flipped forms of each: the corpus as a test.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int count, char** values) {
  if (count != 2) return 2;
  int runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(values[1])) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    for (size_t step = 0; step < 16 && !bytes.empty(); ++step, runs += 2) {
      const size_t at = bytes.size() * step / 16;
      LLVMFuzzerTestOneInput(bytes.data(), at);
      std::vector<uint8_t> flipped = bytes;
      flipped[at] = static_cast<uint8_t>(flipped[at] ^ 0xA5);
      LLVMFuzzerTestOneInput(flipped.data(), flipped.size());
    }
    ++runs;
  }
  std::printf("%d inputs\n", runs);
  return runs > 0 ? 0 : 1;  // an empty corpus tests nothing
}
