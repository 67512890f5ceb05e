# Installs the consumer library, and builds the sample against it out of the tree, by CMake and by pkg-config.
#   cmake -DBUILD=<build directory> -DSAMPLE=<its source> -DCOMPILER=<c++> -DFLAGS=<compiler flags> -DWORK=<scratch>
#         -P package_test.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
function(run code_wanted)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL code_wanted)
    message(FATAL_ERROR "${ARGN}: ${code}\n${text}")
  endif()
  set(output "${text}" PARENT_SCOPE)
endfunction()

run(0 ${CMAKE_COMMAND} --install ${BUILD} --component consumer --prefix ${WORK}/installed)
file(GLOB_RECURSE headers RELATIVE ${WORK}/installed/include/millrace/consumers ${WORK}/installed/include/millrace/consumers/*.h)
list(SORT headers)
if(NOT headers STREQUAL "worker/worker.h;worker/worker_metrics.h;worker/worker_options.h;worker/worker_record.h")
  message(FATAL_ERROR "other headers than the public ones were installed: ${headers}")
endif()
run(0 ${CMAKE_COMMAND} -E copy_directory ${SAMPLE} ${WORK}/sample)
run(0 ${CMAKE_COMMAND} -G Ninja -S ${WORK}/sample -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/installed
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
run(0 ${CMAKE_COMMAND} --build ${WORK}/build)
run(0 sh -c "PKG_CONFIG_PATH=$(dirname $(find ${WORK}/installed -name millrace-consumer.pc)) && export PKG_CONFIG_PATH &&
             exec ${COMPILER} -std=c++20 ${FLAGS} ${WORK}/sample/main.cc -o ${WORK}/by_pkg_config \
             $(pkg-config --cflags --libs millrace-consumer)")
foreach(program ${WORK}/build/record_consumer ${WORK}/by_pkg_config)
  run(2 ${program} http://127.0.0.1:1 app)
  if(NOT output MATCHES "usage: ")
    message(FATAL_ERROR "${output}")
  endif()
  run(2 ${program} ftp://nowhere app orders)
  run(2 ${program} http://127.0.0.1:1 no/name orders)
  if(NOT output MATCHES "'application' has 1 to 128 letters")
    message(FATAL_ERROR "${output}")
  endif()
endforeach()
file(REMOVE_RECURSE ${WORK})
