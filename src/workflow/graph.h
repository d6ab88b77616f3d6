// The steps of a document as a graph: which can follow which, and which lie on a cycle.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "workflow/document.h"

namespace grym {

class StepGraph {
 public:
  // `document` must outlive the graph. Its targets exist.
  explicit StepGraph(const Workflow::Document& document);

  // Every step that can follow, each once: branches, default, onError, then where the loop's limit leads.
  const std::vector<std::string>& next(const std::string& step) const { return next_.at(step); }
  // The initial step, then by first reach.
  const std::vector<std::string>& reached() const { return reached_; }
  bool is_reached(const std::string& step) const;
  // Whether a path of at least one edge leads from one step to the other.
  bool Leads(const std::string& from, const std::string& to) const;
  // Whether `to` can be entered from the start without a visit to any of `without` before.
  bool ReachesWithout(const std::set<std::string>& without, const std::string& to) const;
  // Sets of steps that can each reach all others of the set (Tarjan 1972), with at least one edge inside.
  const std::vector<std::set<std::string>>& cycles() const { return cycles_; }
  bool in_cycle(const std::string& step) const;
  // Fewest steps from here to an end, 0 for an end; -1 when none is reached.
  int StepsToEnd(const std::string& step) const;

 private:
  void FindReached();
  void FindCycles();
  const Workflow::Document& document_;
  std::map<std::string, std::vector<std::string>> next_;
  std::vector<std::string> reached_;
  std::vector<std::set<std::string>> cycles_;
};

}  // namespace grym
