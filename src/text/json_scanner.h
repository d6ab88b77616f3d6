// JSON read in one pass, value by value, without building a tree: a vocabulary of a million pieces costs its text and
// nothing else. base/json.h needs ten times the text for that, and a gigabyte for 64 MiB of brackets.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// Every reading call fails with DataLoss ("damaged_tokenizer"), the name, the byte and what was wanted there. After a
// failure the scanner may only be destroyed. Not for several threads.
class JsonScanner {
 public:
  // Borrows `text`. `where` begins every message.
  JsonScanner(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  // First byte of the next value: '{', '[', '"', 't', 'f', 'n', '-' or a digit where it is one; 0 at the end.
  char Next();
  // `member` must read exactly one value. Keys are those of the file, in its order, duplicates among them.
  absl::Status Object(const std::function<absl::Status(const std::string& key)>& member);
  absl::Status Array(const std::function<absl::Status()>& item);
  absl::Status String(std::string& out);  // valid UTF-8
  absl::StatusOr<int64_t> Integer();
  absl::StatusOr<double> Number();  // finite
  absl::StatusOr<bool> Boolean();
  bool Null();  // reads a null if one is next
  // Any value as a tree; of at most `limit` bytes and without duplicate members, else InvalidArgument.
  absl::StatusOr<Json> Tree(size_t limit);
  absl::Status Skip();
  // That nothing but white space follows.
  absl::Status End();

  // A failure at this place.
  absl::Status Fail(std::string_view wanted) const;
  const std::string& where() const { return where_; }

 private:
  void SkipSpace();
  absl::Status Deeper();
  absl::Status Escape(std::string& out);
  absl::StatusOr<uint32_t> Hex4();
  absl::StatusOr<std::string_view> NumberText();
  absl::Status SkipString();

  std::string_view text_;
  std::string where_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace grym
