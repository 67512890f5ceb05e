# Installs the parser with its decoder, its writer and its sources, and nothing else, builds a project against them, by CMake and by
# pkg-config, and runs it on a real file.
include(${CMAKE_CURRENT_LIST_DIR}/../package.cmake)

install_components(decoder writer media_sources)
file(GLOB_RECURSE private ${INSTALLED}/*cluster_walker.h ${INSTALLED}/*_handles.h ${INSTALLED}/*muxer.h
     ${INSTALLED}/*picture_converter.h ${INSTALLED}/*project_warnings*)
if(private)
  message(FATAL_ERROR "what is nobody else's was installed: ${private}")
endif()
build_by_cmake()
build_by_pkg_config(frames.cc millrace-parser)

must(ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=10:duration=2 -c:v libx264 -preset ultrafast -g 10 -threads 1
     ${WORK}/a.mkv)
must(sh -c "exec ${WORK}/by_pkg_config < ${WORK}/a.mkv")
expect_times(20 "- track 1 at ")
must(${WORK}/build/pictures ${WORK}/a.mkv)
expect_times(2 "picture of 160 x 120")
must(${WORK}/build/to_mp4 ${WORK}/a.mkv ${WORK}/a.mp4)
must(ffprobe -v error -show_entries packet=pts_time -of csv=p=0 ${WORK}/a.mp4)
expect_times(20 "[0-9]\\.[0-9]+")
file(REMOVE_RECURSE ${WORK})
