# What an installed parser needs from outside: base's libraries, and nothing of GStreamer, libav or OpenCV.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(spdlog)
find_dependency(prometheus-cpp)
include(${CMAKE_CURRENT_LIST_DIR}/MillraceParser.cmake)
