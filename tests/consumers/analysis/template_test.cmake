# Installs what analyzers are written against, builds samples/analyzer outside of the tree against it, and runs it.
include(${CMAKE_CURRENT_LIST_DIR}/../../package.cmake)

install_components(analyzer)
build_by_cmake()
# The program takes both: one reads its options, of the other nothing is missing but the streams.
run(${MILLRACE} analyze --plugin ${WORK}/build/libbrightness.so --options "{\"darc\":0.2}")
expect("option 'darc' is not known")
run(${MILLRACE} analyze --plugin ${WORK}/build/libchecksums.so)
expect("name the streams")

# Two seconds of black, then two of white.
must(ffmpeg -v error -f lavfi -i color=black:size=160x120:rate=10:duration=2 -f lavfi
     -i color=white:size=160x120:rate=10:duration=2 -filter_complex concat=n=2 -c:v libx264 -g 10 -threads 1 ${WORK}/a.mkv)
must(${WORK}/build/try_analyzer ${WORK}/a.mkv)
expect("\"Brightness\":0")
expect("\"Type\":\"LightOn\",\"EventId\":\"light-2000\",\"Time\":\"1970-01-01T00:00:02.000Z\"")
run(${WORK}/build/try_analyzer ${WORK}/a.mkv "{\"darc\":0.2}")
expect("option 'darc' is not known")
file(REMOVE_RECURSE ${WORK})
