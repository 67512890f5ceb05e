#include "samples/camera-sim/session.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <cstdio>
#include <random>
#include <utility>

#include "base/log.h"
#include "samples/camera-sim/sdp.h"

namespace millrace::camera_sim {
namespace {

namespace net = boost::asio;
constexpr const char* kRealm = "camera-sim";

std::string RandomHex() {
  static std::mt19937_64 random{std::random_device{}()};
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(random()));
  return text;
}

// The number after `name` in `text` and whether there is one: NumberAfter("…client_port=5000-5001",
// "client_port=").
std::optional<int> NumberAfter(const std::string& text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return std::nullopt;
  int value = 0;
  const char* start = text.data() + at + name.size();
  const auto [end, problem] = std::from_chars(start, text.data() + text.size(), value);
  if (problem != std::errc{} || value < 0 || value > 65535) return std::nullopt;
  return value;
}

}  // namespace

Session::Session(net::ip::tcp::socket socket, CameraDirectory& directory)
    : socket_(std::move(socket)),
      directory_(directory),
      output_(socket_),
      id_(RandomHex()),
      nonce_(RandomHex()) {}

void Session::Run() {
  boost::system::error_code error;
  socket_.non_blocking(true, error);
  socket_.set_option(net::ip::tcp::no_delay(true), error);
  Read();
}

void Session::Read() {
  socket_.async_read_some(net::buffer(chunk_),
                          [self = shared_from_this()](const auto& error, std::size_t count) {
                            if (error) return self->CloseNow();
                            self->OnBytes(count);
                          });
}

void Session::OnBytes(std::size_t count) {
  received_.append(chunk_.data(), count);
  for (;;) {
    auto request = TakeRequest(received_);
    if (!request) return CloseNow();
    if (!*request) break;
    Answer(**request);
    if (!socket_.is_open()) return;
  }
  Read();
}

void Session::Answer(const RtspRequest& request) {
  Camera* camera = CameraOf(request);
  ReplyPlan plan{.method = request.method,
                 .has_user_agent = !request.Header("user-agent").empty(),
                 .user = directory_.user(),
                 .password = directory_.password()};
  if (camera != nullptr) camera->AskFaults(plan);
  if (plan.silent) return;
  if (request.method == "OPTIONS") {
    return Reply(request, "200 OK",
                 "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER\r\n");
  }
  if (plan.refuse || !IsAuthorized(request, plan)) {
    return Reply(
        request, "401 Unauthorized",
        std::string("WWW-Authenticate: Digest realm=\"") + kRealm + "\", nonce=\"" + nonce_ + "\"\r\n");
  }
  if (request.method == "GET_PARAMETER" || request.method == "SET_PARAMETER") return Reply(request, "200 OK");
  if (camera == nullptr || !camera->running() || plan.gone) return Reply(request, "404 Not Found");
  if (request.method == "DESCRIBE") return Describe(request, *camera, plan.hide_audio);
  if (request.method == "SETUP") return SetUp(request, *camera);
  if (request.method == "PLAY") return Play(request, *camera);
  if (request.method == "TEARDOWN") {
    camera->Detach(this);
    playing_ = 0;
    Reply(request, "200 OK");
    return Close(true);
  }
  Reply(request, "501 Not Implemented");
}

void Session::Reply(const RtspRequest& request, const std::string& status, const std::string& headers,
                    const std::string& body) {
  std::string text =
      "RTSP/1.0 " + status + "\r\nCSeq: " + request.Header("cseq") + "\r\nServer: camera-sim\r\n" + headers;
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  output_.SendText(text + "\r\n" + body);
  Pump();
}

bool Session::IsAuthorized(const RtspRequest& request, const ReplyPlan& plan) {
  return plan.user.empty() || DigestIsRight(request, plan.user, plan.password, kRealm, nonce_);
}

Camera* Session::CameraOf(const RtspRequest& request) {
  if (playing_ != 0) return directory_.FindCamera(playing_);
  const auto number = NumberAfter(request.uri, "/cam/");
  return number ? directory_.FindCamera(*number) : nullptr;
}

void Session::Describe(const RtspRequest& request, const Camera& camera, bool hide_audio) {
  std::string base = request.uri;
  if (base.back() != '/') base += '/';
  Reply(request, "200 OK", "Content-Type: application/sdp\r\nContent-Base: " + base + "\r\n",
        MakeSdp(camera.clip(), camera.number(), hide_audio));
}

void Session::SetUp(const RtspRequest& request, const Camera& camera) {
  const auto control = NumberAfter(request.uri, "/track");
  if (!control || *control < 1 || static_cast<std::size_t>(*control) > camera.clip().tracks.size()) {
    return Reply(request, "404 Not Found");
  }
  const auto track = static_cast<std::size_t>(*control - 1);
  const std::string wanted = request.Header("transport");
  std::string transport;
  if (wanted.find("RTP/AVP/TCP") != std::string::npos) {
    const int channel = NumberAfter(wanted, "interleaved=").value_or(static_cast<int>(track) * 2);
    if (channel > 254) return Reply(request, "461 Unsupported Transport");
    output_.SetInterleaved(track, static_cast<std::uint8_t>(channel), static_cast<std::uint8_t>(channel + 1));
    transport =
        "RTP/AVP/TCP;unicast;interleaved=" + std::to_string(channel) + "-" + std::to_string(channel + 1);
  } else {
    const auto port = NumberAfter(wanted, "client_port=");
    const bool multicast = wanted.find("multicast") != std::string::npos;
    if (!port || *port == 0 || *port == 65535 || multicast)
      return Reply(request, "461 Unsupported Transport");
    const auto client = static_cast<std::uint16_t>(*port);
    const std::uint16_t ours = output_.SetUdp(track, client, static_cast<std::uint16_t>(client + 1));
    if (ours == 0) return Reply(request, "500 Internal Server Error");
    transport = "RTP/AVP;unicast;client_port=" + std::to_string(client) + "-" + std::to_string(client + 1) +
                ";server_port=" + std::to_string(ours) + "-" + std::to_string(ours + 1);
  }
  char ssrc[16];
  std::snprintf(ssrc, sizeof(ssrc), "%08X", camera.ssrc(track));
  Reply(
      request, "200 OK",
      "Transport: " + transport + ";ssrc=" + ssrc + ";mode=\"PLAY\"\r\nSession: " + id_ + ";timeout=60\r\n");
}

void Session::Play(const RtspRequest& request, Camera& camera) {
  std::string info;
  for (std::size_t i = 0; i < camera.clip().tracks.size(); ++i) {
    if (!output_.IsSetUp(i)) continue;
    std::string base = request.uri;
    if (base.back() != '/') base += '/';
    info += (info.empty() ? "" : ",") + ("url=" + base) + "track" + std::to_string(i + 1) +
            ";seq=" + std::to_string(output_.next_sequence(i));
  }
  if (info.empty()) return Reply(request, "455 Method Not Valid in This State");
  Reply(request, "200 OK", "Session: " + id_ + "\r\nRange: npt=now-\r\nRTP-Info: " + info + "\r\n");
  playing_ = camera.number();
  camera.Attach(shared_from_this());
  directory_.ScheduleChanged();
}

void Session::Pump() {
  if (!socket_.is_open()) return;
  if (output_.broken()) return Close(false);
  if (output_.wants_write()) return WaitWritable();
  if (closing_) Close(false);
}

void Session::WaitWritable() {
  if (waits_writable_) return;
  waits_writable_ = true;
  socket_.async_wait(net::ip::tcp::socket::wait_write, [self = shared_from_this()](const auto& error) {
    self->waits_writable_ = false;
    if (error || !self->output_.Flush()) return self->CloseNow();
    self->Pump();
  });
}

void Session::Close(bool flush) {
  closing_ = true;
  if (flush && output_.wants_write()) return WaitWritable();
  net::post(socket_.get_executor(), [self = shared_from_this()] { self->CloseNow(); });
}

void Session::Reset() {
  boost::system::error_code error;
  socket_.set_option(net::ip::tcp::socket::linger(true, 0), error);  // close() then resets
  net::post(socket_.get_executor(), [self = shared_from_this()] { self->CloseNow(); });
}

void Session::CloseNow() {
  if (!socket_.is_open()) return;
  boost::system::error_code error;
  net::ip::tcp::socket::linger linger;
  socket_.get_option(linger, error);
  if (!linger.enabled()) socket_.shutdown(net::ip::tcp::socket::shutdown_both, error);
  socket_.close(error);
  if (Camera* camera = playing_ != 0 ? directory_.FindCamera(playing_) : nullptr) camera->Detach(this);
  directory_.ScheduleChanged();
}

}  // namespace millrace::camera_sim
