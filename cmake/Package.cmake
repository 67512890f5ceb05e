# The libraries that others install: find_package(Millrace COMPONENTS parser decoder) gives Millrace::parser and
# Millrace::decoder; pkg-config knows them as millrace-parser and millrace-decoder.
#
#   cmake --build <build> --target component_parser
#   cmake --install <build> --component parser --prefix <directory>      with the components that it requires
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(MILLRACE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Millrace)
set(MILLRACE_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR}/millrace)
set(package_scratch ${CMAKE_BINARY_DIR}/package)
write_basic_package_version_file(${package_scratch}/MillraceConfigVersion.cmake COMPATIBILITY SameMinorVersion)

# millrace_public_headers(<target> [INTERFACE] a.h …): what is installed of it. Others stay inside, so a public header may
# include public ones alone; the target `<target>_verify_interface_header_sets` compiles each by itself.
function(millrace_public_headers target)
  cmake_parse_arguments(ARG "INTERFACE" "" "" ${ARGN})
  set(scope PUBLIC)
  if(ARG_INTERFACE)
    set(scope INTERFACE)
  endif()
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS TRUE)
  list(TRANSFORM ARG_UNPARSED_ARGUMENTS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE paths)
  set_property(GLOBAL APPEND PROPERTY MILLRACE_PUBLIC_HEADERS ${paths})
endfunction()

# millrace_component(<name> DESCRIPTION text TARGETS target[=exported name] …
#                    [REQUIRES component …]         other components
#                    [PACKAGES "Boost 1.81" …]      as find_dependency takes them
#                    [MODULES "LIBAV=libavcodec,libavutil" …]   pkg-config's, with the prefix of PkgConfig::LIBAV
#                    [OPENCV core …]                parts of OpenCV, as opencv::core
#                    [LINK ssl …])                  for pkg-config: libraries of PACKAGES, by name
# A target is Millrace::<exported name>, in this tree as well as installed; by default its own. It links project_warnings
# as $<BUILD_INTERFACE:project_warnings>: they are nobody else's.
function(millrace_component name)
  cmake_parse_arguments(ARG "" "DESCRIPTION" "TARGETS;REQUIRES;PACKAGES;MODULES;OPENCV;LINK" ${ARGN})
  set(targets "")
  set(libraries "")
  foreach(entry ${ARG_TARGETS})
    string(REGEX REPLACE "=.*" "" target ${entry})
    string(REGEX REPLACE ".*=" "" exported ${entry})
    list(APPEND targets ${target})
    add_library(Millrace::${exported} ALIAS ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${exported})
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL INTERFACE_LIBRARY)
      set_target_properties(${target} PROPERTIES OUTPUT_NAME millrace_${target} POSITION_INDEPENDENT_CODE ON)
      string(PREPEND libraries " -lmillrace_${target}")
    endif()
    set(headers "")
    get_target_property(sets ${target} INTERFACE_HEADER_SETS)
    if(sets)
      set(headers FILE_SET HEADERS DESTINATION ${MILLRACE_INCLUDE_DIR} COMPONENT ${name} EXCLUDE_FROM_ALL)
    endif()
    install(TARGETS ${target} EXPORT Millrace-${name} ARCHIVE COMPONENT ${name} EXCLUDE_FROM_ALL ${headers})
  endforeach()
  install(EXPORT Millrace-${name} NAMESPACE Millrace:: FILE MillraceTargets-${name}.cmake
          DESTINATION ${MILLRACE_PACKAGE_DIR} COMPONENT ${name} EXCLUDE_FROM_ALL)

  add_custom_target(component_${name} DEPENDS ${targets})
  set(find "include_guard()\n")
  set(pkg_requires "")
  foreach(component ${ARG_REQUIRES})
    add_dependencies(component_${name} component_${component})
    install(CODE "execute_process(COMMAND \"${CMAKE_COMMAND}\" --install \"${CMAKE_BINARY_DIR}\" --component ${component}
                  --prefix \"\${CMAKE_INSTALL_PREFIX}\" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)"
            COMPONENT ${name} EXCLUDE_FROM_ALL)
    string(APPEND find "include(\${CMAKE_CURRENT_LIST_DIR}/MillraceComponent-${component}.cmake)\n")
    list(APPEND pkg_requires millrace-${component})
  endforeach()
  foreach(package ${ARG_PACKAGES})
    string(APPEND find "find_dependency(${package})\n")
  endforeach()
  foreach(module ${ARG_MODULES})
    string(REGEX MATCH "^([^=]*)=(.*)$" unused ${module})
    string(REPLACE "," ";" modules ${CMAKE_MATCH_2})
    list(APPEND pkg_requires ${modules})
    string(REPLACE ";" " " modules "${modules}")
    string(APPEND find "find_dependency(PkgConfig)\n"
           "if(NOT TARGET PkgConfig::${CMAKE_MATCH_1})\n"
           "  pkg_check_modules(${CMAKE_MATCH_1} REQUIRED IMPORTED_TARGET ${modules})\nendif()\n")
  endforeach()
  if(ARG_OPENCV)
    string(REPLACE ";" " " parts "${ARG_OPENCV}")
    string(APPEND find "include(\${CMAKE_CURRENT_LIST_DIR}/OpenCvParts.cmake)\nmillrace_find_opencv(${parts})\n")
    install(FILES ${CMAKE_SOURCE_DIR}/cmake/OpenCvParts.cmake DESTINATION ${MILLRACE_PACKAGE_DIR} COMPONENT ${name}
            EXCLUDE_FROM_ALL)
    list(TRANSFORM ARG_OPENCV PREPEND " -lopencv_")
    string(REPLACE ";" "" opencv "${ARG_OPENCV}")
    string(APPEND libraries ${opencv})
  endif()
  foreach(library ${ARG_LINK})
    string(APPEND libraries " -l${library}")
  endforeach()
  string(APPEND find "include(\${CMAKE_CURRENT_LIST_DIR}/MillraceTargets-${name}.cmake)\n")
  file(WRITE ${package_scratch}/MillraceComponent-${name}.cmake ${find})

  # pkg-config's file finds its way by where it lies, so that the tree can be installed anywhere. The archives are static:
  # whoever links them needs their libraries too, so none of those is private.
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  list(JOIN pkg_requires ", " pkg_requires)
  set(cflags "-I\${prefix}/${MILLRACE_INCLUDE_DIR}")
  if(ARG_OPENCV)
    string(APPEND cflags " -I${OPENCV_INCLUDE_DIR}")
  endif()
  file(WRITE ${package_scratch}/millrace-${name}.pc
    "prefix=\${pcfiledir}/${up}\n"
    "Name: millrace-${name}\nDescription: ${ARG_DESCRIPTION}\nVersion: ${PROJECT_VERSION}\n"
    "Requires: ${pkg_requires}\n"
    "Libs: -L\${prefix}/${CMAKE_INSTALL_LIBDIR}${libraries}\nCflags: ${cflags}\n")
  install(FILES ${package_scratch}/millrace-${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${name}
          EXCLUDE_FROM_ALL)
  install(FILES ${CMAKE_SOURCE_DIR}/cmake/MillraceConfig.cmake ${package_scratch}/MillraceConfigVersion.cmake
          ${package_scratch}/MillraceComponent-${name}.cmake
          DESTINATION ${MILLRACE_PACKAGE_DIR} COMPONENT ${name} EXCLUDE_FROM_ALL)
endfunction()
