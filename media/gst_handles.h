// Owners for GStreamer's handles: the only place that says how each is let go.
//
// A new element is floating: gst_object_ref_sink() it before owning it here, or hand it to a bin at once.
#pragma once

#include <gst/gst.h>

#include <memory>
#include <mutex>
#include <utility>

namespace millrace {

// gst_init, once. Threads: any.
inline void InitGStreamer() {
  static std::once_flag once;
  std::call_once(once, [] { gst_init(nullptr, nullptr); });
}

template <auto Release>
struct ReleaseByPointer {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Release(handle);
  }
};

// For what is no GObject. (Its own functions are static inline: a type made of them would differ from file to
// file.)
struct ReleaseMiniObject {
  template <typename T>
  void operator()(T* handle) const noexcept {
    gst_mini_object_unref(GST_MINI_OBJECT_CAST(handle));
  }
};

using GstElementPtr = std::unique_ptr<GstElement, ReleaseByPointer<gst_object_unref>>;
using GstPadPtr = std::unique_ptr<GstPad, ReleaseByPointer<gst_object_unref>>;
using GstBusPtr = std::unique_ptr<GstBus, ReleaseByPointer<gst_object_unref>>;
using GstBufferPtr = std::unique_ptr<GstBuffer, ReleaseMiniObject>;
using GstCapsPtr = std::unique_ptr<GstCaps, ReleaseMiniObject>;
using GstSamplePtr = std::unique_ptr<GstSample, ReleaseMiniObject>;
using GstMessagePtr = std::unique_ptr<GstMessage, ReleaseMiniObject>;
using GStringPtr = std::unique_ptr<gchar, ReleaseByPointer<g_free>>;
using GErrorPtr = std::unique_ptr<GError, ReleaseByPointer<g_error_free>>;

// A buffer mapped for reading, for as long as this lives. Holds a reference to the buffer.
class MappedGstBuffer {
 public:
  explicit MappedGstBuffer(GstBuffer* buffer) : buffer_(gst_buffer_ref(buffer)) {
    mapped_ = gst_buffer_map(buffer_, &info_, GST_MAP_READ) != FALSE;
  }
  MappedGstBuffer(const MappedGstBuffer&) = delete;
  MappedGstBuffer& operator=(const MappedGstBuffer&) = delete;
  ~MappedGstBuffer() {
    if (mapped_) gst_buffer_unmap(buffer_, &info_);
    gst_buffer_unref(buffer_);
  }
  bool ok() const { return mapped_; }
  const guint8* data() const { return info_.data; }
  gsize size() const { return mapped_ ? info_.size : 0; }

 private:
  GstBuffer* buffer_;
  GstMapInfo info_{};
  bool mapped_ = false;
};

}  // namespace millrace
