#pragma once

/// LOCKSTEP_WIDE before a function makes a second copy of it for processors with AVX-512, chosen when the program starts. A loop over
/// elements has the same bits in vectors of any width, and so has a sum whose code says which partial sums it is made of: use it for
/// nothing else. The function must be seen by one source file alone; in a header it is a static template (g++ 14 fails on copies that files
/// share).
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LOCKSTEP_WIDE [[gnu::target_clones("arch=x86-64-v4", "default")]]
#else
#define LOCKSTEP_WIDE
#endif
