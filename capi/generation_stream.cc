// Making block after block.
#include "grymsynth/generation_stream.h"

#include <atomic>

#include "call.h"
#include "grymsynth/engine.h"

namespace grym::capi {

// The engine stays while a stream of its own does.
struct GenerationBox {
  std::shared_ptr<Engine> engine;
  std::unique_ptr<GenerationStream> stream;
  std::atomic<bool> at_work{false};
};

namespace {

// `work(GenerationStream&)` returns absl::Status.
template <class Work>
grym_status WithGeneration(grym_generation* generation, Work work) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(generation, "generation"));
    const Turn turn(found->at_work);
    GRYM_C_RETURN_IF_ERROR(turn.Check("generation: another call is at work on it"));
    return work(*found->stream);
  });
}

absl::Status GenerationInto(std::shared_ptr<Engine> engine, std::unique_ptr<GenerationStream> stream,
                            grym_generation** out) {
  auto box = std::make_shared<GenerationBox>();
  box->engine = std::move(engine);
  box->stream = std::move(stream);
  *out = NewHandle<grym_generation>(std::move(box));
  return absl::OkStatus();
}

}  // namespace
}  // namespace grym::capi

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

grym_status grym_engine_open_generation(grym_engine* engine, const char* request_json, const grym_audio* reference,
                                        grym_generation** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    if (reference) GRYM_C_RETURN_IF_ERROR(Find(reference, "reference").status());
    GRYM_C_ASSIGN_OR_RETURN(const grym::GenerateAudioRequest request, RequestFromCJson(request_json, reference));
    GRYM_C_ASSIGN_OR_RETURN(auto stream, found->Stream(request));
    return GenerationInto(std::move(found), std::move(stream), out);
  });
}

grym_status grym_engine_resume_generation(grym_engine* engine, const char* model, const char* path_utf8,
                                          grym_generation** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(auto stream, found->ResumeStream(model, PathFromUtf8(path_utf8)));
    return GenerationInto(std::move(found), std::move(stream), out);
  });
}

grym_status grym_generation_next(grym_generation* generation, grym_progress_fn progress, void* user_data,
                                 grym_audio** out) {
  if (const grym_status cleared = Guard([&] { return ClearOut(out); }); cleared != GRYM_STATUS_OK) return cleared;
  return WithGeneration(generation, [&](grym::GenerationStream& stream) -> absl::Status {
    grym::RunOptions run;
    TellProgress(progress, user_data, run);
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioBuffer block, stream.Next(run));
    if (!block.empty()) *out = NewHandleOf<grym_audio>(std::move(block));
    return absl::OkStatus();
  });
}

grym_status grym_generation_save(grym_generation* generation, const char* path_utf8) {
  return WithGeneration(generation, [&](grym::GenerationStream& stream) -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    return stream.Save(PathFromUtf8(path_utf8));
  });
}

grym_status grym_generation_finish(grym_generation* generation, grym_result** out) {
  if (const grym_status cleared = Guard([&] { return ClearOut(out); }); cleared != GRYM_STATUS_OK) return cleared;
  return WithGeneration(generation, [&](grym::GenerationStream& stream) -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(grym::GenerateAudioResult result, stream.Finish());
    *out = NewHandleOf<grym_result>(std::move(result));
    return absl::OkStatus();
  });
}

grym_status grym_generation_destroy(grym_generation* generation) { return Destroy(generation, "generation"); }
