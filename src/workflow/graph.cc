#include "workflow/graph.h"

#include <algorithm>
#include <deque>

namespace grym {
namespace {

// Strongly connected components, with a stack of our own: a chain of 1,000 steps must not use 1,000 frames.
class ComponentFinder {
 public:
  explicit ComponentFinder(const std::function<const std::vector<std::string>&(const std::string&)>& next)
      : next_(next) {}

  void Visit(const std::string& root, std::vector<std::set<std::string>>& components) {
    if (index_.count(root)) return;
    Open(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const std::vector<std::string>& targets = next_(frame.step);
      if (frame.edge < targets.size()) {
        const std::string& target = targets[frame.edge++];
        if (!index_.count(target)) {
          Open(target);
        } else if (on_stack_.count(target)) {
          low_[frame.step] = std::min(low_[frame.step], index_[target]);
        }
        continue;
      }
      Close(components);
    }
  }

 private:
  struct Frame {
    std::string step;
    size_t edge = 0;
  };
  void Open(const std::string& step) {
    const size_t order = index_.size();
    index_[step] = low_[step] = order;
    stack_.push_back(step);
    on_stack_.insert(step);
    frames_.push_back({step});
  }
  void Close(std::vector<std::set<std::string>>& components) {
    const std::string step = frames_.back().step;
    frames_.pop_back();
    if (!frames_.empty()) low_[frames_.back().step] = std::min(low_[frames_.back().step], low_[step]);
    if (low_[step] != index_[step]) return;
    std::set<std::string> component;
    while (true) {
      const std::string member = stack_.back();
      stack_.pop_back();
      on_stack_.erase(member);
      component.insert(member);
      if (member == step) break;
    }
    components.push_back(std::move(component));
  }

  const std::function<const std::vector<std::string>&(const std::string&)>& next_;
  std::map<std::string, size_t> index_, low_;
  std::vector<std::string> stack_;
  std::set<std::string> on_stack_;
  std::vector<Frame> frames_;
};

}  // namespace

StepGraph::StepGraph(const Workflow::Document& document) : document_(document) {
  for (const auto& [id, step] : document.steps) {
    std::vector<std::string>& targets = next_[id];
    const auto add = [&, &targets = targets](const std::string& target) {
      if (!target.empty() && std::find(targets.begin(), targets.end(), target) == targets.end())
        targets.push_back(target);
    };
    for (const StepBranch& branch : step.branches) add(branch.target);
    add(step.default_next);
    add(step.on_error);
    add(step.loop_on_limit);
  }
  FindReached();
  FindCycles();
}

void StepGraph::FindReached() {
  std::set<std::string> seen = {document_.initial_step};
  reached_ = {document_.initial_step};
  for (size_t i = 0; i < reached_.size(); ++i) {
    for (const std::string& target : next_.at(reached_[i])) {
      if (seen.insert(target).second) reached_.push_back(target);
    }
  }
}

void StepGraph::FindCycles() {
  const std::function<const std::vector<std::string>&(const std::string&)> next =
      [this](const std::string& step) -> const std::vector<std::string>& { return next_.at(step); };
  ComponentFinder finder(next);
  std::vector<std::set<std::string>> components;
  for (const std::string& step : reached_) finder.Visit(step, components);
  for (const auto& [step, targets] : next_) finder.Visit(step, components);
  for (std::set<std::string>& component : components) {
    const std::string& first = *component.begin();
    const std::vector<std::string>& targets = next_.at(first);
    if (component.size() > 1 || std::find(targets.begin(), targets.end(), first) != targets.end())
      cycles_.push_back(std::move(component));
  }
}

bool StepGraph::is_reached(const std::string& step) const {
  return std::find(reached_.begin(), reached_.end(), step) != reached_.end();
}

bool StepGraph::Leads(const std::string& from, const std::string& to) const {
  std::set<std::string> seen;
  std::deque<std::string> open = {from};
  while (!open.empty()) {
    const std::string step = std::move(open.front());
    open.pop_front();
    for (const std::string& target : next_.at(step)) {
      if (target == to) return true;
      if (seen.insert(target).second) open.push_back(target);
    }
  }
  return false;
}

bool StepGraph::ReachesWithout(const std::set<std::string>& without, const std::string& to) const {
  if (document_.initial_step == to) return true;
  std::set<std::string> seen = {document_.initial_step};
  std::deque<std::string> open = {document_.initial_step};
  while (!open.empty()) {
    const std::string step = std::move(open.front());
    open.pop_front();
    if (without.count(step)) continue;
    for (const std::string& target : next_.at(step)) {
      if (target == to) return true;
      if (seen.insert(target).second) open.push_back(target);
    }
  }
  return false;
}

bool StepGraph::in_cycle(const std::string& step) const {
  return std::any_of(cycles_.begin(), cycles_.end(),
                     [&](const std::set<std::string>& cycle) { return cycle.count(step) > 0; });
}

int StepGraph::StepsToEnd(const std::string& step) const {
  std::map<std::string, int> distance = {{step, 0}};
  std::deque<std::string> open = {step};
  while (!open.empty()) {
    const std::string at = std::move(open.front());
    open.pop_front();
    const int so_far = distance.at(at);
    if (document_.steps.at(at).ends()) return so_far;
    for (const std::string& target : next_.at(at)) {
      if (distance.emplace(target, so_far + 1).second) open.push_back(target);
    }
  }
  return -1;
}

}  // namespace grym
