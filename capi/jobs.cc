// Jobs: calls on a thread of their own.
#include <mutex>

#include "call.h"

namespace grym::capi {
namespace {

// The job that the current thread works for, so that a callback cannot wait for its own job.
const void*& CurrentJob() {
  thread_local const void* job = nullptr;
  return job;
}

}  // namespace

class JobBox {
 public:
  virtual ~JobBox() = default;
  virtual void Cancel() = 0;
  virtual bool done() const = 0;
  virtual Progress progress() const = 0;
  virtual bool WaitFor(double seconds) const = 0;
  // How it ended, in words that live as long as the job; nothing while it runs.
  virtual const ErrorTexts& error() = 0;
  virtual absl::StatusCode code() = 0;
  // Interrupts, and joins the thread.
  virtual void Stop() = 0;
};

namespace {

template <class Handle>
class TypedJob : public JobBox {
 public:
  using Value = std::remove_const_t<ObjectOf<Handle>>;

  // `work(run)` returns absl::StatusOr<Value>; it holds what it needs.
  template <class Work>
  void Start(Work work, grym_progress_fn tell, void* user_data) {
    // The box joins the thread before it goes, so the thread may know it by address.
    job_.emplace(Job<Value>::Start(
        [self = this, work = std::move(work), tell,
         user_data](const RunOptions& given) mutable -> absl::StatusOr<Value> {
          CurrentJob() = self;
          try {
            RunOptions run = given;
            TellProgress(tell, user_data, run);
            absl::StatusOr<Value> value = work(run);
            // A cancelled workflow is a result: its state says so, and it can be resumed.
            constexpr bool kKeepsCancelled = std::is_same_v<Handle, grym_run>;
            if (!kKeepsCancelled && value.ok() && run.cancel.cancelled()) return run.cancel.Check();
            return value;
          } catch (...) {
            return StatusFromException();
          }
        }));
  }
  void Cancel() override { job_->Cancel(); }
  bool done() const override { return job_->done(); }
  Progress progress() const override { return job_->progress(); }
  bool WaitFor(double seconds) const override { return job_->WaitFor(seconds); }
  const ErrorTexts& error() override {
    std::lock_guard<std::mutex> lock(mutex_);
    static const ErrorTexts* const kNone = new ErrorTexts;
    return Settled() ? error_ : *kNone;
  }
  absl::StatusCode code() override {
    std::lock_guard<std::mutex> lock(mutex_);
    return Settled() ? status_.code() : absl::StatusCode::kOk;
  }
  void Stop() override {
    job_->Interrupt();
    WaitFor(-1);
    std::lock_guard<std::mutex> lock(mutex_);
    Settled();
  }
  absl::StatusOr<Value> Take() {
    WaitFor(-1);
    std::lock_guard<std::mutex> lock(mutex_);
    Settled();
    if (!status_.ok()) return status_;
    if (!value_) return absl::FailedPreconditionError("job: its result was taken already");
    absl::StatusOr<Value> value = std::move(*value_);
    value_.reset();
    return value;
  }

 private:
  // Requires the lock. Whether it has ended; takes the result over the first time.
  bool Settled() {
    if (settled_) return true;
    if (!job_->done()) return false;
    absl::StatusOr<Value> result = job_->Take();
    status_ = result.status();
    if (result.ok()) value_.emplace(std::move(*result));
    settled_ = true;
    try {
      error_ = TextsOf(status_);
    } catch (const std::bad_alloc&) {  // short enough for the small-string buffer
      error_.message = "out of memory";
      error_.code = "out_of_memory";
    }
    return true;
  }

  std::mutex mutex_;
  bool settled_ = false;
  absl::Status status_;
  ErrorTexts error_;
  std::optional<Value> value_;
  std::optional<Job<Value>> job_;  // last, so that its thread is joined before the rest goes
};

// The body of every _start function: the checked arguments are in `work` already.
template <class Handle, class Work>
absl::Status StartInto(Work work, grym_progress_fn progress, void* user_data, grym_job** out) {
  auto box = std::make_shared<TypedJob<Handle>>();
  box->Start(std::move(work), progress, user_data);
  *out = NewHandle<grym_job>(std::move(box));
  return absl::OkStatus();
}

absl::Status CheckNotFromInside(const JobBox& box) {
  if (CurrentJob() != &box) return absl::OkStatus();
  return absl::FailedPreconditionError("job: a callback cannot wait for its own job, nor take from or destroy it");
}

// The body of every _take function.
template <class Handle>
grym_status TakeInto(grym_job* job, const char* what, Handle** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    GRYM_C_RETURN_IF_ERROR(CheckNotFromInside(*box));
    auto* typed = dynamic_cast<TypedJob<Handle>*>(box.get());
    if (!typed) return Bad(std::string("job: want one that makes ") + what + ", got one that makes something else");
    GRYM_C_ASSIGN_OR_RETURN(auto value, typed->Take());
    *out = NewHandleOf<Handle>(std::move(value));
    return absl::OkStatus();
  });
}

// A borrowed text of a job.
template <class Get>
const char* OfJob(const grym_job* job, Get get) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    return get(box->error()).c_str();
  });
}

}  // namespace
}  // namespace grym::capi

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

grym_status grym_engine_start_analyze(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                      grym_progress_fn progress, void* user_data, grym_job** out) {
  return grym_engine_start_analyze_parts(engine, audio, path_utf8, nullptr, progress, user_data, out);
}

grym_status grym_engine_start_analyze_parts(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                            const char* parts, grym_progress_fn progress, void* user_data,
                                            grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(KeptInput kept, KeptInput::From(audio, path_utf8));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AnalysisParts wanted, AnalysisPartsFromC(parts));
    return StartInto<grym_features>(
        [found, kept, wanted](const grym::RunOptions& run) {
          return found->processor().AnalyzeParts(kept.input(), wanted, run);
        },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_detect_patterns(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                              grym_progress_fn progress, void* user_data, grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(KeptInput kept, KeptInput::From(audio, path_utf8));
    return StartInto<grym_patterns>(
        [found, kept](const grym::RunOptions& run) { return found->processor().DetectPatterns(kept.input(), run); },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_classify_style(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                             grym_progress_fn progress, void* user_data, grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(KeptInput kept, KeptInput::From(audio, path_utf8));
    return StartInto<grym_style>(
        [found, kept](const grym::RunOptions& run) { return found->processor().ClassifyStyle(kept.input(), run); },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_enhance(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                      const grym_enhance_options* options, grym_progress_fn progress, void* user_data,
                                      grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(KeptInput kept, KeptInput::From(audio, path_utf8));
    GRYM_C_ASSIGN_OR_RETURN(const grym::EnhanceParams params, EnhanceParamsFromC(options));
    return StartInto<grym_enhanced>(
        [found, kept, params](const grym::RunOptions& run) {
          return found->processor().Enhance(kept.input(), params, run);
        },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_process(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                      const grym_process_options* options, grym_progress_fn progress, void* user_data,
                                      grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(KeptInput kept, KeptInput::From(audio, path_utf8));
    GRYM_C_ASSIGN_OR_RETURN(const grym::ProcessOptions how, ProcessOptionsFromC(options));
    return StartInto<grym_processed>(
        [found, kept, how](const grym::RunOptions& run) {
          return ProcessedBox::From(found->processor().Process(kept.input(), how, run));
        },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_generate(grym_engine* engine, const grym_generate_options* options,
                                       grym_progress_fn progress, void* user_data, grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(grym::GenerateAudioRequest request, RequestFromC(options));
    return StartInto<grym_result>(
        [found, request = std::move(request)](const grym::RunOptions& run) { return found->Generate(request, run); },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_generate_json(grym_engine* engine, const char* request_json, const grym_audio* reference,
                                            grym_progress_fn progress, void* user_data, grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(grym::GenerateAudioRequest request, RequestFromCJson(request_json, reference));
    return StartInto<grym_result>(
        [found, request = std::move(request)](const grym::RunOptions& run) { return found->Generate(request, run); },
        progress, user_data, out);
  });
}

grym_status grym_engine_start_workflow(grym_engine* engine, const grym_workflow* workflow,
                                       const grym_workflow_options* options, grym_progress_fn progress,
                                       void* user_data, grym_job** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(auto document, Find(workflow, "workflow"));
    GRYM_C_ASSIGN_OR_RETURN(grym::WorkflowRunOptions how, WorkflowRunOptionsFromC(options));
    return StartInto<grym_run>(
        [found, document, how = std::move(how)](const grym::RunOptions& run) mutable -> absl::StatusOr<RunBox> {
          how.run = run;
          GRYM_C_ASSIGN_OR_RETURN(grym::WorkflowRun finished, found->RunWorkflow(*document, how));
          return RunBox(std::move(finished));
        },
        progress, user_data, out);
  });
}

grym_status grym_job_progress(const grym_job* job, double* fraction, double* eta_s, const char** stage) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    thread_local std::string last_stage;
    grym::Progress now = box->progress();
    last_stage = std::move(now.stage);
    if (fraction) *fraction = now.fraction;
    if (eta_s) *eta_s = now.eta_s;
    if (stage) *stage = last_stage.c_str();
    return absl::OkStatus();
  });
}

int32_t grym_job_done(const grym_job* job) {
  return GuardValue<int32_t>(0, [&]() -> absl::StatusOr<int32_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    return box->done();
  });
}

grym_status grym_job_cancel(grym_job* job) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    box->Cancel();
    return absl::OkStatus();
  });
}

grym_status grym_job_wait(grym_job* job, double timeout_s) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    GRYM_C_RETURN_IF_ERROR(CheckNotFromInside(*box));
    if (timeout_s != timeout_s) return Bad("timeout_s: want seconds, got NAN");
    constexpr double kLongest = 1e8;  // three years; more would overflow the clock
    if (!box->WaitFor(timeout_s > kLongest ? -1 : timeout_s)) {
      return absl::DeadlineExceededError("job: it still runs after " + std::to_string(timeout_s) + " s");
    }
    return absl::OkStatus();
  });
}

grym_status grym_job_error_status(const grym_job* job) {
  return GuardValue<grym_status>(GRYM_STATUS_INVALID_ARGUMENT, [&]() -> absl::StatusOr<grym_status> {
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    return static_cast<grym_status>(box->code());
  });
}
const char* grym_job_error(const grym_job* job) {
  return OfJob(job, [](const ErrorTexts& texts) -> const std::string& { return texts.message; });
}
const char* grym_job_error_code(const grym_job* job) {
  return OfJob(job, [](const ErrorTexts& texts) -> const std::string& { return texts.code; });
}
const char* grym_job_error_problems_json(const grym_job* job) {
  return OfJob(job, [](const ErrorTexts& texts) -> const std::string& { return texts.problems; });
}

grym_status grym_job_take_features(grym_job* job, grym_features** out) { return TakeInto(job, "features", out); }
grym_status grym_job_take_patterns(grym_job* job, grym_patterns** out) { return TakeInto(job, "patterns", out); }
grym_status grym_job_take_style(grym_job* job, grym_style** out) { return TakeInto(job, "a style", out); }
grym_status grym_job_take_enhanced(grym_job* job, grym_enhanced** out) { return TakeInto(job, "enhanced audio", out); }
grym_status grym_job_take_processed(grym_job* job, grym_processed** out) {
  return TakeInto(job, "a processed recording", out);
}
grym_status grym_job_take_result(grym_job* job, grym_result** out) { return TakeInto(job, "a generation", out); }
grym_status grym_job_take_run(grym_job* job, grym_run** out) { return TakeInto(job, "a workflow run", out); }

grym_status grym_job_destroy(grym_job* job) {
  return Guard([&]() -> absl::Status {
    if (!job) return absl::OkStatus();
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(job, "job"));
    GRYM_C_RETURN_IF_ERROR(CheckNotFromInside(*box));
    GRYM_C_RETURN_IF_ERROR(
        TakeSlot(reinterpret_cast<uintptr_t>(job), HandleKind::kJob, "job").status());
    // Joined here and not by whoever lets go last, which might be a callback on the job's own thread.
    box->Stop();
    return absl::OkStatus();
  });
}
