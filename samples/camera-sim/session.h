// One client's RTSP connection: answers requests, and is the client's Player once it plays.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "samples/camera-sim/camera.h"
#include "samples/camera-sim/rtp_output.h"
#include "samples/camera-sim/rtsp_message.h"

namespace millrace::camera_sim {

// What a session needs of its server. The server outlives its sessions.
class CameraDirectory {
 public:
  virtual ~CameraDirectory() = default;
  // Null: there is no such camera.
  virtual Camera* FindCamera(int number) = 0;
  // Somebody plays or has stopped: what is due next may be another.
  virtual void ScheduleChanged() = 0;
  virtual const std::string& user() const = 0;  // empty: everybody may
  virtual const std::string& password() const = 0;
};

// Keeps itself alive while the connection is open; a session is as long as its connection.
// Threads: the server's one thread.
class Session final : public Player, public std::enable_shared_from_this<Session> {
 public:
  Session(boost::asio::ip::tcp::socket socket, CameraDirectory& directory);
  void Run();

  RtpOutput& output() override { return output_; }
  void Pump() override;
  void Close(bool flush) override;
  void Reset() override;

 private:
  void Read();
  void OnBytes(std::size_t count);
  void Answer(const RtspRequest& request);
  void Reply(const RtspRequest& request, const std::string& status, const std::string& headers = "",
             const std::string& body = "");
  bool IsAuthorized(const RtspRequest& request, const ReplyPlan& plan);
  Camera* CameraOf(const RtspRequest& request);
  void Describe(const RtspRequest& request, const Camera& camera, bool hide_audio);
  void SetUp(const RtspRequest& request, const Camera& camera);
  void Play(const RtspRequest& request, Camera& camera);
  void WaitWritable();
  void CloseNow();

  boost::asio::ip::tcp::socket socket_;
  CameraDirectory& directory_;
  RtpOutput output_;
  std::array<char, 8192> chunk_;
  std::string received_;
  const std::string id_;
  const std::string nonce_;
  int playing_ = 0;  // camera number; 0: none
  bool waits_writable_ = false;
  bool closing_ = false;  // once all is written
};

}  // namespace millrace::camera_sim
