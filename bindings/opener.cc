#include "opener.h"

namespace grym::python {

ModelOpener NativeOpener(bool shared) {
  Enter();
  const py::object made = py::module_::import("grymsynth._native").attr(shared ? "shared_opener" : "opener")();
  // The name holds the version: both modules must be of one build, since a C++ object passes from one to the other.
  const py::capsule capsule(made);
  const std::string wanted = std::string("grymsynth.ModelOpener ") + GRYM_PYTHON_ABI;
  if (capsule.name() == nullptr || wanted != capsule.name()) {
    ThrowBad("the module of native models is of another version than the core: want \"" + wanted + "\", got \"" +
             (capsule.name() ? capsule.name() : "") + "\"");
  }
  return *static_cast<const ModelOpener*>(capsule.get_pointer());
}

}  // namespace grym::python
