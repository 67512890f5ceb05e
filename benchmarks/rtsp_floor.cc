// The floor under recording cameras: as many bare pipelines as asked for, in one process, doing nothing with
// the frames.
//
//   rtsp_floor URL_PREFIX COUNT     pulls URL_PREFIX1 … URL_PREFIXCOUNT until standard input closes
//
// rtspsrc ! rtph264depay ! h264parse ! fakesink. Prints "ready N" when N pipelines have frames.
#include <gst/gst.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "media/gst_handles.h"

namespace millrace {
namespace {

// Counts the first buffer of a pipeline, then takes itself off the pad.
GstPadProbeReturn OnFirstBuffer(GstPad*, GstPadProbeInfo*, gpointer flowing) {
  ++*static_cast<std::atomic<int>*>(flowing);
  return GST_PAD_PROBE_REMOVE;
}

GstElementPtr StartPipeline(const std::string& url, std::atomic<int>& flowing) {
  std::string description =
      "rtspsrc protocols=tcp location=" + url + " ! rtph264depay ! h264parse ! fakesink name=sink sync=false";
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(description.c_str(), &error);
  if (error != nullptr) {
    GErrorPtr owned(error);
    std::fprintf(stderr, "rtsp_floor: %s\n", error->message);
    std::exit(1);
  }
  GstElementPtr sink(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
  GstPadPtr pad(gst_element_get_static_pad(sink.get(), "sink"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, OnFirstBuffer, &flowing, nullptr);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  return GstElementPtr(GST_ELEMENT(gst_object_ref_sink(pipeline)));
}

int Run(const std::string& prefix, int count) {
  std::atomic<int> flowing{0};
  std::vector<GstElementPtr> pipelines;
  for (int i = 1; i <= count; ++i) {
    pipelines.push_back(StartPipeline(prefix + std::to_string(i), flowing));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // as a fleet paces its dials
  }
  for (int waited = 0; flowing < count && waited < 600; ++waited) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  std::printf("ready %d\n", flowing.load());
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (GstElementPtr& pipeline : pipelines) gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: rtsp_floor URL_PREFIX COUNT\n");
    return 2;
  }
  gst_init(nullptr, nullptr);
  return millrace::Run(argv[1], std::atoi(argv[2]));
}
