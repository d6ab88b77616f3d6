# cmake --install, find_package(grymsynth), pkg-config.
include(CMakePackageConfigHelpers)
install(TARGETS grymsynth EXPORT grymsynthTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/grymsynth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TARGET grymsynth_c)
  install(TARGETS grymsynth_c EXPORT grymsynthTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES capi/grymsynth.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
# The native models, in an export of their own: who has no LibTorch can still use the rest.
if(GRYM_WITH_TORCH)
  install(TARGETS grymsynth_torch EXPORT grymsynthTorchTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS grymsynth_native LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  if(TARGET grymsynth_torch_c)
    install(TARGETS grymsynth_torch_c EXPORT grymsynthTorchTargets
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES capi/grymsynth_torch.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
  install(EXPORT grymsynthTorchTargets NAMESPACE grymsynth:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/grymsynth)
endif()
install(EXPORT grymsynthTargets NAMESPACE grymsynth:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/grymsynth)
set(GRYM_STATIC_CORE ON)
if(BUILD_SHARED_LIBS)
  set(GRYM_STATIC_CORE OFF)
endif()
configure_package_config_file(cmake/grymsynthConfig.cmake.in "${PROJECT_BINARY_DIR}/grymsynthConfig.cmake"
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/grymsynth)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/grymsynthConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/grymsynthConfig.cmake" "${PROJECT_BINARY_DIR}/grymsynthConfigVersion.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/grymsynth)

# A static core needs its private libraries again at the final link.
if(BUILD_SHARED_LIBS)
  set(GRYM_PC_CORE "Libs: -L\${libdir} -lgrymsynth\nRequires: absl_status absl_statusor absl_strings absl_str_format")
else()
  set(GRYM_PC_CORE "Libs: -L\${libdir} -lgrymsynth -pthread\nRequires: absl_status absl_statusor absl_strings absl_str_format absl_cord sqlite3 sndfile samplerate soxr")
endif()
# The prefix is found from where the file lies, so that an installed tree may be moved.
file(RELATIVE_PATH GRYM_PC_UP "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
foreach(package grymsynth grymsynth-c)
  configure_file(cmake/${package}.pc.in "${PROJECT_BINARY_DIR}/${package}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${package}.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
