// Pattern memory: open, store, query, outcomes.
#include "call.h"
#include "json_text.h"

namespace grym::capi {

// A memory of its own, or an engine's, which it does not keep open.
struct MemoryBox {
  std::weak_ptr<Engine> engine;  // of an engine's memory
  std::shared_ptr<PatternMemory> own;
  // For one call, which an engine that is destroyed meanwhile lets end.
  absl::StatusOr<std::shared_ptr<PatternMemory>> Open() const {
    if (own) return own;
    if (const std::shared_ptr<Engine> kept = engine.lock())
      return std::shared_ptr<PatternMemory>(kept, &kept->memory());
    return absl::FailedPreconditionError("memory: it was an engine's own, and closed when the engine was destroyed");
  }
};

namespace {

absl::StatusOr<std::shared_ptr<PatternMemory>> FindMemory(const grym_memory* memory) {
  GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(memory, "memory"));
  return found->Open();
}

}  // namespace
}  // namespace grym::capi

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

grym_status grym_memory_open(const char* path_utf8, int32_t full_check, grym_memory** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    grym::PatternMemoryOptions options;
    options.full_check = full_check != 0;
    auto box = std::make_shared<MemoryBox>();
    GRYM_C_ASSIGN_OR_RETURN(box->own, grym::PatternMemory::Open(PathFromUtf8(path_utf8), options));
    *out = NewHandle<grym_memory>(std::move(box));
    return absl::OkStatus();
  });
}

grym_status grym_engine_memory(grym_engine* engine, grym_memory** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    auto box = std::make_shared<MemoryBox>();
    GRYM_C_ASSIGN_OR_RETURN(box->engine, Find(engine, "engine"));
    *out = NewHandle<grym_memory>(std::move(box));
    return absl::OkStatus();
  });
}

grym_status grym_memory_store(grym_memory* memory, const grym_patterns* patterns, int64_t* ids, size_t ids_capacity) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    GRYM_C_ASSIGN_OR_RETURN(auto what, Find(patterns, "patterns"));
    if (ids && ids_capacity < what->patterns.size()) {
      return Bad("ids_capacity: want " + std::to_string(what->patterns.size()) + " at least, got " +
                 std::to_string(ids_capacity));
    }
    GRYM_C_ASSIGN_OR_RETURN(const std::vector<int64_t> stored, found->Store(what->patterns));
    if (ids && !stored.empty()) std::memcpy(ids, stored.data(), stored.size() * sizeof(int64_t));
    return absl::OkStatus();
  });
}

grym_status grym_memory_get(grym_memory* memory, int64_t id, grym_patterns** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioPattern pattern, found->Get(id));
    grym::AudioPatterns one;
    one.patterns.push_back(std::move(pattern));
    *out = NewHandleOf<grym_patterns>(std::move(one));
    return absl::OkStatus();
  });
}

grym_status grym_memory_remove(grym_memory* memory, int64_t id) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    return found->Remove(id);
  });
}

grym_status grym_memory_query(grym_memory* memory, const float* embedding, int32_t limit, int32_t kind,
                              double min_similarity, grym_matches** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    GRYM_C_RETURN_IF_ERROR(CheckSet(embedding, "embedding"));
    if (kind < GRYM_PATTERN_KIND_ANY || kind > GRYM_PATTERN_KIND_STRUCTURAL) {
      return Bad("kind: want a GRYM_PATTERN_KIND_ value from -1 to 4, got " + std::to_string(kind));
    }
    grym::PatternQuery query;
    std::memcpy(query.embedding.data(), embedding, sizeof query.embedding);
    query.limit = limit;
    if (kind != GRYM_PATTERN_KIND_ANY) query.kind = static_cast<grym::PatternKind>(kind);
    query.min_similarity = min_similarity;
    GRYM_C_ASSIGN_OR_RETURN(std::vector<grym::PatternMatch> matches, found->Query(query));
    *out = NewHandleOf<grym_matches>(Unrelated(std::move(matches)));
    return absl::OkStatus();
  });
}

grym_status grym_memory_load_index(grym_memory* memory, grym_progress_fn progress, void* user_data) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    grym::RunOptions run;
    TellProgress(progress, user_data, run);
    GRYM_C_RETURN_IF_ERROR(found->LoadIndex(run));
    return run.cancel.Check();
  });
}

grym_status grym_memory_record_outcome(grym_memory* memory, int64_t id, double score, const char* note) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    return found->RecordOutcome(id, score, TextOr(note));
  });
}

grym_status grym_memory_stats_json(grym_memory* memory, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    GRYM_C_ASSIGN_OR_RETURN(const grym::PatternMemoryStats stats, found->Stats());
    JsonText json;
    json.Begin('{').Key("patterns").Integer(stats.patterns).Key("outcomes").Integer(stats.outcomes);
    json.Key("file_bytes").Integer(stats.file_bytes).Key("schema_version").Integer(stats.schema_version);
    json.Key("index_loaded").Bool(stats.index_loaded).Key("index_approximate").Bool(stats.index_approximate);
    return TextInto(json.End('}').Take(), out);
  });
}

grym_status grym_memory_check(grym_memory* memory) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, FindMemory(memory));
    return found->CheckIntegrity();
  });
}

grym_status grym_memory_close(grym_memory* memory) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(memory, "memory"));
    if (box->own) return box->own->Close();
    return absl::FailedPreconditionError("memory: this one is an engine's own; it closes with the engine");
  });
}

grym_status grym_memory_destroy(grym_memory* memory) { return Destroy(memory, "memory"); }

size_t grym_matches_count(const grym_matches* matches) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(matches, "matches"));
    return found->size();
  });
}

grym_status grym_matches_get(const grym_matches* matches, size_t index, int64_t* id, int32_t* kind, double* similarity,
                             double* mean_score, const char** description) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(matches, "matches"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->size(), "index"));
    const grym::PatternMatch& match = (*found)[index].match;
    if (id) *id = match.pattern.id;
    if (kind) *kind = static_cast<int32_t>(match.pattern.kind);
    if (similarity) *similarity = match.similarity;
    if (mean_score) *mean_score = match.mean_score;
    if (description) *description = match.pattern.description.c_str();
    return absl::OkStatus();
  });
}

const char* grym_matches_relation(const grym_matches* matches, size_t index) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(matches, "matches"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->size(), "index"));
    return (*found)[index].relation.c_str();
  });
}

grym_status grym_matches_patterns(const grym_matches* matches, grym_patterns** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(matches, "matches"));
    grym::AudioPatterns patterns;
    for (const grym::RelatedPattern& related : *found) patterns.patterns.push_back(related.match.pattern);
    *out = NewHandleOf<grym_patterns>(std::move(patterns));
    return absl::OkStatus();
  });
}

grym_status grym_matches_destroy(grym_matches* matches) { return Destroy(matches, "matches"); }
