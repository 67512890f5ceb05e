// Internal: one file that libavformat writes.
//
// Errors:  as MediaWriter's. Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "media/libav_handles.h"
#include "parser/writer/media_writer.h"

namespace millrace {

class Muxer {
 public:
  static Result<std::unique_ptr<Muxer>> Create(const std::string& path, Container container);
  ~Muxer();
  Muxer(const Muxer&) = delete;
  Muxer& operator=(const Muxer&) = delete;

  // A stream that `describe` describes; its index. Before Start.
  Result<int> AddStream(const std::function<Result<void>(AVCodecParameters&)>& describe);
  // Some encoders must know: their headers go into the container, not into the frames.
  bool wants_global_header() const { return (muxer_->oformat->flags & AVFMT_GLOBALHEADER) != 0; }
  Result<void> Start();

  // Times in nanoseconds; dts must rise in a stream. `data` is left alone.
  struct Packet {
    int stream = 0;
    std::int64_t pts_ns = 0;
    std::int64_t dts_ns = 0;
    std::int64_t duration_ns = 0;
    bool key_frame = false;
    ByteSpan data;
  };
  Result<void> Write(const Packet& packet);
  // A movie fragment ends here, where the container has them.
  Result<void> EndFragment();
  Result<void> Finish();

 private:
  Muxer(std::string path, Container container) : path_(std::move(path)), container_(container) {}
  Error Failure(const std::string& doing, int code) const;

  const std::string path_;
  const Container container_;
  AvOutputPtr muxer_;
  AvPacketPtr packet_;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace millrace
