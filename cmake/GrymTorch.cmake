# LibTorch, and the rooms that may see it. It is looked for, in this order, in GRYM_TORCH (a torch package or a LibTorch
# folder), and in the torch of the Python that the build uses; without it the core builds and works whole.
# torch's own CMake package is not used: it wants the CUDA compiler, MKL and protobuf of the machine it was built on.
set(GRYM_TORCH "" CACHE PATH "Folder of LibTorch or of Python's torch package; empty: ask Python; OFF: without")
set(GRYM_WITH_TORCH OFF)

function(grym_find_torch)
  set(dir "${GRYM_TORCH}")
  if(NOT dir AND DEFINED ENV{GRYM_TORCH})
    set(dir "$ENV{GRYM_TORCH}")
  endif()
  if(dir STREQUAL "OFF")
    return()
  endif()
  if(NOT dir AND (GRYM_SANITIZE OR GRYM_BUILD_FUZZERS))
    message(STATUS "LibTorch: left out under sanitizers and fuzzers, which are the core's; GRYM_TORCH takes it in")
    return()
  endif()
  if(NOT dir)
    set(python "${Python3_EXECUTABLE}")
    if(NOT python)
      set(python "${Python_EXECUTABLE}")  # what a wheel is built for
    endif()
    if(NOT python AND EXISTS "${PROJECT_SOURCE_DIR}/.venv/bin/python")
      set(python "${PROJECT_SOURCE_DIR}/.venv/bin/python")
    elseif(NOT python)
      find_program(python NAMES python3)
    endif()
    if(python)
      # find_spec does not run torch's two seconds of imports.
      execute_process(COMMAND "${python}" -c
        "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
        OUTPUT_VARIABLE dir OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
  endif()
  if(NOT dir)
    message(STATUS "LibTorch: not found; models that need it are left out (set GRYM_TORCH, or pip install torch)")
    return()
  endif()
  find_library(torch_cpu torch_cpu PATHS "${dir}/lib" NO_DEFAULT_PATH NO_CACHE)
  find_library(torch_c10 c10 PATHS "${dir}/lib" NO_DEFAULT_PATH NO_CACHE)
  find_library(torch_c10_cuda c10_cuda PATHS "${dir}/lib" NO_DEFAULT_PATH NO_CACHE)
  find_library(torch_cuda torch_cuda PATHS "${dir}/lib" NO_DEFAULT_PATH NO_CACHE)
  if(NOT torch_cpu OR NOT torch_c10 OR NOT EXISTS "${dir}/include/ATen/core/Tensor.h")
    message(FATAL_ERROR "LibTorch: want lib/libtorch_cpu, lib/libc10 and include/ATen in \"${dir}\"")
  endif()
  set(version "")
  if(EXISTS "${dir}/include/torch/headeronly/version.h")
    file(STRINGS "${dir}/include/torch/headeronly/version.h" lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  else()
    file(STRINGS "${dir}/include/torch/csrc/api/include/torch/version.h" lines
         REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  endif()
  foreach(line IN LISTS lines)
    string(REGEX REPLACE ".* ([0-9]+)$" "\\1" number "${line}")
    list(APPEND version ${number})
  endforeach()
  list(JOIN version "." version)
  if(version VERSION_LESS 2.11)
    message(FATAL_ERROR "LibTorch: want 2.11 or newer, got \"${version}\" in ${dir}")
  endif()
  message(STATUS "LibTorch: ${version} in ${dir}")
  add_library(grym_libtorch INTERFACE)
  target_include_directories(grym_libtorch SYSTEM INTERFACE
    "$<BUILD_INTERFACE:${dir}/include>" "$<BUILD_INTERFACE:${dir}/include/torch/csrc/api/include>")
  # Without it one header of every operator's signature comes in, and with it a minute for each file.
  target_compile_definitions(grym_libtorch INTERFACE AT_PER_OPERATOR_HEADERS)
  target_link_libraries(grym_libtorch INTERFACE "$<BUILD_INTERFACE:${torch_cpu};${torch_c10}>")
  grym_torch_threads("${dir}")
  if(torch_cuda AND torch_c10_cuda)
    # Needed although nothing of it is named here: the CUDA kernels register themselves when it is loaded.
    target_link_libraries(grym_libtorch INTERFACE
      "$<BUILD_INTERFACE:-Wl,--no-as-needed;${torch_cuda};${torch_c10_cuda};-Wl,--as-needed>")
    target_compile_definitions(grym_libtorch INTERFACE GRYM_TORCH_CUDA)
    # What bounds LibTorch's allocator for GPUs, and what captures work there, has headers that want CUDA's own.
    # The wheel of the runtime has the first of them and, from CUDA 13 on, not the compiler's, which the others include.
    set(cuda_headers "")
    foreach(place IN ITEMS "$ENV{CUDA_HOME}/include" "${dir}/../nvidia/cu13/include" "${dir}/../nvidia/cu12/include"
                           "${dir}/../nvidia/cuda_runtime/include" /usr/local/cuda/include)
      if(NOT cuda_headers AND EXISTS "${place}/cuda_runtime_api.h" AND EXISTS "${place}/crt/host_config.h")
        set(cuda_headers "${place}")
      endif()
    endforeach()
    # Those headers call the CUDA runtime themselves; LibTorch's libraries do not hand its symbols on to the linker.
    find_library(cuda_runtime NAMES cudart libcudart.so.13 libcudart.so.12 NO_CACHE NO_DEFAULT_PATH
                 PATHS "${dir}/../nvidia/cu13/lib" "${cuda_headers}/../lib" "${cuda_headers}/../lib64" "${dir}/lib"
                       "${cuda_headers}/../lib/${CMAKE_LIBRARY_ARCHITECTURE}")
    if(cuda_headers AND cuda_runtime)
      target_include_directories(grym_libtorch SYSTEM INTERFACE "$<BUILD_INTERFACE:${cuda_headers}>")
      target_link_libraries(grym_libtorch INTERFACE "$<BUILD_INTERFACE:${cuda_runtime}>")
      target_compile_definitions(grym_libtorch INTERFACE GRYM_TORCH_CUDA_HEADERS)
      set(GRYM_CUDA_RUNTIME "${cuda_runtime}" PARENT_SCOPE)
    else()
      message(STATUS "LibTorch: no headers or runtime of CUDA found, so the GPU's allocator is not bounded (plans say "
                     "\"not counted\") and steps are not captured")
    endif()
  endif()
  set(GRYM_WITH_TORCH ON PARENT_SCOPE)
  set(GRYM_TORCH_DIR "${dir}" PARENT_SCOPE)
  set(GRYM_TORCH_VERSION "${version}" PARENT_SCOPE)
endfunction()

# LibTorch's headers run at::parallel_for on one thread, and say nothing, where a file is compiled without OpenMP. Linked
# is the runtime beside LibTorch where there is one: two of them in a process are two pools of threads.
function(grym_torch_threads dir)
  add_library(grym_torch_loops INTERFACE)  # what the rooms are compiled with
  file(STRINGS "${dir}/include/ATen/Config.h" by_openmp REGEX "#define AT_PARALLEL_OPENMP 1")
  if(NOT by_openmp)
    return()
  endif()
  find_package(OpenMP COMPONENTS CXX)
  if(NOT OpenMP_CXX_FOUND)
    message(WARNING "LibTorch: this compiler has no OpenMP, so that the native models' own loops run on one thread")
    return()
  endif()
  file(GLOB runtimes "${dir}/lib/libgomp*.so*" "${dir}/lib/libomp*.so*" "${dir}/lib/libiomp5*.so*"
       "${dir}/lib/libomp*.dylib")
  set(runtime "${OpenMP_CXX_LIBRARIES}")
  if(runtimes)
    list(GET runtimes 0 runtime)
  endif()
  target_compile_options(grym_torch_loops INTERFACE "SHELL:${OpenMP_CXX_FLAGS}")
  target_link_libraries(grym_libtorch INTERFACE "$<BUILD_INTERFACE:${runtime}>")
endfunction()

# What every file of the LibTorch rooms reads, read once: LibTorch's own headers are two thirds of a file's compile time.
function(grym_torch_precompiled_headers)
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/torch_precompiled.cc" CONTENT "// Holds the precompiled header.\n")
  add_library(grym_torch_precompiled OBJECT "${PROJECT_BINARY_DIR}/torch_precompiled.cc")
  target_link_libraries(grym_torch_precompiled PRIVATE grym_settings grym_libtorch grym_torch_loops grym_base_view)
  target_compile_definitions(grym_torch_precompiled PRIVATE GRYM_BUILDING_CORE GRYM_VERSION="${PROJECT_VERSION}")
  target_include_directories(grym_torch_precompiled PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_precompile_headers(grym_torch_precompiled PRIVATE "${PROJECT_SOURCE_DIR}/src/runtime/tensor.h"
    <memory> <string> <vector> <absl/status/statusor.h> <absl/strings/str_format.h>)
endfunction()

# The LibTorch rooms as one library: grymsynth::torch. It needs grymsynth::core.
function(grym_torch_library)
  get_property(rooms GLOBAL PROPERTY GRYM_TORCH_ROOMS)
  add_library(grymsynth_torch)
  add_library(grymsynth::torch ALIAS grymsynth_torch)
  foreach(room IN LISTS rooms)
    target_sources(grymsynth_torch PRIVATE $<TARGET_OBJECTS:grym_${room}>)
  endforeach()
  target_link_libraries(grymsynth_torch PUBLIC grymsynth
    PRIVATE $<BUILD_INTERFACE:grym_libtorch> $<INSTALL_INTERFACE:grymsynth::libtorch> $<BUILD_INTERFACE:grym_settings>)
  set_target_properties(grymsynth_torch PROPERTIES EXPORT_NAME torch LINKER_LANGUAGE CXX
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  # The same for programs that load it while they run (Engine::LoadNativeModels): one symbol, and no link against it.
  add_library(grymsynth_native MODULE "${PROJECT_SOURCE_DIR}/src/models/native/module.cc")
  target_link_libraries(grymsynth_native PRIVATE grymsynth_torch grym_engine_view grym_settings)
  target_compile_definitions(grymsynth_native PRIVATE GRYM_VERSION="${PROJECT_VERSION}")
  set_target_properties(grymsynth_native PROPERTIES LINKER_LANGUAGE CXX INSTALL_RPATH "$ORIGIN;${GRYM_TORCH_DIR}/lib"
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  if(APPLE)
    target_link_options(grymsynth_native PRIVATE "LINKER:-exported_symbol,_grym_native_opener")
  elseif(UNIX)
    file(CONFIGURE OUTPUT grymsynth_native.map CONTENT
      "GRYMSYNTH_NATIVE_${PROJECT_VERSION_MAJOR} {\n  global:\n    grym_native_opener;\n  local:\n    *;\n};\n" @ONLY)
    target_link_options(grymsynth_native PRIVATE
      "LINKER:--version-script,${CMAKE_CURRENT_BINARY_DIR}/grymsynth_native.map" "LINKER:--exclude-libs,ALL")
    set_target_properties(grymsynth_native PROPERTIES LINK_DEPENDS "${CMAKE_CURRENT_BINARY_DIR}/grymsynth_native.map")
  endif()
  add_library(grym_torch_inside INTERFACE)
  target_link_libraries(grym_torch_inside INTERFACE grymsynth_torch grym_inside grym_libtorch)
  foreach(room IN LISTS rooms)
    target_link_libraries(grym_torch_inside INTERFACE grym_${room}_view)
  endforeach()
endfunction()
