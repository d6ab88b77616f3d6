// The engine's life.
#include "grymsynth/engine.h"

#include "call.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

grym_engine_options EngineDefaults() {
  const grym::EngineOptions from;
  grym_engine_options to{};
  to.struct_size = sizeof to;
  to.cores = from.cores;
  to.budget_bytes = from.budget_bytes;
  to.exact_search_limit = from.memory.exact_search_limit;
  to.full_check = from.memory.full_check;
  return to;
}

}  // namespace

grym_status grym_engine_options_init(grym_engine_options* options, uint32_t size) {
  return InitOptions(options, size, EngineDefaults());
}

grym_status grym_engine_create(const grym_engine_options* options, grym_engine** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(const grym_engine_options from, ReadOptions(options, EngineDefaults(), "options"));
    grym::EngineOptions to;
    to.cores = from.cores;
    to.budget_bytes = from.budget_bytes;
    if (from.data_dir) to.data_dir = PathFromUtf8(from.data_dir);
    to.memory.exact_search_limit = from.exact_search_limit;
    to.memory.full_check = from.full_check != 0;
    if (from.taxonomy_path) to.recognizer.taxonomy = PathFromUtf8(from.taxonomy_path);
    GRYM_C_ASSIGN_OR_RETURN(std::shared_ptr<grym::Engine> engine, grym::Engine::Create(to));
    *out = NewHandle<grym_engine>(std::move(engine));
    return absl::OkStatus();
  });
}

grym_status grym_engine_close(grym_engine* engine) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    return found->Close();
  });
}

grym_status grym_engine_destroy(grym_engine* engine) { return Destroy(engine, "engine"); }
