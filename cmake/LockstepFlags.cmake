option(LOCKSTEP_WARNINGS_AS_ERRORS "Warnings end the build: for those who work on the code" OFF)
# Flags that all our code shares. Bits must not depend on how the compiler contracts a·b + c, so contraction is off.
add_library(lockstep_flags INTERFACE)
target_compile_features(lockstep_flags INTERFACE cxx_std_20)
# No errno and no traps from arithmetic: neither changes a bit of a result, and sqrt and selects become vector code.
target_compile_options(lockstep_flags INTERFACE -ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion
  $<$<BOOL:${LOCKSTEP_WARNINGS_AS_ERRORS}>:-Werror>)
# g++ 12 sees overlapping copies in std::string where there are none (GCC bug 105651).
target_compile_options(lockstep_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# Under sanitizers g++ 12 sees std::regex read what it has not written (GCC bug 105562).
if(LOCKSTEP_SANITIZE)
  target_compile_options(lockstep_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
# clang does not know GCC's ivdep: it checks at run time whether arrays overlap.
target_compile_options(lockstep_flags INTERFACE $<$<CXX_COMPILER_ID:Clang,AppleClang,IntelLLVM>:-Wno-unknown-pragmas>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND LOCKSTEP_ARCH)
  target_compile_options(lockstep_flags INTERFACE -march=${LOCKSTEP_ARCH})
endif()
if(LOCKSTEP_SANITIZE)
  target_compile_options(lockstep_flags INTERFACE -fsanitize=${LOCKSTEP_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(lockstep_flags INTERFACE -fsanitize=${LOCKSTEP_SANITIZE})
endif()
# For tests/fuzz, with clang: what libFuzzer sees of the way through the code, and the first finding ends the process.
if(LOCKSTEP_FUZZ)
  target_compile_options(lockstep_flags INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize-recover=all)
  target_compile_definitions(lockstep_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
