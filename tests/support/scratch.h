// A folder of a test's own, gone when the test ends.
#pragma once
#include <filesystem>

#include "base/fs.h"

namespace grym::testing {

class Scratch {
 public:
  Scratch() : path_(MakeTempFolder("grym-test").value()) {}
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace grym::testing
