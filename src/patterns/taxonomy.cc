#include "patterns/taxonomy.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "patterns/pattern_facts.h"

namespace grym {
namespace {

constexpr char kTaxonomySchema[] = "grymsynth.taxonomy/1";
constexpr size_t kMaxClasses = 1000;
constexpr const char* kOperators[] = {"equals", "at_least", "at_most", "between", "one_of", "contains"};

std::string TypeWanted(const std::string& op, PatternFact::Type type) {
  if (op == "between") return "two rising numbers";
  if (op == "contains") return "a text";
  if (op == "at_least" || op == "at_most") return "a number";
  const std::string one = type == PatternFact::Type::kNumber ? "number" : "text";
  return op == "one_of" ? "an array of " + one + "s" : "a " + one;
}

bool FitsType(const Json& value, PatternFact::Type type) {
  return type == PatternFact::Type::kNumber ? value.is_number() : value.is_string();
}

// Whether `value` is what `op` needs for a field of this type.
bool FitsOperator(const std::string& op, const Json& value, PatternFact::Type type) {
  if (op == "equals") return FitsType(value, type);
  if (op == "contains") return type == PatternFact::Type::kText && value.is_string();
  if (op == "one_of") {
    return value.is_array() && value.size() > 0 &&
           std::all_of(value.items().begin(), value.items().end(),
                       [&](const Json& item) { return FitsType(item, type); });
  }
  if (type != PatternFact::Type::kNumber) return false;
  if (op == "between")
    return value.is_array() && value.size() == 2 && value.at(0).is_number() && value.at(1).is_number() &&
           value.at(0).number() <= value.at(1).number();
  return value.is_number();
}

std::string Shown(const PatternFact& fact) {
  return fact.type == PatternFact::Type::kText ? "\"" + Printable(fact.text, 40) + "\""
                                               : Formatted("%.4g", fact.number);
}

}  // namespace

void Taxonomy::ReadCondition(const Json& json, const std::string& pointer, std::vector<Condition>& when,
                             std::vector<Problem>& problems) {
  if (!json.is_object()) {
    problems.push_back(
        {pointer, "wrong_type", std::string("want an object with field, op and value, got ") + json.type_name(), ""});
    return;
  }
  for (const auto& [name, value] : json.members()) {
    if (name != "field" && name != "op" && name != "value")
      problems.push_back({pointer + "/" + PointerToken(name), "unknown_member", "want field, op and value only", ""});
  }
  Condition condition{json.at("field").text(), json.at("op").text(), json.at("value")};
  const PatternFact::Type type = FactOf(AudioPattern(), condition.field).type;
  const bool known_field = type != PatternFact::Type::kUnknown;
  const bool known_op = std::find(std::begin(kOperators), std::end(kOperators), condition.op) != std::end(kOperators);
  if (!known_field) {
    problems.push_back({pointer + "/field", "unknown_field",
                        "want one of " + Join(PatternFactNames(), ", ") + " or evidence.NAME, got \"" +
                            Printable(condition.field) + "\"",
                        ""});
  }
  if (!known_op) {
    problems.push_back(
        {pointer + "/op", "unknown_operator",
         "want equals, at_least, at_most, between, one_of or contains, got \"" + Printable(condition.op) + "\"", ""});
  }
  if (known_field && known_op && !FitsOperator(condition.op, condition.value, type)) {
    problems.push_back({pointer + "/value", "wrong_type",
                        "want " + TypeWanted(condition.op, type) + " for " + condition.op + " on " + condition.field +
                            ", got " + Printable(condition.value.Dump(), 60),
                        ""});
  }
  when.push_back(std::move(condition));
}

void Taxonomy::ReadClass(const Json& json, const std::string& pointer, std::vector<Class>& classes,
                         std::vector<Problem>& problems) {
  if (!json.is_object()) {
    problems.push_back(
        {pointer, "wrong_type", std::string("want an object with path, score and when, got ") + json.type_name(), ""});
    return;
  }
  for (const auto& [name, value] : json.members()) {
    if (name != "path" && name != "score" && name != "when")
      problems.push_back({pointer + "/" + PointerToken(name), "unknown_member", "want path, score and when only", ""});
  }
  Class made;
  made.path = json.at("path").text();
  made.score = json.at("score").number(-1);
  const absl::StatusOr<PatternKind> kind = ParsePatternKind(made.path.substr(0, made.path.find('/')));
  if (!kind.ok() || made.path.find('/') == std::string::npos || made.path.back() == '/') {
    problems.push_back(
        {pointer + "/path", "bad_path",
         "want a path like \"harmonic/loop\" that starts with a kind, got \"" + Printable(made.path) + "\"", ""});
  } else {
    made.kind = *kind;
  }
  if (!(made.score >= 0 && made.score <= 1)) {
    problems.push_back({pointer + "/score", "out_of_range",
                        "want a number in [0, 1], got " + Printable(json.at("score").Dump(), 40), ""});
  }
  if (!json.at("when").is_array()) {
    problems.push_back({pointer + "/when", "wrong_type",
                        std::string("want an array of conditions, got ") + json.at("when").type_name(), ""});
  }
  for (size_t i = 0; i < json.at("when").size(); ++i) {
    ReadCondition(json.at("when").at(i), pointer + "/when/" + std::to_string(i), made.when, problems);
  }
  classes.push_back(std::move(made));
}

absl::StatusOr<Taxonomy> Taxonomy::FromJson(std::string_view text) {
  absl::StatusOr<Json> json = Json::Parse(text);
  if (!json.ok()) return Annotate(json.status(), "taxonomy");
  Taxonomy taxonomy;
  std::vector<Problem> problems;
  if (!json->is_object())
    problems.push_back({"", "wrong_type", std::string("want an object, got ") + json->type_name(), ""});
  if (json->at("schema").text() != kTaxonomySchema) {
    problems.push_back(
        {"/schema", "wrong_schema",
         std::string("want \"") + kTaxonomySchema + "\", got " + Printable(json->at("schema").Dump(), 60), ""});
  }
  for (const auto& [name, value] : json->members()) {
    if (name != "schema" && name != "version" && name != "classes")
      problems.push_back({"/" + PointerToken(name), "unknown_member", "want schema, version and classes only", ""});
  }
  taxonomy.version_ = json->at("version").text();
  if (taxonomy.version_.empty())
    problems.push_back({"/version", "wrong_type", "want a text, got " + Printable(json->at("version").Dump(), 60), ""});
  const Json& classes = json->at("classes");
  if (!classes.is_array() || classes.size() > kMaxClasses) {
    problems.push_back(
        {"/classes", "wrong_type", Formatted("want an array of at most %d classes", kMaxClasses), ""});
  } else {
    std::set<std::string> paths;
    for (size_t i = 0; i < classes.size(); ++i) {
      const std::string pointer = "/classes/" + std::to_string(i);
      ReadClass(classes.at(i), pointer, taxonomy.classes_, problems);
      const std::string& path = classes.at(i).at("path").text();
      if (!path.empty() && !paths.insert(path).second)
        problems.push_back(
            {pointer + "/path", "duplicate_path", "want each path once, got \"" + Printable(path) + "\" again", ""});
    }
  }
  if (!problems.empty()) return ProblemsError("bad_taxonomy", "taxonomy", problems);
  return taxonomy;
}

absl::StatusOr<Taxonomy> Taxonomy::FromFile(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, int64_t{1} << 20));
  absl::StatusOr<Taxonomy> taxonomy = FromJson(text);
  if (!taxonomy.ok()) return Annotate(taxonomy.status(), "\"" + Printable(path.string()) + "\"");
  return taxonomy;
}

const Taxonomy& Taxonomy::Default() {
  static const Taxonomy taxonomy = FromJson(DefaultTaxonomyJson()).value();  // a test reads it first
  return taxonomy;
}

bool Taxonomy::Holds(const Condition& condition, const AudioPattern& pattern) {
  const PatternFact fact = FactOf(pattern, condition.field);
  const auto equals = [&](const Json& value) {
    return fact.type == PatternFact::Type::kNumber ? value.is_number() && std::abs(value.number() - fact.number) < 1e-9
                                                   : value.text() == fact.text;
  };
  if (condition.op == "equals") return equals(condition.value);
  if (condition.op == "at_least") return fact.number >= condition.value.number();
  if (condition.op == "at_most") return fact.number <= condition.value.number();
  if (condition.op == "between")
    return fact.number >= condition.value.at(0).number() && fact.number <= condition.value.at(1).number();
  if (condition.op == "one_of")
    return std::any_of(condition.value.items().begin(), condition.value.items().end(), equals);
  return fact.text.find(condition.value.text()) != std::string::npos;  // contains
}

PatternClassification Taxonomy::Classify(const AudioPattern& pattern) const {
  PatternClassification made;
  made.taxonomy_version = version_;
  for (const Class& candidate : classes_) {
    if (candidate.kind != pattern.kind) continue;
    if (!std::all_of(candidate.when.begin(), candidate.when.end(),
                     [&](const Condition& condition) { return Holds(condition, pattern); }))
      continue;
    std::vector<std::string> reasons;
    for (const Condition& condition : candidate.when) {
      reasons.push_back(condition.field + " " + Shown(FactOf(pattern, condition.field)) + " (" + condition.op + " " +
                        condition.value.Dump() + ")");
    }
    made.classes.push_back(
        {candidate.path, candidate.score, reasons.empty() ? "every pattern of this kind" : Join(reasons, ", ")});
  }
  std::sort(made.classes.begin(), made.classes.end(), [](const PatternClass& a, const PatternClass& b) {
    return a.score != b.score ? a.score > b.score : a.path < b.path;
  });
  if (made.classes.empty())
    made.classes.push_back(
        {std::string(PatternKindName(pattern.kind)) + "/other", 0, "no class of the taxonomy matched"});
  return made;
}

}  // namespace grym
