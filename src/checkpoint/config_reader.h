// A model's config.json read field by field: types and ranges checked, everything that is wrong told at once.
#pragma once
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/error.h"

namespace grym {

// A config of at most 4 MiB, depth 64. Errors as of ReadFile; DataLoss (code "bad_config") for text that is no JSON
// object; ResourceExhausted ("checkpoint_limit").
absl::StatusOr<Json> ReadConfig(const std::filesystem::path& path);

struct FieldRule {
  bool required = false;
};
struct IntRule {
  int64_t minimum = 0, maximum = std::numeric_limits<int32_t>::max();  // both allowed
  bool required = false;
};
struct NumberRule {
  double minimum = -1e30, maximum = 1e30;
  bool required = false;
};
struct TextRule {
  std::vector<std::string> choices;  // empty: anything up to 4 KiB
  bool required = false;
};
struct IntListRule {
  int64_t minimum = 0, maximum = std::numeric_limits<int32_t>::max();  // of each
  size_t shortest = 0, longest = 64;
  bool required = false;
};
struct TextListRule {
  std::vector<std::string> choices;  // of each
  size_t shortest = 0, longest = 64;
  bool required = false;
};

// Each call leaves the value as it is, which is the default, where the field is absent, null, or wrong; what is wrong
// is kept for Finish(). Threads: one. `json` must outlive it.
class ConfigReader {
 public:
  // `where` starts the message: "unet/config.json". A value that is no object is one problem.
  ConfigReader(const Json& json, std::string where);
  ConfigReader(const ConfigReader&) = delete;
  ConfigReader& operator=(const ConfigReader&) = delete;

  void Int(std::string_view name, int64_t* value, const IntRule& rule = {});  // 4.0 counts as 4
  void Int(std::string_view name, int* value, const IntRule& rule = {});      // rule.maximum is cut to int's
  void Number(std::string_view name, double* value, const NumberRule& rule = {});
  void Bool(std::string_view name, bool* value, const FieldRule& rule = {});
  void Text(std::string_view name, std::string* value, const TextRule& rule = {});
  void IntList(std::string_view name, std::vector<int64_t>* value, const IntListRule& rule = {});
  void IntLists(std::string_view name, std::vector<std::vector<int64_t>>* value, const IntListRule& inner,
                const IntListRule& outer = {});  // [[1, 3], [1, 5]]; of `outer` the lengths and `required` count
  void TextList(std::string_view name, std::vector<std::string>* value, const TextListRule& rule = {});
  // A list of `count` whole numbers, or one number that stands for all of them.
  void IntOrList(std::string_view name, std::vector<int64_t>* value, size_t count, const IntRule& rule = {});
  // Where nothing is a value of its own: a field that is null empties it, one that is absent leaves it.
  void OptionalInt(std::string_view name, std::optional<int64_t>* value, const IntRule& rule = {});
  void OptionalNumber(std::string_view name, std::optional<double>* value, const NumberRule& rule = {});
  void OptionalText(std::string_view name, std::optional<std::string>* value, const TextRule& rule = {});

  // Whether the field is there and not null.
  bool Has(std::string_view name) const;
  // The object `name`; it shares this one's problems and lives as long. Where it is absent, one in which every field is
  // absent and none is required. The same name answers the same reader.
  ConfigReader& Nested(std::string_view name, const FieldRule& rule = {});
  // Fields that change nothing here and are not to be listed as unknown.
  void Ignore(std::initializer_list<std::string_view> names);
  // A field that is right by itself but not beside the others: "want a multiple of num_attention_heads 12, got 770".
  void Contradiction(std::string_view name, std::string_view message);

  // Fields that nothing asked for, sorted; in nested objects as "text_config/alpha". Up to 1,000.
  std::vector<std::string> UnknownFields() const;
  // How many problems there are by now, in nested objects too.
  size_t problem_count() const { return problems_->size(); }
  // InvalidArgument (code "bad_config") with all problems, where there are any.
  absl::Status Finish() const;

 private:
  ConfigReader(const Json* json, std::string where, std::string pointer, std::vector<Problem>* problems);
  const Json* Take(std::string_view name, bool required);  // nullptr for what leaves the default
  bool TakeNull(std::string_view name);
  void Report(const std::string& pointer, std::string_view code, std::string message);
  std::string PointerTo(std::string_view name) const;
  void AddUnknown(const std::string& prefix, std::vector<std::string>& names) const;
  bool ReadInt(const Json& json, const std::string& pointer, int64_t minimum, int64_t maximum, int64_t& value);
  bool ReadInts(const Json& json, const std::string& pointer, const IntListRule& rule, std::vector<int64_t>& value);
  bool ReadText(const Json& json, const std::string& pointer, const std::vector<std::string>& choices,
                std::string& value);
  bool IsListOf(const Json& json, const std::string& pointer, size_t shortest, size_t longest);

  const Json* json_;  // nullptr: absent
  std::string where_, pointer_;
  std::vector<Problem> own_problems_;
  std::vector<Problem>* problems_;  // the outermost reader's
  std::set<std::string, std::less<>> asked_;
  std::map<std::string, std::unique_ptr<ConfigReader>, std::less<>> nested_;
};

}  // namespace grym
