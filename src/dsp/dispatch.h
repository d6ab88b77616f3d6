// GRYM_HOT: a plain loop over floats, compiled for AVX2 beside the baseline and chosen when the library is loaded.
// Both clones round alike: the build forbids contraction and no reassociation is allowed, so results are the same bits.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRYM_NO_CLONES 1  // the resolvers run before a sanitizer's runtime is ready
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GRYM_NO_CLONES 1
#endif
#endif

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(GRYM_NO_CLONES)
#define GRYM_HOT __attribute__((optimize("O3"), target_clones("avx2", "default")))
#elif defined(__GNUC__) && !defined(__clang__)
#define GRYM_HOT __attribute__((optimize("O3")))
#else
#define GRYM_HOT
#endif

#if defined(_MSC_VER)
#define GRYM_RESTRICT __restrict
#else
#define GRYM_RESTRICT __restrict__
#endif
