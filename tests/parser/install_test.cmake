# Installs the parser with its decoder and its sources, and nothing else, builds a project against them, by CMake and by pkg-config, and runs
# both on a real file.
#   cmake -DBUILD=<build directory> -DCONSUMER=<its source> -DCOMPILER=<c++> -DFLAGS=<compiler flags> -DWORK=<scratch>
#         -P install_test.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${text}")
  endif()
  set(output "${text}" PARENT_SCOPE)
endfunction()
function(expect count pattern)
  string(REGEX MATCHALL "${pattern}" found "${output}")
  list(LENGTH found found_count)
  if(NOT found_count EQUAL count)
    message(FATAL_ERROR "'${pattern}' was expected ${count} times:\n${output}")
  endif()
endfunction()

foreach(component decoder media_sources)
  run(${CMAKE_COMMAND} --install ${BUILD} --component ${component} --prefix ${WORK}/installed)
endforeach()
file(GLOB_RECURSE private ${WORK}/installed/*cluster_walker.h ${WORK}/installed/*_handles.h
     ${WORK}/installed/*picture_converter.h ${WORK}/installed/*project_warnings*)
if(private)
  message(FATAL_ERROR "what is nobody else's was installed: ${private}")
endif()
run(${CMAKE_COMMAND} -G Ninja -S ${CONSUMER} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/installed
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(sh -c "PKG_CONFIG_PATH=$(dirname $(find ${WORK}/installed -name millrace-parser.pc)) && export PKG_CONFIG_PATH &&
           exec ${COMPILER} -std=c++20 ${FLAGS} ${CONSUMER}/frames.cc -o ${WORK}/frames \
           $(pkg-config --cflags --libs millrace-parser)")

run(ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=10:duration=2 -c:v libx264 -preset ultrafast -g 10 -threads 1
    ${WORK}/a.mkv)
run(sh -c "exec ${WORK}/frames < ${WORK}/a.mkv")
expect(20 "- track 1 at ")
run(${WORK}/build/pictures ${WORK}/a.mkv)
expect(2 "picture of 160 x 120")
file(REMOVE_RECURSE ${WORK})
