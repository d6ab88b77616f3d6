// What is visible outside the library.
#pragma once

#if defined(_WIN32) && defined(GRYM_SHARED)
#if defined(GRYM_BUILDING_CORE)
#define GRYM_EXPORT __declspec(dllexport)
#else
#define GRYM_EXPORT __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define GRYM_EXPORT __attribute__((visibility("default")))
#else
#define GRYM_EXPORT
#endif
