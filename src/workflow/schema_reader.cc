#include "workflow/schema_reader.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/status.h"

namespace grym {
namespace {

// Optimal string alignment distance: insert, delete, replace and swap of neighbours cost one each.
size_t Slips(std::string_view a, std::string_view b) {
  std::vector<size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::string ClosestLegal(std::string_view wanted, const std::vector<std::string>& legal) {
  std::string closest;
  if (wanted.size() > 64) return closest;
  size_t best = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& value : legal) {
    if (value.size() > 64) continue;
    const size_t distance = Slips(wanted, value);
    if (distance < best) {
      best = distance;
      closest = value;
    }
  }
  return closest;
}

void SchemaReader::Report(const std::string& pointer, std::string code, std::string message, std::string hint) {
  if (!full()) problems_.push_back({pointer, std::move(code), std::move(message), std::move(hint)});
}

void SchemaReader::Members(const Json& object, const std::string& pointer, const std::vector<std::string>& known) {
  for (const auto& [name, value] : object.members()) {
    if (full()) return;
    if (name.rfind("x-", 0) == 0 || std::find(known.begin(), known.end(), name) != known.end()) continue;
    Report(pointer + "/" + PointerToken(Printable(name, 100)), "unknown_member",
           "want one of " + Join(known, ", ") + ", got \"" + Printable(name, 64) + "\"", ClosestLegal(name, known));
  }
}

const Json* SchemaReader::Member(const Json& object, const std::string& pointer, const char* name, const char* type,
                                 bool required) {
  const Json* member = object.find(name);
  const std::string article = std::strchr("aeio", type[0]) ? "an " : "a ";
  if (!member) {
    if (required)
      Report(pointer + "/" + name, "missing_member", "want " + article + type + " \"" + name + "\", got nothing");
    return nullptr;
  }
  if (std::strcmp(member->type_name(), type) == 0) return member;
  Report(pointer + "/" + name, "wrong_type", "want " + article + type + ", got " + member->type_name());
  return nullptr;
}

std::string SchemaReader::Text(const Json& object, const std::string& pointer, const char* name, bool required) {
  const Json* member = Member(object, pointer, name, "string", required);
  return member ? member->text() : "";
}

bool SchemaReader::Flag(const Json& object, const std::string& pointer, const char* name, bool fallback) {
  const Json* member = Member(object, pointer, name, "boolean", false);
  return member ? member->boolean() : fallback;
}

int64_t SchemaReader::Integer(const Json& object, const std::string& pointer, const char* name, int64_t low,
                              int64_t high, int64_t fallback) {
  const Json* member = Member(object, pointer, name, "number", false);
  if (!member) return fallback;
  const int64_t value = member->integer(std::numeric_limits<int64_t>::min());
  if (Json::CompareNumbers(*member, Json(value)) == 0 && value >= low && value <= high) return value;
  Report(pointer + "/" + name, "out_of_range",
         "want a whole number in [" + std::to_string(low) + ", " + std::to_string(high) + "], got " + member->Dump());
  return fallback;
}

std::string SchemaReader::Choice(const Json& object, const std::string& pointer, const char* name,
                                 const std::vector<std::string>& legal, bool required) {
  const Json* member = Member(object, pointer, name, "string", required);
  if (!member) return "";
  if (std::find(legal.begin(), legal.end(), member->text()) != legal.end()) return member->text();
  Report(pointer + "/" + name, "unknown_value",
         "want one of " + Join(legal, ", ") + ", got \"" + Printable(member->text(), 64) + "\"",
         ClosestLegal(member->text(), legal));
  return "";
}

bool SchemaReader::CheckName(const std::string& pointer, const std::string& name) {
  const bool good = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!good) Report(pointer, "bad_id", "want [A-Za-z0-9_-]{1,64}, got \"" + Printable(name, 80) + "\"");
  return good;
}

}  // namespace grym
