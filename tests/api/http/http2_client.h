// An HTTP/2 client that sends exactly the frames it is told to: for peers that no proper client would be.
// Header fields go through nghttp2's HPACK; everything else is bytes.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/api/http/raw_client.h"

namespace millrace::api::testing {

struct Http2Answer {
  int status = 0;  // 0: no answer came
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::vector<int> informational;      // statuses before it
  bool ended = false;                  // it is whole
  std::optional<std::uint32_t> reset;  // the stream was reset, and why
  std::string Header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
};

class Http2Client {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  // Connects and sends the preface and `settings` (identifier, value).
  explicit Http2Client(std::uint16_t port,
                       const std::vector<std::pair<std::uint16_t, std::uint32_t>>& settings = {})
      : raw_(port) {
    nghttp2_hd_deflate_new(&deflater_, 4096);
    nghttp2_hd_inflate_new(&inflater_);
    std::string payload;
    for (const auto& [id, value] : settings) payload += Number(id, 2) + Number(value, 4);
    raw_.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + FrameBytes(NGHTTP2_SETTINGS, 0, 0, payload));
  }
  ~Http2Client() {
    nghttp2_hd_deflate_del(deflater_);
    nghttp2_hd_inflate_del(inflater_);
  }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  static std::string Number(std::uint64_t value, int bytes) {
    std::string text;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      text.push_back(static_cast<char>(value >> shift & 0xff));
    return text;
  }
  static std::string FrameBytes(int type, int flags, std::int32_t stream, std::string_view payload) {
    return Number(payload.size(), 3) + Number(static_cast<std::uint64_t>(type), 1) +
           Number(static_cast<std::uint64_t>(flags), 1) + Number(static_cast<std::uint64_t>(stream), 4) +
           std::string(payload);
  }
  static Fields Get(std::string path) {
    return {{":method", "GET"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", std::move(path)}};
  }
  static Fields Post(std::string path) {
    return {
        {":method", "POST"}, {":scheme", "http"}, {":authority", "localhost"}, {":path", std::move(path)}};
  }

  bool SendFrame(int type, int flags, std::int32_t stream, std::string_view payload) {
    return raw_.Send(FrameBytes(type, flags, stream, payload));
  }
  std::string Pack(const Fields& fields) {
    std::vector<nghttp2_nv> values;
    for (const auto& [name, value] : fields) {
      values.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                        value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string block(nghttp2_hd_deflate_bound(deflater_, values.data(), values.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(block.data()),
                                               block.size(), values.data(), values.size());
    block.resize(static_cast<std::size_t>(size));
    return block;
  }
  // A request's header fields in one HEADERS frame; gives its stream.
  std::int32_t Request(const Fields& fields, bool end = true) {
    const std::int32_t stream = next_stream_;
    next_stream_ += 2;
    SendFrame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0), stream,
              Pack(fields));
    return stream;
  }
  bool Data(std::int32_t stream, std::string_view bytes, bool end) {
    while (bytes.size() > 16384) {
      if (!SendFrame(NGHTTP2_DATA, 0, stream, bytes.substr(0, 16384))) return false;
      bytes.remove_prefix(16384);
    }
    return SendFrame(NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, stream, bytes);
  }
  bool Reset(std::int32_t stream) { return SendFrame(NGHTTP2_RST_STREAM, 0, stream, Number(8, 4)); }
  bool Update(std::int32_t stream, std::uint32_t bytes) {
    return SendFrame(NGHTTP2_WINDOW_UPDATE, 0, stream, Number(bytes, 4));
  }

  // The next frame, taken account of; false: the connection is over, or nothing comes.
  bool Pump() {
    auto head = raw_.Take(9);
    if (head.size() < 9) return false;
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(head[i]); };
    const std::size_t size = std::size_t{at(0)} << 16 | std::size_t{at(1)} << 8 | at(2);
    const auto stream = static_cast<std::int32_t>(ReadNumber(head, 5) & 0x7fffffff);
    const std::string payload = raw_.Take(size);
    if (payload.size() < size) return false;
    Take(at(3), at(4), stream, payload);
    return true;
  }
  // Reads until the stream's answer is whole, or nothing more comes of it.
  const Http2Answer& Receive(std::int32_t stream) {
    while (!answers_[stream].ended && !answers_[stream].reset && Pump()) {
    }
    return answers_[stream];
  }
  // Until its header fields are there.
  const Http2Answer& ReceiveHead(std::int32_t stream) {
    while (answers_[stream].status == 0 && !answers_[stream].reset && Pump()) {
    }
    return answers_[stream];
  }
  // Until that many bytes of its body are there.
  const Http2Answer& ReceiveBytes(std::int32_t stream, std::size_t bytes) {
    while (answers_[stream].body.size() < bytes && !answers_[stream].reset && Pump()) {
    }
    return answers_[stream];
  }
  // A ping that comes back: everything before it was taken. False: the connection is over.
  bool Ping() {
    const int before = pongs_;
    SendFrame(NGHTTP2_PING, 0, 0, "12345678");
    while (pongs_ == before && Pump()) {
    }
    return pongs_ > before;
  }
  // Reads to the end of the connection; the error code of its GOAWAY, none where there was none.
  std::optional<std::uint32_t> Goodbye() {
    while (Pump()) {
    }
    return goaway_;
  }

  Http2Answer& answer(std::int32_t stream) { return answers_[stream]; }
  std::optional<std::uint32_t> goaway() const { return goaway_; }
  const std::map<std::uint16_t, std::uint32_t>& settings() const { return settings_; }
  // Bytes by which the server has opened the stream's window (0: the connection's) beyond the initial one.
  std::uint64_t granted(std::int32_t stream) { return granted_[stream]; }
  void set_grant(bool grant) { grant_ = grant; }
  RawClient& raw() { return raw_; }

 private:
  static std::uint32_t ReadNumber(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[at + i]);
    return value;
  }

  void Take(int type, int flags, std::int32_t stream, const std::string& payload) {
    switch (type) {
      case NGHTTP2_HEADERS:
        TakeHeaders(answers_[stream], payload);
        break;
      case NGHTTP2_DATA:
        answers_[stream].body += payload;
        if (grant_ && !payload.empty()) {
          Update(0, static_cast<std::uint32_t>(payload.size()));
          if ((flags & NGHTTP2_FLAG_END_STREAM) == 0) {
            Update(stream, static_cast<std::uint32_t>(payload.size()));
          }
        }
        break;
      case NGHTTP2_SETTINGS:
        for (std::size_t i = 0; i + 6 <= payload.size(); i += 6) {
          settings_[static_cast<std::uint16_t>(static_cast<std::uint8_t>(payload[i]) << 8 |
                                               static_cast<std::uint8_t>(payload[i + 1]))] =
              ReadNumber(payload, i + 2);
        }
        if ((flags & NGHTTP2_FLAG_ACK) == 0) SendFrame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
        break;
      case NGHTTP2_PING:
        if ((flags & NGHTTP2_FLAG_ACK) != 0) ++pongs_;
        break;
      case NGHTTP2_RST_STREAM:
        answers_[stream].reset = ReadNumber(payload, 0);
        break;
      case NGHTTP2_WINDOW_UPDATE:
        granted_[stream] += ReadNumber(payload, 0);
        break;
      case NGHTTP2_GOAWAY:
        goaway_ = ReadNumber(payload, 4);
        break;
      default:
        break;
    }
    if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) && (flags & NGHTTP2_FLAG_END_STREAM) != 0)
      answers_[stream].ended = true;
  }

  // The server's answers fit into one frame each.
  void TakeHeaders(Http2Answer& answer, const std::string& block) {
    const auto* in = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    answer.headers.clear();
    for (;;) {
      nghttp2_nv field{};
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
      if (used < 0) return;
      in += used;
      left -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        answer.headers.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                                    std::string(reinterpret_cast<char*>(field.value), field.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    const int status = std::atoi(answer.Header(":status").c_str());
    if (status < 200) {
      answer.informational.push_back(status);
    } else {
      answer.status = status;
    }
  }

  RawClient raw_;
  nghttp2_hd_deflater* deflater_ = nullptr;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::int32_t next_stream_ = 1;
  std::map<std::int32_t, Http2Answer> answers_;
  std::map<std::int32_t, std::uint64_t> granted_;
  std::map<std::uint16_t, std::uint32_t> settings_;
  std::optional<std::uint32_t> goaway_;
  int pongs_ = 0;
  bool grant_ = true;
};

}  // namespace millrace::api::testing
