#include "workflow/condition.h"

#include <algorithm>
#include <iterator>

#include "base/status.h"

namespace grym {
namespace {

constexpr const char* kOperatorNames[] = {"equals", "contains", "greater_than", "less_than"};

absl::Status TypeError(CompareOperator op, const Json& left, const Json& right) {
  return Error(absl::StatusCode::kInvalidArgument, "condition_type_error",
               std::string("condition: ") + OperatorName(op) + " cannot compare " + left.type_name() + " with " +
                   right.type_name());
}

// UTF-8 sorts as its code points do, byte by byte as unsigned: that is what std::string compares.
int CompareText(const std::string& left, const std::string& right) { return left.compare(right); }

absl::StatusOr<bool> Contains(const Json& left, const Json& right) {
  if (left.is_array()) {
    return std::any_of(left.items().begin(), left.items().end(), [&](const Json& item) { return item == right; });
  }
  if (right.is_string() && left.is_string()) return left.text().find(right.text()) != std::string::npos;
  if (right.is_string() && left.is_object()) return left.contains(right.text());
  return TypeError(CompareOperator::kContains, left, right);
}

}  // namespace

const char* OperatorName(CompareOperator op) { return kOperatorNames[static_cast<size_t>(op)]; }

bool ParseOperator(std::string_view name, CompareOperator& op) {
  for (size_t i = 0; i < std::size(kOperatorNames); ++i) {
    if (name != kOperatorNames[i]) continue;
    op = static_cast<CompareOperator>(i);
    return true;
  }
  return false;
}

absl::StatusOr<bool> CompareValues(CompareOperator op, const Json& left, const Json& right) {
  if (op == CompareOperator::kEquals) return left == right;
  if (op == CompareOperator::kContains) return Contains(left, right);
  int order = 0;
  if (left.is_number() && right.is_number()) {
    order = Json::CompareNumbers(left, right);
  } else if (left.is_string() && right.is_string()) {
    order = CompareText(left.text(), right.text());
  } else {
    return TypeError(op, left, right);
  }
  return op == CompareOperator::kGreaterThan ? order > 0 : order < 0;
}

absl::StatusOr<bool> EvaluateCondition(CompareOperator op, const Json* left, const std::string& path, const Json& right,
                                       std::optional<bool> if_missing) {
  if (left) return CompareValues(op, *left, right);
  if (if_missing) return *if_missing;
  return Error(absl::StatusCode::kInvalidArgument, "condition_path_missing",
               "condition: there is no \"" + Printable(path) + "\"");
}

bool CanCompare(CompareOperator op, ValueKind left, const Json& right) {
  switch (op) {
    case CompareOperator::kEquals:
      return true;
    case CompareOperator::kContains:
      if (left == ValueKind::kAny || left == ValueKind::kArray) return true;
      return (left == ValueKind::kString || left == ValueKind::kObject) && right.is_string();
    case CompareOperator::kGreaterThan:
    case CompareOperator::kLessThan:
      if (right.is_number()) return left == ValueKind::kAny || left == ValueKind::kNumber;
      return right.is_string() && (left == ValueKind::kAny || left == ValueKind::kString);
  }
  return false;
}

absl::StatusOr<StepCondition> ParseComparison(std::string_view text) {
  const auto bad = [&](std::string_view what) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_condition",
                 "want \"true\", \"false\", \"error\" or \"<path> <operator> <JSON literal>\", got \"" +
                     Printable(text, 100) + "\": " + std::string(what));
  };
  // A space inside ["..."] belongs to the path.
  size_t end = 0;
  for (bool quoted = false; end < text.size() && (quoted || text[end] != ' '); ++end) {
    if (quoted && text[end] == '\\') {
      ++end;
    } else if (text[end] == '"') {
      quoted = !quoted;
    }
  }
  if (end >= text.size()) return bad("no operator");
  StepCondition condition;
  condition.left_text = std::string(text.substr(0, end));
  absl::StatusOr<Path> path = ParsePath(condition.left_text);
  if (!path.ok()) return bad(std::string(path.status().message()));
  condition.left = *std::move(path);
  const std::string_view rest = text.substr(end + 1);
  const size_t space = rest.find(' ');
  if (space == std::string_view::npos) return bad("no literal");
  if (!ParseOperator(rest.substr(0, space), condition.op)) {
    return bad("unknown operator \"" + Printable(rest.substr(0, space), 40) +
               "\", want equals, contains, greater_than or less_than");
  }
  absl::StatusOr<Json> literal = Json::Parse(rest.substr(space + 1));
  if (!literal.ok()) return bad("the literal is no JSON");
  // A literal is a literal: it is never looked through for references.
  condition.right = Json::Object();
  condition.right["$literal"] = *std::move(literal);
  return condition;
}

}  // namespace grym
