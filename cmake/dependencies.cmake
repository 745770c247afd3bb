# Finds what the options ask for. Fills GRAFT_DEFINITIONS, GRAFT_DEPENDENCY_INCLUDES and, in step,
# GRAFT_DEPENDENCY_PATHS (the files found here) and GRAFT_DEPENDENCY_NAMES (how an installed graft
# names them to a linker).
set(GRAFT_DEFINITIONS)
set(GRAFT_DEPENDENCY_INCLUDES)
set(GRAFT_DEPENDENCY_PATHS)
set(GRAFT_DEPENDENCY_NAMES)

foreach(option GRAFT_SLEEF GRAFT_DEFLATE GRAFT_NETTLE GRAFT_CAIRO)
  if(${option} STREQUAL AUTO)
    set(${option} ${GRAFT_ONEDNN}) # beside the cache, so that it follows a later change
  endif()
endforeach()

# graft_find(OPTION SWITCHES what package library [header]): fills OPTION_LIBRARY and OPTION_INCLUDE, or
# ends with what is missing. SWITCHES is what turns it off.
function(graft_find option switches what package library)
  find_library(${option}_LIBRARY NAMES ${library})
  set(missing)
  if(NOT ${option}_LIBRARY)
    set(missing ${library})
  endif()
  if(ARGN)
    find_path(${option}_INCLUDE NAMES ${ARGN} PATH_SUFFIXES ${library})
    if(NOT ${option}_INCLUDE)
      list(APPEND missing ${ARGN})
    endif()
  endif()
  if(missing)
    list(JOIN missing " and " missing)
    message(FATAL_ERROR "${what} was not found (${missing}). On Debian: apt-get install ${package}. "
                        "To build without it: ${switches}")
  endif()
  mark_as_advanced(${option}_LIBRARY ${option}_INCLUDE)
endfunction()

# The same for what the library needs.
function(graft_need option switches what package library)
  if(NOT ${option})
    return()
  endif()
  graft_find(${option} ${switches} ${what} ${package} ${library} ${ARGN})
  if(ARGN)
    list(APPEND GRAFT_DEPENDENCY_INCLUDES ${${option}_INCLUDE})
  endif()
  list(APPEND GRAFT_DEFINITIONS ${option}=1)
  list(APPEND GRAFT_DEPENDENCY_PATHS ${${option}_LIBRARY})
  list(APPEND GRAFT_DEPENDENCY_NAMES ${library})
  return(PROPAGATE GRAFT_DEFINITIONS GRAFT_DEPENDENCY_INCLUDES GRAFT_DEPENDENCY_PATHS
                   GRAFT_DEPENDENCY_NAMES)
endfunction()

graft_need(GRAFT_SLEEF "-DGRAFT_SLEEF=OFF" "SLEEF" libsleef-dev sleef sleef.h)
graft_need(GRAFT_DEFLATE "-DGRAFT_DEFLATE=OFF" "libdeflate" libdeflate-dev deflate libdeflate.h)
graft_need(GRAFT_NETTLE "-DGRAFT_NETTLE=OFF" "nettle" nettle-dev nettle nettle/sha2.h)

if(GRAFT_CAIRO) # the command alone
  graft_find(GRAFT_CAIRO "-DGRAFT_CAIRO=OFF" "cairo" libcairo2-dev cairo cairo-svg.h)
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
list(APPEND GRAFT_DEPENDENCY_PATHS m ${CMAKE_THREAD_LIBS_INIT})
list(APPEND GRAFT_DEPENDENCY_NAMES m ${CMAKE_THREAD_LIBS_INIT})
