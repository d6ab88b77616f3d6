// The pattern memory with memory that runs out.
#include <filesystem>

#include "no_memory/walks.h"

namespace grym::testing {

void AddMemoryWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_memory* opened = nullptr;
  static grym_patterns* patterns = nullptr;
  static grym_matches* matches = nullptr;
  static grym_text* text = nullptr;
  static std::vector<int64_t> ids;
  ids.assign(grym_patterns_count(bench.patterns), 0);
  const auto state = [&bench] { return bench.StoreState(); };
  const std::string other = bench.folder / "store-other.db";
  const auto close = [] {
    const grym_status closed = grym_memory_close(opened);
    grym_memory_destroy(opened);
    opened = nullptr;
    return std::string(grym_status_name(closed));
  };
  walks.push_back({"memory_open", [&] { return grym_memory_open(bench.store.c_str(), 1, &opened); }, close, state});
  walks.push_back({"memory_open a new one", [other] { return grym_memory_open(other.c_str(), 0, &opened); },
                   [close, other] {
                     std::string closed = close();
                     std::error_code error;
                     std::filesystem::remove(other, error);
                     return closed;
                   }});
  walks.push_back({"memory_store",
                   [&] { return grym_memory_store(bench.memory, bench.patterns, ids.data(), ids.size()); },
                   [&] {
                     for (const int64_t id : ids) Bench::Want(grym_memory_remove(bench.memory, id));
                     return std::to_string(ids.size());
                   },
                   state});
  walks.push_back({"memory_query",
                   [&] {
                     return grym_memory_query(bench.memory, grym_patterns_embedding(bench.patterns, 0), 10,
                                              GRYM_PATTERN_KIND_ANY, -1, &matches);
                   },
                   [] {
                     grym_matches_patterns(matches, &patterns);
                     grym_matches_destroy(matches);
                     return Describe(patterns);
                   },
                   state});
  walks.push_back({"memory_open and query",
                   [&] {
                     const grym_status status = grym_memory_open(bench.store.c_str(), 0, &opened);
                     if (status != GRYM_STATUS_OK) return status;
                     return grym_memory_query(opened, grym_patterns_embedding(bench.patterns, 0), 10,
                                              GRYM_PATTERN_KIND_ANY, -1, &matches);
                   },
                   [] {
                     grym_matches_patterns(matches, &patterns);
                     grym_matches_destroy(matches);
                     return Describe(patterns);
                   },
                   [&] {
                     Bench::Want(grym_memory_destroy(opened));
                     opened = nullptr;
                     return bench.StoreState();
                   }});
  walks.push_back({"memory_get", [&] { return grym_memory_get(bench.memory, 1, &patterns); },
                   [] { return Describe(patterns); }, state});
  walks.push_back({"memory_record_outcome", [&] { return grym_memory_record_outcome(bench.memory, 1, 0.5, "note"); },
                   [] { return std::string(); }});
  walks.push_back({"memory_stats_json", [&] { return grym_memory_stats_json(bench.memory, &text); },
                   [] { return Take(text).substr(0, 12); }, state});
  walks.push_back({"memory_check",
                   [&] { return grym_memory_check(bench.memory); }, [] { return std::string(); }, state});
}

}  // namespace grym::testing
