# Headers, both libraries, the command with its man pages and completions, graft.pc, the CMake package,
# the documents.
include(CMakePackageConfigHelpers)

install(CODE "set(CMAKE_INSTALL_DO_STRIP TRUE)") # must stand before the targets
install(TARGETS graft graft_static EXPORT graftTargets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# CMake leaves archives alone, and ours would carry the debug information of the whole library.
install(CODE "
  set(CMAKE_INSTALL_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY \${CMAKE_INSTALL_PREFIX})
  execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-debug
                          \"\$ENV{DESTDIR}\${CMAKE_INSTALL_LIBDIR}/libgraft.a\"
                  COMMAND_ERROR_IS_FATAL ANY)")
if(TARGET graft_cli)
  # So that the command finds its library in any prefix.
  file(RELATIVE_PATH path ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(graft_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${path}")
  install(TARGETS graft_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(TARGET graft_help)
  install(DIRECTORY ${GRAFT_HELP}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(DIRECTORY ${GRAFT_HELP}/bash/
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(DIRECTORY ${GRAFT_HELP}/zsh/ DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(DIRECTORY ${GRAFT_HELP}/fish/
          DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
# Where the installed command finds the images of its demo.
install(DIRECTORY data/fashion-mnist DESTINATION ${CMAKE_INSTALL_DATADIR}/graft)
install(DIRECTORY include/graft DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/graft)
install(EXPORT graftTargets NAMESPACE graft:: DESTINATION ${package})
configure_package_config_file(cmake/graftConfig.cmake.in graftConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(graftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/graftConfig.cmake ${PROJECT_BINARY_DIR}/graftConfigVersion.cmake
        DESTINATION ${package})

# What a static link of graft needs, as a linker is told it.
set(GRAFT_PC_LIBS)
foreach(name ${GRAFT_DEPENDENCY_NAMES})
  if(NOT name MATCHES "^-")
    set(name "-l${name}")
  endif()
  string(APPEND GRAFT_PC_LIBS " ${name}")
endforeach()
file(RELATIVE_PATH GRAFT_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
foreach(folder LIBDIR INCLUDEDIR)
  set(base "\${prefix}")
  cmake_path(APPEND base "${CMAKE_INSTALL_${folder}}" OUTPUT_VARIABLE GRAFT_PC_${folder})
endforeach()
configure_file(cmake/graft.pc.in graft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/graft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB documents CONFIGURE_DEPENDS README.md LICENSE)
install(FILES ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR})
