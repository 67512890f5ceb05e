# OpenCV's parts by themselves, as opencv::core and so on: Debian ships the CMake package only with all of them
# (libopencv-dev and its hundreds).
function(millrace_find_opencv)
  find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4 REQUIRED)
  foreach(part ${ARGN})
    if(TARGET opencv::${part})
      continue()
    endif()
    find_library(OPENCV_${part}_LIBRARY opencv_${part} REQUIRED)
    add_library(opencv::${part} UNKNOWN IMPORTED)
    set_target_properties(opencv::${part} PROPERTIES IMPORTED_LOCATION ${OPENCV_${part}_LIBRARY}
                          INTERFACE_INCLUDE_DIRECTORIES ${OPENCV_INCLUDE_DIR})
  endforeach()
endfunction()
