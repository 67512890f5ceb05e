# Installs what analyzers are written against, builds samples/analyzer outside of the tree against it, and runs it.
#   cmake -DBUILD=<build directory> -DSAMPLE=<its source> -DCOMPILER=<c++> -DFLAGS=<compiler flags> -DWORK=<scratch>
#         -P template_test.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(output "${text}" PARENT_SCOPE)
  set(code "${code}" PARENT_SCOPE)
endfunction()
function(must)
  run(${ARGV})
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
function(expect pattern)
  if(NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "'${pattern}' was expected in:\n${output}")
  endif()
endfunction()

must(${CMAKE_COMMAND} --install ${BUILD} --component analyzer --prefix ${WORK}/installed)
file(COPY ${SAMPLE} DESTINATION ${WORK})
get_filename_component(name ${SAMPLE} NAME)
must(${CMAKE_COMMAND} -G Ninja -S ${WORK}/${name} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/installed
     -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
must(${CMAKE_COMMAND} --build ${WORK}/build)
if(NOT EXISTS ${WORK}/build/libbrightness.so)
  message(FATAL_ERROR "no library was built")
endif()

# Two seconds of black, then two of white.
must(ffmpeg -v error -f lavfi -i color=black:size=160x120:rate=10:duration=2 -f lavfi
     -i color=white:size=160x120:rate=10:duration=2 -filter_complex concat=n=2 -c:v libx264 -g 10 -threads 1 ${WORK}/a.mkv)
must(${WORK}/build/try_analyzer ${WORK}/a.mkv)
expect("\"Brightness\":0")
expect("\"Type\":\"LightOn\",\"EventId\":\"light-2000\",\"Time\":\"1970-01-01T00:00:02.000Z\"")
run(${WORK}/build/try_analyzer ${WORK}/a.mkv "{\"darc\":0.2}")
expect("option 'darc' is not known")
file(REMOVE_RECURSE ${WORK})
