#include "runtime/torch_guard.h"

#include <c10/util/Exception.h>

#include <new>

#include "base/status.h"

namespace grym {

absl::Status StatusOfTorchException(const std::string& where) {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& error) {
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory",
                 where + ": " + error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", where + ": the machine has no memory left");
  } catch (const c10::Error& error) {
    return Error(absl::StatusCode::kInternal, "torch_error", where + ": " + error.what_without_backtrace());
  } catch (const std::exception& error) {
    return Error(absl::StatusCode::kInternal, "torch_error", where + ": " + error.what());
  } catch (...) {
    return Error(absl::StatusCode::kInternal, "torch_error", where + ": an exception of an unknown kind");
  }
}

}  // namespace grym
