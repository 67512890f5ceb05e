# Language, warnings, linker, compiler cache and sanitizers: what every target of the project is built with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fcoroutines>)
endif()

# Linked privately by every room. Headers from outside are SYSTEM, so that only our code is held to this.
add_library(project_warnings INTERFACE)
target_compile_options(project_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow
                       -Wnon-virtual-dtor -Woverloaded-virtual -Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12's optimiser sees what is not there: overlaps in std::string's operator+ (GCC bug 105651), uninitialised
  # members of temporaries (105562, 105593), accesses past the end of vectors (105329, 107852).
  foreach(warning restrict maybe-uninitialized array-bounds stringop-overflow stringop-overread)
    target_compile_options(project_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-${warning}>)
  endforeach()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(project_warnings INTERFACE -Wthread-safety -Wno-gnu-zero-variadic-macro-arguments)
endif()

# Most of a file's time goes into headers: five files of a target compiled as one take half of it. Names in anonymous
# namespaces differ from file to file of a target therefore; UNITY_BUILD OFF at a target whose files cannot.
option(MILLRACE_UNITY "Compile several files of each target as one" OFF)
set(CMAKE_UNITY_BUILD ${MILLRACE_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 5)
if(MILLRACE_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A class with members of an anonymous namespace is one file's own all the same.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()

set(MILLRACE_SANITIZE "" CACHE STRING "Sanitizers to build with, as -fsanitize= takes them")
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND MILLRACE_SANITIZE MATCHES "undefined")
    # Clang 14 cannot assemble coroutines with what this check puts in front of functions (LLVM issue 49689).
    add_compile_options(-fno-sanitize=function)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # std::atomic_thread_fence in libraries' headers is not understood by the thread sanitizer; none of ours uses it.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# Every target finds a room's header by the room's name: #include "storage/record_log.h".
include_directories(${CMAKE_SOURCE_DIR})
