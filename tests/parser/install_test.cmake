# Installs the parser by itself, builds a project against it, and runs that on a real file.
#   cmake -DBUILD=<build directory> -DCONSUMER=<its source> -DFLAGS=<compiler flags> -DWORK=<scratch> -P install_test.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}\n${text}")
  endif()
  set(output "${text}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --component parser --prefix ${WORK}/installed)
run(${CMAKE_COMMAND} -G Ninja -S ${CONSUMER} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${WORK}/installed -DCMAKE_CXX_COMPILER=${COMPILER}
    -DCMAKE_CXX_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=10:duration=2 -c:v libx264 -preset ultrafast -threads 1 ${WORK}/a.mkv)
run(sh -c "exec ${WORK}/build/consumer < ${WORK}/a.mkv")
string(REGEX MATCHALL "- track 1 at " frames "${output}")
list(LENGTH frames count)
if(NOT count EQUAL 20)
  message(FATAL_ERROR "20 frames were expected:\n${output}")
endif()
file(REMOVE_RECURSE ${WORK})
