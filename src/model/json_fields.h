// Reads a JSON object member by member and gathers everything that is wrong with it, so that a caller learns all at
// once.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grymsynth/error.h"

namespace grym {

// The name nearest to `wanted` by edit distance (Damerau-Levenshtein, adjacent swaps count one), or "" when none is
// within a third of its length.
std::string NearestName(std::string_view wanted, const std::vector<std::string>& names);

// True and the value for a whole number in [low, high]; 4.0 counts as 4.
bool WholeNumber(const Json& json, int64_t low, int64_t high, int64_t& value);

// A double whose JSON text is as short as the float's own and that reads back as the same float.
double ShortDouble(float value);

// Threads: one. `json` and `problems` must outlive it.
class JsonFields {
 public:
  // A value that is no object is one problem; all members are then absent.
  JsonFields(const Json& json, std::string pointer, std::vector<Problem>& problems);

  // Each leaves `value` as it is when the member is absent, and reports a member of another type.
  void Read(std::string_view name, bool& value);
  void Read(std::string_view name, int& value);
  void Read(std::string_view name, int64_t& value);
  void Read(std::string_view name, double& value);
  void Read(std::string_view name, std::string& value);
  void Read(std::string_view name, std::vector<std::string>& value);
  void Read(std::string_view name, std::vector<int>& value);
  void Read(std::string_view name, std::vector<double>& value);
  void Read(std::string_view name, std::vector<float>& value);
  void Read(std::string_view name, std::map<std::string, std::string>& value);
  void Read(std::string_view name, std::map<std::string, double>& value);
  // null is the same as absent.
  template <class T>
  void Read(std::string_view name, std::optional<T>& value) {
    const Json* member = json_.find(name);
    if (!member || member->is_null()) {
      names_.emplace_back(name);
      return;
    }
    T inner{};
    Read(name, inner);
    value = std::move(inner);
  }

  // The member, or nullptr; it is known from here on and its checks are the caller's.
  const Json* Take(std::string_view name);
  // A required `schema` member would read "<family>/<version>"; another family or version is a problem.
  void Schema(std::string_view family, int version, bool required);
  void Report(std::string_view name, std::string_view code, std::string_view message, std::string_view hint = "");
  std::string PointerTo(std::string_view name) const;
  // Reports every member that was never read.
  void Finish();

 private:
  void WrongType(std::string_view name, std::string_view want, const Json& got);
  const Json& json_;
  std::string pointer_;
  std::vector<Problem>& problems_;
  std::vector<std::string> names_;
};

}  // namespace grym
