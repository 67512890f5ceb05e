// GStreamer's own RTSP server as a camera of any codec: it plays a launch line, on a thread of its own, and
// is gone with this object.
#pragma once

#include <gst/gst.h>
#include <gst/rtsp-server/rtsp-server.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace millrace::test {

class RtspMediaServer {
 public:
  // `launch`: payloaders that are named pay0, pay1.
  explicit RtspMediaServer(const std::string& launch) {
    gst_init(nullptr, nullptr);
    context_ = g_main_context_new();
    loop_ = g_main_loop_new(context_, FALSE);
    server_ = gst_rtsp_server_new();
    gst_rtsp_server_set_address(server_, "127.0.0.1");
    gst_rtsp_server_set_service(server_, "0");
    GstRTSPMediaFactory* factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(factory, launch.c_str());
    GstRTSPMountPoints* mounts = gst_rtsp_server_get_mount_points(server_);
    gst_rtsp_mount_points_add_factory(mounts, "/cam", factory);
    g_object_unref(mounts);
    attached_ = gst_rtsp_server_attach(server_, context_);
    if (attached_ == 0) throw std::runtime_error("the RTSP server has no port");
    thread_ = std::thread([this] {
      g_main_context_push_thread_default(context_);
      g_main_loop_run(loop_);
      g_main_context_pop_thread_default(context_);
    });
  }
  ~RtspMediaServer() {
    GSource* quit = g_idle_source_new();
    g_source_set_callback(
        quit,
        [](gpointer self) -> gboolean {
          auto* server = static_cast<RtspMediaServer*>(self);
          GList* clients = gst_rtsp_server_client_filter(
              server->server_,
              [](GstRTSPServer*, GstRTSPClient*, gpointer) { return GST_RTSP_FILTER_REMOVE; }, nullptr);
          g_list_free_full(clients, g_object_unref);
          g_main_loop_quit(server->loop_);
          return G_SOURCE_REMOVE;
        },
        this, nullptr);
    g_source_attach(quit, context_);
    g_source_unref(quit);
    thread_.join();
    g_source_destroy(g_main_context_find_source_by_id(context_, attached_));
    g_object_unref(server_);
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }
  RtspMediaServer(const RtspMediaServer&) = delete;
  RtspMediaServer& operator=(const RtspMediaServer&) = delete;

  std::string Url() const {
    return "rtsp://127.0.0.1:" + std::to_string(gst_rtsp_server_get_bound_port(server_)) + "/cam";
  }

 private:
  GMainContext* context_ = nullptr;
  GMainLoop* loop_ = nullptr;
  GstRTSPServer* server_ = nullptr;
  guint attached_ = 0;
  std::thread thread_;
};

}  // namespace millrace::test
