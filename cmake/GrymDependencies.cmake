# What the core links. Debian 12's versions are the floor; why each is here stands in CONTRIBUTING.md.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
if(NOT TARGET SQLite::SQLite3)  # CMake 4 renames it
  add_library(SQLite::SQLite3 ALIAS SQLite3::SQLite3)
endif()
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SNDFILE REQUIRED IMPORTED_TARGET sndfile>=1.2.0)
pkg_check_modules(SAMPLERATE REQUIRED IMPORTED_TARGET samplerate>=0.2.2)
pkg_check_modules(SOXR REQUIRED IMPORTED_TARGET soxr>=0.1.3)

set(GRYM_ABSL absl::status absl::statusor absl::strings absl::str_format absl::cord)
