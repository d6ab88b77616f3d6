// Loads the library of native models while the program runs.
#include "engine/native_models.h"

#include <vector>

#include "base/status.h"
#include "grymsynth/engine.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace grym {
namespace {

#ifdef _WIN32
constexpr char kLibraryFile[] = "grymsynth_native.dll";
#elif defined(__APPLE__)
constexpr char kLibraryFile[] = "libgrymsynth_native.dylib";
#else
constexpr char kLibraryFile[] = "libgrymsynth_native.so";
#endif

absl::Status NoLibrary(const std::string& text) {
  return Error(absl::StatusCode::kFailedPrecondition, "no_torch", "native models: " + text);
}

#ifdef _WIN32
std::filesystem::path FolderOfThisCode() {
  HMODULE self = nullptr;
  wchar_t name[4096];
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                     reinterpret_cast<LPCWSTR>(&FolderOfThisCode), &self);
  const DWORD size = GetModuleFileNameW(self, name, 4096);
  return size > 0 && size < 4096 ? std::filesystem::path(name).parent_path() : std::filesystem::path();
}

void* OpenLibrary(const std::filesystem::path& path, std::string& error) {
  HMODULE library = LoadLibraryW(path.c_str());
  if (!library) error = "system error " + std::to_string(GetLastError());
  return reinterpret_cast<void*>(library);
}

void* SymbolOf(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), name));
}
#else
// Of the program, or of the shared library that the core lies in.
std::filesystem::path FolderOfThisCode() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&FolderOfThisCode), &info) == 0 || !info.dli_fname) return {};
  std::error_code error;
  std::filesystem::path file(info.dli_fname);
  // A program found through PATH is named as it was typed.
  if (!file.has_parent_path()) file = std::filesystem::read_symlink("/proc/self/exe", error);
  return std::filesystem::weakly_canonical(file, error).parent_path();
}

void* OpenLibrary(const std::filesystem::path& path, std::string& error) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (const char* words = library ? nullptr : dlerror()) error = words;
  return library;
}

void* SymbolOf(void* library, const char* name) { return dlsym(library, name); }
#endif

std::vector<std::filesystem::path> PlacesFor(const std::filesystem::path& library) {
  if (!library.empty()) return {library};
  std::vector<std::filesystem::path> places;
  const std::filesystem::path here = FolderOfThisCode();
  std::error_code ignored;
  if (!here.empty()) {
    for (const char* folder : {"", "..", "../lib", "../" GRYM_LIBRARY_FOLDER}) {
      const std::filesystem::path place = here / folder / kLibraryFile;
      if (std::filesystem::exists(place, ignored)) places.push_back(place);
    }
  }
  places.emplace_back(kLibraryFile);  // as the system looks
  return places;
}

}  // namespace

absl::StatusOr<ModelOpener> LoadNativeOpener(const std::filesystem::path& library) {
  std::string error;
  for (const std::filesystem::path& place : PlacesFor(library)) {
    // Never closed: LibTorch's threads and statics do not bear it.
    void* const loaded = OpenLibrary(place, error);
    if (!loaded) continue;
    const auto make = reinterpret_cast<NativeOpenerFn*>(SymbolOf(loaded, kNativeOpenerSymbol));
    if (!make) return NoLibrary(Printable(place.string()) + ": want " + kNativeOpenerSymbol + ", it has none");
    const char* build = "";
    ModelOpener opener;
    if (make(NativeBuild(), &build, &opener)) return opener;
    return Error(absl::StatusCode::kFailedPrecondition, "other_build",
                 "native models: " + Printable(place.string()) + ": want build \"" + NativeBuild() + "\", got \"" +
                     Printable(build ? build : "", 100) + "\"");
  }
  return NoLibrary("want " + std::string(kLibraryFile) + ", which is built where LibTorch is: " + Printable(error));
}

absl::Status Engine::LoadNativeModels(const std::filesystem::path& library) {
  GRYM_ASSIGN_OR_RETURN(ModelOpener opener, LoadNativeOpener(library));
  AddModelOpener(std::move(opener));
  return absl::OkStatus();
}

}  // namespace grym
