# The libraries' reference, made of their public headers: cmake --build <build> --target doc. Neither the build nor the
# tests need doxygen.
find_package(Doxygen QUIET)
if(NOT DOXYGEN_FOUND)
  add_custom_target(doc COMMAND ${CMAKE_COMMAND} -E echo "The target doc needs doxygen: scripts/deps --doc"
                    COMMAND ${CMAKE_COMMAND} -E false VERBATIM)
  return()
endif()
get_property(headers GLOBAL PROPERTY MILLRACE_PUBLIC_HEADERS)
list(JOIN headers " " MILLRACE_DOC_INPUT)
configure_file(${CMAKE_SOURCE_DIR}/docs/Doxyfile.in ${CMAKE_BINARY_DIR}/doc/Doxyfile @ONLY)
add_custom_target(doc COMMAND ${DOXYGEN_EXECUTABLE} ${CMAKE_BINARY_DIR}/doc/Doxyfile
                  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM
                  COMMENT "Writing ${CMAKE_BINARY_DIR}/doc/html/index.html")
