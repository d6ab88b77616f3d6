// Reads members of a document and gathers what is wrong with them, each with a JSON Pointer.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grymsynth/error.h"

namespace grym {

inline constexpr size_t kMaxDocumentProblems = 100;

// The legal value nearest to `wanted` by edit distance, "" when none is within a third of its length.
std::string ClosestLegal(std::string_view wanted, const std::vector<std::string>& legal);

class SchemaReader {
 public:
  void Report(const std::string& pointer, std::string code, std::string message, std::string hint = "");
  // Reports every member but the known ones and those that start with "x-".
  void Members(const Json& object, const std::string& pointer, const std::vector<std::string>& known);
  // The member if it is there and of the type ("string", "object", ...); reports what is missing or of another type.
  const Json* Member(const Json& object, const std::string& pointer, const char* name, const char* type, bool required);
  std::string Text(const Json& object, const std::string& pointer, const char* name, bool required);
  bool Flag(const Json& object, const std::string& pointer, const char* name, bool fallback);
  int64_t Integer(const Json& object, const std::string& pointer, const char* name, int64_t low, int64_t high,
                  int64_t fallback);
  // One of `legal`, or "" and a problem.
  std::string Choice(const Json& object, const std::string& pointer, const char* name,
                     const std::vector<std::string>& legal, bool required);
  // A name by the rules of step ids.
  bool CheckName(const std::string& pointer, const std::string& name);

  bool full() const { return problems_.size() >= kMaxDocumentProblems; }
  bool ok() const { return problems_.empty(); }
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

}  // namespace grym
