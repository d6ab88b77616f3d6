// Models from checkpoint folders: opened, planned, used to embed.
#include "call.h"
#include "grymsynth/engine.h"
#include "json_text.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

grym_open_model_options OpenModelDefaults() {
  grym_open_model_options to{};
  to.struct_size = sizeof to;
  to.most_wait_s = grym::OpenModelOptions().most_wait_s;
  return to;
}

absl::StatusOr<grym::OpenModelOptions> OpenModelOptionsFromC(const grym_open_model_options* options) {
  GRYM_C_ASSIGN_OR_RETURN(const grym_open_model_options from, ReadOptions(options, OpenModelDefaults(), "options"));
  grym::OpenModelOptions to;
  to.id = TextOr(from.id);
  to.device = TextOr(from.device, to.device.c_str());
  to.dtype = TextOr(from.dtype, to.dtype.c_str());
  to.budget_bytes = from.budget_bytes;
  to.may_lower_precision = from.may_lower_precision != 0;
  to.most_wait_s = from.most_wait_s;
  if (from.component_dtypes_json) {
    GRYM_C_ASSIGN_OR_RETURN(const auto members, JsonMembers(from.component_dtypes_json, "component_dtypes_json"));
    for (const auto& [name, value] : members) {
      GRYM_C_ASSIGN_OR_RETURN(to.component_dtypes[name], JsonString(value, "component_dtypes_json/" + name));
    }
  }
  return to;
}

absl::StatusOr<std::vector<float>> EmbedOneOf(grym::Embedder& embedder, const grym_audio* audio, const char* path,
                                              const char* text, const grym::RunOptions& run) {
  if (text) {
    if (audio || path) return Bad("text_utf8: want one of audio, path_utf8 and text_utf8, got more");
    return embedder.EmbedText(text, run);
  }
  GRYM_C_ASSIGN_OR_RETURN(const auto recording, RecordingFrom(audio, path));
  return embedder.Embed(*recording, run);
}

}  // namespace

grym_status grym_open_model_options_init(grym_open_model_options* options, uint32_t size) {
  return InitOptions(options, size, OpenModelDefaults());
}

grym_status grym_engine_open_model(grym_engine* engine, const char* folder_utf8,
                                   const grym_open_model_options* options, grym_text** id) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(id));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(folder_utf8, "folder_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::OpenModelOptions to, OpenModelOptionsFromC(options));
    GRYM_C_ASSIGN_OR_RETURN(std::string opened, found->OpenModel(PathFromUtf8(folder_utf8), to));
    return TextInto(std::move(opened), id);
  });
}

grym_status grym_engine_close_model(grym_engine* engine, const char* id) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(id, "id"));
    return found->CloseModel(id);
  });
}

grym_status grym_engine_save_model_copy(grym_engine* engine, const char* model, const char* folder_utf8,
                                        grym_progress_fn progress, void* user_data) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(folder_utf8, "folder_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(const auto opened, found->orchestrator().Find(model));
    grym::RunOptions run;
    TellProgress(progress, user_data, run);
    return opened->SaveCopy(PathFromUtf8(folder_utf8), run);
  });
}

grym_status grym_engine_plan_json(grym_engine* engine, const grym_generate_options* options, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::GenerateAudioRequest request, RequestFromC(options));
    GRYM_C_ASSIGN_OR_RETURN(const auto model, found->orchestrator().Find(request.model));
    GRYM_C_RETURN_IF_ERROR(grym::ValidateRequest(request));
    std::vector<std::string> warnings;
    GRYM_C_RETURN_IF_ERROR(grym::CheckRequestForModel(model->info(), request, &warnings));
    GRYM_C_ASSIGN_OR_RETURN(std::string plan, model->Plan(request));
    return TextInto(std::move(plan), out);
  });
}

grym_status grym_engine_embed(grym_engine* engine, const char* model, const grym_audio* audio, const char* path_utf8,
                              const char* text_utf8, float* values, size_t capacity, size_t* dims) {
  return grym_engine_embed_with_progress(engine, model, audio, path_utf8, text_utf8, nullptr, nullptr, values, capacity,
                                         dims);
}

grym_status grym_engine_embed_with_progress(grym_engine* engine, const char* model, const grym_audio* audio,
                                            const char* path_utf8, const char* text_utf8, grym_progress_fn progress,
                                            void* user_data, float* values, size_t capacity, size_t* dims) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(CheckSet(dims, "dims"));
    *dims = 0;
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    if (audio) GRYM_C_RETURN_IF_ERROR(Find(audio, "audio").status());
    GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
    GRYM_C_ASSIGN_OR_RETURN(const auto opened, found->orchestrator().Find(model));
    GRYM_C_ASSIGN_OR_RETURN(const auto embedder, opened->NewEmbedder());
    const auto want = static_cast<size_t>(embedder->dims());
    *dims = want;
    if (!values && capacity == 0) return absl::OkStatus();
    GRYM_C_RETURN_IF_ERROR(CheckSet(values, "values"));
    if (capacity < want) {
      return Bad("capacity: want " + std::to_string(want) + " numbers or more, got " + std::to_string(capacity));
    }
    grym::RunOptions run;
    TellProgress(progress, user_data, run);
    GRYM_C_ASSIGN_OR_RETURN(const std::vector<float> made, EmbedOneOf(*embedder, audio, path_utf8, text_utf8, run));
    GRYM_C_RETURN_IF_ERROR(run.cancel.Check());
    std::copy(made.begin(), made.end(), values);
    SetLastWarnings(embedder->warnings());
    return absl::OkStatus();
  });
}

grym_status grym_engine_transcribe(grym_engine* engine, const char* model, const grym_audio* audio,
                                   const char* path_utf8, grym_text** out) {
  return grym_engine_transcribe_with_progress(engine, model, audio, path_utf8, nullptr, nullptr, out);
}

grym_status grym_engine_transcribe_with_progress(grym_engine* engine, const char* model, const grym_audio* audio,
                                                 const char* path_utf8, grym_progress_fn progress, void* user_data,
                                                 grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    if (audio) GRYM_C_RETURN_IF_ERROR(Find(audio, "audio").status());
    GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
    GRYM_C_ASSIGN_OR_RETURN(const auto opened, found->orchestrator().Find(model));
    GRYM_C_ASSIGN_OR_RETURN(const auto embedder, opened->NewEmbedder());
    GRYM_C_ASSIGN_OR_RETURN(const auto recording, RecordingFrom(audio, path_utf8));
    return RunInto(progress, user_data, out,
                   [&](const grym::RunOptions& run) { return embedder->Transcribe(*recording, run); });
  });
}

grym_status grym_engine_add_model_opener(grym_engine* engine, const void* opener, const char* build) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(opener, "opener"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(build, "build"));
    if (std::strcmp(build, GRYM_C_BUILD) != 0) {
      return grym::capi::Bad("build: want \"" GRYM_C_BUILD "\", got " + grym::capi::Shown(build));
    }
    found->AddModelOpener(*static_cast<const grym::ModelOpener*>(opener));
    return absl::OkStatus();
  });
}

const char* grym_build(void) { return GRYM_C_BUILD; }
