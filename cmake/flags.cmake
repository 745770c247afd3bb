# How everything in the tree is compiled. Only a build inside the tree sees these flags.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
# gcc 12's -O2 with vectors wherever they pay: -O3 makes the library half as large again and no faster.
# The debug information is stripped by install.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  string(APPEND CMAKE_C_FLAGS_RELEASE " -ftree-loop-vectorize -fvect-cost-model=dynamic")
endif()

add_library(graft_flags INTERFACE)
# The POSIX calls, and the CPU sets and page advice of Linux where it is Linux.
target_compile_definitions(graft_flags INTERFACE _GNU_SOURCE)
target_compile_options(graft_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  # Where gcc and clang differ by default; the same source shall give the same bits.
  -ffp-contract=off
  # Nobody reads errno after sqrt, and setting it keeps loops from being vectorised.
  -fno-math-errno)
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  # gcc 12's vectoriser of straight-line code loses roundings: it makes one vector of two doubles
  # that become floats and doubles again, and then takes both conversions for one that does nothing.
  target_compile_options(graft_flags INTERFACE -fno-tree-slp-vectorize)
  # gcc 12 takes a function that fills two arrays of different widths for one without effects, once it has
  # made one address out of the other, and drops the calls of it.
  target_compile_options(graft_flags INTERFACE -fno-ipa-modref -fno-ipa-pure-const)
endif()
if(GRAFT_SANITIZE)
  target_compile_definitions(graft_flags INTERFACE GRAFT__SANITIZE)
  target_compile_options(graft_flags INTERFACE -fsanitize=${GRAFT_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(graft_flags INTERFACE -fsanitize=${GRAFT_SANITIZE})
else()
  # A sanitizer's runtime lives in the executable, so its symbols are undefined in the library.
  target_link_options(graft_flags INTERFACE -Wl,--no-undefined)
endif()
target_link_options(graft_flags INTERFACE -Wl,--as-needed)
