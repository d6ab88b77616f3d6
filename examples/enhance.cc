// enhance INPUT [-o DIR] [--workflow FILE] [--seed N] [--level X] [--target-lufs -14] [--data DIR] [--resume ID]
//         [--model DIR [--dtype D] [--prompt WORDS]]
// Hears a recording, makes an enhanced take, judges it, tries again while it can do better, exports the best take.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "arguments.h"
#include "grymsynth/engine.h"
#include "native_models.h"

namespace {

constexpr char kUsage[] =
    "enhance INPUT [-o DIR] [--workflow FILE] [--seed N] [--level X] [--target-lufs LUFS] [--data DIR] [--resume ID]\n"
    "        [--model DIR [--dtype D] [--prompt WORDS]]\n"
    "  -o DIR             where the results go (default: beside the input)\n"
    "  --workflow FILE    a workflow of yours instead of the built-in audio-enhancement\n"
    "  --seed N           same input and seed, same bytes (default 0)\n"
    "  --level X          how much is done, 0 to 1 (default 0.5); the parameter enhancementLevel of a workflow\n"
    "  --target-lufs L    loudness of the result (default -14); the parameter targetLufs of a workflow\n"
    "  --data DIR         keep pattern memory and journal there, so that runs learn and can be resumed\n"
    "  --model DIR        takes by a model from its checkpoint folder (AudioLDM), which starts from the recording; needs\n"
    "                     LibTorch\n"
    "  --prompt WORDS     what the takes should sound like\n"
    "  --resume ID        go on with an interrupted run of that folder, given the same input and options\n";

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "\n%s: %s\n", grym::ErrorCode(status).c_str(), std::string(status.message()).c_str());
  return 1;
}

void PrintRow(const char* name, double before, double after, const char* unit) {
  const auto text = [unit](double value) {
    char line[64];
    if (!std::isfinite(value)) return std::string("-");
    std::snprintf(line, sizeof line, "%.1f %s", value, unit);
    return std::string(line);
  };
  std::printf("  %-18s %14s %14s\n", name, text(before).c_str(), text(after).c_str());
}

void PrintSummary(const grym::RunSummary& summary) {
  std::printf("\n  %-18s %14s %14s\n", "", "before", "after");
  PrintRow("loudness", summary.before.loudness.integrated_lufs, summary.after.loudness.integrated_lufs, "LUFS");
  PrintRow("true peak", summary.before.loudness.true_peak_dbtp, summary.after.loudness.true_peak_dbtp, "dBTP");
  PrintRow("tempo", summary.before.tempo_bpm, summary.after.tempo_bpm, "bpm");
  std::printf("  %-18s %14s %14s\n\n", "key", summary.before.key.value_or("unsure").c_str(),
              summary.after.key.value_or("unsure").c_str());
  for (const grym::EnhanceStage& stage : summary.stages) {
    std::printf("  %-18s %s\n", stage.name.c_str(), stage.text.c_str());
  }
  if (!summary.stages.empty()) std::printf("\n");
  for (const grym::TakeSummary& take : summary.takes) {
    std::printf("  %s %d: level %.2f, seed %lld, quality %.3f%s\n", take.step.c_str(), take.visit,
                take.enhancement_level, static_cast<long long>(take.seed), take.quality_score,
                take.exported ? "  <- exported" : "");
  }
  std::printf("\n");
  for (const std::string& warning : summary.warnings) std::printf("  note: %s\n", warning.c_str());
  for (const std::filesystem::path& file : summary.files) std::printf("  %s\n", file.string().c_str());
}

struct Order {
  std::filesystem::path input, output, data;
  std::string workflow, resume, model, dtype, prompt;
  int64_t seed = 0;
  std::optional<double> level, target_lufs;
};

Order ReadOrder(Arguments& arguments) {
  Order order;
  order.level = arguments.Number("--level");
  order.target_lufs = arguments.Number("--target-lufs");
  order.seed = arguments.Integer<int64_t>("--seed", 0).value_or(0);
  order.workflow = arguments.Text("--workflow");
  order.data = arguments.Text("--data");
  order.resume = arguments.Text("--resume");
  order.model = arguments.Text("--model");
  order.dtype = arguments.Text("--dtype");
  order.prompt = arguments.Text("--prompt");
  if (!arguments.error.empty()) return order;
  if (arguments.positional.size() != 1) arguments.error = "want one input file";
  else if (!order.resume.empty() && order.data.empty())
    arguments.error = "--resume: want --data too, the folder of that run";
  if (!arguments.error.empty()) return order;
  order.input = arguments.positional[0];
  order.output = arguments.Text("-o", order.input.has_parent_path() ? order.input.parent_path().string() : ".");
  return order;
}

// The run to go on with, or a name for a new one that can be told before it starts.
absl::StatusOr<std::string> ExecutionId(grym::Engine& engine, const Order& order) {
  if (order.data.empty()) return std::string();
  auto runs = engine.Executions();
  if (!runs.ok()) return runs.status();
  const auto known = [&](const std::string& id) {
    return std::any_of(runs->begin(), runs->end(), [&](const auto& run) { return run.execution_id == id; });
  };
  if (!order.resume.empty()) {
    if (known(order.resume)) return order.resume;
    std::string names;
    for (const auto& run : *runs) names += (names.empty() ? "" : ", ") + run.execution_id + " (" + run.state + ")";
    return absl::NotFoundError("--resume: no run \"" + order.resume + "\" in " + order.data.string() + ", which has " +
                               (names.empty() ? "none" : names));
  }
  size_t number = runs->size() + 1;
  while (known("enhance-" + std::to_string(number))) ++number;
  const std::string id = "enhance-" + std::to_string(number);
  std::fprintf(stderr, "run %s; if it is interrupted, give the same command with --resume %s\n", id.c_str(),
               id.c_str());
  return id;
}

// A workflow of one's own takes the options that were given, under the names that it declares.
absl::StatusOr<grym::WorkflowRun> Run(grym::Engine& engine, const Order& order, grym::WorkflowRunOptions options) {
  const bool own = !order.workflow.empty();
  auto workflow = own ? grym::Workflow::FromFile(order.workflow) : grym::Workflow::Template("audio-enhancement");
  if (!workflow.ok()) return workflow.status();
  options.parameters["audioFile"] = grym::JsonText(std::filesystem::absolute(order.input).string());
  const double level = order.level.value_or(0.5);
  if (order.level || !own) {
    options.parameters["enhancementLevel"] = NumberText(level);
    options.parameters["regenerationLevel"] = NumberText(std::fmin(1.0, level + 0.2));
  }
  if (order.target_lufs || !own) options.parameters["targetLufs"] = NumberText(order.target_lufs.value_or(-14));
  if (!order.prompt.empty()) options.parameters["prompt"] = grym::JsonText(order.prompt);
  if (!order.model.empty()) {
    auto id = OpenModelFolder(engine, order.model, order.dtype);
    if (!id.ok()) return id.status();
    options.parameters["model"] = grym::JsonText(*id);
    options.parameters["allowUnsupported"] = "true";  // stems, patterns: the composer's
  }
  auto run = engine.RunWorkflow(*workflow, options);
  const auto unknown = [&](const std::string& parameter) {
    for (const grym::Problem& problem : grym::ErrorProblems(run.status())) {
      if (problem.code == "unknown_parameter" && problem.pointer == "/" + parameter) return true;
    }
    return false;
  };
  if (unknown("regenerationLevel")) {  // not every workflow has a level for further takes
    options.parameters.erase("regenerationLevel");
    run = engine.RunWorkflow(*workflow, options);
  }
  for (const auto& [option, parameter] : {std::pair{"--level", "enhancementLevel"}, {"--target-lufs", "targetLufs"}, {"--model", "model"},
                                         {"--prompt", "prompt"}}) {
    if (!unknown(parameter)) continue;
    return absl::InvalidArgumentError(std::string(option) + ": " + order.workflow + " declares no parameter " +
                                      parameter);
  }
  return run;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments(count, values, {"-o", "--workflow", "--seed", "--level", "--target-lufs", "--data", "--resume", "--model",
                                      "--dtype", "--prompt"});
  const Order order = ReadOrder(arguments);
  if (!arguments.error.empty()) {
    std::fprintf(stderr, "%s\n\n%s", arguments.error.c_str(), kUsage);
    return 2;
  }
  grym::EngineOptions engine_options;
  engine_options.data_dir = order.data;
  auto engine = grym::Engine::Create(engine_options);
  if (!engine.ok()) return Fail(engine.status());
  auto id = ExecutionId(**engine, order);
  if (!id.ok()) return Fail(id.status());

  grym::WorkflowRunOptions options;
  options.execution_id = *id;
  options.output_dir = order.output;
  options.output_name = order.input.stem().string();
  options.seed = order.seed;
  options.run.progress = [](const grym::Progress& progress) {
    ShowProgress(progress.fraction, progress.eta_s, progress.stage);
  };
  auto run = Run(**engine, order, options);
  if (!run.ok()) return Fail(run.status());
  if (!run->error.ok()) return Fail(run->error);
  ShowProgress(1, 0, "report");
  const std::filesystem::path report = order.output / "report.html";
  if (const absl::Status status = (*engine)->WriteReport(*run, report); !status.ok()) return Fail(status);
  auto summary = (*engine)->Summarize(*run);
  if (!summary.ok()) return Fail(summary.status());
  std::fprintf(stderr, "\n");
  summary->files.push_back(report);
  PrintSummary(*summary);
  return 0;
}
