// enhance INPUT [-o DIR] [--workflow FILE] [--seed N] [--level X] [--target-lufs -14]
// Hears a recording, makes an enhanced take, judges it, tries again while it can do better, exports the best take.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>

#include "arguments.h"
#include "grymsynth/engine.h"

namespace {

constexpr char kUsage[] =
    "enhance INPUT [-o DIR] [--workflow FILE] [--seed N] [--level X] [--target-lufs LUFS] [--data DIR] [--resume ID]\n"
    "  -o DIR             where the results go (default: beside the input)\n"
    "  --workflow FILE    a workflow of yours instead of the built-in audio-enhancement\n"
    "  --seed N           same input and seed, same bytes (default 0)\n"
    "  --level X          how much is done, 0 to 1 (default 0.5)\n"
    "  --target-lufs L    loudness of the result (default -14)\n"
    "  --data DIR         keep pattern memory and journal there, so that runs learn and can be resumed\n"
    "  --resume ID        go on with an interrupted run of that folder\n";

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
  PrintRow("noise floor", summary.before.condition.noise_floor_dbfs, summary.after.condition.noise_floor_dbfs, "dBFS");
  PrintRow("tempo", summary.before.tempo_bpm, summary.after.tempo_bpm, "bpm");
  std::printf("  %-18s %14s %14s\n\n", "key", summary.before.key.value_or("unsure").c_str(), summary.after.key.value_or("unsure").c_str());
  for (const grym::TakeSummary& take : summary.takes) {
    std::printf("  %s %d: level %.2f, seed %lld, quality %.3f%s\n", take.step.c_str(), take.visit, take.enhancement_level,
                static_cast<long long>(take.seed), take.quality_score, take.exported ? "  <- exported" : "");
  }
  std::printf("\n");
  for (const std::string& warning : summary.warnings) std::printf("  note: %s\n", warning.c_str());
  for (const std::filesystem::path& file : summary.files) std::printf("  %s\n", file.string().c_str());
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments(count, values, {"-o", "--workflow", "--seed", "--level", "--target-lufs", "--data", "--resume"});
  const double level = arguments.Number("--level").value_or(0.5);
  const double target_lufs = arguments.Number("--target-lufs").value_or(-14);
  const double seed = arguments.Number("--seed").value_or(0);
  if (arguments.error.empty() && arguments.positional.size() != 1) arguments.error = "want one input file";
  if (!arguments.error.empty()) {
    std::fprintf(stderr, "%s\n\n%s", arguments.error.c_str(), kUsage);
    return 2;
  }
  const std::filesystem::path input = arguments.positional[0];
  const std::filesystem::path output = arguments.Text("-o", input.has_parent_path() ? input.parent_path().string() : ".");

  grym::EngineOptions engine_options;
  engine_options.data_dir = arguments.Text("--data");
  auto engine = grym::Engine::Create(engine_options);
  if (!engine.ok()) return Fail(engine.status());
  const std::string file = arguments.Text("--workflow");
  auto workflow = file.empty() ? grym::Workflow::Template("audio-enhancement") : grym::Workflow::FromFile(file);
  if (!workflow.ok()) return Fail(workflow.status());

  grym::WorkflowRunOptions options;
  options.parameters["audioFile"] = grym::JsonText(std::filesystem::absolute(input).string());
  if (file.empty()) {
    options.parameters["enhancementLevel"] = std::to_string(level);
    options.parameters["regenerationLevel"] = std::to_string(std::fmin(1.0, level + 0.2));
    options.parameters["targetLufs"] = std::to_string(target_lufs);
  }
  options.execution_id = arguments.Text("--resume");
  options.output_dir = output;
  options.output_name = input.stem().string();
  options.seed = static_cast<int64_t>(seed);
  options.run.progress = [](const grym::Progress& progress) { ShowProgress(progress.fraction, progress.eta_s, progress.stage); };

  auto run = (*engine)->RunWorkflow(*workflow, options);
  if (!run.ok()) return Fail(run.status());
  if (!run->error.ok()) return Fail(run->error);
  ShowProgress(1, 0, "report");
  const std::filesystem::path report = output / "report.html";
  if (const absl::Status status = (*engine)->WriteReport(*run, report); !status.ok()) return Fail(status);
  auto summary = (*engine)->Summarize(*run);
  if (!summary.ok()) return Fail(summary.status());
  std::fprintf(stderr, "\n");
  summary->files.push_back(report);
  PrintSummary(*summary);
  return 0;
}
