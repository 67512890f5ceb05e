# What the tests of installed packages share; each is run by
#   cmake -DBUILD=<build directory> -DSAMPLE=<source of a project> -DCOMPILER=<c++> -DFLAGS=<compiler flags> -DWORK=<scratch> -P <test>
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(INSTALLED ${WORK}/installed)

# Sets `code` and `output`.
function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(output "${text}" PARENT_SCOPE)
  set(code "${code}" PARENT_SCOPE)
endfunction()
# Sets `output`.
function(must)
  run(${ARGV})
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}: ${code}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
# The last output.
function(expect pattern)
  if(NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "'${pattern}' was expected in:\n${output}")
  endif()
endfunction()
function(expect_times count pattern)
  string(REGEX MATCHALL "${pattern}" found "${output}")
  list(LENGTH found found_count)
  if(NOT found_count EQUAL count)
    message(FATAL_ERROR "'${pattern}' was expected ${count} times:\n${output}")
  endif()
endfunction()

function(install_components)
  foreach(component ${ARGV})
    must(${CMAKE_COMMAND} --install ${BUILD} --component ${component} --prefix ${INSTALLED})
  endforeach()
endfunction()
# A copy of ${SAMPLE}, so that nothing of the tree is found from there, in ${WORK}/build.
function(build_by_cmake)
  must(${CMAKE_COMMAND} -E copy_directory ${SAMPLE} ${WORK}/sample)
  must(${CMAKE_COMMAND} -G Ninja -S ${WORK}/sample -B ${WORK}/build -DCMAKE_PREFIX_PATH=${INSTALLED}
       -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
  must(${CMAKE_COMMAND} --build ${WORK}/build)
endfunction()
# ${WORK}/by_pkg_config, of one source file of it.
function(build_by_pkg_config source module)
  must(sh -c "PKG_CONFIG_PATH=$(dirname $(find ${INSTALLED} -name ${module}.pc)) && export PKG_CONFIG_PATH &&
              exec ${COMPILER} -std=c++20 ${FLAGS} ${SAMPLE}/${source} -o ${WORK}/by_pkg_config \
              $(pkg-config --cflags --libs ${module})")
endfunction()
