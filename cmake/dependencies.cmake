# Finds what the options ask for. Fills GRAFT_DEFINITIONS, GRAFT_DEPENDENCY_INCLUDES and, in step,
# GRAFT_DEPENDENCY_PATHS (the files found), _NAMES (how an installed graft names them to CMake).
set(GRAFT_DEFINITIONS)
set(GRAFT_DEPENDENCY_INCLUDES)
set(GRAFT_DEPENDENCY_PATHS)
set(GRAFT_DEPENDENCY_NAMES)

if(GRAFT_ONEDNN AND NOT GRAFT_OPENMP)
  message(FATAL_ERROR
          "GRAFT_ONEDNN=ON needs GRAFT_OPENMP=ON: graft runs its own threads and must be able to "
          "tell the OpenMP runtime inside oneDNN to start none. For a library without either: "
          "-DGRAFT_ONEDNN=OFF -DGRAFT_OPENMP=OFF")
endif()

# graft_need(OPTION what package library [header])
function(graft_need option what package library)
  if(NOT ${option})
    return()
  endif()
  find_library(${option}_LIBRARY NAMES ${library})
  mark_as_advanced(${option}_LIBRARY)
  set(found ${${option}_LIBRARY})
  if(ARGN)
    find_path(${option}_INCLUDE NAMES ${ARGN})
    mark_as_advanced(${option}_INCLUDE)
    if(NOT ${option}_INCLUDE)
      set(found)
    endif()
  endif()
  if(NOT found)
    message(FATAL_ERROR "${what} was not found. On Debian: apt-get install ${package}. "
                        "To build without it: -D${option}=OFF")
  endif()
  set(name ${library})
  if(library MATCHES "[.]so")
    set(name "-l:${library}")
  endif()
  foreach(list_and_item "DEFINITIONS|${option}=1" "DEPENDENCY_PATHS|${${option}_LIBRARY}"
                        "DEPENDENCY_NAMES|${name}")
    string(REPLACE "|" ";" pair "${list_and_item}")
    list(GET pair 0 list)
    list(GET pair 1 item)
    set(GRAFT_${list} ${GRAFT_${list}} "${item}" PARENT_SCOPE)
  endforeach()
  if(ARGN)
    set(GRAFT_DEPENDENCY_INCLUDES ${GRAFT_DEPENDENCY_INCLUDES} ${${option}_INCLUDE} PARENT_SCOPE)
  endif()
endfunction()

graft_need(GRAFT_ONEDNN "oneDNN" libdnnl-dev dnnl dnnl.h)
# By its full name: libdnnl uses GNU's runtime, and LLVM installs another one as libgomp.so.
graft_need(GRAFT_OPENMP "The OpenMP runtime libgomp.so.1" libgomp1 libgomp.so.1)
graft_need(GRAFT_SLEEF "SLEEF" libsleef-dev sleef sleef.h)
graft_need(GRAFT_DEFLATE "libdeflate" libdeflate-dev deflate libdeflate.h)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
list(APPEND GRAFT_DEPENDENCY_PATHS m ${CMAKE_THREAD_LIBS_INIT})
list(APPEND GRAFT_DEPENDENCY_NAMES m ${CMAKE_THREAD_LIBS_INIT})
