// Workflow documents, plans and runs.
#include "grymsynth/workflow.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {
namespace {

const char* StateName(VisitState state) {
  switch (state) {
    case VisitState::kRunning: return "running";
    case VisitState::kCompleted: return "completed";
    case VisitState::kFailed: return "failed";
    case VisitState::kInterrupted: return "interrupted";
  }
  return "interrupted";
}

py::object ProblemOf(const Problem& problem) {
  return py::module_::import("grymsynth._errors")
      .attr("Problem")(problem.pointer, problem.code, problem.message, problem.hint);
}

void BindRun(py::module_& m) {
  py::class_<WorkflowVisit>(m, "WorkflowVisit")
      .def_readonly("step", &WorkflowVisit::step)
      .def_readonly("visit", &WorkflowVisit::visit, "Counts from 1.")
      .def_readonly("attempts", &WorkflowVisit::attempts)
      .def_property_readonly("state", [](const WorkflowVisit& visit) { return std::string(StateName(visit.state)); })
      .def_readonly("outcome", &WorkflowVisit::outcome)
      .def_readonly("next", &WorkflowVisit::next)
      .def_readonly("seconds", &WorkflowVisit::seconds)
      .def_readonly("result_json", &WorkflowVisit::result_json)
      .def_property_readonly("result", [](const WorkflowVisit& visit) { return FromJsonText(visit.result_json); })
      .def("__repr__", [](const WorkflowVisit& visit) {
        return py::str("WorkflowVisit({!r}, {}, {!r})").format(visit.step, visit.visit, StateName(visit.state));
      });
  py::class_<WorkflowRun, std::shared_ptr<WorkflowRun>>(m, "WorkflowRun")
      .def_readonly("execution_id", &WorkflowRun::execution_id)
      .def_readonly("workflow_id", &WorkflowRun::workflow_id)
      .def_readonly("created_ms", &WorkflowRun::created_ms, "Wall clock, milliseconds since 1970.")
      .def_readonly("state", &WorkflowRun::state, "\"completed\", \"failed\", \"cancelled\" or \"interrupted\".")
      .def_readonly("visits", &WorkflowRun::visits)
      .def_readonly("result_json", &WorkflowRun::result_json)
      .def_property_readonly("result", [](const WorkflowRun& run) { return FromJsonText(run.result_json); },
                             "Of the last step, as Python values.")
      .def_property_readonly("error", [](const WorkflowRun& run) -> py::object {
        return run.error.ok() ? py::none() : ErrorObject(run.error);
      }, "The Error behind a failed run, or None.")
      .def_property_readonly("files", [](const WorkflowRun& run) {
        return py::module_::import("pathlib").attr("Path")(run.files.string());
      })
      .def("raise_if_failed", [](const WorkflowRun& run) { ThrowUnlessOk(run.error); })
      .def("__repr__", [](const WorkflowRun& run) {
        return py::str("WorkflowRun({!r}, state={!r}, visits={})")
            .format(run.execution_id, run.state, run.visits.size());
      });
  py::class_<WorkflowEvent>(m, "WorkflowEvent")
      .def_readonly("sequence", &WorkflowEvent::sequence)
      .def_readonly("kind", &WorkflowEvent::kind)
      .def_readonly("step", &WorkflowEvent::step)
      .def_readonly("visit", &WorkflowEvent::visit)
      .def_readonly("text", &WorkflowEvent::text)
      .def_readonly("at_ms", &WorkflowEvent::at_ms, "Wall clock, milliseconds since 1970.");
}

}  // namespace

void BindWorkflow(py::module_& m) {
  BindRun(m);
  py::class_<WorkflowPlanStep>(m, "WorkflowPlanStep")
      .def_readonly("id", &WorkflowPlanStep::id)
      .def_readonly("type", &WorkflowPlanStep::type)
      .def_readonly("operation", &WorkflowPlanStep::operation)
      .def_readonly("next", &WorkflowPlanStep::next)
      .def_readonly("in_cycle", &WorkflowPlanStep::in_cycle)
      .def("__repr__", [](const WorkflowPlanStep& step) {
        return py::str("WorkflowPlanStep({!r}, {!r}, next={})").format(step.id, step.operation, step.next);
      });
  py::class_<WorkflowPlan>(m, "WorkflowPlan")
      .def_readonly("id", &WorkflowPlan::id)
      .def_readonly("name", &WorkflowPlan::name)
      .def_readonly("steps", &WorkflowPlan::steps)
      .def_property_readonly("warnings", [](const WorkflowPlan& plan) {
        py::list warnings;
        for (const Problem& problem : plan.warnings) warnings.append(ProblemOf(problem));
        return warnings;
      });
  py::class_<Workflow, std::shared_ptr<Workflow>>(m, "Workflow", "A document that is valid in itself. Immutable.")
      .def_static("from_file", [](const py::object& path) {
        const std::filesystem::path source = PathOf(path);
        return ValueOrThrow(Unlocked([&] { return Workflow::FromFile(source); }));
      }, py::arg("path"), "Raises Error whose .problems lists everything that is wrong.")
      .def_static("from_json", [](const py::object& json) {
        const std::string text = JsonOf(json, true);
        return ValueOrThrow(Unlocked([&] { return Workflow::FromJson(text); }));
      }, py::arg("json"), "From JSON text, or a dict.")
      .def_static("template", [](const std::string& name) {
        return ValueOrThrow(Unlocked([&] { return Workflow::Template(name); }));
      }, py::arg("name"), "A built-in one: \"audio-enhancement\".")
      .def_static("template_names", &Workflow::TemplateNames)
      .def_property_readonly("id", &Workflow::id)
      .def_property_readonly("name", &Workflow::name)
      .def_property_readonly("digest", &Workflow::Digest, "SHA-256 of the canonical JSON.")
      .def("to_json", &Workflow::ToJson, "Canonical JSON.")
      .def("plan", [](const Workflow& workflow) {
        return ValueOrThrow(Unlocked([&] { return workflow.Plan(); }));
      }, "Checks it against the built-in operations and runs nothing. Returns steps and warnings, or raises Error "
         "whose .problems lists everything that is wrong.")
      .def("__repr__", [](const Workflow& workflow) { return py::str("Workflow({!r})").format(workflow.id()); });
}

}  // namespace grym::python
