// Compares our token ids and decoded text with those of a file made by make_text_set.py: for each line u32 bytes, text,
// u32 ids, ids, i32 bytes of the decoded text (-1: not asked for), decoded text.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/fs.h"
#include "base/status.h"
#include "grymsynth/tokenizer.h"

namespace {

class Reference {
 public:
  explicit Reference(std::string bytes) : bytes_(std::move(bytes)) {}
  bool at_end() const { return at_ >= bytes_.size(); }
  int32_t Number() {
    int32_t value = 0;
    std::memcpy(&value, bytes_.data() + at_, 4);
    at_ += 4;
    return value;
  }
  std::string_view Text(int32_t bytes) {
    at_ += static_cast<size_t>(bytes);
    return std::string_view(bytes_).substr(at_ - static_cast<size_t>(bytes), static_cast<size_t>(bytes));
  }

 private:
  std::string bytes_;
  size_t at_ = 0;
};

void Show(std::string_view what, std::string_view line, std::string_view got, std::string_view want) {
  std::fprintf(stderr, "  %s differs for \"%s\"\n    got  %s\n    want %s\n", std::string(what).c_str(),
               grym::Printable(line, 120).c_str(), std::string(got).c_str(), std::string(want).c_str());
}

std::string Ids(const std::vector<int32_t>& ids) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(ids.size(), 40); ++i) text += std::to_string(ids[i]) + " ";
  return text;
}

}  // namespace

int main(int count, char** values) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::duration time) { return std::chrono::duration<double>(time).count(); };
  if (count != 3) return 2;
  const auto before = Clock::now();
  const auto tokenizer = grym::OpenTokenizer(values[1]);
  const double opening = seconds(Clock::now() - before);
  auto bytes = grym::ReadFile(values[2], int64_t{4} << 30);
  if (!tokenizer.ok() || !bytes.ok()) {
    std::printf("failed: %s\n", std::string((tokenizer.ok() ? bytes.status() : tokenizer.status()).message()).c_str());
    return 2;
  }
  Reference reference(*std::move(bytes));
  int lines = 0, wrong_ids = 0, wrong_texts = 0, decoded = 0;
  double encoding = 0, size = 0, slowest = 0;
  while (!reference.at_end()) {
    const std::string_view line = reference.Text(reference.Number());
    std::vector<int32_t> want(static_cast<size_t>(reference.Number()));
    for (int32_t& id : want) id = reference.Number();
    const int32_t text_bytes = reference.Number();
    const std::string_view want_text = reference.Text(std::max(text_bytes, 0));
    const auto started = Clock::now();
    const auto got = (*tokenizer)->Encode(line);
    const double took = seconds(Clock::now() - started);
    encoding += took, slowest = std::max(slowest, took), size += static_cast<double>(line.size()), ++lines;
    if (!got.ok() || *got != want) {
      if (++wrong_ids <= 5) Show("ids", line, got.ok() ? Ids(*got) : std::string(got.status().message()), Ids(want));
    }
    if (text_bytes < 0) continue;
    const auto text = (*tokenizer)->Decode(want);
    ++decoded;
    if (!text.ok() || *text != want_text) {
      if (++wrong_texts <= 5)
        Show("text", line, text.ok() ? grym::Printable(*text) : std::string(text.status().message()),
             grym::Printable(want_text));
    }
  }
  std::printf("ours: %.2f MB/s, slowest line %.1f ms, opened in %.1f ms; %d of %d lines and %d of %d decoded texts differ\n",
              size / encoding / 1e6, slowest * 1e3, opening * 1e3, wrong_ids, lines, wrong_texts, decoded);
  return wrong_ids + wrong_texts == 0 && lines > 0 ? 0 : 1;
}
